"""The reference names every field and function that there is, and docs name only files and commands that exist."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

import build as command_line
from ledger.csv_tables import ColumnHeader, TableHeader
from pages.rendering.context import TemplateContext
from pages.rendering.text_functions import TextFunctions
from pages.source.settings import Author, ChartSpec, Page, SectionHeader

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(DOCS.glob("*.md"))


def _words(name: str) -> set[str]:
    return set(re.findall(r"[\w-]+", (DOCS / name).read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("model", "page"),
    [
        (Page, "page.md"),
        (Author, "page.md"),
        (SectionHeader, "page.md"),
        (ChartSpec, "tables-and-charts.md"),
        (TableHeader, "tables-and-charts.md"),
        (ColumnHeader, "tables-and-charts.md"),
    ],
)
def test_every_field_is_in_the_reference(model, page):
    assert set(model.model_fields) - _words(page) == set()


def test_every_function_of_texts_is_in_the_reference():
    called = set(re.findall(r"`(\w+)\(", (DOCS / "texts.md").read_text(encoding="utf-8")))
    listed = (Path(__file__).parents[2] / "pages/rendering/context.py").read_text(encoding="utf-8")
    functions = listed.partition("Authors' functions")[2].partition('"""')[0]
    heads = re.findall(r"^  ((?:\w+\([^)]*\)[ /]*)+)", functions, re.M)
    documented = {name for head in heads for name in re.findall(r"(\w+)\(", head)}
    assert len(documented) > 15
    assert documented - called == set()


def test_the_reference_names_no_function_that_there_is_not():
    """`announcements()` was one."""
    rows = re.findall(r"^\| (`\w+\(.*?) \|", (DOCS / "texts.md").read_text(encoding="utf-8"), re.M)
    named = {name for row in rows for name in re.findall(r"`(\w+)\(", row)}
    assert len(named) > 15
    assert {name for name in named if not hasattr(TemplateContext, name) and not hasattr(TextFunctions, name)} == set()


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_links_between_docs_lead_somewhere(page):
    for target in re.findall(r"\]\(([\w./-]+\.md)", page.read_text(encoding="utf-8")):
        assert (DOCS / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_every_command_in_the_docs_exists(page):
    for command in re.findall(r"build\.py ([a-z-]+)", page.read_text(encoding="utf-8")):
        assert CliRunner().invoke(command_line.main, [command, "--help"]).exit_code == 0, command


def test_every_folder_of_tests_is_run():
    """pyproject.toml names them one by one, the long ones first."""
    tests = DOCS.parent / "tests"
    named = tomllib.loads((DOCS.parent / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]["testpaths"]
    assert {f"tests/{place.parent.name}" for place in tests.glob("*/test_*.py")} <= {*named}
