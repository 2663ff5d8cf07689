"""The scenes of the distorted variant: each draws a piece of the clean copy from a plate's inputs, then the plate's
treatments are applied to it. Runs in worker processes, and imports Pillow, numpy and effects only there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pages.images.canvas import (
    BLACK,
    BRUISE,
    DISPLAY,
    GREY,
    HAIR,
    INK,
    ITALIC,
    PAPER,
    RED,
    SANS,
    SODIUM,
    TEXT,
    TYPED,
    WORN,
    Canvas,
)

if TYPE_CHECKING:
    import numpy as np

    from pages.images.jobs import Array

WIDTH = 1280


def draw(root: Path, inputs: Mapping[str, Any]) -> Array:
    """uint8 HxWx3: the scene, then each of `steps` through `effects.apply`."""
    import numpy as np

    import effects

    sheet = Canvas(root, WIDTH, int(inputs["height"]))
    SCENES[str(inputs["scene"])].paint(sheet, inputs)
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
    sheet = Canvas(root, width, height, (0, 0, 0))
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


def _title_page(sheet: Canvas, inputs: Mapping[str, Any]) -> None:
    """The clean copy's first screen, so near that it does not fit."""
    one, two = _halves(str(inputs["title"]))
    sheet.text((64, 46), str(inputs["kind"]), SANS, 26, GREY, 400)
    sheet.text((52, 78), one, DISPLAY, 172, INK, 320)
    sheet.text((52, 252), two, ITALIC, 172, INK)
    sheet.rule(494, 64, 64)
    for left, right, tall in ((64, 430, 700), (474, 960, 660), (1004, 1216, 690)):
        sheet.draw.rectangle((left, 530, right, tall), (226, 223, 214), HAIR)


def _opening_page(sheet: Canvas, inputs: Mapping[str, Any]) -> None:
    """A section's opening in the clean copy: numeral, title, hairline, text."""
    sheet.text((44, -60), str(inputs["number"]), DISPLAY, 470, INK, 300)
    left = 150 + sheet.width_of(str(inputs["number"]), DISPLAY, 470, 300)
    wide = sheet.width - left - 60
    sheet.title((left, 70), str(inputs["title"]), (wide, 160), DISPLAY, 128, INK, 340)
    sheet.rule(238, left, 60)
    sheet.lines((left, 262), str(inputs["words"]), sheet.width - left - 90, 5, TEXT, 25)


def _wall(sheet: Canvas, inputs: Mapping[str, Any]) -> None:
    """The two places at the entrance, empty, with their verdicts."""
    sheet.ground((214, 212, 204))
    sheet.draw.rectangle((0, 352, sheet.width, max(352, sheet.height)), (150, 147, 138))
    for (left, top, right, bottom), score in zip(
        ((110, 36, 420, 330), (600, 70, 1130, 318)), inputs["values"], strict=False
    ):
        sheet.draw.rectangle((left - 14, top - 14, right + 14, bottom + 14), (84, 66, 40))
        sheet.draw.rectangle((left, top, right, bottom), (96, 92, 86))
        size = min((right - left) / 2.35, 210)
        wide = sheet.width_of(score, DISPLAY, size, 340)
        sheet.text(
            ((left + right - wide) / 2, (top + bottom) / 2 - size * 0.62), score, DISPLAY, size, (236, 233, 224), 340
        )


def _dial(sheet: Canvas, inputs: Mapping[str, Any]) -> None:
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


def _typed(sheet: Canvas, inputs: Mapping[str, Any]) -> None:
    """A typed sheet under the lid of a copier."""
    sheet.ground((40, 40, 38))
    sheet.draw.rectangle((96, 26, 1184, 560), (236, 234, 226))
    sheet.text((150, 58), "RE:", WORN, 54, INK)
    sheet.title((270, 58), str(inputs["title"]), (880, 70), WORN, 54, INK)
    sheet.rule(134, 150, 150, INK, 3)
    sheet.lines((150, 164), str(inputs["words"]), 980, 11, WORN, 27, INK, 1.32)


def _drawing(sheet: Canvas, inputs: Mapping[str, Any]) -> None:
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
    sheet.title((330, 60), str(inputs["title"]), (890, 170), DISPLAY, 118, (255, 255, 255), 340, outline=BRUISE)
    sheet.draw.ellipse((700, 120, 1180, 600), outline=BRUISE, width=2)
    sheet.draw.line((300, 420, 1240, 90), BRUISE, 2)
    sheet.lines((330, 240), str(inputs["words"]), 560, 6, TEXT, 23, BRUISE)


