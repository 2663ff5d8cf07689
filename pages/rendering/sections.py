"""Sections as templates see them, in one variant."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from pages.rendering.typography import typeset
from pages.source.load import Section
from pages.source.settings import Variant


@dataclass(frozen=True)
class View:
    """A section in one variant."""

    id: str
    number: int
    title: str
    nav: str
    lead: str
    badge: tuple[str, ...]
    severity: float
    seed: int
    note: str
    html: Markup = Markup("")  # noqa: RUF009 - immutable


def view_of(section: Section, variant: Variant) -> View:
    """The section without its text."""
    voice = section.voices[variant]
    return View(
        section.id,
        section.number,
        typeset(voice.title),
        typeset(voice.nav),
        typeset(voice.lead),
        section.badge,
        section.severity,
        section.seed,
        typeset(section.note),
    )
