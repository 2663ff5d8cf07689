"""Composition and structure: the content is kept, its framing is changed.

The subject is found, not known: the place where detail is densest, weighted to the middle. Frames are always filled.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from effects import measures, textures
from effects.lighting_and_exposure import flash_light, relight
from effects.treatment import Image, Plane, treatment

Matrix = npt.NDArray[np.float64]


def subject(image: Image) -> tuple[float, float]:
    """(x, y) in 0..1 of the place where detail is densest, with a preference for the middle."""
    small = textures.shrink(image, 32, 32)
    luma = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    detail = np.abs(cv2.Sobel(luma, cv2.CV_32F, 1, 0)) + np.abs(cv2.Sobel(luma, cv2.CV_32F, 0, 1))
    weight = (cv2.GaussianBlur(detail, (0, 0), 2.5) + 1) * _MIDDLE
    row, column = divmod(int(weight.argmax()), 32)
    return (column + 0.5) / 32, (row + 0.5) / 32


_NEAR = np.exp(-((((np.arange(32) + 0.5) / 32 - 0.5) / 0.33) ** 2)).astype(np.float32)
_MIDDLE = _NEAR[:, None] * _NEAR[None, :]


def filled(turn: Matrix, shape: tuple[int, ...], centre: tuple[float, float] = (0.5, 0.5)) -> Matrix:
    """2x3 map from output to input pixels: the 2x2 `turn` about `centre`, shrunk until no corner looks outside."""
    half = np.array([max(shape[1] - 1, 1) / 2, max(shape[0] - 1, 1) / 2])
    middle = 2 * half * centre
    room = np.maximum(np.minimum(middle, 2 * half - middle), 0.5)
    reached = np.abs(turn) @ half
    turn = turn * min(1.0, float((room / reached).min()))
    return np.hstack([turn, (middle - turn @ half)[:, None]])


def look_through(image: Image, back: Matrix) -> Image:
    """`image` seen through the 2x3 map `back` from output to input pixels."""
    flags, size = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, image.shape[1::-1]
    return textures.sampled(
        image, lambda four: cv2.warpAffine(four, back, size, flags=flags, borderMode=cv2.BORDER_REFLECT_101)
    )


def rotation(angle: float, shear: float = 0.0) -> Matrix:
    """2x2 matrix: turn by `angle` radians, then lean by `shear`."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.asarray(turn @ np.array([[1, shear], [0, 1]]), np.float64)


@treatment(
    label="Unconventional framing",
    metric=measures.tilt,
    metric_label="tilt found by registration, degrees",
    source="An affine camera: roll and skew about the centre, drawn close enough to fill the frame.",
)
def unconventional_framing(image: Image, severity: float, rng: np.random.Generator) -> Image:
    """Tilted by up to 28 degrees and skewed; the horizon is nobody's friend."""
    side = 1 if rng.random() < 0.5 else -1
    turn = rotation(side * np.deg2rad(rng.uniform(23, 28)) * severity, -side * 0.16 * severity)
    return look_through(image, filled(turn, image.shape))


@treatment(
    label="Obstructed cropping",
    metric=measures.hidden,
    metric_label="pixels that no longer show what they showed, %",
    source="An occluder grown over the subject: a thumb on the lens, bars in the foreground, or the edge of the frame.",
)
def obstructed_cropping(image: Image, severity: float, rng: np.random.Generator) -> Image:
    """The subject cut off or hidden, over up to three quarters of the frame."""
    height, width = image.shape[:2]
    high, wide, x, y = textures.grid(height, width, 112)
    centre = subject(image)
    kind, angle = int(rng.integers(0, 3)), rng.uniform(0, 2 * np.pi)
    draw = (_thumb, _bars, _cut)[kind]
    order, soft, colour = draw(x, y, centre, angle, rng)
    mask = np.clip((textures.level_of(order, 0.72 * severity) - order) / soft + 0.5, 0, 1)
    cover = np.empty((high, wide, 3), np.uint8)
    for channel, tone in enumerate(colour):
        cover[..., channel] = tone * mask
    keep = cv2.resize((255 * (1 - mask)).astype(np.uint8), (width, height))
    kept = cv2.multiply(image, cv2.cvtColor(keep, cv2.COLOR_GRAY2RGB), scale=1 / 255)
    return np.asarray(cv2.add(kept, cv2.resize(cover, (width, height))), np.uint8)


Cover = tuple[Plane, float, tuple[Plane | float, Plane | float, Plane | float]]


def _thumb(x: Plane, y: Plane, centre: tuple[float, float], angle: float, rng: np.random.Generator) -> Cover:
    """A finger in front of the lens: a blurred capsule from beyond the frame to the subject, lit through its rim."""
    along = (x - centre[0]) * float(np.cos(angle)) + (y - centre[1]) * float(np.sin(angle))
    across = (y - centre[1]) * float(np.cos(angle)) - (x - centre[0]) * float(np.sin(angle))
    order = np.sqrt(np.minimum(along, 0) ** 2 + across**2)
    inside = np.clip(1 - order / 0.45, 0, 1)
    light = rng.uniform(0.6, 1.0)
    return order, 0.16, (232 * light * 0.62**inside, 138 * light * 0.42**inside, 108 * light * 0.38**inside)


