"""Plates: pictures of the page itself that are drawn at build time and put through the project's own treatments."""

from __future__ import annotations

from pages.load import Site
from pages.pictures import Plate


def declare(site: Site) -> list[Plate]:
    """The plates that templates may ask for by name."""
    return []
