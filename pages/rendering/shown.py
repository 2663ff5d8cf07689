"""A picture as the templates of one page show it: under addresses that start from that page."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pages.images.resolve import ResolvedImage
    from pages.rendering.urls import Addresses


@dataclass(frozen=True)
class Shown:
    """A picture as a template shows it, or as a placeholder stands in for it: `state` is that of a ResolvedImage."""

    state: str
    alt: str = ""
    label: str = ""
    sources: tuple[tuple[str, str], ...] = ()
    src: str = ""
    width: int = 0
    height: int = 0
    full: str = ""
    untreated: str = ""
    treatment: str = ""
    severity: float = 0.0
    seed: int = 0


def shown(found: ResolvedImage, at: Addresses, treatment: str = "", severity: float = 0.0, seed: int = 0) -> Shown:
    """What was found as the page at `at` addresses it."""
    if found.made is None:
        return Shown(found.state, found.alt, found.label)
    _, width, height = found.made.widest
    picture = Shown(
        found.state,
        found.alt,
        found.label,
        tuple((kind, srcset.replace("{root}", at.up)) for kind, srcset in found.made.sources),
        at.url(found.made.fallback[0]),
        width,
        height,
        at.url(found.made.filed),
    )
    if found.plain is None:
        return picture
    return replace(picture, treatment=treatment, severity=severity, seed=seed, untreated=at.url(found.plain.filed))