def _bars(x: Plane, y: Plane, centre: tuple[float, float], angle: float, rng: np.random.Generator) -> Cover:
    """A fence out of focus: dark bars, the first through the subject."""
    across = (x - centre[0]) + 0.25 * float(np.sin(angle)) * (y - centre[1])
    period = rng.uniform(0.3, 0.42)
    shade = 31 + 13 * np.sin(9 * across)
    return np.abs(across - period * np.rint(across / period)), 0.035, (shade, 0.95 * shade, 0.88 * shade)


def _cut(x: Plane, y: Plane, centre: tuple[float, float], angle: float, rng: np.random.Generator) -> Cover:
    """The frame ends in the subject: black beyond a straight, slightly crooked edge that comes in from one side."""
    side = float(np.rint(angle / (np.pi / 2))) * np.pi / 2 + rng.uniform(-0.12, 0.12)
    order = (x - centre[0]) * float(np.cos(side)) + (y - centre[1]) * float(np.sin(side))
    return order, 0.006, (9.0, 9.0, 9.0)


@treatment(
    label="Scale inconsistency",
    metric=measures.hidden,
    metric_label="pixels that no longer show what they showed, %",
    source="Collage: the subject is cut out, enlarged up to 2.9 times and pasted where it was.",
)
def scale_inconsistency(image: Image, severity: float, rng: np.random.Generator) -> Image:
    """Part of the scene is far too large for the rest."""
    height, width = image.shape[:2]
    side = min(height, width)
    x, y = subject(image)
    x, y = x + rng.uniform(-0.05, 0.05), y + rng.uniform(-0.05, 0.05)
    reach = max(1, round(0.19 * side))
    left, top = (
        int(np.clip(place * size - reach, 0, size - 2 * reach)) if size > 2 * reach else 0
        for place, size in ((x, width), (y, height))
    )
    piece = image[top : top + 2 * reach, left : left + 2 * reach]
    factor = 1 + 1.9 * severity
    size = max(1, round(piece.shape[1] * factor)), max(1, round(piece.shape[0] * factor))
    card = cv2.resize(piece, size, interpolation=cv2.INTER_CUBIC)
    outline = _scissors(size, rng)
    cv2.polylines(card, [outline], True, (244, 244, 240), max(1, round(size[0] / 60)), cv2.LINE_AA, 4)
    mask = np.zeros((size[1], size[0]), np.uint8)
    cv2.fillPoly(mask, [outline], 255, cv2.LINE_AA, 4)
    return _paste(image, card, mask, (left + piece.shape[1] / 2, top + piece.shape[0] / 2))


def _scissors(size: tuple[int, int], rng: np.random.Generator) -> npt.NDArray[np.int32]:
    """A rough oval cut in straight snips, as points in sixteenths of a pixel."""
    angles = np.linspace(0, 2 * np.pi, 22, endpoint=False) + rng.uniform(-0.08, 0.08, 22)
    radius = 0.47 + rng.uniform(-0.035, 0.025, 22)
    points = np.stack([size[0] * (0.5 + radius * np.cos(angles)), size[1] * (0.5 + radius * np.sin(angles))], -1)
    return np.rint(points * 16).astype(np.int32)


def _paste(image: Image, card: Image, mask: Image, centre: tuple[float, float]) -> Image:
    """A copy of `image` with `card` laid around `centre` where `mask` is set, clipped to the frame."""
    high, wide = card.shape[:2]
    left, top = round(centre[0] - wide / 2), round(centre[1] - high / 2)
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(image.shape[1], left + wide), min(image.shape[0], top + high)
    inside = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
    lies = cv2.cvtColor(mask[inside], cv2.COLOR_GRAY2RGB)
    out = image.copy()
    under = cv2.multiply(image[y0:y1, x0:x1], cv2.bitwise_not(lies), scale=1 / 255)
    cv2.add(under, cv2.multiply(card[inside], lies, scale=1 / 255), dst=out[y0:y1, x0:x1])
    return out


@treatment(
    label="Unconventional scale",
    metric=measures.zoom,
    metric_label="octaves by which things became larger or smaller, found by template matching",
    source="Extreme distance: eight times too far, the edges carried on into a void, or four times too near.",
)
def unconventional_scale(image: Image, severity: float, rng: np.random.Generator) -> Image:
    """Up to three octaves too small or two too large, as the seed has it."""
    tiny = rng.random() < 0.6
    x, y = rng.uniform(0.25, 0.75), rng.uniform(0.45, 0.8)
    if tiny:
        return _far(image, 2 ** (-3 * severity), x, y)
    return _near(image, 2 ** (-2 * severity))


