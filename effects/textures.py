"""Textures: seeded low-resolution noise, and large tiles made once and cut at a seeded place.

A tile (grain, cracks, mould, canvas) depends on nothing but constants and is made at first use; a treatment takes a
seeded window of it. That is as random to the eye as fresh noise and costs a copy instead of a million random numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache

import cv2
import numpy as np

from effects.color_transfer import look_up
from effects.treatment import Image, Plane

SIDE = 1024


def generator(key: int) -> np.random.Generator:
    """The counter-based generator (Philox, Salmon et al. 2011) for a fixed key."""
    return np.random.Generator(np.random.Philox(key=key))


def shrink(image: Image, height: int, width: int) -> Image:
    """`image` reduced to height x width: exact halvings, fast and free of aliasing, then one bilinear step."""
    while image.shape[0] >= 2 * height and image.shape[1] >= 2 * width:
        high, wide = image.shape[0] // 2, image.shape[1] // 2
        image = cv2.resize(image[: 2 * high, : 2 * wide], (wide, high), interpolation=cv2.INTER_AREA)
    if image.shape[:2] != (height, width):
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    return image


def sampled(image: Image, sample: Callable[[Image], Image]) -> Image:
    """`sample(image)`, a `cv2.remap` or `cv2.warpAffine`, at four channels, which OpenCV takes faster than three."""
    four = sample(cv2.cvtColor(image, cv2.COLOR_RGB2RGBA))
    return np.asarray(cv2.cvtColor(four, cv2.COLOR_RGBA2RGB), np.uint8)


def blend(under: Image, over: Image, share: float) -> Image:
    """`under` with a `share` of `over` on top; from 1 on, `over` alone."""
    return over if share >= 1 else np.asarray(cv2.addWeighted(under, 1 - share, over, share, 0), np.uint8)


def tinted(plane: Image, colour: tuple[float, float, float]) -> Image:
    """HxW `plane` as HxWx3, each channel scaled by its share in `colour`."""
    return look_up(plane, _shades(colour))


@lru_cache(64)
def _shades(colour: tuple[float, float, float]) -> Image:
    table = np.arange(256, dtype=np.float32)[:, None] * np.asarray(colour, np.float32)
    return np.minimum(np.rint(table), 255).astype(np.uint8)


def level_of(order: Plane, share: float) -> float:
    """The value below which a `share` (0..1) of `order` lies."""
    ranked = order.ravel()
    place = min(ranked.size - 1, int(share * ranked.size))
    return float(np.partition(ranked, place)[place])


def outline(distance: Plane) -> Image:
    """Code 128 where `distance`, which is overwritten, is 0, and soon black or white: enlarged, a line to cut along."""
    distance *= 1000
    distance += 128
    return np.clip(distance, 0, 255, out=distance).astype(np.uint8)


@lru_cache(64)
def grid(height: int, width: int, long_side: int) -> tuple[int, int, Plane, Plane]:
    """Height and width of a small grid with the picture's aspect; x in 0..1 of its columns, y of its rows, float32."""
    high, wide = small_shape(height, width, min(long_side, max(48, max(height, width) // 2)))
    x, y = (np.asarray((np.arange(n, dtype=np.float32) + 0.5) / n, np.float32) for n in (wide, high))
    x.flags.writeable = y.flags.writeable = False  # everybody is given the same ones
    return high, wide, x[None, :], y[:, None]


def small_shape(height: int, width: int, long_side: int) -> tuple[int, int]:
    """The shape of a thumbnail with the same aspect whose long side is at most `long_side`."""
    scale = min(1.0, long_side / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def clouds(rng: np.random.Generator, height: int, width: int, cells: int, octaves: int = 4) -> Plane:
    """Fractal value noise (Perlin 1985), float32 height x width in 0..1; `cells` lumps along a side."""
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        side = cells * 2**octave + 3
        lumps = rng.random((side, side), np.float32) * 0.5**octave
        total += cv2.resize(lumps, (width, height), interpolation=cv2.INTER_CUBIC)
    low, high = float(total.min()), float(total.max())
    total -= low
    total /= max(high - low, 1e-6)
    return total


def window(tile: Image, rng: np.random.Generator, height: int, width: int, zoom: float = 1.0) -> Image:
    """A height x width window of `tile` at a seeded place, enlarged `zoom` times."""
    high, wide = max(1, round(height / zoom)), max(1, round(width / zoom))
    top, left = int(rng.integers(0, SIDE)), int(rng.integers(0, SIDE))
    if high > SIDE or wide > SIDE:
        tile = _quilt(tile, rng, -(-high // SIDE), -(-wide // SIDE))
    top, left = top % max(1, tile.shape[0] - high), left % max(1, tile.shape[1] - wide)
    cut = tile[top : top + high, left : left + wide]
    return cut if (high, wide) == (height, width) else np.asarray(cv2.resize(cut, (width, height)), np.uint8)


def _quilt(tile: Image, rng: np.random.Generator, rows: int, columns: int) -> Image:
    """rows x columns copies of `tile`, each shifted and flipped in its own way, so that nothing repeats in a grid."""

    def copy() -> Image:
        shift, flips = rng.integers(0, SIDE, 2).tolist(), (1 - 2 * rng.integers(0, 2, 2)).tolist()
        return np.roll(tile, shift, (0, 1))[:: flips[0], :: flips[1]]

    return np.vstack([np.hstack([copy() for _ in range(columns)]) for _ in range(rows)])


def texture_zoom(height: int, width: int) -> float:
    """How far material (cracks, mould, slime) is enlarged so that a large picture shows what its thumbnail shows."""
    return max(1.0, min(height, width) / 384)


@cache
def grain_texture(size: float) -> Image:
    """Film grain around 128 (sd 32), SIDE x SIDE x 3; `size` is the Gaussian radius of a clump in pixels.

    Three quarters of its power are common to the dye layers, as the layers share their exposure.
    """
    rng = generator(0x6772)
    noise = rng.standard_normal((SIDE, SIDE, 3), np.float32)
    noise = 0.6 * noise + 0.9 * rng.standard_normal((SIDE, SIDE, 1), np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), size)
    return np.asarray(np.clip(np.rint(128 + 32 * noise / noise.std()), 0, 255), np.uint8)


@cache
def tape_texture() -> Image:
    """Tape noise around 128 (sd 32), SIDE x SIDE x 1: short horizontal streaks, one per scan line."""
    noise = generator(0x7461).standard_normal((SIDE, SIDE), np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), sigmaX=2.2, sigmaY=0.35)
    return np.asarray(np.clip(np.rint(128 + 32 * noise / noise.std()), 0, 255), np.uint8)


@cache
def canvas_texture() -> Image:
    """Linen: over-and-under weave with uneven threads, SIDE x SIDE around 200."""
    rng = generator(0x6361)
    along = cv2.GaussianBlur(rng.standard_normal((SIDE, SIDE), np.float32), (0, 0), sigmaX=9, sigmaY=0.6)
    across = cv2.GaussianBlur(rng.standard_normal((SIDE, SIDE), np.float32), (0, 0), sigmaX=0.6, sigmaY=9)
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    weave = np.where((rows // 2 + columns // 2) % 2 == 0, along / along.std(), across / across.std())
    weave = cv2.GaussianBlur(weave.astype(np.float32), (0, 0), 0.7)
    return np.asarray(np.clip(np.rint(200 + 13 * weave), 0, 255), np.uint8)


def _wandering(rng: np.random.Generator, cells: int, reach: float) -> Plane:
    """SIDE x SIDE of smooth displacements from -reach/2 to reach/2, `cells` independent ones along a side."""
    lumps = rng.random((cells, cells), np.float32) - 0.5
    return np.asarray(reach * cv2.resize(lumps, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC), np.float32)


@cache
def crack_texture() -> Image:
    """Age at which a craquelure crack opens, SIDE x SIDE, 255 = opens first, 0 = never.

    Cracks follow the borders of nested Voronoi cells, made uneven; the coarse net opens before the fine one, as
    paint layers crack hierarchically (Bohn, Pauchard & Couder 2005).
    """
    rng = generator(0x6372)
    age = np.zeros((SIDE, SIDE), np.uint8)
    wander_x, wander_y = (_wandering(rng, 70, 22) for _ in "xy")
    rows, columns = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    for count, first in ((60, 255), (260, 190), (900, 120)):
        ground = np.full((SIDE, SIDE), 255, np.uint8)
        ground[rng.integers(0, SIDE, count), rng.integers(0, SIDE, count)] = 0
        _, cell = cv2.distanceTransformWithLabels(ground, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
        cell = cv2.remap(cell.astype(np.float32), columns + wander_x, rows + wander_y, cv2.INTER_NEAREST)
        border = (cell != np.roll(cell, 1, 0)) | (cell != np.roll(cell, 1, 1))
        opens = cv2.resize(rng.random((24, 24), np.float32), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        age = np.maximum(age, np.where(border, np.clip(first * (0.35 + 0.75 * opens), 0, 255), 0).astype(np.uint8))
    return age


@cache
def mottle_texture() -> Image:
    """Labyrinth of activator and inhibitor, iterated (Turing 1952), SIDE x SIDE, 0..255."""
    half = SIDE // 2
    state = generator(0x6D6F).standard_normal((half, half), np.float32)
    for _ in range(14):
        state = cv2.GaussianBlur(state, (0, 0), 1.6) - cv2.GaussianBlur(state, (0, 0), 2.9)
        state = np.tanh(state / max(float(state.std()), 1e-6) * 1.4)
    state = cv2.resize(state, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(np.rint(127.5 + 100 * state), 0, 255), np.uint8)


@cache
def spore_texture() -> Image:
    """Order in which colonies of mould reach a place, SIDE x SIDE, 255 = first: ragged dots where there is food."""
    rng = generator(0x7370)
    food = clouds(rng, SIDE, SIDE, 9, 5)
    dots = np.zeros((SIDE, SIDE), np.float32)
    for x, y, hunger, size, strength in rng.random((5200, 5)):
        place = int(x * SIDE), int(y * SIDE)
        if hunger < 1.6 * float(food[place[1], place[0]]) ** 3:
            radius = int(1 + min(11, 1.6 / (1 - size) ** 0.5))
            cv2.circle(dots, place, radius, float(0.4 + 0.6 * strength), -1, cv2.LINE_AA)
    rows, columns = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    x, y = columns + _wandering(rng, 230, 14), rows + _wandering(rng, 230, 14)
    dots = cv2.remap(dots, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    dots = cv2.GaussianBlur(dots, (0, 0), 0.9)
    return np.asarray(np.clip(np.rint(255 * (0.6 * food**1.5 + 0.5 * dots * food)), 0, 255), np.uint8)
