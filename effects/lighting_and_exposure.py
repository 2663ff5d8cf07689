"""Lighting and exposure: linear light (`effects.color_transfer`) is scaled and added; a stop is a factor of two."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from effects import measures, textures
from effects.color_transfer import (
    CODES,
    WHITE,
    as_codes,
    blend_matrix,
    decode,
    encode,
    look_up,
    mix_matrix,
    to_linear,
    to_srgb,
)
from effects.treatment import Image, Plane, treatment

STOPS = 4.0
_GAIN_ONE = 4096  # fixed point of exposure fields: 16 times is the most they can brighten


@treatment(
    label="Exposure extremes",
    metric=measures.light_change,
    metric_label="mean change of linear light, % of white",
    source="Exposure as a factor on linear light, clipped at white: 4 x severity stops, up or down; an exact table.",
)
def exposure_extremes(image: Image, severity: float, rng: np.random.Generator) -> Image:
    """Blown highlights or crushed blacks, as the seed has it: +-4 stops at severity 1."""
    stops = STOPS * severity * (1 if rng.random() < 0.5 else -1)
    return look_up(image, _exposure(stops))


@lru_cache(64)
def _exposure(stops: float) -> Image:
    """The table of code values that stands for 2**stops times as much light."""
    return as_codes(to_srgb(to_linear(CODES) * 2**stops))


@treatment(
    label="Light leak",
    metric=measures.light_added,
    metric_label="mean linear light added, % of white",
    source="Stray light through the back of the camera: added to linear light, red first, then yellow.",
)
def light_leak(image: Image, severity: float, rng: np.random.Generator) -> Image:
    """A burning edge and two or three streaks, from a seeded side."""
    height, width = image.shape[:2]
    high, wide, x, y = textures.grid(height, width, 88)
    depth, along = ((x, y), (1 - x, y), (y, x), (1 - y, x))[int(rng.integers(0, 4))]
    wave = np.sin(2 * np.pi * (along * rng.uniform(0.5, 1.2) + rng.random()))
    ragged = 0.16 + 0.175 * textures.clouds(rng, high, wide, 3, 3) + 0.05 * wave
    leak = np.exp(-2.2 * (depth / ragged) ** 1.3)
    fading = np.exp(-1.1 * depth)
    streaks = rng.random((3, 4)) * (0.75, 0.05, 0.35, 0.55) + (0.12, 0.015, -0.175, 0)
    place, spread, slant, force = streaks.T.astype(np.float32)[..., None, None]
    for streak in force * fading * np.exp(-(((along - (place + slant * depth)) / spread) ** 2)):
        leak += streak
    leak = np.minimum(1.5 * severity * leak, 2)
    field = np.empty((high, wide, 3), np.uint16)
    for channel, light in enumerate((1.25 * leak, leak * (0.05 + 0.42 * leak**0.6), 0.16 * leak**2.6)):
        field[..., channel] = np.minimum(WHITE * light, WHITE)
    return encode(cv2.add(decode(image), cv2.resize(field, (width, height))))


@treatment(
    label="Flat lighting",
    metric=measures.shading_lost,
    metric_label="slow variation of luma lost, %",
    source="Single-scale retinex (Jobson et al. 1997): the slow part of luma, taken for the light, is divided out.",
)
def flat_lighting(image: Image, severity: float, rng: np.random.Generator) -> Image:
    """Everything is lit alike, so that nothing stands out."""
    del rng  # nothing here is left to chance
    height, width = image.shape[:2]
    high, wide = textures.small_shape(height, width, 64)
    luma = cv2.cvtColor(textures.shrink(image, high, wide), cv2.COLOR_RGB2GRAY)
    light = cv2.GaussianBlur(luma.astype(np.float32), (0, 0), max(high, wide) / 14) + 8
    target = 0.35 * float(light.mean()) + 0.65 * 138
    field = np.clip(60 * (target / light) ** (0.95 * severity) + 0.5, 18, 240).astype(np.uint8)
    lit = cv2.multiply(image, cv2.resize(cv2.merge([field] * 3), (width, height)), scale=1 / 60)
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
    _, _, across, down = textures.grid(shape[0], shape[1], 96)
    distance = np.asarray(np.sqrt((across - x) ** 2 + (down - y) ** 2), np.float32)
    falloff = np.asarray(-1.5 * np.log2(1 + (distance / 0.25) ** 2), np.float32)
    stops, strength, reach = (2.4 + falloff, 0.9, 0.13) if harsh else (1.2 * falloff - 0.6, 0.05, 0.1)
    glare = strength * np.exp(-((distance / reach) ** 2))
    return np.maximum(stops, -6.0).astype(np.float32), glare.astype(np.float32)


def relight(image: Image, stops: Plane, added: Plane) -> Image:
    """`image` exposed by `stops` and lit by `added`, both small grids that are enlarged to the picture."""
    height, width = image.shape[:2]
    gains = np.minimum(_GAIN_ONE * np.exp2(stops), WHITE).astype(np.uint16)
    extra = np.minimum(WHITE * added, WHITE).astype(np.uint16)
    gain, extra_light = (cv2.cvtColor(cv2.resize(grid, (width, height)), cv2.COLOR_GRAY2RGB) for grid in (gains, extra))
    return encode(cv2.add(cv2.multiply(decode(image), gain, scale=1 / _GAIN_ONE), extra_light))


@treatment(
    label="Low contrast, oppressive",
    metric=measures.contrast_lost,
    metric_label="standard deviation of luma lost, %",
    source="All tones pressed towards one heavy grey below the middle; one matrix.",
)
def low_contrast_oppressive(image: Image, severity: float, rng: np.random.Generator) -> Image:
    """A tenth of the contrast around a leaden grey."""
    pressed = _PRESSED.copy()
    pressed[:, 3] += rng.uniform(-5, 5, 3)
    return np.asarray(cv2.transform(image, blend_matrix(pressed, severity)), np.uint8)


_PRESSED = mix_matrix(0.45, (0.1, 0.1, 0.1), (66, 66, 66))