def _near(image: Image, share: float) -> Image:
    """The `share` of the frame around the subject, enlarged to fill it."""
    height, width = image.shape[:2]
    high, wide = max(1, round(height * share)), max(1, round(width * share))
    x, y = subject(image)
    left, top = (int(np.clip(p * n - m / 2, 0, n - m)) for p, n, m in ((x, width, wide), (y, height, high)))
    cut = image[top : top + high, left : left + wide]
    return np.asarray(cv2.resize(cut, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def _far(image: Image, scale: float, x: float, y: float) -> Image:
    """The picture `scale` times as large, at a share (x, y) of the free room, in what its blurred borders go on to."""
    height, width = image.shape[:2]
    high, wide = max(1, round(height * scale)), max(1, round(width * scale))
    left, top = round((width - wide) * x), round((height - high) * y)
    small = textures.shrink(image, high, wide)
    coarse = max(1.0, min(height, width) / 40)
    thumb = textures.shrink(small, max(1, round(high / coarse)), max(1, round(wide / coarse)))
    above, below, before, behind = (round(v / coarse) for v in (top, height - top - high, left, width - left - wide))
    void = cv2.copyMakeBorder(thumb, above, below, before, behind, cv2.BORDER_REPLICATE)
    void = cv2.GaussianBlur(void, (0, 0), 3)
    out = np.asarray(cv2.resize(void, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
    edge = max(0.5, 0.09 * min(high, wide))
    down, across = (np.minimum(np.arange(n), np.arange(n)[::-1]) + 0.5 for n in (high, wide))
    near = (np.minimum(np.minimum(down[:, None], across), edge) * 255 / edge).astype(np.uint8)
    near = cv2.cvtColor(near, cv2.COLOR_GRAY2RGB)
    frame = out[top : top + high, left : left + wide]
    around = cv2.multiply(frame, cv2.bitwise_not(near), scale=1 / 255)
    cv2.add(around, cv2.multiply(small, near, scale=1 / 255), dst=frame)
    return out


@treatment(
    label="Amateur snapshot energy",
    metric=measures.hidden,
    metric_label="pixels that no longer show what they showed, %",
    source="A compact camera in a hurry: crooked and aimed past the subject, on-camera flash, the date burnt in.",
)
def amateur_snapshot_energy(image: Image, severity: float, rng: np.random.Generator) -> Image:
    """Crooked, aimed beside the subject, flashed and dated."""
    height, width = image.shape[:2]
    x, _ = subject(image)
    angle = np.deg2rad(rng.uniform(8, 14)) * (1 if rng.random() < 0.5 else -1)
    miss = np.array([0.22 if x < 0.5 else -0.22, rng.uniform(-0.16, 0.16)])
    day, month, hour = int(rng.integers(1, 29)), int(rng.integers(1, 13)), rng.uniform(0.3, 0.6)
    aim = 0.5 + severity * miss * 0.5
    tilted = look_through(image, filled(rotation(angle * severity), image.shape, (float(aim[0]), float(aim[1]))))
    stops, glare = flash_light(image.shape, hour, 0.42, True)
    out = relight(tilted, 0.75 * severity * (stops + 0.2), 0.25 * severity * glare)
    return _date(out, f"'98 {month:2d} {day:2d}", severity, height, width)


def _date(image: Image, text: str, severity: float, height: int, width: int) -> Image:
    """The date in orange seven-segment figures at the lower right, added as the light of the camera's own diodes."""
    size = max(1.0, min(height, width) / 42)
    left, top = 0.95 * width - 1.6 * size * len(text), 0.95 * height - 2 * size
    corner = image[max(0, int(top - size)) :, max(0, int(left - size)) :]
    left, top = left - (width - corner.shape[1]), top - (height - corner.shape[0])
    stamp = np.zeros_like(corner)
    bright = min(1.0, 2 * severity)
    for place, figure in enumerate(text):
        for segment in _FIGURES.get(figure, ""):
            ends = _SEGMENTS[segment] * size + (left + 1.6 * size * place, top)
            start, end = ((round(16 * x), round(16 * y)) for x, y in ends.tolist())
            colour = (255 * bright, 128 * bright, 20 * bright)
            cv2.line(stamp, start, end, colour, max(1, round(0.24 * size)), cv2.LINE_AA, 4)
    cv2.add(corner, stamp, dst=corner)
    return image


_SEGMENTS = {  # ends in units of a figure's width; a figure is two units high and leans a little
    name: np.array([(x0 + 0.16 - 0.08 * y0, y0), (x1 + 0.16 - 0.08 * y1, y1)])
    for name, ((x0, y0), (x1, y1)) in {
        "a": ((0.1, 0.0), (0.9, 0.0)),
        "b": ((1.0, 0.1), (1.0, 0.9)),
        "c": ((1.0, 1.1), (1.0, 1.9)),
        "d": ((0.1, 2.0), (0.9, 2.0)),
        "e": ((0.0, 1.1), (0.0, 1.9)),
        "f": ((0.0, 0.1), (0.0, 0.9)),
        "g": ((0.1, 1.0), (0.9, 1.0)),
        "'": ((0.6, 0.0), (0.6, 0.4)),
    }.items()
}
_FIGURES = {
    "0": "abcdef",
    "1": "bc",
    "2": "abged",
    "3": "abgcd",
    "4": "fgbc",
    "5": "afgcd",
    "6": "afgcde",
    "7": "abc",
    "8": "abcdefg",
    "9": "abcdfg",
    "'": "'",
}
