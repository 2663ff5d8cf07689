"""Social cards: the pictures of link previews, drawn at build time with the page's own fonts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pages.images.jobs import GeneratedImage
from pages.source.site import Site
from pages.source.theme import FONTS

if TYPE_CHECKING:
    from pages.images.jobs import Array

WIDTH, HEIGHT = 1200, 630
PAPER, INK, QUIET = (252, 251, 248), (24, 22, 20), (110, 104, 98)
FONT = FONTS / "newsreader-display.woff2"


def declare(site: Site) -> list[GeneratedImage]:
    """One card for the page; exhibits use their own pictures."""
    page = site.page
    inputs = {
        "title": page.title,
        "authors": ", ".join(author.name for author in page.authors),
        "place": ", ".join(part for part in (*page.place, page.honour) if part),
    }
    return [GeneratedImage("card", WIDTH, HEIGHT, draw, inputs, (str(FONT),), alt=page.title, form="png")]


def draw(root: Path, inputs: Mapping[str, Any]) -> Array:
    """uint8 630x1200x3: the title large, the authors and the place below a hairline."""
    import numpy as np
    from PIL import Image, ImageDraw

    card = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    pen = ImageDraw.Draw(card)
    wide, size = WIDTH - 2 * 84, 84 if len(inputs["title"]) < 60 else 72
    while len(rows := _wrap(inputs["title"], _font(size), wide)) * size * 1.12 > HEIGHT - 170 - 84 and size > 24:
        size -= 4
    for number, row in enumerate(rows):
        pen.text((84, 84 + number * round(size * 1.12)), row, fill=INK, font=_font(size))
    pen.line((84, HEIGHT - 170, WIDTH - 84, HEIGHT - 170), fill=INK, width=2)
    authors, *more = _wrap(inputs["authors"], _font(32), wide - 60)
    pen.text((84, HEIGHT - 146), authors + (" ..." if more else ""), fill=INK, font=_font(32))
    pen.text((84, HEIGHT - 96), inputs["place"], fill=QUIET, font=_font(32))
    return np.asarray(card)


def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.truetype(str(FONT), size)


def _wrap(text: str, font: Any, width: int) -> list[str]:
    """Lines no wider than `width` pixels."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
