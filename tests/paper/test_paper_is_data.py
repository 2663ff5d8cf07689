"""The tool and the theme know no paper: no id of the shipped content and no word of its authors stands in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.schema import Measure
from pages.source import load

ROOT = Path(__file__).parents[2]
TOOL = ("pages", "ledger", "effects", "templates", "build.py")
WRITTEN = {".py", ".html", ".css", ".js"}
# Plain words are ids of a paper only where they select something: `#memo`, `[data-set=canon]`, `== "canon"`.
SELECTED = r"#{0}(?![\w-])|data-[a-z]+=[\"']?{0}\b|[=!]= ?[\"']{0}[\"']|\bin \[[^\]]*[\"']{0}[\"']|case [\"']{0}[\"']"
OWN = {"audit", "base", "catalogue", "clean", "exhibits", "knob", "p", "photographs", "wall"}  # words of the tool, too


def _files() -> Iterator[tuple[str, str]]:
    for place in (ROOT / name for name in TOOL):
        for file in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if file.suffix in WRITTEN:
                yield file.relative_to(ROOT).as_posix(), file.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def site() -> load.Site:
    return load.load(ROOT)


def _ids(site: load.Site) -> set[str]:
    ledger = site.ledger
    exhibits, tables = ledger.exhibits.values(), ledger.tables.values()
    return {
        *(section.id for section in site.sections),
        *ledger.tables, *ledger.exhibits, *ledger.claims, *ledger.runs, *site.charts,
        *(name for exhibit in exhibits for name in exhibit.sets),
        *(score for exhibit in exhibits for picture in exhibit.pictures for score in picture.scores),
        *(axis for exhibit in exhibits for picture in exhibit.pictures for axis in picture.axes),
        *(row.id for table in tables for row in table.rows),
        *(row.kind for table in tables for row in table.rows if row.kind),
        *(column.id for table in tables for column in table.columns),
    } - {sub.id for sub in site.taxonomy.sub_categories}  # fmt: skip


def test_no_id_of_the_paper_is_known_to_the_tool(site: load.Site) -> None:
    """A second paper would meet a rule that was made for the first."""
    statistics = {word for name in Measure.model_json_schema()["$defs"].values() for word in name.get("enum", [])}
    statistics |= {*Measure.model_json_schema()["properties"]["statistic"].get("enum", [])}
    found, texts = [], list(_files())
    for name in sorted(name for name in _ids(site) - OWN - statistics if not name.isdigit()):
        compound = len(name) > 3 and re.search(r"[-_.\d]", name)
        pattern = rf"(?<![\w.-]){re.escape(name)}(?![\w-])" if compound else SELECTED.format(re.escape(name))
        expression = re.compile(pattern)
        for file, text in [(file, text) for file, text in texts if name in text]:
            for match in expression.finditer(text):
                found.append(f"{file}:{text.count(chr(10), 0, match.start()) + 1}: {name}")
    assert found == []


def test_no_word_of_the_authors_is_known_to_the_tool(site: load.Site) -> None:
    page = site.page
    words = [page.title, page.thesis, page.arxiv, page.citation_key, page.address]
    words += [author.name for author in page.authors] + [author.name.split()[-1] for author in page.authors]
    words += [*page.affiliations.values(), *(one.name for one in page.sponsors), *(link.url for link in page.links)]
    words += ["refused copy", "HPSv3", "reversed-alignment", "Reward models", "Diffusion-DPO"]
    found = [
        f"{file}: {word}"
        for word in words
        if word
        for file, text in _files()
        if re.search(rf"\b{re.escape(word)}\b", text)
    ]
    assert found == []
