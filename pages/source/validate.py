"""What one file says about another: names of treatments, tables and cells stand for something."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from ledger.problems import Problem, did_you_mean, relative, toml_line
from ledger.text import read_text

if TYPE_CHECKING:
    from pages.source.load import Site


def validate(site: Site) -> Iterator[Problem]:
    """Every name that stands for nothing, at its line."""
    yield from _badges(site)
    yield from _charts(site)


def _badges(site: Site) -> Iterator[Problem]:
    known = set(site.taxonomy.treatments)
    for section in site.sections:
        for index, name in enumerate(section.badge):
            if name not in known:
                file = site.root / "content/sections" / section.folder / "section.toml"
                line = toml_line(read_text(file, site.root), ["badge"])
                message = f"no treatment '{name}'{did_you_mean(name, known)}"
                yield Problem(relative(file, site.root), line, f"badge[{index}]", message)


def _charts(site: Site) -> Iterator[Problem]:
    """Every pattern of content/charts.toml names a table of the ledger, and a cell of it."""
    tables = site.ledger.tables
    for name, spec in site.charts.items():
        for field, pattern in spec.cells.items():
            table, _, rest = pattern.partition(".")
            row, _, column = rest.rpartition(".")
            if table not in tables:
                wrong = f"no table '{table}'{did_you_mean(table, tables)}"
            elif not _any(row, rows := [one.id for one in tables[table].rows]):
                wrong = f"table '{table}' has no row '{row}'{did_you_mean(row, rows)}"
            elif not _any(column, columns := [one.id for one in tables[table].columns]):
                wrong = f"table '{table}' has no column '{column}'{did_you_mean(column, columns)}"
            else:
                continue
            file = site.root / "content/charts.toml"
            line = toml_line(read_text(file, site.root), [name, field])
            yield Problem(relative(file, site.root), line, f"{name}.{field}", wrong)


def _any(pattern: str, known: list[str]) -> bool:
    return any(fnmatchcase(one, pattern) for one in known)
