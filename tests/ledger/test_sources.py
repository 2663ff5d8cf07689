"""Pictures that others publish: declared once by source and group of rights, pinned in the ledger."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import ledger
from ledger.problems import InputError
from tests.ledger.conftest import Project

SOURCES = """
[sources.authors]
title = "The repository of the paper"
repository = "https://example.org/authors/paper"
revision = "0123abc"
raw = "https://raw.example.org/authors/paper/{revision}/{path}"
page = "https://example.org/authors/paper/blob/{revision}/{path}"
licence = "None stated"

[sources.authors.groups.paintings]
title = "Paintings"
rights = "Public domain"
shown = "free"

[sources.authors.groups.photographs]
title = "Photographs"
rights = "With their makers"
shown = "accept"
"""
REMOTE = {"source": "authors", "group": "photographs", "path": "img/a.jpg", "sha256": "0" * 64, "bytes": 10}


def _project(project: Project, sources: str = SOURCES, **remote: Any) -> Path:
    picture = {"id": "real", "label": "A", "alt": "A field.", "remote": {**REMOTE, **remote}}
    exhibit = {"title": "T", "kind": "pair", "caption": "", "credit": "", "licence": "", "pictures": [picture]}
    root = project(one={"exhibits": {"field": exhibit}})
    (root / "content" / "sources.toml").write_text(sources, encoding="utf-8")
    return root


def test_address_and_rights_come_from_the_source(project: Project) -> None:
    """A wrong address would hang another picture under the caption; wrong rights would have it shown by anybody."""
    (picture,) = ledger.load(_project(project)).exhibits["field"].pictures
    assert picture.remote is not None
    assert picture.remote.url == "https://raw.example.org/authors/paper/0123abc/img/a.jpg"
    assert picture.remote.page == "https://example.org/authors/paper/blob/0123abc/img/a.jpg"
    assert (picture.remote.licence, picture.remote.shown) == ("With their makers", "accept")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"source": "author"}, "remote.source: no such source 'author', did you mean 'authors'?"),
        ({"group": "photograph"}, "remote.group: no such group 'photograph', did you mean 'photographs'?"),
        ({"sha256": None}, "remote: needs either url, page and licence, or source, group, path, sha256 and bytes"),
        ({"prompt": {"file": "a.json", "pointer": "0/prompt", "sha256": "0" * 64}}, "remote.prompt.pointer"),
    ],
)
def test_a_picture_of_no_declared_source_is_refused(project: Project, changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError) as refused:
        ledger.load(_project(project, **changes))
    assert any(expected in str(problem) for problem in refused.value.problems), str(refused.value)


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (
            SOURCES.replace('shown = "free"', 'shown = "yes"'),
            "content/sources.toml:13 sources.authors.groups.paintings",
        ),
        (SOURCES.replace('licence = "None stated"\n', ""), "sources.authors.licence: is missing"),
        ("sources = ", "content/sources.toml:1: not TOML"),
    ],
)
def test_a_broken_declaration_is_named_with_its_place(project: Project, sources: str, expected: str) -> None:
    with pytest.raises(InputError) as refused:
        ledger.load(_project(project, sources))
    assert expected in str(refused.value)
