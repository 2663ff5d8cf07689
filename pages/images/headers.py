"""Pictures of pieces of the clean copy - its title page, headings, numbers, photographs - drawn at build time and put
through the project's own treatments, for use in the distorted variant.

One material and no other: the clean page's fonts, its words, its ledger values, the photographs of a set. A section's
picture is `head-ID` (as its badge says), `head-ID-half` (half the severity) and `head-ID-plain` (untreated). All are
decoration: nothing is said in them that the live text does not say. What is drawn is declared in section.toml and
page.toml; how, in pages/images/scenes.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pages.images.canvas import DISPLAY, ITALIC, SANS, TEXT, TYPED, WORN
from pages.images.jobs import GeneratedImage
from pages.images.library import picture_path
from pages.images.scenes import SCENES, WIDTH, draw, draw_stamp
from pages.source.settings import Scene, Treated
from pages.source.site import Section, Site
from pages.source.theme import FONTS

if TYPE_CHECKING:
    from ledger.schema import Exhibit

UNSPOKEN = re.compile(  # blocks of code, TeX, citations, footnotes and pictures: see pages/rendering/notation.py
    r"^ *(`{3,}|~{3,}).*?^ *\1 *$|\$\$.+?\$\$|\$[^\s$][^$\n]*\$(?!\d)"
    r"| ?\[[@^][^\]\n]+\]:?|!\[[^\]]*\]\([^)]*\)",
    re.S | re.M,
)
Step = tuple[str, float, int]  # treatment, severity, seed


def declare(site: Site) -> list[GeneratedImage]:
    """The pictures that templates may ask for by name."""
    page = site.page
    title = {"title": page.title, "kind": "   ".join(part for part in (*page.place, page.honour) if part)}
    plates = _three("masthead", "title_page", 0, title, _steps(page.masthead))
    for section in site.sections:
        if section.header.drawn:
            name, inputs, files = _scene_of(section, site)
            height = section.header.scene.height if section.header.scene else 0
            plates += _three(f"head-{section.id}", name, height, inputs, _steps(section.header), files)
        if section.header.stamp:
            plates.append(_stamp(f"section-{section.id}", section.header.stamp))
    if page.door:
        door = [(name, severity, page.door.seed) for name, severity in page.door.treatments.items()]
        plates += [_plate("door-clean", "door", 0, title, []), _plate("door-distorted", "door", 0, title, door)]
    if page.masthead.stamp:
        plates.append(_stamp("masthead", page.masthead.stamp))
    return plates + [_stamp(name, word, score) for name, word, score in _stamped(site)]


def _steps(treated: Treated) -> list[Step]:
    return [(name, treated.severity, treated.seed) for name in treated.badge]


def _three(
    name: str, scene: str, height: int, inputs: Mapping[str, Any], steps: Sequence[Step], files: tuple[str, ...] = ()
) -> list[GeneratedImage]:
    """The picture in its three states; one state where nothing is done to it."""
    if not steps:
        return [_plate(name, scene, height, inputs, [], files)]
    half = [(one, severity / 2, seed) for one, severity, seed in steps]
    return [
        _plate(name, scene, height, inputs, steps, files),
        _plate(f"{name}-half", scene, height, inputs, half, files),
        _plate(f"{name}-plain", scene, height, inputs, [], files),
    ]


def _plate(
    name: str,
    scene: str,
    height: int,
    inputs: Mapping[str, Any],
    steps: Sequence[Step],
    files: tuple[str, ...] = (),
) -> GeneratedImage:
    height = height or SCENES[scene].height
    known = {**inputs, "scene": scene, "height": height, "steps": [list(step) for step in steps]}
    fonts = tuple(f"{FONTS}/{font}.woff2" for font in (DISPLAY, ITALIC, TEXT, SANS, TYPED, WORN))
    return GeneratedImage(name, WIDTH, height, draw, known, (*fonts, *files))


def _stamp(name: str, word: str, score: str = "") -> GeneratedImage:
    inputs = {"scene": "stamp", "word": word.upper(), "score": score, "height": 400}
    return GeneratedImage(f"stamp-{name}", 720, 400, draw_stamp, inputs, (f"{FONTS}/{SANS}.woff2",))


def _stamped(site: Site) -> list[tuple[str, str, str]]:
    """(exhibit, word, score) of every exhibit of a set that page.toml stamps."""
    return [
        (name, stamp.word, _verdict(exhibit, stamp.score, site))
        for stamp in site.page.stamps
        for name, exhibit in site.ledger.exhibits.items()
        if stamp.set in exhibit.sets
    ]


def _verdict(exhibit: Exhibit, score: str, site: Site) -> str:
    """The score that a stamp carries: that of the exhibit's first picture that has it, or nothing."""
    import ledger

    for picture in exhibit.pictures:
        if score in picture.scores:
            return f"{site.page.score(score)} {ledger.show(picture.scores[score])}"
    return ""


def _scene_of(section: Section, site: Site) -> tuple[str, dict[str, Any], tuple[str, ...]]:
    """(scene, inputs, files). A scene without what it needs falls back to the opening page."""
    scene = section.header.scene or Scene()
    values = [text for text in (_shown(site, name) for name in scene.values) if text]
    photographs = _photographs(site, scene.photographs)
    inputs: dict[str, Any] = {
        "number": str(section.number),
        "title": section.voices["clean"].title,
        "words": _plain_words(section.voices["clean"].text)[:1600],
    }
    needs = SCENES[scene.name].needs
    if (needs == "values" and not values) or (needs == "photographs" and not photographs):
        return "opening_page", inputs, ()
    if needs == "values":
        return scene.name, {**inputs, "values": values}, ()
    if needs == "photographs":
        return scene.name, {**inputs, "photographs": list(photographs)}, photographs
    return scene.name, inputs, ()


def _photographs(site: Site, name: str) -> tuple[str, ...]:
    """Files of the shipped pictures of a set."""
    places = (
        picture_path(site.root, picture.file)
        for exhibit in site.ledger.exhibits.values()
        if name in exhibit.sets
        for picture in exhibit.pictures
        if picture.file
    )
    return tuple(path for path in places if (site.root / path).is_file())


def _shown(site: Site, name: str) -> str:
    """A ledger value as it is printed; empty when the ledger lacks it."""
    import ledger

    try:
        return ledger.show(site.ledger.value(name))
    except KeyError:
        return ""


def _plain_words(markdown: str) -> str:
    """The running words of a text: no functions, blocks of code, formulas, markup and symbols with subscripts."""
    markdown = UNSPOKEN.sub("", markdown)
    markdown = re.sub(r",?\s*\*\w\*<sub>\w</sub>(?=[,.;:]?)", "", markdown)
    text = re.sub(
        r"\{\{.*?\}\}|\{:.*?\}|<[^>]+>|\]\((?:[^()]|\([^()]*\))*\)|[#>*`\[\]|_]|^-+$", " ", markdown, flags=re.S | re.M
    )
    return " ".join(text.split())
