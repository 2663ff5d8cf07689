"""Sections as templates see them, in one variant."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from pages.rendering.typography import typeset
from pages.source.settings import SectionHeader, Variant
from pages.source.site import Section


@dataclass(frozen=True)
class View:
    """A section in one variant; what section.toml says of its look is `look`."""

    id: str
    number: int
    title: str
    nav: str
    lead: str
    note: str
    look: SectionHeader
    html: Markup = Markup("")  # noqa: RUF009 - immutable

    @property
    def badge(self) -> list[str]:
        return self.look.badge

    @property
    def severity(self) -> float:
        return self.look.severity

    @property
    def seed(self) -> int:
        return self.look.seed

    @property
    def scene(self) -> str:
        return self.look.drawn


def view_of(section: Section, variant: Variant) -> View:
    """The section without its text."""
    voice, look = section.voices[variant], section.header
    titles = (typeset(voice.title), typeset(voice.nav), typeset(voice.lead), typeset(look.note))
    return View(section.id, section.number, *titles, look)
