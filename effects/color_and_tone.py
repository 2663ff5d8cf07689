"""Colour and tone: clash, fringes, fade, cast, uneven colour.

Whatever is linear in the code values is folded into one 3x4 matrix, which is one pass over the picture.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from effects import measures, textures
from effects.color_transfer import CODES, LUMA, as_codes, blend_matrix, filter_matrix, look_up, mix_matrix
from effects.treatment import Image, treatment


def _turn_hue(angle: float, gain: float) -> npt.NDArray[np.float64]:
    """3x4 matrix that keeps luma, turns hue by `angle` radians about the grey axis and multiplies chroma by `gain`."""
    axis = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / np.sqrt(3)
    turn = np.eye(3) + np.sin(angle) * axis + (1 - np.cos(angle)) * (axis @ axis)  # Rodrigues
    colour = gain * turn @ (np.eye(3) - LUMA)
    return np.hstack([LUMA + (np.eye(3) - LUMA) @ colour, np.zeros((3, 1))])


def _pure(hue: float) -> npt.NDArray[np.float64]:
    """A saturated colour, hue in turns, as values in -1..1 around grey."""
    return np.cos(2 * np.pi * (hue - np.array([0, 1 / 3, 2 / 3])))


@treatment(
    label="Clashing disharmony",
    metric=measures.colour_moved,
    metric_label="mean distance colours moved in the opponent plane, code values",
    source="Hue turned about the grey axis, chroma multiplied, shadows and lights toned with near-complementary neon.",
)
def clashing_disharmony(image: Image, severity: float, rng: np.random.Generator) -> Image:
    """Hues turned away from their objects, shadows and lights set against each other."""
    angle = rng.uniform(1.5, 2.3) * (1 if rng.random() < 0.5 else -1)
    hue = rng.random()
    turned = cv2.transform(image, blend_matrix(_turn_hue(angle * severity, 1 + 1.1 * severity), 1.0))
    shadow, light = _pure(hue), _pure(hue + 0.42)
    toned = _GREYS + 0.36 * (shadow * (1 - _GREYS) ** 1.5 + light * _GREYS**1.5) * _TONING
    return look_up(turned, as_codes((1 - severity) * _GREYS + severity * toned))


_GREYS = CODES[:, None]
_TONING = np.sin(np.pi * (0.12 + 0.76 * _GREYS))  # least in black and in white


@treatment(
    label="Chromatic aberration",
    metric=measures.fringes,
    metric_label="mean change of red-green and blue-green, code values",
    source="Lateral chromatic aberration: the lens magnifies red more and blue less than green, about its axis.",
)
def chromatic_aberration(image: Image, severity: float, rng: np.random.Generator) -> Image:
    """Red scaled up and blue down about a point near the middle, by at most 6.5 %; green is untouched."""
    height, width = image.shape[:2]
    centre = (width - 1) * rng.uniform(0.42, 0.58), (height - 1) * rng.uniform(0.42, 0.58)
    red, green, blue = cv2.split(image)
    planes = []
    for plane, scale in ((red, 1 + 0.065 * severity), (blue, 1 - 0.065 * severity)):
        back = np.array([[1 / scale, 0, centre[0] * (1 - 1 / scale)], [0, 1 / scale, centre[1] * (1 - 1 / scale)]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        planes.append(cv2.warpAffine(plane, back, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE))
    return np.asarray(cv2.merge([planes[0], green, planes[1]]), np.uint8)


@treatment(
    label="Muted / faded",
    metric=measures.chroma_lost,
    metric_label="variety of colour lost, %",
    source="A print left in a window: dyes gone, blacks lifted, paper yellowed; one matrix.",
)
def muted_faded(image: Image, severity: float, rng: np.random.Generator) -> Image:
    """A tenth of the colour and half of the contrast, on warm or cool paper as the seed has it."""
    faded = _FADED + rng.uniform(-6, 10) * _WARMER
    return np.asarray(cv2.transform(image, blend_matrix(faded, severity)), np.uint8)


_FADED = mix_matrix(0.9, (0.52, 0.52, 0.5), (98, 94, 86))
_WARMER = mix_matrix(0, (0, 0, 0), (1, 1 / 3, -1))


def _lamp(gains: tuple[float, float, float]) -> npt.NDArray[np.float64]:
    """3x4 matrix: half the colour gone, then a filter that lets `gains` of the linear light through."""
    tint, pale = filter_matrix(gains), mix_matrix(0.55, (1, 1, 1), (0, 0, 0))
    return np.hstack([tint[:, :3] @ pale[:, :3], tint[:, 3:]])


_SICKLY = (_lamp((0.62, 0.95, 0.16)), _lamp((0.38, 1.0, 0.42)), _lamp((0.85, 0.78, 0.08)))  # jaundice, ward, sodium


@treatment(
    label="Sickly cast",
    metric=measures.cast,
    metric_label="distance the mean colour moved in the opponent plane, code values",
    source="A coloured filter on linear light, folded into one affine matrix on code values (power law of sRGB).",
)
def sickly_cast(image: Image, severity: float, rng: np.random.Generator) -> Image:
    """The light of jaundice, of a hospital ward or of sodium lamps, as the seed has it."""
    lamp = _SICKLY[int(rng.integers(0, len(_SICKLY)))]
    return np.asarray(cv2.transform(image, blend_matrix(lamp, severity)), np.uint8)


@treatment(
    label="Colour inconsistency",
    metric=measures.colour_unevenness,
    metric_label="spread of the local colour shift over the picture, code values",
    source="White balance as a field: two lamps of different temperature, rolling flicker, coarse steps between.",
)
def color_inconsistency(image: Image, severity: float, rng: np.random.Generator) -> Image:
    """Warm here, cold there, with visible bands where one turns into the other."""
    height, width = image.shape[:2]
    high, wide, x, y = textures.grid(height, width, 96)
    angle, phase = rng.uniform(0, 2 * np.pi), rng.uniform(0, 2 * np.pi)
    across = float(np.cos(angle)) * (x - 0.5) + float(np.sin(angle)) * (y - 0.5)
    lamp = np.tanh(4 * (across + 0.5 * (textures.clouds(rng, high, wide, 2, 3) - 0.5)))
    warmth = np.rint(3.5 * (lamp + 0.35 * np.sin(5 * np.pi * y + phase)))
    green = np.rint(3 * np.sin(phase + 5 * across))
    field = np.empty((high, wide, 3), np.uint8)
    for channel, power in enumerate((0.12 * warmth, 0.053 * green, -0.157 * warmth)):
        field[..., channel] = np.minimum(96 * np.exp(severity * power) + 0.5, 255)
    return np.asarray(cv2.multiply(image, cv2.resize(field, (width, height)), scale=1 / 96), np.uint8)