def _figures(sheet: Canvas, inputs: Mapping[str, Any]) -> None:
    """The table's own numbers, as large as they are bad."""
    sheet.ground(BLACK)
    figures = list(inputs["values"])
    for row in range(2):
        x = -60.0 - 260 * row
        for turn in range(4):
            text = figures[(turn + row) % len(figures)]
            sheet.text((x, -20 + row * 222), text, SANS, 270, (226, 226, 214) if (turn + row) % 2 else SODIUM, 600)
            x += sheet.width_of(text, SANS, 270, 600) + 70


def _contact_sheet(sheet: Canvas, inputs: Mapping[str, Any]) -> None:
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
            sheet.photograph(files[(strip * 5 + frame * 3) % len(files)], (left, top + 38, left + 276, top + 218))
            sheet.text((left + 30, top + 217), f"{strip * 5 + frame + 11}A", SANS, 16, SODIUM, 500)
    for box in ((205, 60, 455, 215), (776, 352, 1010, 478)):
        for shift in (0, 3, -2):
            sheet.draw.rectangle(
                tuple(one + shift * (1 + turn % 2) for turn, one in enumerate(box)), outline=(214, 30, 34), width=4
            )
    sheet.draw.line((520, 332, 740, 486), (214, 30, 34), 7)
    sheet.draw.line((736, 330, 524, 490), (214, 30, 34), 7)


def _gloss(sheet: Canvas, inputs: Mapping[str, Any]) -> None:
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
    page = Canvas(sheet.root, sheet.width, sheet.height, (0, 0, 0))
    title = str(inputs["title"]).split(",")[0]
    size = page.title((78, 120), title, (sheet.width - 160, 300), DISPLAY, 210, (255, 255, 255), 500, step=6)
    letters = page.image.convert("L")
    glow = letters.filter(ImageFilter.GaussianBlur(16))
    sheet.image.paste((255, 240, 196), (0, 0), glow.point(lambda level: level * 0.8))
    sheet.image.paste((255, 255, 255), (0, 0), letters)
    lower = Image.new("L", sheet.image.size, 0)
    top = 120 + round(size * 0.62)
    ImageDraw.Draw(lower).rectangle((0, top, sheet.width, max(top, sheet.height)), fill=255)
    both = Image.fromarray(np.minimum(np.asarray(letters), np.asarray(lower)))
    sheet.image.paste((226, 84, 118), (0, 0), both)


def _struck_out(sheet: Canvas, inputs: Mapping[str, Any]) -> None:
    """The section's own text, fewer words in every line."""
    import numpy as np

    rng = np.random.default_rng(1984)
    boxes = sheet.lines((50, 24), str(inputs["words"]), 1190, 9, TEXT, 38, INK, 1.22)
    for left, top, right, bottom in boxes:
        if rng.random() < (top / sheet.height) ** 0.8:
            sheet.draw.rectangle((left - 5, top + 2, right + 5, bottom), BLACK)


def _tray(sheet: Canvas, inputs: Mapping[str, Any]) -> None:
    """A sheet in the bath, its values turned: white on black, left for right."""
    from PIL import Image, ImageOps

    print_ = Canvas(sheet.root, 980, 380, PAPER)
    _opening_page(print_, inputs)
    turned = ImageOps.mirror(ImageOps.invert(print_.image)).rotate(
        -2.4, Image.Resampling.BICUBIC, True, fillcolor=(96, 98, 70)
    )
    sheet.ground((42, 42, 34))
    sheet.draw.rounded_rectangle((40, 16, 1240, 520), 40, (96, 98, 70))
    sheet.draw.rounded_rectangle((40, 16, 1240, 520), 40, outline=(160, 160, 128), width=10)
    sheet.image.paste(turned, (150, 48))


def _snapshots(sheet: Canvas, inputs: Mapping[str, Any]) -> None:
    """Prints on a table, as they fell."""
    sheet.ground((34, 30, 28))
    places = ((-30, 60, 9.0), (250, 20, -6.0), (520, 110, 4.0), (770, 10, -11.0), (1010, 120, 7.0))
    for (left, top, turn), file in zip(
        places, list(inputs["photographs"])[3:] + list(inputs["photographs"])[:3], strict=False
    ):
        sheet.photograph(file, (left, top, left + 300, top + 260), turn, 16)


