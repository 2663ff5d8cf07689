"""Emotion and subject: dread, decay, rot, the unfinished, the abstract, the impossible.

Six of the seven sub-categories have a material side that pixels can carry. `negative_personal_emotion` has none:
a face that suffers is a subject, and no filter makes one, so it is refused rather than faked.
"""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from effects import measures, textures
from effects.color_transfer import blend_matrix, look_up, mix_matrix
from effects.composition_and_structure import subject
from effects.treatment import Image, treatment


@treatment(
    label="Atmospheric distress",
    metric=measures.fine_detail_lost,
    metric_label="visibility: fine detail lost, %",
    source="Bleak grade, Koschmieder's law for fog of a seeded density (on code values), the cos^4 falloff of a lens.",
)
def atmospheric_distress(image: Image, severity: float, rng: np.random.Generator) -> Image:
    """Dread and gloom carried by grade, fog and a closing vignette."""
    height, width = image.shape[:2]
    high, wide, x, y = textures.grid(height, width, 96)
    cold = ((0.4, 0.5, 0.56), (0.46, 0.5, 0.4))[int(rng.random() > 0.6)]
    graded = cv2.transform(image, blend_matrix(mix_matrix(0.72, cold, (2, 5, 7)), severity))
    depth = (1 - np.abs(y - rng.uniform(0.3, 0.5))) ** 2
    seen = np.exp(-0.9 * severity * depth * (0.25 + 1.3 * textures.clouds(rng, high, wide, 3)))
    off_axis = ((x - 0.5) ** 2 + (y - 0.5) ** 2) / 0.38
    vignette = (1 + 1.1 * severity**2 * off_axis) ** -2
    air = np.empty((high, wide, 3), np.uint8)
    for channel, colour in enumerate((112 * cold[0], 126 * cold[1], 134 * cold[2])):
        air[..., channel] = 2 * colour * (1 - seen) * vignette
    keep = cv2.cvtColor(cv2.resize((255 * seen * vignette).astype(np.uint8), (width, height)), cv2.COLOR_GRAY2RGB)
    return np.asarray(cv2.add(cv2.multiply(graded, keep, scale=1 / 255), cv2.resize(air, (width, height))), np.uint8)


@treatment(
    label="Decay and degradation",
    metric=measures.change,
    metric_label="mean change, code values",
    source="A neglected print: faded dyes, tide-marks, craquelure on nested Voronoi cells, mould, scratches.",
)
def decay_and_degradation(image: Image, severity: float, rng: np.random.Generator) -> Image:
    """Stains, scratches, cracks, mould; what flakes off shows the paper."""
    height, width = image.shape[:2]
    faded = cv2.transform(image, blend_matrix(_NEGLECTED, severity))
    out = cv2.multiply(faded, cv2.resize(_stains(height, width, severity, rng), (width, height)), scale=1 / 255)
    zoom = textures.texture_zoom(height, width)
    mould = look_up(textures.window(textures.spore_texture(), rng, height, width, zoom), _mould(severity))
    age = textures.window(textures.crack_texture(), rng, height, width, zoom)
    _, cracks = cv2.threshold(age, 255 * (1 - 0.95 * severity), 255, cv2.THRESH_BINARY)
    out = cv2.subtract(out, mould)
    out = cv2.subtract(out, textures.tinted(cracks, (0.4, 0.42, 0.42)))
    _flake(out, severity, rng)
    _scratch(out, severity, rng)
    return np.asarray(out, np.uint8)


_NEGLECTED = mix_matrix(0.45, (0.74, 0.7, 0.58), (34, 27, 14))


@lru_cache(64)
def _mould(severity: float) -> Image:
    """What mould takes from each channel, by the order in which it reaches a place: a table of three columns."""
    order = np.arange(256) / 255
    eaten = np.rint(205 * np.clip((order - (0.95 - 0.62 * severity)) / 0.25, 0, 1)).astype(np.uint8)
    return np.asarray(textures.tinted(eaten[None], (0.78, 0.68, 0.8))[0])


