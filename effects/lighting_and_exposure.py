"""Lighting and exposure: linear light (`effects.light`) is scaled and added; a stop is a factor of two."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from effects import fields, measures
from effects.light import CODES, as_codes, blend_matrix, decode, encode, mix_matrix, to_linear, to_srgb
from effects.treatment import Image, Plane, treatment

STOPS = 4.0
_GAIN_ONE = 4096  # fixed point of exposure plates: 16 times is the most they can brighten


@treatment(
    label="Exposure extremes",
    metric=measures.light_change,
    metric_label="mean change of linear light, % of white",
    source="Exposure as a factor on linear light, clipped at white: 4 x severity stops, up or down; an exact table.",
)
def exposure_extremes(image: Image, severity: float, rng: np.random.Generator) -> Image:
    """Blown highlights or crushed blacks, as the seed has it: +-4 stops at severity 1."""
    stops = STOPS * severity * (1 if rng.random() < 0.5 else -1)
    return np.asarray(cv2.LUT(image, as_codes(to_srgb(to_linear(CODES) * 2**stops))), np.uint8)


@treatment(
    label="Light leak",
    metric=measures.light_added,
    metric_label="mean linear light added, % of white",
    source="Stray light through the back of the camera: added to linear light, red first, then yellow.",
)
def light_leak(image: Image, severity: float, rng: np.random.Generator) -> Image:
    """A burning edge and two or three streaks, from a seeded side."""
    height, width = image.shape[:2]
    high, wide = fields.small_shape(height, width, 144)
    rows, columns = np.mgrid[0:high, 0:wide].astype(np.float32)
    x, y = (columns + 0.5) / wide, (rows + 0.5) / high
    side = int(rng.integers(0, 4))
    depth, along = ((x, y), (1 - x, y), (y, x), (1 - y, x))[side]
    ragged = 0.35 * fields.clouds(rng, high, wide, 3) + 0.1 * np.sin(
        2 * np.pi * (along * rng.uniform(0.5, 1.2) + rng.random())
    )
    leak = np.exp(-((depth / (0.16 + 0.5 * ragged)) ** 1.3) * 2.2)
    for place, spread, slant, force in rng.random((3, 4)):
        centre = 0.12 + 0.75 * place + 0.35 * (slant - 0.5) * depth
        leak += 0.55 * force * np.exp(-(((along - centre) / (0.015 + 0.05 * spread)) ** 2)) * np.exp(-1.1 * depth)
    leak = 1.5 * leak * severity
    light = np.stack([1.25 * leak, 0.42 * leak**1.6 + 0.05 * leak, 0.16 * leak**2.6], axis=-1)
    plate = np.clip(np.rint(65535 * light), 0, 65535).astype(np.uint16)
    return encode(cv2.add(decode(image), cv2.resize(plate, (width, height))))


@treatment(
    label="Flat lighting",
    metric=measures.shading_lost,
    metric_label="slow variation of luma lost, %",
    source="Retinex turned round (Land & McCann 1971): the slow part of luma, which is the light, is divided out.",
)
def flat_lighting(image: Image, severity: float, rng: np.random.Generator) -> Image:
    """No direction, no shadow: everything is lit alike and depth collapses."""
    del rng  # nothing here is left to chance
    height, width = image.shape[:2]
    high, wide = fields.small_shape(height, width, 64)
    luma = cv2.cvtColor(cv2.resize(image, (wide, high), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    light = cv2.GaussianBlur(luma.astype(np.float32), (0, 0), max(high, wide) / 14) + 8
    target = 0.35 * float(light.mean()) + 0.65 * 138
    gains = np.clip((target / light) ** (0.95 * severity), 0.3, 4.0)
    plate = np.rint(60 * gains).astype(np.uint8)
    lit = cv2.multiply(image, cv2.resize(cv2.merge([plate] * 3), (width, height)), scale=1 / 60)
    dull = mix_matrix(0.2, (0.55, 0.55, 0.55), (62, 62, 62))
    return np.asarray(cv2.transform(lit, blend_matrix(dull, severity)), np.uint8)


@treatment(
    label="Harsh or insufficient flash",
    metric=measures.light_unevenness,
    metric_label="spread of the exposure change over the picture, stops",
    source="A lamp at the camera facing a wall: inverse square and cosine, (1 + r^2)^-1.5, with its reflection added.",
)
def harsh_or_insufficient_flash(image: Image, severity: float, rng: np.random.Generator) -> Image:
    """A hot-spot on glaring centre and dark rim, or a flash too weak to reach anything, as the seed has it."""
    harsh = rng.random() < 0.6
    x, y = rng.uniform(0.35, 0.65), rng.uniform(0.3, 0.55)
    stops, glare = flash_light(image.shape[:2], x, y, harsh)
    return relight(image, severity * stops, severity**1.5 * glare)


def flash_light(shape: tuple[int, ...], x: float, y: float, harsh: bool) -> tuple[Plane, Plane]:
    """Stops and reflected linear light (0..1) of a flash aimed at (x, y) in 0..1, on a small grid."""
    high, wide = fields.small_shape(shape[0], shape[1], 96)
    rows, columns = np.mgrid[0:high, 0:wide].astype(np.float32)
    distance = np.hypot((columns + 0.5) / wide - x, (rows + 0.5) / high - y)
    falloff = -1.5 * np.log2(1 + (distance / 0.25) ** 2)
    if harsh:
        return np.maximum(2.4 + falloff, -5.0), 0.9 * np.exp(-((distance / 0.13) ** 2))
    return np.maximum(-0.6 + 1.2 * falloff, -6.5), 0.05 * np.exp(-((distance / 0.1) ** 2))


def relight(image: Image, stops: Plane, added: Plane) -> Image:
    """`image` exposed by `stops` and lit by `added`, both small grids that are enlarged to the picture."""
    height, width = image.shape[:2]
    gains = np.clip(np.rint(_GAIN_ONE * 2.0**stops), 0, 65535).astype(np.uint16)
    extra = np.clip(np.rint(65535 * added), 0, 65535).astype(np.uint16)
    gain_plate, extra_plate = (
        cv2.cvtColor(cv2.resize(grid, (width, height)), cv2.COLOR_GRAY2RGB) for grid in (gains, extra)
    )
    return encode(cv2.add(cv2.multiply(decode(image), gain_plate, scale=1 / _GAIN_ONE), extra_plate))


@treatment(
    label="Low contrast, oppressive",
    metric=measures.contrast_lost,
    metric_label="standard deviation of luma lost, %",
    source="All tones pressed towards one heavy grey below the middle; one matrix.",
)
def low_contrast_oppressive(image: Image, severity: float, rng: np.random.Generator) -> Image:
    """Grey, heavy, little separation."""
    grey: npt.NDArray[np.float64] = 66 + rng.uniform(-5, 5, 3)
    pressed = mix_matrix(0.45, (0.1, 0.1, 0.1), (float(grey[0]), float(grey[1]), float(grey[2])))
    return np.asarray(cv2.transform(image, blend_matrix(pressed, severity)), np.uint8)
