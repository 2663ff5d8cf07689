"""CITATION.cff and NOTICE say the same of the paper as content/page.toml. A publication without them needs none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ledger.problems import Problem
from ledger.text import read_text, read_toml_as
from pages.source.settings import Page

PAPER = "preferred-citation:"  # of CITATION.cff; what stands above it cites the software
FAMILY = re.compile(r"family-names:\s*[\"']?([^\"',}\n]+)")
TITLE = re.compile(r"The paper \"([^\"]+)\"")


def disagreements(root: Path) -> Iterator[Problem]:
    """What these files lack of the paper's title, authors, year and arXiv number, or name beside its authors."""
    if not (root / "content/page.toml").is_file():
        return
    page = read_toml_as(Page, root / "content/page.toml", root)[1]
    if (root / "CITATION.cff").is_file():
        yield from _cited(read_text(root / "CITATION.cff", root), page)
    if (root / "NOTICE").is_file():
        yield from _noticed(read_text(root / "NOTICE", root), page)


def _cited(text: str, page: Page) -> Iterator[Problem]:
    """The paper's part of CITATION.cff."""
    start = text.find(PAPER)
    if start < 0:
        return
    paper, line = text[start:], text.count("\n", 0, start) + 1
    yield from _lacking("CITATION.cff", line, paper, page, [str(page.year), page.arxiv, page.booktitle])
    for match in FAMILY.finditer(paper):
        if not any(match[1].strip() in author.name for author in page.authors):
            at = line + paper.count("\n", 0, match.start())
            said = f"'{match[1].strip()}' is no author of content/page.toml"
            yield Problem("CITATION.cff", at, "family-names", said)


def _noticed(text: str, page: Page) -> Iterator[Problem]:
    """The sentence of NOTICE about the paper, where there is one."""
    if match := TITLE.search(text):
        line = text.count("\n", 0, match.start()) + 1
        yield from _lacking("NOTICE", line, text[match.start() :], page, [])


def _lacking(file: str, line: int, text: str, page: Page, more: list[str]) -> Iterator[Problem]:
    said = " ".join(text.split())
    names = [author.name for author in page.authors if not all(part in said for part in author.name.split())]
    for name in [page.cited_title or page.title, *more]:
        if name and name not in said:
            names.append(name)
    for name in names:
        yield Problem(file, line, "", f"does not say '{name}', as content/page.toml does")
