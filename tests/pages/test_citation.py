"""A paper that replaced another in a copy of this project is cited by its own name."""

from __future__ import annotations

import pytest

from pages.source.citation import disagreements

PAGE = """
title = "Small things"
description = "About them."
year = 2026
arxiv = "2512.00001"

[[authors]]
name = "Ada First"

[[authors]]
name = "Ben Second"
"""
CITATION = """\
cff-version: 1.2.0
title: A tool of somebody else
authors:
  - name: Others
preferred-citation:
  title: "Small things"
  year: 2026
  authors:
    - {family-names: First, given-names: Ada}
    - {family-names: Second, given-names: Ben}
  identifiers:
    - {type: other, value: "arXiv:2512.00001"}
"""
NOTICE = 'Others hold the copyright.\n\nThe paper "Small things" is by Ada\nFirst and Ben Second.\n'


def _said(fresh, citation: str = CITATION, notice: str = NOTICE) -> list[str]:
    fresh.write("content/page.toml", PAGE)
    fresh.write("CITATION.cff", citation)
    fresh.write("NOTICE", notice)
    return [str(problem) for problem in disagreements(fresh.root)]


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Ada First", "First, Ada"),
        ("Anna van der Berg", "van der Berg, Anna"),
        ("Juan de la Cruz Jr.", "de la Cruz, Jr., Juan"),
        ("King George III", "George, III, King"),
        ("Plato", "Plato"),
        ("A_B~C^\\ & {D}", r"\{D\}, A\_B\textasciitilde{}C\textasciicircum{}\textbackslash{} \&"),
    ],
)
def test_the_citation_writes_names_as_bibtex_reads_them(fresh, name, written):
    from pages.rendering.downloads import bibtex
    from pages.source.settings import Author, Page

    page = Page(title="t", description="d", year=2026, authors=[Author(name=name)], address="https://x.example/a_b")
    assert f"  author = {{{written}}}," in bibtex(page)
    assert "  url = {https://x.example/a_b/}" in bibtex(page)


@pytest.mark.parametrize(
    ("citation", "notice"),
    [(CITATION, NOTICE), (CITATION.partition("preferred")[0], NOTICE), (CITATION, "Others hold the copyright.\n")],
    ids=["all three agree", "only the software is cited", "no paper in NOTICE"],
)
def test_files_that_agree_or_say_nothing_of_a_paper_pass(fresh, citation, notice):
    assert _said(fresh, citation, notice) == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('title: "Small things"', "title: Large things", "CITATION.cff:5: does not say 'Small things'"),
        ("year: 2026", "year: 2025", "CITATION.cff:5: does not say '2026'"),
        ("2512.00001", "2512.00002", "CITATION.cff:5: does not say '2512.00001'"),
        ("given-names: Ada", "given-names: Eve", "CITATION.cff:5: does not say 'Ada First'"),
        ("Ben}", "Ben}\n    - {family-names: Third, given-names: C}", "CITATION.cff:11 family-names: 'Third' is no"),
    ],
)
def test_what_citation_cff_says_otherwise_is_named(fresh, old, new, told):
    (problem,) = _said(fresh, CITATION.replace(old, new))
    assert problem.startswith(told)


def test_what_notice_says_otherwise_is_named(fresh):
    stale = 'The paper "Large things" is by Ada First.\n'
    lacking = [f"NOTICE:1: does not say '{name}', as content/page.toml does" for name in ("Ben Second", "Small things")]
    assert _said(fresh, notice=stale) == lacking


def test_a_publication_without_these_files_needs_none(fresh):
    assert list(disagreements(fresh.root)) == []
