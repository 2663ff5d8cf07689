"""Emotion and subject: dread, decay, rot, the unfinished, the abstract, the impossible.

Six of the seven sub-categories have a material side that pixels can carry. `negative_personal_emotion` has none:
a face that suffers is a subject, and no filter makes one, so it is refused rather than faked.
"""

from __future__ import annotations

import cv2
import numpy as np

from effects import fields, measures
from effects.composition_and_structure import subject
from effects.light import blend_matrix, mix_matrix
from effects.treatment import Image, Plane, treatment


def _share_below(order: Plane, share: float) -> float:
    """The value below which a `share` of `order` lies."""
    return float(np.quantile(order, min(1.0, share)))


def _grid(height: int, width: int, long_side: int) -> tuple[int, int, Plane, Plane]:
    """Height and width of a small grid with the picture's aspect, and x and y on it in units of the long side."""
    high, wide = fields.small_shape(height, width, min(long_side, max(48, max(height, width) // 2)))
    rows, columns = np.mgrid[0:high, 0:wide].astype(np.float32)
    unit = max(high, wide)
    return high, wide, (columns + 0.5) / unit, (rows + 0.5) / unit


@treatment(
    label="Atmospheric distress",
    metric=measures.fine_detail_lost,
    metric_label="visibility: fine detail lost, %",
    source="Bleak grade, fog by Koschmieder's law with a seeded density, and the cos^4 vignette of a cheap lens.",
)
def atmospheric_distress(image: Image, severity: float, rng: np.random.Generator) -> Image:
    """Dread and gloom carried by grade, fog and a closing vignette."""
    height, width = image.shape[:2]
    high, wide, x, y = _grid(height, width, 96)
    cold = ((0.4, 0.5, 0.56), (0.46, 0.5, 0.4))[int(rng.random() > 0.6)]
    graded = cv2.transform(image, blend_matrix(mix_matrix(0.72, cold, (2, 5, 7)), severity))
    depth = 1 - np.abs(y / y.max() - rng.uniform(0.3, 0.5))
    fog = 1 - np.exp(-severity * 0.9 * depth**2 * (0.25 + 1.3 * fields.clouds(rng, high, wide, 3)))
    out = np.hypot(x - x.mean(), y - y.mean()) / 0.62
    vignette = (1 + (1.05 * severity * out) ** 2) ** -2.0
    keep = np.rint(255 * (1 - fog) * vignette).astype(np.uint8)
    air = (fog * vignette)[..., None] * np.array([112, 126, 134]) * (np.array(cold) / cold[1])
    keep = cv2.cvtColor(cv2.resize(keep, (width, height)), cv2.COLOR_GRAY2RGB)
    air = cv2.resize(np.rint(air).astype(np.uint8), (width, height))
    return np.asarray(cv2.add(cv2.multiply(graded, keep, scale=1 / 255), air), np.uint8)


@treatment(
    label="Decay and degradation",
    metric=measures.change,
    metric_label="mean change, code values",
    source="A neglected print: faded dyes, tide-marks, craquelure on nested Voronoi cells, mould, scratches.",
)
def decay_and_degradation(image: Image, severity: float, rng: np.random.Generator) -> Image:
    """Stains, scratches, cracks, mould; what flakes off shows the paper."""
    height, width = image.shape[:2]
    faded = cv2.transform(image, blend_matrix(mix_matrix(0.45, (0.74, 0.7, 0.58), (34, 27, 14)), severity))
    stained = cv2.multiply(faded, cv2.resize(_stains(height, width, severity, rng), (width, height)), scale=1 / 255)
    spores = fields.window(fields.spore_plate(), rng, height, width, fields.texture_zoom(height, width))
    eaten = cv2.transform(cv2.LUT(spores, _mould_table(severity)), np.array([[0.78], [0.68], [0.8]], np.float32))
    out = cv2.subtract(stained, eaten)
    age = fields.window(fields.crack_plate(), rng, height, width, fields.texture_zoom(height, width))
    _, open_cracks = cv2.threshold(age, 255 * (1 - 0.95 * severity), 255, cv2.THRESH_BINARY)
    out = cv2.subtract(out, cv2.transform(open_cracks, np.array([[0.4], [0.42], [0.42]], np.float32)))
    _flake(out, severity, rng)
    _scratch(out, severity, rng)
    return np.asarray(out, np.uint8)


def _mould_table(severity: float) -> Image:
    """How much a place is eaten, by the order in which mould reaches it."""
    order = np.arange(256) / 255
    return np.rint(205 * np.clip((order - (0.95 - 0.62 * severity)) / 0.25, 0, 1)).astype(np.uint8)


def _stains(height: int, width: int, severity: float, rng: np.random.Generator) -> Image:
    """What the paper still reflects: brown puddles with a darker tide-mark where they dried, and a burnt border."""
    high, wide, x, y = _grid(height, width, 160)
    warp = fields.clouds(rng, high, wide, 4) - 0.5
    absorbed = np.zeros((high, wide), np.float32)
    for place_x, place_y, size, force in rng.random((5, 4)):
        radius = 0.1 + 0.25 * size
        reach = (np.hypot(x - place_x * x.max(), y - place_y * y.max()) + 0.22 * warp) / radius
        pool = np.clip((1 - reach) * 9, 0, 1) * 0.45
        tide = np.exp(-(((reach - 0.97) / 0.055) ** 2))
        absorbed += severity * (0.5 + 0.5 * force) * (pool + 0.8 * tide)
    border = np.minimum(np.minimum(x, x.max() - x), np.minimum(y, y.max() - y)) + 0.1 * warp
    absorbed += severity * 1.1 * np.exp(-np.maximum(border, 0) / 0.045)
    dye = np.array([0.28, 0.52, 0.95])
    return np.asarray(np.rint(255 * np.exp(-absorbed[..., None] * dye)), np.uint8)


def _flake(image: Image, severity: float, rng: np.random.Generator) -> None:
    """Chips gone down to the paper, with a shadow along one side; up to 7 % of the print."""
    height, width = image.shape[:2]
    high, wide, _, _ = _grid(height, width, 200)
    order = fields.clouds(rng, high, wide, 7, 5)
    level = 0.5 + (_share_below(order, 0.07 * severity) - order) * 4
    depth = cv2.resize(np.rint(255 * np.clip(level, 0, 1)).astype(np.uint8), (width, height))
    gone = cv2.threshold(depth, 127, 255, cv2.THRESH_BINARY)[1]
    step = max(1, min(height, width) // 256)
    shade = np.roll(gone, (step, step), (0, 1))
    image[:] = cv2.subtract(image, cv2.transform(shade, np.array([[0.4], [0.4], [0.4]], np.float32)))
    cv2.copyTo(np.full_like(image, (226, 214, 190)), gone, image)


def _scratch(image: Image, severity: float, rng: np.random.Generator) -> None:
    """Scratches of the emulsion: long, thin, nearly straight, mostly along the transport."""
    height, width = image.shape[:2]
    thick = max(1, round(min(height, width) / 640))
    for x, y, turn, long, shade, across in rng.random((34, 6))[: round(34 * severity)]:
        angle = (np.pi / 2 + 0.5 * (turn - 0.5)) if across < 0.75 else np.pi * turn
        reach = max(height, width) * (0.05 + 0.5 * long**2)
        start = np.array([x * width, y * height])
        end = start + reach * np.array([np.cos(angle), np.sin(angle)])
        tone = 150 + 100 * shade
        cv2.line(
            image, tuple(map(int, start)), tuple(map(int, end)), (tone, tone * 0.97, tone * 0.88), thick, cv2.LINE_AA
        )


@treatment(
    label="Disgust and aversion",
    metric=measures.hidden,
    metric_label="pixels that no longer show what they showed, %",
    source="A front that spreads from seeded centres over uneven food, a Turing labyrinth behind it, wet and veined.",
)
def disgust_and_aversion(image: Image, severity: float, rng: np.random.Generator) -> Image:
    """Rot that spreads over the picture: inflamed at the front, slimy and veined behind it, brown in the depth."""
    height, width = image.shape[:2]
    high, wide, x, y = _grid(height, width, 176)
    order = np.full((high, wide), 9.0, np.float32)
    for place_x, place_y, late in rng.random((5, 3), np.float32):
        order = np.minimum(order, np.hypot(x - place_x * x.max(), y - place_y * y.max()) + 0.25 * late)
    order = order + 0.34 * fields.clouds(rng, high, wide, 5, 4)
    behind = (_share_below(order, 0.88 * severity) - order) / 0.3
    stage = np.rint(np.clip(behind * 170 + 40, 0, 255)).astype(np.uint8)
    grown = cv2.resize(cv2.cvtColor(stage, cv2.COLOR_GRAY2RGB), (width, height))
    out = cv2.add(cv2.multiply(image, cv2.LUT(grown, _ROT_KEEPS), scale=1 / 255), cv2.LUT(grown, _ROT_OOZES))
    wet = cv2.LUT(cv2.resize(stage, (width, height)), _ROT_WET)
    veins = fields.window(fields.mottle_plate(), rng, height, width, fields.texture_zoom(height, width))
    relief = cv2.subtract(veins, np.roll(veins, (2, 2), (0, 1)))
    out = cv2.subtract(out, cv2.transform(cv2.multiply(veins, wet, scale=1 / 255), _VEIN))
    return np.asarray(cv2.add(out, cv2.transform(cv2.multiply(relief, wet, scale=1 / 255), _GLINT)), np.uint8)


def _rot_tables() -> tuple[Image, Image, Image]:
    """What rot keeps, what it oozes and how wet it is, by its stage: 40 is the front, 255 the oldest."""
    behind = (np.arange(256)[:, None] - 40) / 170
    rotten, depth = np.clip(behind * 9, 0, 1), np.clip(behind, 0, 1)
    flesh = (
        np.array([0.95, 0.42, 0.34]) * (1 - depth) ** 3 + np.array([0.72, 0.74, 0.2]) * 2.6 * depth * (1 - depth) ** 1.5
    )
    keeps = 1 - rotten + rotten * np.clip(flesh + np.array([0.4, 0.3, 0.15]) * depth, 0, 1)
    rim = np.exp(-(((behind - 0.06) / 0.05) ** 2)) * np.array([66, 62, 42])
    oozes = rotten * (0.25 + depth) * np.array([38, 40, 10]) + rim
    wet = 255 * rotten[:, 0] * (0.4 + 0.6 * depth[:, 0])
    as_table = [np.clip(np.rint(table), 0, 255).astype(np.uint8) for table in (255 * keeps, oozes, wet)]
    return as_table[0].reshape(1, 256, 3), as_table[1].reshape(1, 256, 3), as_table[2]


_ROT_KEEPS, _ROT_OOZES, _ROT_WET = _rot_tables()
_VEIN = np.array([[0.24], [0.27], [0.22]], np.float32)
_GLINT = np.array([[1.5], [1.45], [0.95]], np.float32)


@treatment(
    label="Unfinished / raw",
    metric=measures.hidden,
    metric_label="pixels that no longer show what they showed, %",
    source="Easel practice: paint around the subject, washes next to it, then pencil with its construction lines.",
)
def unfinished_raw(image: Image, severity: float, rng: np.random.Generator) -> Image:
    """Painted in one place, laid in around it, elsewhere a drawing on bare linen with its construction lines."""
    height, width = image.shape[:2]
    high, wide, x, y = _grid(height, width, 160)
    centre = subject(image)
    brush = cv2.resize(rng.random((9, 46), np.float32), (wide, high), interpolation=cv2.INTER_CUBIC)
    order = (
        np.hypot(x - centre[0] * x.max(), y - centre[1] * y.max())
        + 0.16 * brush
        + 0.3 * fields.clouds(rng, high, wide, 3)
    )
    linen = fields.window(fields.canvas_plate(), rng, height, width)
    drawing = _pencil(image, severity)
    _construct(drawing, centre)
    bare = cv2.transform(cv2.multiply(linen, drawing, scale=1 / 205), np.array([[0.98], [0.93], [0.83]], np.float32))
    wash = cv2.resize(
        cv2.resize(image, (wide, high), interpolation=cv2.INTER_AREA), (width, height), interpolation=cv2.INTER_CUBIC
    )
    wash = cv2.addWeighted(wash, 0.62, bare, 0.38, 0)
    out = image.copy()
    for layer, share in ((wash, 0.95 * severity), (bare, 0.78 * severity)):
        edge = _share_below(order, 1 - share)
        mask = cv2.resize(np.rint(127.5 + 127.5 * np.clip((order - edge) * 8, -1, 1)).astype(np.uint8), (width, height))
        cv2.copyTo(layer, cv2.threshold(mask, 128, 255, cv2.THRESH_BINARY)[1], out)
    return out


def _pencil(image: Image, severity: float) -> Image:
    """Luma divided by its own blur: lines stay, tones go."""
    luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    reach = max(1, round(min(luma.shape) / 60)) * 2 + 1
    lines = cv2.divide(luma, cv2.blur(luma, (reach, reach)), scale=250)
    return np.asarray(cv2.LUT(lines, _PENCIL), np.uint8)


_PENCIL = np.rint(60 + 190 * np.clip((np.arange(256) / 255 - 0.45) / 0.5, 0, 1) ** 1.1).astype(np.uint8)


def _construct(drawing: Image, centre: tuple[float, float]) -> None:
    """Thirds, diagonals and a circle about the subject, in hard pencil."""
    height, width = drawing.shape
    thick, shade = max(1, round(min(height, width) / 500)), 150
    for third in (1, 2):
        cv2.line(drawing, (width * third // 3, 0), (width * third // 3, height), shade, thick, cv2.LINE_AA)
        cv2.line(drawing, (0, height * third // 3), (width, height * third // 3), shade, thick, cv2.LINE_AA)
    cv2.line(drawing, (0, 0), (width, height), shade, thick, cv2.LINE_AA)
    cv2.line(drawing, (width, 0), (0, height), shade, thick, cv2.LINE_AA)
    middle = round(centre[0] * width), round(centre[1] * height)
    for radius in (0.18, 0.36):
        cv2.circle(drawing, middle, max(1, round(radius * min(height, width))), shade, thick, cv2.LINE_AA)


@treatment(
    label="Abstract photo",
    metric=measures.change,
    metric_label="mean change, code values",
    source="Voronoi mosaic, every cell its mean colour (Dobashi et al. 2002); fewer cells, less subject.",
)
def abstract_photo(image: Image, severity: float, rng: np.random.Generator) -> Image:
    """The subject gives way to planes of colour: from some eight hundred cells to a dozen."""
    height, width = image.shape[:2]
    high, wide = fields.small_shape(height, width, 384)
    stretch = 2.2 if rng.random() < 0.5 else 1 / 2.2
    places = rng.random((900, 2))[: round(11 * 80 ** (1 - severity))]
    tall, broad = max(1, round(high * min(1, stretch))), max(1, round(wide * min(1, 1 / stretch)))
    ground = np.full((tall, broad), 255, np.uint8)
    ground[(places[:, 0] * tall).astype(int), (places[:, 1] * broad).astype(int)] = 0
    _, cells = cv2.distanceTransformWithLabels(ground, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    cells = cv2.resize(cells.astype(np.uint16), (wide, high), interpolation=cv2.INTER_NEAREST)
    small = cv2.resize(image, (wide, high), interpolation=cv2.INTER_AREA)
    count = np.maximum(np.bincount(cells.ravel()), 1)
    mean = np.stack([np.bincount(cells.ravel(), small[..., c].ravel()) / count for c in range(3)], -1)
    grey = mean.mean(1, keepdims=True)
    mean = np.clip(np.rint(grey + (1 + 0.7 * severity) * (mean - grey)), 0, 255).astype(np.uint8)
    planes = cv2.resize(mean[cells], (width, height), interpolation=cv2.INTER_LINEAR)
    share = min(1.0, 0.45 + 0.75 * severity)
    return np.asarray(cv2.addWeighted(image, 1 - share, planes, share, 0), np.uint8)


@treatment(
    label="Surrealism",
    metric=measures.hidden,
    metric_label="pixels that no longer show what they showed, %",
    source="Droste effect (the picture holds itself, turned over each time), or matter that runs as in Dalí's clocks.",
)
def surrealism(image: Image, severity: float, rng: np.random.Generator) -> Image:
    """A window in the picture onto the picture turned over, and so on; or everything melts, as the seed has it."""
    if rng.random() < 0.5:
        return _droste(image, 0.22 + 0.56 * severity, rng.uniform(0.4, 0.6), rng.uniform(0.4, 0.6))
    return _melt(image, severity, rng)


def _droste(image: Image, share: float, x: float, y: float) -> Image:
    """Nested copies, each `share` of the one around it and turned by half a circle, in a black frame."""
    out = image.copy()
    hole = out
    for level in range(9):
        high, wide = round(hole.shape[0] * share), round(hole.shape[1] * share)
        if min(high, wide) < 4:
            break
        top, left = round((hole.shape[0] - high) * y), round((hole.shape[1] - wide) * x)
        hole = hole[top : top + high, left : left + wide]
        rim = max(1, round(min(high, wide) / 48))
        copy = cv2.resize(image, (wide, high), interpolation=cv2.INTER_AREA)
        copy = cv2.flip(copy, -1) if level % 2 == 0 else copy
        hole[:] = 14
        hole[rim:-rim, rim:-rim] = copy[rim:-rim, rim:-rim]
    return out


def _melt(image: Image, severity: float, rng: np.random.Generator) -> Image:
    """Columns of the picture run down, each at its own pace, and sway."""
    height, width = image.shape[:2]
    high, wide = fields.small_shape(height, width, 96)
    rows = np.linspace(0, 1, high, dtype=np.float32)[:, None]
    pace = cv2.resize(rng.random((1, 13), np.float32), (wide, 1), interpolation=cv2.INTER_CUBIC)
    pace = pace + 0.35 * cv2.resize(rng.random((1, 34), np.float32), (wide, 1), interpolation=cv2.INTER_CUBIC)
    sway = fields.clouds(rng, high, wide, 3, 2) - 0.5
    down = height * severity * 0.75 * pace * rows**1.2
    aside = width * severity * 0.34 * sway * rows
    columns, lines = np.meshgrid(np.linspace(0, width - 1, wide), np.linspace(0, height - 1, high))
    back_x = cv2.resize((columns + aside).astype(np.float32), (width, height))
    back_y = cv2.resize((lines - down).astype(np.float32), (width, height))
    return np.asarray(cv2.remap(image, back_x, back_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101), np.uint8)