def _stains(height: int, width: int, severity: float, rng: np.random.Generator) -> Image:
    """What the paper still reflects: brown puddles with a darker tide-mark where they dried, and a burnt border."""
    high, wide, x, y = textures.grid(height, width, 96)
    warp = textures.clouds(rng, high, wide, 4) - 0.5
    drops = rng.random((5, 4)) * (1, 1, 0.25, 0.5 * severity) + (0, 0, 0.1, 0.5 * severity)
    place_x, place_y, size, force = drops.T.astype(np.float32)[..., None, None]
    reach = np.sqrt((x - place_x) ** 2 + (y - place_y) ** 2)
    reach += 0.22 * warp
    reach /= size
    taken = np.minimum(np.maximum(4 - 4 * reach, 0), 0.45)
    reach -= 0.97
    reach /= 0.055
    taken += 0.8 * np.exp(-(reach**2))
    taken *= force
    absorbed = taken.sum(0)
    border = np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y)) + 0.1 * warp
    absorbed += severity * 1.1 * np.exp(-np.maximum(border, 0) / 0.045)
    field = np.empty((high, wide, 3), np.uint8)
    for channel, dye in enumerate((0.28, 0.52, 0.95)):
        field[..., channel] = 255 * np.exp(-dye * absorbed)
    return field


