"""The sources of a site as `pages.source.load` reads them, before anything is rendered."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ledger import Ledger
    from ledger.problems import Problem
    from ledger.sources import Source
    from ledger.taxonomy import Taxonomy
    from pages.source.drawing import Drawing
    from pages.source.lockfile import AtHand
    from pages.source.references import Reference
    from pages.source.settings import ChartSpec, Page, SectionHeader, Variant


@dataclass(frozen=True)
class Voice:
    """A section in one of the two variants: its titles and its Markdown, unexpanded."""

    title: str
    nav: str
    lead: str
    text: str
    file: str  # relative to the root, for messages


@dataclass(frozen=True)
class Section:
    id: str
    number: int
    folder: str
    header: SectionHeader
    voices: Mapping[Variant, Voice]


@dataclass
class Site:
    """Everything `render` needs. `problems` holds defects that did not stop loading: later steps add theirs."""

    root: Path
    page: Page
    sections: list[Section]
    taxonomy: Taxonomy
    ledger: Ledger
    sources: Mapping[str, Source]
    remote: AtHand
    charts: Mapping[str, ChartSpec] = field(default_factory=dict)
    references: Mapping[str, Reference] = field(default_factory=dict)
    files: Mapping[str, Path] = field(default_factory=dict)  # path below content/files -> the file
    drawing: Drawing | None = None  # the model with which readers draw
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # for the build log

    @cached_property
    def called(self) -> dict[str, str]:
        """Function -> id of the first section whose text calls it: where claims, runs and exhibits can be linked to."""
        found: dict[str, str] = {}
        for section in self.sections:
            for name in re.findall(r"\{\{-?\s*(\w+)\(", section.voices["clean"].text):
                found.setdefault(name, section.id)
        return found
