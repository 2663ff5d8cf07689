"""Clarity and focus: blur, double exposure, film, tape, broken codecs, lost detail.

Light is averaged as light (`effects.color_transfer`); tape damage follows the signal path of the recorder; compression
damage is made by the JPEG codec itself. Lengths scale with the picture, so that a thumbnail shows the same damage.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from effects import measures, textures
from effects.color_transfer import CODES, DECODE, DECODE_SCENE, ENCODE_SCENE, Linear, as_codes, decode, encode, look_up
from effects.treatment import Image, treatment


@treatment(
    label="Intentional blur",
    metric=measures.sharpness_lost,
    metric_label="RMS luminance gradient lost, %",
    source="Mean along a line (camera motion) or over the disc of the lens opening (defocus), taken in scene light.",
)
def intentional_blur(image: Image, severity: float, rng: np.random.Generator) -> Image:
    """Motion along one direction or defocus, as the seed has it; up to 16 % of the short side long, 5 % in radius."""
    moving, angle = rng.random() < 0.5, rng.uniform(-0.6, 0.6) + np.pi * rng.integers(0, 2)
    side = min(image.shape[:2])
    scene = decode(image, DECODE_SCENE)
    blurred = _smear(scene, 0.16 * side * severity, angle) if moving else _defocus(scene, 0.05 * side * severity)
    return encode(blurred, ENCODE_SCENE)


def _smear(light: Linear, length: float, angle: float) -> Linear:
    """Mean along `length` pixels: each of log2(length) passes averages the picture with itself, shifted.

    Pass k shifts by 2**k steps, so that n passes average 2**n points of the segment; a direct sum would take 2**n.
    """
    passes = max(1, int(np.ceil(np.log2(length + 1))))
    step = length / 2**passes * np.array([np.cos(angle), np.sin(angle)])
    shifts = np.rint(step * 2 ** np.arange(passes)[:, None]).astype(int).tolist()
    reach_x, reach_y = (sum(abs(shift[axis]) for shift in shifts) for axis in (0, 1))
    left, top = reach_x // 2, reach_y // 2
    light = cv2.copyMakeBorder(light, top, reach_y - top, left, reach_x - left, cv2.BORDER_REFLECT_101)
    for across, down in shifts:
        high, wide = light.shape[0] - abs(down), light.shape[1] - abs(across)
        x, y = max(0, -across), max(0, -down)
        here, there = light[y : y + high, x : x + wide], light[y + down :, x + across :][:high, :wide]
        light = cv2.addWeighted(here, 0.5, there, 0.5, 0)
    return light


def _defocus(light: Linear, radius: float) -> Linear:
    """Mean over a disc of `radius` pixels, on a grid as coarse as the disc allows."""
    height, width = light.shape[:2]
    coarse = max(1.0, radius / 4.5) if radius > 3 else 1.0
    size = max(1, round(width / coarse)), max(1, round(height / coarse))
    small = light if coarse == 1.0 else cv2.resize(light, size, interpolation=cv2.INTER_AREA)
    disc = radius * size[0] / width
    reach = int(np.ceil(disc))
    rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    kernel = np.clip(disc + 0.5 - np.hypot(rows, columns), 0, 1).astype(np.float32)
    small = cv2.filter2D(small, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(small if coarse == 1.0 else cv2.resize(small, (width, height)), np.uint16)


@treatment(
    label="Double exposure",
    metric=measures.light_change,
    metric_label="mean change of linear light, % of white",
    source="Two exposures of one frame: linear light adds; the second is the picture itself, flipped and enlarged.",
)
def double_exposure(image: Image, severity: float, rng: np.random.Generator) -> Image:
    """A mirrored, enlarged ghost of the picture added in linear light, itself dimmed to make room."""
    height, width = image.shape[:2]
    flip, share = int(rng.integers(-1, 2)), rng.uniform(0.55, 0.7)
    high, wide = max(1, int(height * share)), max(1, int(width * share))
    top, left = int(rng.uniform(0, height - high)), int(rng.uniform(0, width - wide))
    ghost = cv2.resize(cv2.flip(image[top : top + high, left : left + wide], flip), (width, height))
    first = decode(image, _exposed(1 - 0.45 * severity))
    return encode(cv2.add(first, decode(ghost, _exposed(0.85 * severity))))


def _exposed(share: float) -> Linear:
    """Table from code values to a `share` of their linear light."""
    return np.asarray(DECODE * share, np.uint16)


# grain against code value: most in the mid-tones, little in clear film and in full black
_GRAIN = 0.22 + (4 * CODES * (1 - CODES)) ** 0.8
_DENSITY = np.concatenate([[0], np.cumsum(1 / _GRAIN)[:-1]])
_DENSITY /= _DENSITY[-1]
_TO_GRAIN_SPACE = as_codes(_DENSITY)
_FROM_GRAIN_SPACE = as_codes(np.interp(CODES, _DENSITY, CODES))


@treatment(
    label="Film artifacts",
    metric=measures.noise_added,
    metric_label="sd of the fine-grained change, code values",
    source="Grain added on a scale where it is even, then mapped back; halation around highlights; dust and hairs.",
)
def film_artifacts(image: Image, severity: float, rng: np.random.Generator) -> Image:
    """Grain that depends on luminance, red halation, dust."""
    height, width = image.shape[:2]
    size = round(float(np.clip(min(height, width) / 900, 0.5, 1.6)), 1)
    grain = textures.window(textures.grain_texture(size), rng, height, width)
    even = look_up(_halation(image, severity), _TO_GRAIN_SPACE)
    strength = 0.75 * severity
    even = cv2.addWeighted(even, 1.0, grain, strength, -128 * strength)
    return _dust(look_up(even, _FROM_GRAIN_SPACE), severity, rng)


def _halation(image: Image, severity: float) -> Image:
    """Light scattered back by the film base: a red-orange glow of the highlights, added."""
    height, width = image.shape[:2]
    small_high, small_wide = textures.small_shape(height, width, 128)
    small = textures.shrink(image, small_high, small_wide)
    bright = look_up(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), _HIGHLIGHT)
    glow = textures.tinted(cv2.GaussianBlur(bright, (0, 0), 3.0), (0.55 * severity, 0.16 * severity, 0.05 * severity))
    return np.asarray(cv2.add(image, cv2.resize(glow, (width, height))), np.uint8)


_HIGHLIGHT = as_codes(np.clip((CODES - 0.72) / 0.28, 0, 1) ** 1.5)


def _dust(image: Image, severity: float, rng: np.random.Generator) -> Image:
    """White specks and hairs, as dust on a negative prints."""
    height, width = image.shape[:2]
    unit = max(1.0, min(height, width) / 256)
    for x, y, size, shade in rng.random((26, 4))[: round(26 * severity)].tolist():
        centre = int(x * width), int(y * height)
        cv2.circle(image, centre, int(unit * (0.3 + 1.1 * size**3)), (int(215 + 40 * shade),) * 3, -1, cv2.LINE_AA)
    hairs = rng.random((4, 5))
    for x, y, turn, bend, long in hairs[: round(4 * severity)]:
        direction = 6.3 * turn + 2.5 * (bend - 0.5) * np.linspace(0, 1, 12)
        steps = np.stack([np.cos(direction), np.sin(direction)], -1) * unit * (8 + 22 * long) / 12
        path = np.rint(np.array([x * width, y * height]) + steps.cumsum(0)).astype(np.int32)
        cv2.polylines(image, [path], False, (232, 228, 220), max(1, round(0.6 * unit)), cv2.LINE_AA)
    return image


@treatment(
    label="Analog degradation",
    metric=measures.lines_added,
    metric_label="steps from line to line beyond those along lines, code values",
    source="Signal path of VHS: colour-under bandwidth and delay, peaking, time-base error, head switching, dropouts.",
)
def analog_degradation(image: Image, severity: float, rng: np.random.Generator) -> Image:
    """A worn VHS recording."""
    height = len(image)
    luma, *colour = cv2.split(cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb))
    luma = _tape_luma(luma, severity, rng)
    _dropouts(luma, severity, rng)
    torn = max(1, round(height * (0.02 + 0.06 * severity)))
    luma[-torn:] = cv2.add(luma[-torn:], 70 * severity)
    pitch = max(2, round(height / 240) * 2)
    dark = np.arange(height) % pitch >= pitch // 2
    luma[dark] = look_up(luma[dark], as_codes(CODES * (round(255 * (1 - 0.38 * severity)) / 255)))
    packed = _tape_chroma(colour, severity)
    cv2.insertChannel(luma, packed, 0)
    packed = _time_base(cv2.cvtColor(packed, cv2.COLOR_RGBA2RGB), severity, torn, rng)
    return np.asarray(cv2.cvtColor(packed, cv2.COLOR_YCrCb2RGB), np.uint8)


def _tape_luma(luma: Image, severity: float, rng: np.random.Generator) -> Image:
    """3 MHz of luma bandwidth, the overshoot of the playback peaking circuit, and tape noise."""
    height, width = luma.shape
    soft = cv2.blur(luma, (2 * int(severity * width / 220) + 1, 1))
    away = max(1, round(width / 160))
    echo = np.zeros((1, 2 * away + 1), np.float32)
    echo[0, away], echo[0, 0], echo[0, -1] = 1 + 0.85 * severity, -0.2 * severity, -0.65 * severity
    ringing = cv2.filter2D(soft, -1, echo, borderType=cv2.BORDER_REPLICATE)
    noise = textures.window(textures.tape_texture(), rng, height, width)
    return np.asarray(cv2.addWeighted(ringing, 1.0, noise, 0.5 * severity, -64 * severity), np.uint8)


def _tape_chroma(colour: Sequence[Image], severity: float) -> Image:
    """Both planes of `colour` at a few dozen samples a line, and late: channels 1 and 2 of four, as four are fastest.

    The first is left free for luma.
    """
    height, width = colour[0].shape
    samples = max(1, round(width / (1 + 17 * severity * width / 768)))
    rows, delay = max(1, round(height / (1 + 2 * severity))), severity * samples / 50
    small = cv2.blur(cv2.resize(cv2.merge(colour), (samples, rows), interpolation=cv2.INTER_AREA), (3, 1))
    empty = np.zeros((rows, samples), np.uint8)
    back = np.array([[samples / width, 0, -delay], [0, rows / height, 0]], np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    four = cv2.merge([empty, small, empty])
    return np.asarray(cv2.warpAffine(four, back, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE))


def _dropouts(luma: Image, severity: float, rng: np.random.Generator) -> None:
    """Missing oxide: short white dashes with a dark tail, written into `luma`."""
    height, width = luma.shape
    thick = max(1, round(height / 300))
    for x, y, long, shade in rng.random((40, 4))[: round(40 * severity)]:
        row, start, end = int(y * height), int(x * width), int(x * width + width * (0.02 + 0.2 * long**3))
        luma[row : row + thick, start:end] = int(200 + 55 * shade)
        luma[row : row + thick, end : end + (end - start) // 2] = 24


def _time_base(packed: Image, severity: float, torn: int, rng: np.random.Generator) -> Image:
    """Each line starts early or late; the last `torn` lines, read while the heads switch, are pulled off sideways."""
    height, width = packed.shape[:2]
    slow, fast, ragged = (rng.standard_normal((height + more,)) for more in (30, 0, 0))
    wobble = np.convolve(slow, np.hanning(31) / 4, "valid") + 0.35 * fast
    shift = np.asarray(severity * width / 300 * wobble)
    tear = np.linspace(0, 1, torn) ** 0.6
    shift[-torn:] += severity * width * (0.24 * tear + 0.03 * ragged[:torn])
    for place, force in rng.random((3, 2))[: round(3 * severity)]:
        first = int(place * height * 0.85)
        rows = max(2, height // 28)
        kick = severity * width * 0.05 * (0.4 + force) * np.exp(-np.linspace(0, 4, rows))
        shift[first : first + rows] += kick[: max(0, height - first)]
    starts = np.rint(shift).astype(int)
    left, right = max(0, -int(starts.min())), max(0, int(starts.max()))
    wide = cv2.copyMakeBorder(packed, 0, 0, left, right, cv2.BORDER_REPLICATE).reshape(height, -1)
    begun_at = np.lib.stride_tricks.sliding_window_view(wide, 3 * width, axis=1)
    return np.asarray(begun_at[np.arange(height), 3 * (starts + left)].reshape(packed.shape), np.uint8)


@treatment(
    label="Digital artifacts",
    metric=measures.change,
    metric_label="mean error, code values",
    source="A JPEG round trip (ITU T.81, 4:2:0) at falling resolution and quality, macroblocks copied to wrong places.",
)
def digital_artifacts(image: Image, severity: float, rng: np.random.Generator) -> Image:
    """Too many saves: pixels doubled, quality near nothing, macroblocks astray."""
    height, width = image.shape[:2]
    factor = 2 ** round(severity * max(1.0, np.log2(min(height, width) / 192)))
    high, wide = -(-height // factor), -(-width // factor)
    coded = _jpeg(textures.shrink(image, high, wide), round(3 + 89 * (1 - severity) ** 3))
    _astray(coded, severity, rng)
    if factor == 1:
        return coded
    lines = cv2.resize(coded, (wide * factor, high), interpolation=cv2.INTER_NEAREST)
    return np.ascontiguousarray(np.repeat(lines, factor, axis=0)[:height, :width])


def _jpeg(image: Image, quality: int) -> Image:
    """One encode and decode by the codec."""
    done, code = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError(f"the JPEG codec refused a picture of {image.shape[1]}x{image.shape[0]} pixels")
    return np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR_RGB), np.uint8)


def _astray(image: Image, severity: float, rng: np.random.Generator) -> None:
    """Runs of 16-pixel macroblocks, at most one a row, overwritten by others of that row, as when a stream is lost."""
    width = image.shape[1]
    before = image.copy()
    rows = rng.permutation(-(-image.shape[0] // 16))
    places = rng.random((len(rows), 3))
    lost = round(0.6 * len(rows) * max(0.0, severity - 0.2))
    for row, (x, run, jump) in zip(rows[:lost].tolist(), places.tolist(), strict=False):
        left = int(x * width) // 16 * 16
        wide = min(width - left, 16 * (1 + int(run * 7)))
        source = int(jump * max(0, width - wide)) // 8 * 8
        image[16 * row : 16 * row + 16, left : left + wide] = before[16 * row : 16 * row + 16, source : source + wide]


@treatment(
    label="Bad or no details",
    metric=measures.fine_detail_lost,
    metric_label="detail finer than four pixels lost, %",
    source="Alternating sequential filter (Serra 1988): structures smaller than the element vanish, large edges stay.",
)
def bad_or_no_details(image: Image, severity: float, rng: np.random.Generator) -> Image:
    """Hair, leaves and letters melt into flat strokes with wandering but hard outlines."""
    height, width = image.shape[:2]
    coarse = max(1.0, min(height, width) / 256)
    size = max(1, round(width / coarse)), max(1, round(height / coarse))
    small = textures.shrink(image, size[1], size[0])
    small = _wander(small, 7 * severity, rng)
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    for radius in range(1, 1 + int(np.ceil(5 * severity))):
        opened = cv2.morphologyEx(small, cv2.MORPH_OPEN, brush, iterations=radius)
        opened = cv2.morphologyEx(opened, cv2.MORPH_CLOSE, brush, iterations=radius)
        small = textures.blend(small, opened, 5 * severity - radius + 1)
        small = cv2.medianBlur(small, 5)
    smooth = small if coarse == 1.0 else cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    return textures.blend(image, smooth, 0.3 + 1.6 * severity)


def _wander(image: Image, reach: float, rng: np.random.Generator) -> Image:
    """`image` with every place moved by up to `reach` pixels, neighbours about eight pixels away going elsewhere."""
    height, width = image.shape[:2]
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    cells = rng.random((2, 40, 40), np.float32) - 0.5
    aside, down = (cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) for grid in cells)
    x, y = columns + reach * aside, rows + reach * down
    return textures.sampled(
        image, lambda four: cv2.remap(four, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    )