def _flake(image: Image, severity: float, rng: np.random.Generator) -> None:
    """Chips gone down to the paper, with a shadow along one side; up to 7 % of the print."""
    height, width = image.shape[:2]
    high, wide, _, _ = textures.grid(height, width, 176)
    order = textures.clouds(rng, high, wide, 7)
    depth = textures.outline(textures.level_of(order, 0.07 * severity) - order)
    gone = cv2.threshold(cv2.resize(depth, (width, height)), 127, 255, cv2.THRESH_BINARY)[1]
    step = max(1, min(height, width) // 256)
    shade = cv2.copyMakeBorder(gone[:-step, :-step], step, 0, step, 0, cv2.BORDER_CONSTANT | cv2.BORDER_ISOLATED)
    cv2.subtract(image, textures.tinted(shade, (0.4, 0.4, 0.4)), dst=image)
    cv2.max(image, textures.tinted(gone, (0.89, 0.84, 0.75)), dst=image)


def _scratch(image: Image, severity: float, rng: np.random.Generator) -> None:
    """Scratches of the emulsion: long, thin, nearly straight, mostly along the transport."""
    height, width = image.shape[:2]
    thick = max(1, round(min(height, width) / 640))
    for x, y, turn, long, shade, across in rng.random((34, 6))[: round(34 * severity)].tolist():
        angle = (math.pi / 2 + 0.5 * (turn - 0.5)) if across < 0.75 else math.pi * turn
        reach = max(height, width) * (0.05 + 0.5 * long**2)
        start = int(x * width), int(y * height)
        end = int(x * width + reach * math.cos(angle)), int(y * height + reach * math.sin(angle))
        tone = 150 + 100 * shade
        cv2.line(image, start, end, (tone, tone * 0.97, tone * 0.88), thick, cv2.LINE_AA)


@treatment(
    label="Disgust and aversion",
    metric=measures.hidden,
    metric_label="pixels that no longer show what they showed, %",
    source="A front that spreads from seeded centres over uneven food, a Turing labyrinth behind it, wet and veined.",
)
def disgust_and_aversion(image: Image, severity: float, rng: np.random.Generator) -> Image:
    """Rot that spreads over the picture: inflamed at the front, slimy and veined behind it, brown in the depth."""
    height, width = image.shape[:2]
    high, wide, x, y = textures.grid(height, width, 160)
    place_x, place_y, late = (rng.random((5, 3)) * (1, 1, 0.25)).T.astype(np.float32)[..., None, None]
    order = (np.sqrt((x - place_x) ** 2 + (y - place_y) ** 2) + late).min(0)
    order += 0.34 * textures.clouds(rng, high, wide, 5)
    behind = (textures.level_of(order, 0.88 * severity) - order) / 0.3
    stage = np.clip(behind * 170 + 40, 0, 255).astype(np.uint8)
    keeps, oozes, wet = (cv2.resize(look_up(stage, table), (width, height)) for table in _ROT)
    out = cv2.add(cv2.multiply(image, keeps, scale=1 / 255), oozes)
    veins = textures.window(textures.mottle_texture(), rng, height, width, textures.texture_zoom(height, width))
    relief = np.zeros_like(veins)
    cv2.subtract(veins[2:, 2:], veins[:-2, :-2], dst=relief[2:, 2:])
    out = cv2.subtract(out, textures.tinted(cv2.multiply(veins, wet, scale=1 / 255), (0.24, 0.27, 0.22)))
    gleam = textures.tinted(cv2.multiply(relief, wet, scale=1 / 255), (1.5, 1.45, 0.95))
    return np.asarray(cv2.add(out, gleam), np.uint8)


def _rot_tables() -> tuple[Image, ...]:
    """What rot keeps, what it oozes and how wet it is, by its stage: 40 is the front, 255 the oldest."""
    behind = (np.arange(256)[:, None] - 40) / 170
    rotten, depth = np.clip(behind * 9, 0, 1), np.clip(behind, 0, 1)
    flesh = np.array([0.95, 0.42, 0.34]) * (1 - depth) ** 3
    flesh = flesh + np.array([1.87, 1.92, 0.52]) * depth * (1 - depth) ** 1.5
    keeps = 1 - rotten + rotten * np.clip(flesh + np.array([0.4, 0.3, 0.15]) * depth, 0, 1)
    rim = np.exp(-(((behind - 0.06) / 0.05) ** 2)) * np.array([66, 62, 42])
    oozes = rotten * (0.25 + depth) * np.array([38, 40, 10]) + rim
    wet = 255 * rotten[:, 0] * (0.4 + 0.6 * depth[:, 0])
    return tuple(np.clip(np.rint(table), 0, 255).astype(np.uint8) for table in (255 * keeps, oozes, wet))


_ROT = _rot_tables()


@treatment(
    label="Unfinished / raw",
    metric=measures.hidden,
    metric_label="pixels that no longer show what they showed, %",
    source="Easel practice: paint around the subject, washes next to it, then pencil with its construction lines.",
)
def unfinished_raw(image: Image, severity: float, rng: np.random.Generator) -> Image:
    """Painted in one place, laid in around it, elsewhere a drawing on bare linen with its construction lines."""
    height, width = image.shape[:2]
    high, wide, x, y = textures.grid(height, width, 160)
    centre = subject(image)
    brush = cv2.resize(rng.random((9, 46), np.float32), (wide, high), interpolation=cv2.INTER_CUBIC)
    order = np.sqrt((x - centre[0]) ** 2 + (y - centre[1]) ** 2) + 0.16 * brush
    order += 0.3 * textures.clouds(rng, high, wide, 3)
    linen = textures.window(textures.canvas_texture(), rng, height, width)
    drawing = _pencil(image)
    _construct(drawing, centre)
    bare = textures.tinted(cv2.multiply(linen, drawing, scale=1 / 205), (0.98, 0.93, 0.83))
    wash = cv2.resize(textures.shrink(image, high, wide), (width, height), interpolation=cv2.INTER_CUBIC)
    wash = cv2.addWeighted(wash, 0.62, bare, 0.38, 0)
    out = image.copy()
    for layer, share in ((wash, 0.95 * severity), (bare, 0.78 * severity)):
        depth = textures.outline(order - textures.level_of(order, 1 - share))
        _, mask = cv2.threshold(cv2.resize(depth, (width, height)), 128, 255, cv2.THRESH_BINARY)
        cv2.copyTo(layer, mask, out)
    return out


def _pencil(image: Image) -> Image:
    """Luma divided by its own blur: lines stay, tones go."""
    luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    reach = max(1, round(min(luma.shape) / 60)) * 2 + 1
    lines = cv2.divide(luma, cv2.blur(luma, (reach, reach)), scale=250)
    return look_up(lines, _PENCIL)


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
    high, wide = textures.small_shape(height, width, 384)
    stretch = 2.2 if rng.random() < 0.5 else 1 / 2.2
    places = rng.random((900, 2))[: round(11 * 80 ** (1 - severity))]
    tall, broad = max(1, round(high * min(1, stretch))), max(1, round(wide * min(1, 1 / stretch)))
    ground = np.full((tall, broad), 255, np.uint8)
    ground[(places[:, 0] * tall).astype(int), (places[:, 1] * broad).astype(int)] = 0
    _, cells = cv2.distanceTransformWithLabels(ground, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    mean = _cell_means(textures.shrink(image, *textures.small_shape(height, width, 112)), cells.astype(np.uint16))
    grey = mean.mean(1, keepdims=True)
    vivid = np.clip(grey + (1 + 0.7 * severity) * (mean - grey), 0, 255).astype(np.uint8)
    which = cv2.resize(cells.astype(np.float32), (wide, high), interpolation=cv2.INTER_NEAREST)
    planes = cv2.remap(vivid[None], which, np.zeros_like(which), cv2.INTER_NEAREST)
    planes = cv2.resize(planes, (width, height), interpolation=cv2.INTER_LINEAR)
    return textures.blend(image, planes, 0.45 + 0.75 * severity)


def _cell_means(small: Image, cells: npt.NDArray[np.uint16]) -> npt.NDArray[np.float64]:
    """Mean colour of every cell, labels x 3, from a small picture; empty cells get the mean of all."""
    label = cv2.resize(cells, small.shape[1::-1], interpolation=cv2.INTER_NEAREST).ravel()
    count = np.bincount(label, minlength=int(cells.max()) + 1)
    total = np.stack([np.bincount(label, small[..., c].ravel(), len(count)) for c in range(3)], -1)
    return np.where(count[:, None] > 0, total / np.maximum(count, 1)[:, None], total.sum(0) / label.size)


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
    hole, copy = out, image
    for level in range(9):
        high, wide = round(hole.shape[0] * share), round(hole.shape[1] * share)
        if min(high, wide) < 4:
            break
        top, left = round((hole.shape[0] - high) * y), round((hole.shape[1] - wide) * x)
        hole = hole[top : top + high, left : left + wide]
        rim = max(1, round(min(high, wide) / 48))
        copy = textures.shrink(copy, high, wide)
        seen = (cv2.flip(copy, -1) if level % 2 == 0 else copy)[rim:-rim, rim:-rim]
        cv2.copyMakeBorder(seen, rim, rim, rim, rim, cv2.BORDER_CONSTANT | cv2.BORDER_ISOLATED, hole, (14, 14, 14))
    return out


def _melt(image: Image, severity: float, rng: np.random.Generator) -> Image:
    """Columns of the picture run down, each at its own pace, and sway."""
    height, width = image.shape[:2]
    high, wide = textures.small_shape(height, width, 96)
    rows = np.linspace(0, 1, high, dtype=np.float32)[:, None]
    pace = cv2.resize(rng.random((1, 13), np.float32), (wide, 1), interpolation=cv2.INTER_CUBIC)
    pace = pace + 0.35 * cv2.resize(rng.random((1, 34), np.float32), (wide, 1), interpolation=cv2.INTER_CUBIC)
    sway = textures.clouds(rng, high, wide, 3, 2) - 0.5
    down = height * severity * 0.75 * pace * rows**1.2
    aside = width * severity * 0.34 * sway * rows
    columns, lines = np.meshgrid(np.linspace(0, width - 1, wide), np.linspace(0, height - 1, high))
    back_x = cv2.resize((columns + aside).astype(np.float32), (width, height))
    back_y = cv2.resize((lines - down).astype(np.float32), (width, height))
    return textures.sampled(
        image, lambda four: cv2.remap(four, back_x, back_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    )
