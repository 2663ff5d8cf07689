"""How much of an effect there is: the metrics that treatments declare, each `(before, after) -> float`.

Both pictures are uint8 HxWx3 of one shape. Every metric is 0 for an untouched picture and grows with the effect; none
of them knows severity or seed, so they can be run on pictures from anywhere.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from effects.color_transfer import decode
from effects.treatment import Image, Plane

Floats = npt.NDArray[np.float32]


def _luma(image: Image) -> Plane:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.float32)


def _opponent(image: Image) -> Floats:
    """HxWx2: red-green and yellow-blue differences in code values, zero for greys."""
    rgb = image.astype(np.float32)
    return np.stack([rgb[..., 0] - rgb[..., 1], (rgb[..., 0] + rgb[..., 1]) / 2 - rgb[..., 2]], axis=-1)


def _edges(luma: Plane) -> Plane:
    return np.asarray(np.abs(cv2.Sobel(luma, cv2.CV_32F, 1, 0)) + np.abs(cv2.Sobel(luma, cv2.CV_32F, 0, 1)), np.float32)


def _lost(before: float, after: float) -> float:
    """The share of `before` that is gone, in percent; negative when there is more of it."""
    return 100.0 * (1.0 - after / before) if before > 1e-6 else 0.0


def _thumbnail(image: Image, side: int) -> Image:
    return np.asarray(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def change(before: Image, after: Image) -> float:
    """Mean absolute change in code values (0..255)."""
    return float(cv2.absdiff(before, after).mean())


def light_change(before: Image, after: Image) -> float:
    """Mean absolute change of linear light, in percent of white."""
    return float(cv2.absdiff(decode(before), decode(after)).mean() / 655.35)


def light_added(before: Image, after: Image) -> float:
    """Mean gain of linear light, in percent of white."""
    return float(decode(after).mean() - decode(before).mean()) / 655.35


def sharpness_lost(before: Image, after: Image) -> float:
    """Share of the root mean square of the luminance gradient that is gone, in percent."""

    def sharpness(image: Image) -> float:
        return float(np.sqrt((_edges(_luma(image)) ** 2).mean()))

    return _lost(sharpness(before), sharpness(after))


def fine_detail_lost(before: Image, after: Image) -> float:
    """Share of the detail finer than about four pixels that is gone, in percent."""

    def fine(image: Image) -> float:
        luma = _luma(image)
        return float(np.abs(luma - cv2.GaussianBlur(luma, (0, 0), 1.5)).mean())

    return _lost(fine(before), fine(after))


def noise_added(before: Image, after: Image) -> float:
    """Standard deviation of the fine-grained change, in code values."""
    difference = after.astype(np.float32) - before
    return float((difference - cv2.GaussianBlur(difference, (0, 0), 2.0)).std())


def lines_added(before: Image, after: Image) -> float:
    """Steps from line to line in excess of steps along lines, in code values, above those of `before`."""

    def steps(image: Image) -> float:
        luma = _luma(image)
        down = float(np.abs(np.diff(luma, axis=0)).mean()) if luma.shape[0] > 1 else 0.0
        along = float(np.abs(np.diff(luma, axis=1)).mean()) if luma.shape[1] > 1 else 0.0
        return down - along

    return steps(after) - steps(before)


def chroma_lost(before: Image, after: Image) -> float:
    """Share of the variety of colour (standard deviation in the opponent plane) that is gone, in percent."""

    def variety(image: Image) -> float:
        return float(_opponent(image).std((0, 1)).mean())

    return _lost(variety(before), variety(after))


def colour_moved(before: Image, after: Image) -> float:
    """Mean distance that colours moved in the opponent plane, in code values; brightness does not count."""
    return float(np.linalg.norm(_opponent(after) - _opponent(before), axis=-1).mean())


def cast(before: Image, after: Image) -> float:
    """Distance that the mean colour moved in the opponent plane, in code values."""
    return float(np.linalg.norm((_opponent(after) - _opponent(before)).mean((0, 1))))


def colour_unevenness(before: Image, after: Image) -> float:
    """Spread over the picture of the local colour shift, in code values."""
    side = max(2, min(24, *before.shape[:2]))
    moved = _opponent(_thumbnail(after, side)) - _opponent(_thumbnail(before, side))
    return float(np.linalg.norm(moved - moved.mean((0, 1)), axis=-1).mean())


def fringes(before: Image, after: Image) -> float:
    """Mean change of the red-green and blue-green differences, in code values."""
    difference = after.astype(np.float32) - before
    return float(
        (np.abs(difference[..., 0] - difference[..., 1]) + np.abs(difference[..., 2] - difference[..., 1])).mean()
    )


def clipped(before: Image, after: Image) -> float:
    """Samples newly at either end of the scale (code <= 2 or >= 253), in percent."""

    def share(image: Image) -> float:
        return 100.0 * float(((image <= 2) | (image >= 253)).mean())

    return share(after) - share(before)


def contrast_lost(before: Image, after: Image) -> float:
    """Share of the standard deviation of luma that is gone, in percent."""
    return _lost(float(_luma(before).std()), float(_luma(after).std()))


def shading_lost(before: Image, after: Image) -> float:
    """Share of the slow variation of luma (light and shadow, not detail) that is gone, in percent."""

    def shading(image: Image) -> float:
        return float(_luma(_thumbnail(image, 12)).std())

    return _lost(shading(before), shading(after))


def light_unevenness(before: Image, after: Image) -> float:
    """Spread over the picture of the exposure change, in stops."""
    side = max(2, min(24, *before.shape[:2]))
    first, second = (decode(_thumbnail(picture, side)).mean(-1) / 65535 + 0.004 for picture in (before, after))
    return float(np.log2(second / first).std())


def hidden(before: Image, after: Image) -> float:
    """Pixels that no longer show what they showed (a channel differs by more than 20 code values), in percent."""
    return 100.0 * float((cv2.absdiff(before, after).max(-1) > 20).mean())


def _centred(image: Image, side: int) -> Plane:
    luma = cv2.GaussianBlur(_luma(_thumbnail(image, side)), (0, 0), 1.0)
    return np.asarray(luma - luma.mean(), np.float32)


def tilt(before: Image, after: Image) -> float:
    """Angle by which `before` must be turned to match `after` best, in degrees, found by trying -40..40."""
    side = 96
    original, turned = _centred(before, side), _centred(after, side)
    size = (side, side)
    best, angle = -2.0, 0.0
    middle = slice(side // 6, side - side // 6)
    target = turned[middle, middle]
    for step in range(-80, 81):
        degrees = step / 2
        radians = np.deg2rad(abs(degrees))
        turn = cv2.getRotationMatrix2D(((side - 1) / 2,) * 2, degrees, np.cos(radians) + np.sin(radians))
        tried = cv2.warpAffine(original, turn, size, borderMode=cv2.BORDER_REFLECT_101)[middle, middle]
        power = float(np.sqrt((tried**2).sum() * (target**2).sum()))
        match = float((tried * target).sum()) / power if power > 1e-6 else 0.0
        if match > best + 1e-9 or (match == best and abs(degrees) < abs(angle)):
            best, angle = match, degrees
    return abs(angle)


def zoom(before: Image, after: Image) -> float:
    """Octaves by which things became larger or smaller: |log2| of the scale at which the pictures match best."""
    side = 128
    original, scaled = _thumbnail(before, side), _thumbnail(after, side)
    best, octaves = -2.0, 0.0
    for step in range(25):
        factor = 2 ** (step / 8)
        size = max(4, round(side / factor))
        shrunk = cv2.resize(original, (size, size), interpolation=cv2.INTER_AREA)
        smaller = float(cv2.matchTemplate(scaled, shrunk, cv2.TM_CCOEFF_NORMED).max())
        shrunk = cv2.resize(scaled, (size, size), interpolation=cv2.INTER_AREA)
        larger = float(cv2.matchTemplate(original, shrunk, cv2.TM_CCOEFF_NORMED).max())
        if max(smaller, larger) > best + 1e-4:
            best, octaves = max(smaller, larger), step / 8
    return octaves
