"""Composition and structure: the picture is whole, the frame is wrong.

The subject is found, not known: the place where detail is densest, weighted to the middle. Frames are always filled.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from effects import fields, measures
from effects.lighting_and_exposure import flash_light, relight
from effects.treatment import Image, Plane, treatment

Matrix = npt.NDArray[np.float64]


def subject(image: Image) -> tuple[float, float]:
    """(x, y) in 0..1 of the place where detail is densest, with a preference for the middle."""
    small = cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA)
    luma = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    detail = np.abs(cv2.Sobel(luma, cv2.CV_32F, 1, 0)) + np.abs(cv2.Sobel(luma, cv2.CV_32F, 0, 1))
    weight = (cv2.GaussianBlur(detail, (0, 0), 2.5) + 1) * _MIDDLE
    row, column = divmod(int(weight.argmax()), 32)
    return (column + 0.5) / 32, (row + 0.5) / 32


_NEAR = np.exp(-((((np.arange(32) + 0.5) / 32 - 0.5) / 0.33) ** 2)).astype(np.float32)
_MIDDLE = _NEAR[:, None] * _NEAR[None, :]


def filled(turn: Matrix, shape: tuple[int, ...], centre: tuple[float, float] = (0.5, 0.5)) -> Matrix:
    """2x3 map from output to input pixels: the 2x2 `turn` about `centre`, shrunk until no corner looks outside."""
    height, width = shape[:2]
    half = np.array([max(width - 1, 1) / 2, max(height - 1, 1) / 2])
    corners = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]]) * half
    middle = np.array([centre[0] * (width - 1), centre[1] * (height - 1)])
    room = np.minimum(middle, np.array([width - 1, height - 1]) - middle)
    needed = np.abs(corners @ turn.T).max(0)
    turn = turn * min(1.0, float((np.maximum(room, 0.5) / needed).min()))
    return np.hstack([turn, (middle - turn @ half)[:, None]])


def look_through(image: Image, back: Matrix) -> Image:
    """`image` seen through the 2x3 map `back` from output to input pixels."""
    height, width = image.shape[:2]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(
        cv2.warpAffine(image, back, (width, height), flags=flags, borderMode=cv2.BORDER_REFLECT_101), np.uint8
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
    high, wide = fields.small_shape(height, width, 160)
    rows, columns = np.mgrid[0:high, 0:wide].astype(np.float32)
    x, y = (columns + 0.5) / wide, (rows + 0.5) / high
    centre = subject(image)
    kind, angle = int(rng.integers(0, 3)), rng.uniform(0, 2 * np.pi)
    draw = (_thumb, _bars, _cut)[kind]
    order, soft, colour = draw(x, y, centre, angle, rng)
    covered = float(np.quantile(order, min(1.0, 0.72 * severity)))
    mask = np.clip((covered - order) / soft + 0.5, 0, 1)
    mask = mask[..., None]
    keep = np.rint(255 * (1 - mask)).astype(np.uint8)
    cover = np.clip(np.rint(colour * mask), 0, 255).astype(np.uint8)
    keep = cv2.cvtColor(cv2.resize(keep, (width, height)), cv2.COLOR_GRAY2RGB)
    return np.asarray(cv2.add(cv2.multiply(image, keep, scale=1 / 255), cv2.resize(cover, (width, height))), np.uint8)


Cover = tuple[Plane, float, Plane]


def _thumb(x: Plane, y: Plane, centre: tuple[float, float], angle: float, rng: np.random.Generator) -> Cover:
    """A finger in front of the lens: a blurred capsule from beyond the frame to the subject, lit through its rim."""
    along = (x - centre[0]) * np.cos(angle) + (y - centre[1]) * np.sin(angle)
    across = -(x - centre[0]) * np.sin(angle) + (y - centre[1]) * np.cos(angle)
    order = np.hypot(np.minimum(along, 0), across)
    inside = np.clip(1 - order / 0.45, 0, 1)[..., None]
    skin = np.array([232, 138, 108]) * rng.uniform(0.6, 1.0)
    return order, 0.16, np.asarray(skin * np.array([0.62, 0.42, 0.38]) ** inside, np.float32)


def _bars(x: Plane, y: Plane, centre: tuple[float, float], angle: float, rng: np.random.Generator) -> Cover:
    """A fence out of focus: dark bars, the first through the subject."""
    lean = 0.25 * np.sin(angle)
    across = (x - centre[0]) + lean * (y - centre[1])
    period = rng.uniform(0.3, 0.42)
    order = np.abs(across - period * np.rint(across / period))
    shade = 18 + 26 * (0.5 + 0.5 * np.sin(9 * across))[..., None]
    return order, 0.035, np.asarray(shade * np.array([1.0, 0.95, 0.88]), np.float32)


def _cut(x: Plane, y: Plane, centre: tuple[float, float], angle: float, rng: np.random.Generator) -> Cover:
    """The frame ends in the subject: black beyond a straight, slightly crooked edge that comes in from one side."""
    side = np.rint(angle / (np.pi / 2)) * np.pi / 2 + rng.uniform(-0.12, 0.12)
    order = (x - centre[0]) * np.cos(side) + (y - centre[1]) * np.sin(side)
    return order, 0.006, np.full((*x.shape, 1), 9.0, np.float32) * np.ones(3, np.float32)


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
    large = cv2.resize(piece, size, interpolation=cv2.INTER_CUBIC)
    out = image.copy()
    _paste(out, large, (left + piece.shape[1] / 2, top + piece.shape[0] / 2), _scissors(size, rng))
    return out


def _scissors(size: tuple[int, int], rng: np.random.Generator) -> Plane:
    """The mask (0..1) of a rough oval cut in straight snips, width x height of `size`."""
    angles = np.linspace(0, 2 * np.pi, 22, endpoint=False) + rng.uniform(-0.08, 0.08, 22)
    radius = 0.47 + rng.uniform(-0.035, 0.025, 22)
    points = np.stack([size[0] * (0.5 + radius * np.cos(angles)), size[1] * (0.5 + radius * np.sin(angles))], -1)
    mask = np.zeros((size[1], size[0]), np.uint8)
    cv2.fillPoly(mask, [np.rint(points * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return np.asarray(mask / 255.0, np.float32)


def _paste(out: Image, piece: Image, centre: tuple[float, float], mask: Plane) -> None:
    """Write `piece` into `out` around `centre` where `mask` is set, with the white edge of cut paper."""
    high, wide = piece.shape[:2]
    left, top = round(centre[0] - wide / 2), round(centre[1] - high / 2)
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(out.shape[1], left + wide), min(out.shape[0], top + high)
    inside = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
    rim = cv2.erode(mask, np.ones((3, 3), np.uint8), iterations=max(1, round(wide / 130)))[inside][..., None]
    paper, under = mask[inside][..., None], out[y0:y1, x0:x1]
    out[y0:y1, x0:x1] = np.rint(under * (1 - paper) + 244 * (paper - rim) + piece[inside] * rim).astype(np.uint8)


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
    half = np.array([image.shape[1] - 1, image.shape[0] - 1]) / 2
    middle = np.clip(2 * half * subject(image), share * half, (2 - share) * half)
    return look_through(image, np.hstack([share * np.eye(2), (middle - share * half)[:, None]]))


def _far(image: Image, scale: float, x: float, y: float) -> Image:
    """The picture `scale` times as large, at a share (x, y) of the free room, in what its blurred borders go on to."""
    height, width = image.shape[:2]
    high, wide = max(1, round(height * scale)), max(1, round(width * scale))
    left, top = round((width - wide) * x), round((height - high) * y)
    small = cv2.resize(image, (wide, high), interpolation=cv2.INTER_AREA)
    coarse = max(1.0, min(height, width) / 64)
    thumb = max(1, round(wide / coarse)), max(1, round(high / coarse))
    above, below, before, behind = (round(v / coarse) for v in (top, height - top - high, left, width - left - wide))
    void = cv2.resize(small, thumb, interpolation=cv2.INTER_AREA)
    void = cv2.copyMakeBorder(void, above, below, before, behind, cv2.BORDER_REPLICATE)
    void = cv2.GaussianBlur(void, (0, 0), 5)
    out = cv2.resize(void, (width, height), interpolation=cv2.INTER_CUBIC)
    edge = 0.09 * min(high, wide)
    ramp = [np.clip((0.5 + np.minimum(np.arange(n), np.arange(n)[::-1])) / max(edge, 0.5), 0, 1) for n in (high, wide)]
    mask = np.minimum(ramp[0][:, None], ramp[1][None, :])[..., None].astype(np.float32)
    under = out[top : top + high, left : left + wide]
    under[:] = np.rint(small * mask + under * (1 - mask)).astype(np.uint8)
    return np.asarray(out, np.uint8)


@treatment(
    label="Amateur snapshot energy",
    metric=measures.hidden,
    metric_label="pixels that no longer show what they showed, %",
    source="A compact camera in a hurry: crooked and aimed past the subject, on-camera flash, the date burnt in.",
)
def amateur_snapshot_energy(image: Image, severity: float, rng: np.random.Generator) -> Image:
    """Casual, mistimed, badly framed."""
    height, width = image.shape[:2]
    x, _ = subject(image)
    angle = np.deg2rad(rng.uniform(8, 14)) * (1 if rng.random() < 0.5 else -1)
    miss = np.array([0.22 if x < 0.5 else -0.22, rng.uniform(-0.16, 0.16)])
    day, month, hour = int(rng.integers(1, 29)), int(rng.integers(1, 13)), rng.uniform(0.3, 0.6)
    aim = 0.5 + severity * miss * 0.5
    tilted = look_through(image, filled(rotation(angle * severity), image.shape, (float(aim[0]), float(aim[1]))))
    stops, glare = flash_light(image.shape, hour, 0.42, True)
    out = relight(tilted, 0.55 * severity * (stops + 0.4), 0.25 * severity * glare)
    return _date(out, f"'98 {month:2d} {day:2d}", severity, height, width)


def _date(image: Image, text: str, severity: float, height: int, width: int) -> Image:
    """The date in orange light-emitting segments at the lower right."""
    size = max(0.2, min(height, width) / 520)
    thick = max(1, round(1.6 * size))
    (wide, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_PLAIN, 1.9 * size, thick)
    stamp = np.zeros_like(image)
    at = max(0, round(width * 0.95) - wide), round(height * 0.94)
    bright = min(1.0, 2 * severity)
    colour = (255 * bright, 140 * bright, 30 * bright)
    cv2.putText(stamp, text, at, cv2.FONT_HERSHEY_PLAIN, 1.9 * size, colour, thick, cv2.LINE_AA)
    return np.asarray(cv2.add(image, stamp), np.uint8)
