"""What one file says about another: names of treatments in section.toml are names of content/taxonomy.toml."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ledger.problems import Problem, did_you_mean, relative, toml_line
from ledger.text import read_text

if TYPE_CHECKING:
    from pages.source.load import Site


def validate(site: Site) -> Iterator[Problem]:
    """Every name that stands for nothing, at its line."""
    yield from _badges(site)


def _badges(site: Site) -> Iterator[Problem]:
    known = set(site.taxonomy.treatments)
    for section in site.sections:
        for index, name in enumerate(section.badge):
            if name not in known:
                file = site.root / "content/sections" / section.folder / "section.toml"
                line = toml_line(read_text(file, site.root), ["badge"])
                message = f"no treatment '{name}'{did_you_mean(name, known)}"
                yield Problem(relative(file, site.root), line, f"badge[{index}]", message)
