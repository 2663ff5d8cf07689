"""A canvas with the project's fonts and the colours of the distorted variant; used by scenes.py."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pages.source.theme import FONTS

if TYPE_CHECKING:
    from PIL import Image, ImageDraw, ImageFont

    Colour = tuple[int, int, int]

INSPECTED = 2**31  # pixels: whether a picture keeps to the limit of page.toml was asked before
INK, PAPER, BLACK = (20, 19, 15), (252, 251, 247), (15, 15, 13)
GREY, HAIR, SODIUM, BRUISE, RED = (138, 134, 124), (205, 202, 192), (206, 210, 62), (66, 46, 88), (178, 0, 29)
DISPLAY, ITALIC, TEXT, SANS = "newsreader-display", "newsreader-display-italic", "newsreader-text", "plex-sans"
TYPED, WORN = "courier-prime", "special-elite"


class Canvas:
    """A canvas to draw on, with the project's fonts."""

    def __init__(self, root: Path, width: int, height: int, paper: Colour = PAPER) -> None:
        from PIL import Image, ImageDraw

        self.root, self.width, self.height = root, width, height
        self.image: Image.Image = Image.new("RGB", (width, height), paper)
        self.draw: ImageDraw.ImageDraw = ImageDraw.Draw(self.image)
        self.fonts: dict[tuple[str, int, int], ImageFont.FreeTypeFont] = {}

    def font(self, name: str, size: float, weight: int = 0) -> ImageFont.FreeTypeFont:
        from PIL import ImageFont

        key = (name, round(size), weight)
        if key not in self.fonts:
            font = ImageFont.truetype(str(FONTS / f"{name}.woff2"), round(size))
            if weight:
                font.set_variation_by_axes([weight])
            self.fonts[key] = font
        return self.fonts[key]

    def width_of(self, text: str, name: str, size: float, weight: int = 0, spread: float = 0) -> float:
        return self.font(name, size, weight).getlength(text) + spread * max(len(text) - 1, 0)

    def text(
        self,
        at: tuple[float, float],
        text: str,
        name: str = TEXT,
        size: float = 20,
        fill: Colour = INK,
        weight: int = 0,
        spread: float = 0,
    ) -> None:
        """One line; `at` is its upper left corner, `spread` extra pixels between letters."""
        x, y = at
        if not spread:
            self.draw.text((x, y), text, fill, self.font(name, size, weight))
            return
        for letter in text:
            self.draw.text((x, y), letter, fill, self.font(name, size, weight))
            x += self.font(name, size, weight).getlength(letter) + spread

    def lines(
        self, at: tuple[float, float], words: str, wide: float, count: int, name: str = TEXT, size: float = 20,
        fill: Colour = INK, lead: float = 1.45, weight: int = 0,
    ) -> list[tuple[float, float, float, float]]:  # fmt: skip
        """Set `words` in at most `count` lines; the boxes of the words."""
        x, y = at
        font, boxes, row = self.font(name, size, weight), list[tuple[float, float, float, float]](), 0
        space = font.getlength(" ")
        for word in words.split():
            long = font.getlength(word)
            if x + long > at[0] + wide and x > at[0]:
                x, y, row = at[0], y + size * lead, row + 1
                if row >= count:
                    break
            self.draw.text((x, y), word, fill, font)
            boxes.append((x, y, x + long, y + size * 1.15))
            x += long + space
        return boxes

    def broken(self, words: str, wide: float, name: str, size: float, weight: int = 0) -> list[str]:
        """`words` in lines no wider than `wide`, but for a word that is wider by itself."""
        found = [""]
        for word in words.split():
            longer = f"{found[-1]} {word}".strip()
            if not found[-1] or self.width_of(longer, name, size, weight) <= wide:
                found[-1] = longer
            else:
                found.append(word)
        return found

    def fitting(
        self, words: str, box: tuple[float, float], name: str, size: float, weight: int = 0, step: float = 2
    ) -> float:
        """The largest size, at most `size`, at which `words` fit the box."""
        wide, tall = box
        while size > 20:
            rows = self.broken(words, wide, name, size, weight)
            if len(rows) * size <= tall and all(self.width_of(row, name, size, weight) <= wide for row in rows):
                break
            size -= step
        return size

    def title(
        self, at: tuple[float, float], words: str, box: tuple[float, float], name: str, size: float,
        fill: Colour = INK, weight: int = 0, outline: Colour | None = None, step: float = 2,
    ) -> float:  # fmt: skip
        """`words` as large as they fit the box, in lines where one is not enough; their size."""
        size = self.fitting(words, box, name, size, weight, step)
        font = self.font(name, size, weight)
        for row, text in enumerate(self.broken(words, box[0], name, size, weight)):
            place = (at[0], at[1] + row * size)
            if outline:
                self.draw.text(place, text, fill, font, stroke_width=2, stroke_fill=outline)
            else:
                self.draw.text(place, text, fill, font)
        return size

    def rule(self, y: float, left: float = 0, right: float = 0, fill: Colour = INK, wide: int = 2) -> None:
        self.draw.line((left, y, self.width - right, y), fill, wide)

    def ground(self, fill: Colour) -> None:
        self.draw.rectangle((0, 0, self.width, self.height), fill)

    def photograph(self, file: str, box: tuple[int, int, int, int], turn: float = 0, border: int = 0) -> None:
        """The picture cut to fill `box`, with a white border, turned about its centre."""
        from PIL import Image, ImageOps

        from effects.decode import decode, flatten

        left, top, right, bottom = box
        source = Image.fromarray(flatten(decode(self.root / file, max_pixels=INSPECTED)))
        print_ = ImageOps.fit(source, (right - left, bottom - top), Image.Resampling.LANCZOS)
        if border:
            print_ = ImageOps.expand(print_, (border, border, border, border * 3), (246, 245, 238))
        mask = Image.new("L", print_.size, 255)
        print_, mask = (
            print_.rotate(turn, Image.Resampling.BICUBIC, True),
            mask.rotate(turn, Image.Resampling.BICUBIC, True),
        )
        self.image.paste(print_, (left - border, top - border), mask)
