"""Plates: pieces of the clean copy - its title page, headings, numbers, photographs - drawn at build time and put
through the project's own treatments, for the refused copy to wear.

One material and no other: the clean page's fonts, its words, its ledger values, the project's free photographs. Every
section with a badge gets three plates, `head-ID` (as its badge says), `head-ID-half` (half the severity) and
`head-ID-plain` (untreated). All are decoration: nothing is said in them that the live text does not say. What a plate
shows is decided here; pages/images/scenes.py draws it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pages.images.canvas import DISPLAY, ITALIC, SANS, TEXT, TYPED, WORN
from pages.images.jobs import GeneratedImage
from pages.images.scenes import WIDTH, draw, draw_stamp
from pages.source.load import Section, Site
from pages.source.theme import FONTS

if TYPE_CHECKING:
    from ledger.schema import Exhibit

Step = tuple[str, float, int]  # treatment, severity, seed


def declare(site: Site) -> list[GeneratedImage]:
    """The plates that templates may ask for by name."""
    title = {"title": site.page.title, "kind": f"{site.page.kind}   {site.page.venue}   {site.page.honour}"}
    steps = [("film_artifacts", 0.6, 1905), ("exposure_extremes", 0.6, 1905)]
    plates = _three("masthead", 720, "title_page", title, steps)
    for section in site.sections:
        name, height, inputs, files = _scene_of(section, site)
        if name:
            steps = [(one, section.severity, section.seed) for one in section.badge]
            plates += _three(f"head-{section.id}", height, name, inputs, steps, files)
    plates.append(_plate("door-clean", 960, "door", title, []))
    door = [("exposure_extremes", 0.6, 1863), ("decay_and_degradation", 0.35, 1863), ("analog_degradation", 0.5, 1863)]
    plates.append(_plate("door-refused", 960, "door", title, door))
    plates += [_stamp("refused", "refused"), _stamp("audited", "audited")]
    for name, exhibit in site.ledger.exhibits.items():
        if "canon" in exhibit.sets:
            plates.append(_stamp(name, "refused", _verdict(exhibit, site)))
    return plates


def _three(
    name: str, height: int, scene: str, inputs: Mapping[str, Any], steps: Sequence[Step], files: tuple[str, ...] = ()
) -> list[GeneratedImage]:
    """The plate in its three states; one state where nothing is done to it."""
    if not steps:
        return [_plate(name, height, scene, inputs, [], files)]
    half = [(one, severity / 2, seed) for one, severity, seed in steps]
    return [
        _plate(name, height, scene, inputs, steps, files),
        _plate(f"{name}-half", height, scene, inputs, half, files),
        _plate(f"{name}-plain", height, scene, inputs, [], files),
    ]


def _plate(
    name: str,
    height: int,
    scene: str,
    inputs: Mapping[str, Any],
    steps: Sequence[Step],
    files: tuple[str, ...] = (),
) -> GeneratedImage:
    known = {**inputs, "scene": scene, "height": height, "steps": [list(step) for step in steps]}
    fonts = tuple(f"{FONTS}/{font}.woff2" for font in (DISPLAY, ITALIC, TEXT, SANS, TYPED, WORN))
    return GeneratedImage(name, WIDTH, height, draw, known, (*fonts, *files))


def _stamp(name: str, word: str, score: str = "") -> GeneratedImage:
    inputs = {"scene": "stamp", "word": word.upper(), "score": score, "height": 400}
    return GeneratedImage(f"stamp-{name}", 720, 400, draw_stamp, inputs, (f"{FONTS}/{SANS}.woff2",))


def _verdict(exhibit: Exhibit, site: Site) -> str:
    """The score that a stamp carries: the first HPSv3 of the exhibit's pictures, or nothing."""
    import ledger

    for picture in exhibit.pictures:
        if "hpsv3" in picture.scores:
            return f"HPSv3 {ledger.show(picture.scores['hpsv3'])}"
        if "hpsv3" in picture.scores_from:
            return f"HPSv3 {_shown(site, picture.scores_from['hpsv3'])}"
    return ""


# -- what each section's plate shows -----------------------------------------------------------------------------------


def _scene_of(section: Section, site: Site) -> tuple[str, int, dict[str, Any], tuple[str, ...]]:
    """(scene, height, inputs, files). The scene is chosen by what the section is about, the damage by its badge."""
    said = {
        "number": str(section.number),
        "title": section.voices["clean"].title,
        "words": _plain_words(section.voices["clean"].text)[:1600],
    }
    photographs = tuple(
        f"content/pictures/{picture.file.removeprefix('content/pictures/')}"
        for exhibit in site.ledger.exhibits.values()
        if "photographs" in exhibit.sets
        for picture in exhibit.pictures
        if picture.file and picture.file.startswith("content/pictures/")
    )
    match section.id:
        case "exhibits":
            scores = [_shown(site, "page.scream_hpsv3"), _shown(site, "page.matisse_hpsv3")]
            return "wall", 420, {**said, "scores": scores}, ()
        case "knob":
            return "dial", 420, said, ()
        case "memo":
            return "typed", 520, said, ()
        case "method":
            return "drawing", 460, said, ()
        case "numbers":
            cells = [f"generators.{row}.delta_hpsv3" for row in ("nano-banana", "flux-dev", "dance-flux", "sdxl")]
            return "figures", 460, {**said, "figures": [_shown(site, cell) for cell in cells]}, ()
        case "real":
            return "contact_sheet", 560, {**said, "photographs": list(photographs)}, photographs
        case "danceflux":
            return "gloss", 460, said, ()
        case "newspeak":
            return "struck_out", 460, said, ()
        case "vsf":
            return "tray", 460, said, ()
        case "gallery":
            return "snapshots", 560, {**said, "photographs": list(photographs)}, photographs
        case "real-art":
            lowest = [_shown(site, f"lapis.{row.id}.hpsv3") for row in _rows(site, "lapis")][:4]
            return "verdicts", 480, {**said, "figures": lowest or [_shown(site, "lapis.hpsv3.mean")]}, ()
        case "miniature":
            return "far_away", 420, said, ()
        case "objections":
            return "carbon", 480, said, ()
        case "catalogue" | "audit" | "risks":
            return "", 0, {}, ()
        case _:
            return "opening_page", 460, said, ()


def _shown(site: Site, name: str) -> str:
    """A ledger value as it is printed; empty when the ledger lacks it."""
    import ledger

    try:
        return ledger.show(site.ledger.value(name))
    except KeyError:
        return ""


def _rows(site: Site, table: str) -> Sequence[Any]:
    found = site.ledger.tables.get(table)
    return found.rows if found else ()


def _plain_words(markdown: str) -> str:
    """The running words of a section's text: no functions, no markup, no symbols with subscripts."""
    markdown = re.sub(r",?\s*\*\w\*<sub>\w</sub>(?=[,.;:]?)", "", markdown)
    text = re.sub(
        r"\{\{.*?\}\}|\{:.*?\}|<[^>]+>|\]\((?:[^()]|\([^()]*\))*\)|[#>*`\[\]|_]|^-+$", " ", markdown, flags=re.S | re.M
    )
    return " ".join(text.split())
