"""Pictures to treat: drawn, textured and noisy like photographs, and made anew in every test from a fixed seed."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]


def texture(height: int, width: int, seed: int) -> npt.NDArray[np.float32]:
    """Noise with a 1/f spectrum, as natural pictures have, around 0."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width), np.float32)
    for cells in (3, 6, 12, 24, 48, 96):
        grid = rng.standard_normal((cells, cells)).astype(np.float32)
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) / cells**0.7
    return total


def landscape(side: int = 192) -> Image:
    """Sky, hills, a house and a sun."""
    rows = np.linspace(0, 1, side, dtype=np.float32)[:, None]
    sky = np.array([92, 140, 205]) + np.array([110, 80, 20]) * rows[..., None] + 16 * texture(side, side, 1)[..., None]
    ground = np.array([92, 108, 48]) + 34 * texture(side, side, 2)[..., None]
    picture = np.where((rows > 0.62 + 0.06 * texture(side, side, 3))[..., None], ground, sky)
    picture = np.clip(picture, 0, 255).astype(np.uint8)
    cv2.rectangle(
        picture, (side * 30 // 100, side * 45 // 100), (side * 58 // 100, side * 80 // 100), (178, 60, 44), -1
    )
    cv2.rectangle(
        picture, (side * 38 // 100, side * 54 // 100), (side * 46 // 100, side * 64 // 100), (240, 226, 150), -1
    )
    cv2.circle(picture, (side * 78 // 100, side * 20 // 100), side // 11, (255, 250, 214), -1, cv2.LINE_AA)
    return picture


def still_life(side: int = 192) -> Image:
    """Three fruits on a striped cloth in side light."""
    columns, rows = np.meshgrid(np.arange(side), np.arange(side))
    stripes = np.where((columns + rows // 2) // (side // 12) % 2 == 0, 205, 92)[..., None] * np.array([0.8, 0.74, 0.66])
    picture = stripes + 18 * texture(side, side, 4)[..., None]
    fruits = (
        ((0.36, 0.5), 0.2, (214, 60, 40)),
        ((0.62, 0.42), 0.16, (226, 188, 48)),
        ((0.6, 0.7), 0.13, (74, 120, 50)),
    )
    for (x, y), radius, colour in fruits:
        distance = np.hypot(columns / side - x, rows / side - y) / radius
        lit = np.clip(
            1.25 - 0.8 * np.hypot(columns / side - x + radius / 2, rows / side - y + radius / 2) / radius, 0.1, 1
        )
        skin = np.array(colour) * lit[..., None] + 9 * texture(side, side, 5)[..., None]
        picture = np.where((distance < 1)[..., None], skin, picture)
    return np.clip(picture, 0, 255).astype(np.uint8)


def night_street(side: int = 192) -> Image:
    """A dark house with lit windows of many colours over a wet street."""
    rows = np.linspace(0, 1, side, dtype=np.float32)[:, None, None]
    picture = (
        np.where(rows > 0.78, np.array([118, 92, 60]), np.array([26, 28, 40])) + 12 * texture(side, side, 6)[..., None]
    )
    picture = np.clip(picture, 0, 255).astype(np.uint8)
    rng = np.random.default_rng(7)
    for x, y in (rng.random((26, 2)) * (side, 0.66 * side)).astype(int):
        colour = [int(c) for c in rng.integers(90, 256, 3)]
        cv2.rectangle(picture, (int(x), int(y)), (int(x) + side // 16, int(y) + side // 11), colour, -1)
    return picture


PICTURES = {"landscape": landscape, "still life": still_life, "night street": night_street}


def linear(image: Image) -> npt.NDArray[np.float64]:
    """sRGB code values as linear light, 0..1, straight from IEC 61966-2-1."""
    value = image / 255.0
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
