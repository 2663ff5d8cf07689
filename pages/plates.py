"""Plates: pieces of the clean copy - its title page, headings, numbers, photographs - drawn at build time and put
through the project's own treatments, for the refused copy to wear.

One material and no other: the clean page's fonts, its words, its ledger values, the project's free photographs. Every
section with a badge gets three plates, `head-ID` (as its badge says), `head-ID-half` (half the severity) and
`head-ID-plain` (untreated). All are decoration: nothing is said in them that the live text does not say.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pages.load import Section, Site
from pages.pictures import Plate

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image, ImageDraw, ImageFont

    from ledger.schema import Exhibit

    Array = np.ndarray[Any, np.dtype[np.uint8]]
    Colour = tuple[int, int, int]

WIDTH = 1280
INK, PAPER, BLACK = (20, 19, 15), (252, 251, 247), (15, 15, 13)
GREY, HAIR, SODIUM, BRUISE, RED = (138, 134, 124), (205, 202, 192), (206, 210, 62), (66, 46, 88), (178, 0, 29)
FONTS = "templates/static/fonts"
DISPLAY, ITALIC, TEXT, SANS = "newsreader-display", "newsreader-display-italic", "newsreader-text", "plex-sans"
TYPED, WORN = "courier-prime", "special-elite"
Step = tuple[str, float, int]  # treatment, severity, seed


def declare(site: Site) -> list[Plate]:
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
) -> list[Plate]:
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
) -> Plate:
    known = {**inputs, "scene": scene, "height": height, "steps": [list(step) for step in steps]}
    fonts = tuple(f"{FONTS}/{font}.woff2" for font in (DISPLAY, ITALIC, TEXT, SANS, TYPED, WORN))
    return Plate(name, WIDTH, height, draw, known, (*fonts, *files))


def _stamp(name: str, word: str, score: str = "") -> Plate:
    inputs = {"scene": "stamp", "word": word.upper(), "score": score, "height": 400}
    return Plate(f"stamp-{name}", 720, 400, draw_stamp, inputs, (f"{FONTS}/{SANS}.woff2",))


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


# -- drawing: runs in worker processes, and imports Pillow, numpy and effects only there -------------------------------


def draw(root: Path, inputs: Mapping[str, Any]) -> Array:
    """uint8 HxWx3: the scene, then each of `steps` through `effects.apply`."""
    import numpy as np

    import effects

    sheet = Sheet(root, WIDTH, int(inputs["height"]))
    SCENES[str(inputs["scene"])](sheet, inputs)
    picture: Array = np.asarray(sheet.image)
    for name, severity, seed in inputs["steps"]:
        picture = effects.apply(picture, str(name), float(severity), int(seed))
    return picture


def draw_stamp(root: Path, inputs: Mapping[str, Any]) -> Array:
    """uint8 HxWx4: a rubber stamp. Its coverage is a grey picture, unevenly inked and worn by a treatment; one red."""
    import numpy as np
    from PIL import Image, ImageFilter

    import effects

    width, height = 720, 400
    sheet = Sheet(root, width, height, (0, 0, 0))
    sheet.draw.rectangle((60, 90, 660, 310), outline=(255, 255, 255), width=14)
    sheet.draw.rectangle((84, 114, 636, 286), outline=(255, 255, 255), width=4)
    score = str(inputs["score"])
    rows = [(str(inputs["word"]), 124, 132 if score else 158)] + ([(score, 62, 222)] if score else [])
    for text, size, top in rows:
        while sheet.width_of(text, SANS, size, 600, 6) > 500:
            size -= 2
        left = 360 - sheet.width_of(text, SANS, size, 600, 6) / 2
        sheet.text((left, top - size * 0.25), text, SANS, size, (255, 255, 255), 600, 6)
    turned = sheet.image.rotate(7, Image.Resampling.BICUBIC).convert("L").filter(ImageFilter.GaussianBlur(0.8))
    rng = np.random.default_rng(1863)
    pad = np.asarray(_cloud(rng, height, width, 26))
    pressed = np.clip(np.asarray(turned, np.float32) * (0.58 + 0.7 * pad) - 26 * rng.random((height, width)), 0, 255)
    worn = effects.apply(pressed.astype(np.uint8), "bad_or_no_details", 0.35, 1863)
    coverage = np.where(np.asarray(turned) > 8, worn, 0).astype(np.uint8)
    ink = np.empty((height, width, 4), np.uint8)
    ink[..., :3] = RED
    ink[..., 3] = coverage
    return ink


def _cloud(rng: np.random.Generator, height: int, width: int, cell: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Smooth noise 0..1, HxW: how unevenly a pad gives its ink."""
    import numpy as np
    from PIL import Image

    coarse = (rng.random((height // cell + 2, width // cell + 2)) * 255).astype(np.uint8)
    smooth = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(smooth, np.float32) / np.float32(255)


class Sheet:
    """A page to draw on, with the project's fonts at hand."""

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
            font = ImageFont.truetype(str(self.root / FONTS / f"{name}.woff2"), round(size))
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

    def rule(self, y: float, left: float = 0, right: float = 0, fill: Colour = INK, wide: int = 2) -> None:
        self.draw.line((left, y, self.width - right, y), fill, wide)

    def ground(self, fill: Colour) -> None:
        self.draw.rectangle((0, 0, self.width, self.height), fill)

    def photograph(self, file: str, box: tuple[int, int, int, int], turn: float = 0, border: int = 0) -> None:
        """The picture cut to fill `box`, with a white border, turned about its centre."""
        from PIL import Image, ImageOps

        left, top, right, bottom = box
        with Image.open(self.root / file) as source:
            print_ = ImageOps.fit(source.convert("RGB"), (right - left, bottom - top), Image.Resampling.LANCZOS)
        if border:
            print_ = ImageOps.expand(print_, (border, border, border, border * 3), (246, 245, 238))
        mask = Image.new("L", print_.size, 255)
        print_, mask = (
            print_.rotate(turn, Image.Resampling.BICUBIC, True),
            mask.rotate(turn, Image.Resampling.BICUBIC, True),
        )
        self.image.paste(print_, (left - border, top - border), mask)


def _title_page(sheet: Sheet, inputs: Mapping[str, Any]) -> None:
    """The clean copy's first screen, so near that it does not fit."""
    one, two = _halves(str(inputs["title"]))
    sheet.text((64, 46), str(inputs["kind"]), SANS, 26, GREY, 400)
    sheet.text((52, 78), one, DISPLAY, 172, INK, 320)
    sheet.text((52, 252), two, ITALIC, 172, INK)
    sheet.rule(494, 64, 64)
    for left, right, tall in ((64, 430, 700), (474, 960, 660), (1004, 1216, 690)):
        sheet.draw.rectangle((left, 530, right, tall), (226, 223, 214), HAIR)


def _opening_page(sheet: Sheet, inputs: Mapping[str, Any]) -> None:
    """A section's opening in the clean copy: numeral, title, hairline, text."""
    sheet.text((44, -60), str(inputs["number"]), DISPLAY, 470, INK, 300)
    left = 150 + sheet.width_of(str(inputs["number"]), DISPLAY, 470, 300)
    sheet.text((left, 70), str(inputs["title"]), DISPLAY, 128, INK, 340)
    sheet.rule(238, left, 60)
    sheet.lines((left, 262), str(inputs["words"]), sheet.width - left - 90, 5, TEXT, 25)


def _wall(sheet: Sheet, inputs: Mapping[str, Any]) -> None:
    """The two places at the entrance, empty, with their verdicts."""
    sheet.ground((214, 212, 204))
    sheet.draw.rectangle((0, 352, sheet.width, sheet.height), (150, 147, 138))
    for (left, top, right, bottom), score in zip(
        ((110, 36, 420, 330), (600, 70, 1130, 318)), inputs["scores"], strict=False
    ):
        sheet.draw.rectangle((left - 14, top - 14, right + 14, bottom + 14), (84, 66, 40))
        sheet.draw.rectangle((left, top, right, bottom), (96, 92, 86))
        size = min((right - left) / 2.35, 210)
        wide = sheet.width_of(score, DISPLAY, size, 340)
        sheet.text(
            ((left + right - wide) / 2, (top + bottom) / 2 - size * 0.62), score, DISPLAY, size, (236, 233, 224), 340
        )


def _dial(sheet: Sheet, inputs: Mapping[str, Any]) -> None:
    """A scale with a pointer that has gone past its end."""
    sheet.ground(BLACK)
    sheet.text((-30, -120), str(inputs["title"]), DISPLAY, 330, (60, 58, 52), 300)
    centre, near, far = (sheet.width * 0.5, 690.0), 470.0, 560.0
    for step in range(61):
        angle = math.radians(205 + step * 130 / 60)
        reach = far if step % 10 == 0 else far - 46
        points = [(centre[0] + r * math.cos(angle), centre[1] + r * math.sin(angle)) for r in (near, reach)]
        sheet.draw.line(points, SODIUM if step < 41 else RED, 9 if step % 10 == 0 else 4)
    angle = math.radians(328)
    tip = (centre[0] + 610 * math.cos(angle), centre[1] + 610 * math.sin(angle))
    sheet.draw.line((centre, tip), (240, 238, 228), 12)


def _typed(sheet: Sheet, inputs: Mapping[str, Any]) -> None:
    """A typed sheet under the lid of a copier."""
    sheet.ground((40, 40, 38))
    sheet.draw.rectangle((96, 26, 1184, 560), (236, 234, 226))
    sheet.text((150, 58), "RE:", WORN, 54, INK)
    sheet.text((270, 58), str(inputs["title"]), WORN, 54, INK)
    sheet.rule(134, 150, 150, INK, 3)
    sheet.lines((150, 164), str(inputs["words"]), 980, 11, WORN, 27, INK, 1.32)


def _drawing(sheet: Sheet, inputs: Mapping[str, Any]) -> None:
    """The opening with the construction lines left in."""
    for column in range(13):
        x = 60 + column * (sheet.width - 120) / 12
        sheet.draw.line((x, 0, x, sheet.height), (178, 170, 204), 2)
    for row in range(0, sheet.height, 46):
        sheet.draw.line((0, row, sheet.width, row), (222, 216, 232), 1)
    sheet.draw.text(
        (40, -70),
        str(inputs["number"]),
        (255, 255, 255),
        sheet.font(DISPLAY, 470, 300),
        stroke_width=3,
        stroke_fill=BRUISE,
    )
    sheet.draw.text(
        (330, 60),
        str(inputs["title"]),
        (255, 255, 255),
        sheet.font(DISPLAY, 118, 340),
        stroke_width=2,
        stroke_fill=BRUISE,
    )
    sheet.draw.ellipse((700, 120, 1180, 600), outline=BRUISE, width=2)
    sheet.draw.line((300, 420, 1240, 90), BRUISE, 2)
    sheet.lines((330, 240), str(inputs["words"]), 560, 6, TEXT, 23, BRUISE)


def _figures(sheet: Sheet, inputs: Mapping[str, Any]) -> None:
    """The table's own numbers, as large as they are bad."""
    sheet.ground(BLACK)
    figures = [one for one in inputs["figures"] if one]
    for row in range(2):
        x = -60.0 - 260 * row
        for turn in range(4):
            text = figures[(turn + row) % len(figures)] if figures else str(inputs["title"])
            sheet.text((x, -20 + row * 222), text, SANS, 270, (226, 226, 214) if (turn + row) % 2 else SODIUM, 600)
            x += sheet.width_of(text, SANS, 270, 600) + 70


def _contact_sheet(sheet: Sheet, inputs: Mapping[str, Any]) -> None:
    """Strips of film with frame numbers, and what somebody wanted of them in grease pencil."""
    sheet.ground(BLACK)
    files = list(inputs["photographs"])
    for strip in range(2):
        top = 14 + strip * 276
        sheet.draw.rectangle((0, top, sheet.width, top + 256), (26, 25, 22))
        for hole in range(-4, sheet.width, 34):
            for edge in (top + 8, top + 230):
                sheet.draw.rounded_rectangle((hole, edge, hole + 19, edge + 18), 4, (238, 236, 226))
        for frame in range(5):
            left = -110 + strip * 60 + frame * 292
            if files:
                sheet.photograph(files[(strip * 5 + frame * 3) % len(files)], (left, top + 38, left + 276, top + 218))
            sheet.text((left + 30, top + 217), f"{strip * 5 + frame + 11}A", SANS, 16, SODIUM, 500)
    for box in ((205, 60, 455, 215), (776, 352, 1010, 478)):
        for shift in (0, 3, -2):
            sheet.draw.rectangle(
                tuple(one + shift * (1 + turn % 2) for turn, one in enumerate(box)), outline=(214, 30, 34), width=4
            )
    sheet.draw.line((520, 332, 740, 486), (214, 30, 34), 7)
    sheet.draw.line((736, 330, 524, 490), (214, 30, 34), 7)


def _gloss(sheet: Sheet, inputs: Mapping[str, Any]) -> None:
    """Sugar water: golden hour, bokeh, a highlight on every letter. Nothing is done to this one."""
    import numpy as np
    from PIL import Image, ImageDraw, ImageFilter

    rise = np.linspace(0, 1, sheet.height)[:, None, None]
    across = np.linspace(0, 1, sheet.width)[None, :, None]
    low, high, side = np.array([255, 142, 122.0]), np.array([255, 214, 150.0]), np.array([196, 120, 214.0])
    sky = (low * rise + high * (1 - rise)) * (1 - 0.45 * across) + side * 0.45 * across
    sheet.image.paste(Image.fromarray(np.clip(sky, 0, 255).astype(np.uint8)))
    rng = np.random.default_rng(23)
    light = Image.new("RGBA", sheet.image.size, (0, 0, 0, 0))
    brush = ImageDraw.Draw(light)
    for _ in range(46):
        x, y, r = rng.uniform(0, sheet.width), rng.uniform(0, sheet.height), rng.uniform(16, 92)
        brush.ellipse((x - r, y - r, x + r, y + r), (255, 244, 220, int(rng.uniform(26, 84))))
    sheet.image.paste(light, (0, 0), light.filter(ImageFilter.GaussianBlur(2)))
    letters = Image.new("L", sheet.image.size, 0)
    size = 210
    while sheet.width_of(str(inputs["title"]).split(",")[0], DISPLAY, size, 500) > sheet.width - 160:
        size -= 6
    ImageDraw.Draw(letters).text((78, 120), str(inputs["title"]).split(",")[0], 255, sheet.font(DISPLAY, size, 500))
    glow = letters.filter(ImageFilter.GaussianBlur(16))
    sheet.image.paste((255, 240, 196), (0, 0), glow.point(lambda level: level * 0.8))
    sheet.image.paste((255, 255, 255), (0, 0), letters)
    lower = Image.new("L", sheet.image.size, 0)
    ImageDraw.Draw(lower).rectangle((0, 120 + round(size * 0.62), sheet.width, sheet.height), fill=255)
    both = Image.fromarray(np.minimum(np.asarray(letters), np.asarray(lower)))
    sheet.image.paste((226, 84, 118), (0, 0), both)


def _struck_out(sheet: Sheet, inputs: Mapping[str, Any]) -> None:
    """The section's own text, fewer words in every line."""
    import numpy as np

    rng = np.random.default_rng(1984)
    boxes = sheet.lines((50, 24), str(inputs["words"]), 1190, 9, TEXT, 38, INK, 1.22)
    for left, top, right, bottom in boxes:
        if rng.random() < (top / sheet.height) ** 0.8:
            sheet.draw.rectangle((left - 5, top + 2, right + 5, bottom), BLACK)


def _tray(sheet: Sheet, inputs: Mapping[str, Any]) -> None:
    """A sheet in the bath, its values turned: white on black, left for right."""
    from PIL import Image, ImageOps

    print_ = Sheet(sheet.root, 980, 380, PAPER)
    _opening_page(print_, inputs)
    turned = ImageOps.mirror(ImageOps.invert(print_.image)).rotate(
        -2.4, Image.Resampling.BICUBIC, True, fillcolor=(96, 98, 70)
    )
    sheet.ground((42, 42, 34))
    sheet.draw.rounded_rectangle((40, 16, 1240, 520), 40, (96, 98, 70))
    sheet.draw.rounded_rectangle((40, 16, 1240, 520), 40, outline=(160, 160, 128), width=10)
    sheet.image.paste(turned, (150, 48))


def _snapshots(sheet: Sheet, inputs: Mapping[str, Any]) -> None:
    """Prints on a table, as they fell."""
    sheet.ground((34, 30, 28))
    places = ((-30, 60, 9.0), (250, 20, -6.0), (520, 110, 4.0), (770, 10, -11.0), (1010, 120, 7.0))
    for (left, top, turn), file in zip(
        places, list(inputs["photographs"])[3:] + list(inputs["photographs"])[:3], strict=False
    ):
        sheet.photograph(file, (left, top, left + 300, top + 260), turn, 16)


def _verdicts(sheet: Sheet, inputs: Mapping[str, Any]) -> None:
    """An empty frame and the scores that were given to what hung in it, on one negative."""
    sheet.ground((226, 222, 230))
    for left, top, right, bottom in ((70, 40, 520, 440), (620, 90, 1210, 400)):
        sheet.draw.rectangle((left, top, right, bottom), outline=BRUISE, width=26)
        sheet.draw.rectangle((left + 40, top + 40, right - 40, bottom - 40), (186, 176, 198))
    for turn, figure in enumerate(inputs["figures"]):
        sheet.text((-20 + turn * 330, -30 + (turn % 2) * 200), figure, DISPLAY, 300, INK, 400)


def _far_away(sheet: Sheet, inputs: Mapping[str, Any]) -> None:
    """A page far too small for its wall."""
    small = Sheet(sheet.root, WIDTH, 900)
    _opening_page(small, inputs)
    sheet.ground((238, 237, 231))
    sheet.image.paste(small.image.resize((256, 180)), (820, 150))
    sheet.draw.rectangle((820, 150, 1076, 330), outline=INK, width=2)
    sheet.rule(360, 0, 0, HAIR, 2)


def _carbon(sheet: Sheet, inputs: Mapping[str, Any]) -> None:
    """Four copies of one typed page, each the copy of the one before."""
    import numpy as np
    from PIL import Image

    import effects

    sheet.ground((232, 229, 236))
    page = Sheet(sheet.root, 470, 520, (246, 244, 240))
    page.text((24, 26), str(inputs["title"]), WORN, 68, BRUISE)
    page.rule(112, 24, 24, BRUISE, 5)
    page.lines((24, 134), str(inputs["words"]), 430, 8, TYPED, 38, BRUISE, 1.24)
    copy: Array = np.asarray(page.image)
    for turn in range(4):
        sheet.image.paste(Image.fromarray(copy), (-30 + turn * 330, 14 + turn * 22))
        copy = effects.apply(copy, "bad_or_no_details", 0.2, turn) if inputs["steps"] else copy


def _door(sheet: Sheet, inputs: Mapping[str, Any]) -> None:
    """The title page at the size of a poster, for the two leaves of the door."""
    one, two = _halves(str(inputs["title"]))
    sheet.text((70, 70), str(inputs["kind"]), SANS, 30, GREY, 400)
    y = 130.0
    for half, face, weight in ((one, DISPLAY, 320), (two, ITALIC, 0)):
        for word in half.split():
            sheet.text((62, y), word, face, 172, INK, weight)
            y += 134


def _halves(title: str) -> tuple[str, str]:
    """A title before and from its middle word on."""
    words = title.split()
    middle = (len(words) + 1) // 2
    return " ".join(words[:middle]), " ".join(words[middle:])


SCENES: dict[str, Callable[[Sheet, Mapping[str, Any]], None]] = {
    "title_page": _title_page,
    "opening_page": _opening_page,
    "wall": _wall,
    "dial": _dial,
    "typed": _typed,
    "drawing": _drawing,
    "figures": _figures,
    "contact_sheet": _contact_sheet,
    "gloss": _gloss,
    "struck_out": _struck_out,
    "tray": _tray,
    "snapshots": _snapshots,
    "verdicts": _verdicts,
    "far_away": _far_away,
    "carbon": _carbon,
    "door": _door,
}