def _verdicts(sheet: Canvas, inputs: Mapping[str, Any]) -> None:
    """An empty frame and the scores that were given to what hung in it, on one negative."""
    sheet.ground((226, 222, 230))
    for left, top, right, bottom in ((70, 40, 520, 440), (620, 90, 1210, 400)):
        sheet.draw.rectangle((left, top, right, bottom), outline=BRUISE, width=26)
        sheet.draw.rectangle((left + 40, top + 40, right - 40, bottom - 40), (186, 176, 198))
    for turn, figure in enumerate(inputs["values"][:4]):
        sheet.text((-20 + turn * 330, -30 + (turn % 2) * 200), figure, DISPLAY, 300, INK, 400)


def _far_away(sheet: Canvas, inputs: Mapping[str, Any]) -> None:
    """A page far too small for its wall."""
    small = Canvas(sheet.root, WIDTH, 900)
    _opening_page(small, inputs)
    sheet.ground((238, 237, 231))
    sheet.image.paste(small.image.resize((256, 180)), (820, 150))
    sheet.draw.rectangle((820, 150, 1076, 330), outline=INK, width=2)
    sheet.rule(360, 0, 0, HAIR, 2)


def _carbon(sheet: Canvas, inputs: Mapping[str, Any]) -> None:
    """Four copies of one typed page, each the copy of the one before."""
    import numpy as np
    from PIL import Image

    import effects

    sheet.ground((232, 229, 236))
    page = Canvas(sheet.root, 470, 520, (246, 244, 240))
    page.title((24, 26), str(inputs["title"]), (430, 80), WORN, 68, BRUISE)
    page.rule(112, 24, 24, BRUISE, 5)
    page.lines((24, 134), str(inputs["words"]), 430, 8, TYPED, 38, BRUISE, 1.24)
    copy: Array = np.asarray(page.image)
    for turn in range(4):
        sheet.image.paste(Image.fromarray(copy), (-30 + turn * 330, 14 + turn * 22))
        copy = effects.apply(copy, "bad_or_no_details", 0.2, turn) if inputs["steps"] else copy


def _door(sheet: Canvas, inputs: Mapping[str, Any]) -> None:
    """The title page at the size of a poster, for the two leaves of the door."""
    sheet.text((70, 56), str(inputs["kind"]), SANS, 30, GREY, 400)
    halves = list(zip(_halves(str(inputs["title"])), (DISPLAY, ITALIC), (320, 0), strict=True))
    size, y = min(sheet.fitting(half, (1100, 270), face, 172, weight) for half, face, weight in halves if half), 100.0
    for half, face, weight in halves:
        sheet.title((62, y), half, (1100, 270), face, size, INK, weight)
        y += len(sheet.broken(half, 1100, face, size, weight)) * size


def _halves(title: str) -> tuple[str, str]:
    """A title before and from its middle word on."""
    words = title.split()
    middle = (len(words) + 1) // 2
    return " ".join(words[:middle]), " ".join(words[middle:])


class Scene(NamedTuple):
    """How a scene is painted, its height in pixels, and what it cannot do without."""

    paint: Callable[[Canvas, Mapping[str, Any]], None]
    height: int
    needs: str = ""  # "values" or "photographs"


SCENES: dict[str, Scene] = {
    "title_page": Scene(_title_page, 720),
    "opening_page": Scene(_opening_page, 460),
    "wall": Scene(_wall, 420, "values"),
    "dial": Scene(_dial, 420),
    "typed": Scene(_typed, 520),
    "drawing": Scene(_drawing, 460),
    "figures": Scene(_figures, 460, "values"),
    "contact_sheet": Scene(_contact_sheet, 560, "photographs"),
    "gloss": Scene(_gloss, 460),
    "struck_out": Scene(_struck_out, 460),
    "tray": Scene(_tray, 460),
    "snapshots": Scene(_snapshots, 560, "photographs"),
    "verdicts": Scene(_verdicts, 480, "values"),
    "far_away": Scene(_far_away, 420),
    "carbon": Scene(_carbon, 480),
    "door": Scene(_door, 720),
}
