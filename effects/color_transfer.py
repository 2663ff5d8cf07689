"""Light: exact tables between sRGB code values (uint8) and linear light (uint16, 65535 = white).

Where a treatment adds, averages or scales light it does so here, not on code values. The curve is IEC 61966-2-1. The
film pair also stretches highlights, as a scene has brighter lights than a print, so that a blur turns lamps into discs.
Every table of 256 entries is applied by `look_up` or `decode`.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import stringzilla

from effects.treatment import Image

Linear = npt.NDArray[np.uint16]
WHITE = 65535
CODES = np.arange(256) / 255.0


def to_linear(value: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """sRGB value in 0..1 -> linear light in 0..1."""
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def to_srgb(light: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Linear light in 0..1 -> sRGB value in 0..1; light beyond white is clipped."""
    light = np.clip(light, 0.0, 1.0)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def as_codes(values: npt.NDArray[np.float64]) -> Image:
    """Values in 0..1 as rounded uint8 code values, clipped."""
    return np.asarray(np.rint(np.clip(values, 0.0, 1.0) * 255), np.uint8)


DECODE: Linear = np.rint(to_linear(CODES) * WHITE).astype(np.uint16)
ENCODE: Image = as_codes(to_srgb(np.arange(WHITE + 1) / WHITE))

_SCENE = to_linear(CODES) * (0.25 + 0.75 * to_linear(CODES) ** 4)
DECODE_SCENE: Linear = np.rint(_SCENE * WHITE).astype(np.uint16)
ENCODE_SCENE: Image = as_codes(np.interp(np.arange(WHITE + 1) / WHITE, _SCENE, CODES))


def look_up(image: Image, table: Image) -> Image:
    """`image` with each code value replaced by its entry in `table`: 256 entries, or 256x3, a column for each channel.

    A grey picture under a table of three columns becomes RGB. StringZilla keeps the table in vector registers, where
    `cv2.LUT` goes to memory for every byte.
    """
    if table.ndim == 2:
        planes = cv2.split(image) if image.ndim == 3 else [image] * 3
        columns = np.ascontiguousarray(table.T)
        return np.asarray(cv2.merge([look_up(*pair) for pair in zip(planes, columns, strict=True)]), np.uint8)
    image = np.ascontiguousarray(image)
    out = np.empty_like(image)
    stringzilla.translate(image.data, table.data, out=out.data)
    return out


def decode(image: Image, table: Linear = DECODE) -> Linear:
    """uint8 sRGB -> uint16 linear light: a byte of `table` at a time, then interleaved."""
    rows = image.reshape(len(image), -1)
    halves = [look_up(rows, half) for half in np.ascontiguousarray(table.view(np.uint8).reshape(256, 2).T)]
    return np.asarray(cv2.merge(halves).view(np.uint16).reshape(image.shape))


def encode(light: Linear, table: Image = ENCODE) -> Image:
    """uint16 linear light -> uint8 sRGB."""
    return np.asarray(cv2.LUT(light, table), np.uint8)


LUMA = np.tile(np.array([0.299, 0.587, 0.114]), (3, 1))
_UNITY = np.eye(3, 4)


def filter_matrix(gains: tuple[float, float, float]) -> npt.NDArray[np.float64]:
    """3x4 matrix on code values that dims each channel's linear light by `gains` (0..1), as a coloured filter does.

    Above the short linear toe of the curve (code 10) a factor in linear light is an affine map of code values:
    ((k x)**(1/2.4)) = k**(1/2.4) * x**(1/2.4), so that one matrix does what decode, scale, encode would.
    """
    slope = np.asarray(gains, np.float64) ** (1 / 2.4)
    return np.hstack([np.diag(slope), (0.055 * 255 * (slope - 1))[:, None]])


def mix_matrix(
    desaturate: float, rgb_gain: tuple[float, float, float], lift: tuple[float, float, float]
) -> npt.NDArray[np.float64]:
    """3x4 matrix: move `desaturate` of the way to Rec. 601 luma, then scale and lift (code values) each channel."""
    matrix = np.empty((3, 4))
    matrix[:, :3] = ((1 - desaturate) * _UNITY[:, :3] + desaturate * LUMA) * np.array(rgb_gain)[:, None]
    matrix[:, 3] = lift
    return matrix


def blend_matrix(matrix: npt.NDArray[np.float64], share: float) -> npt.NDArray[np.float32]:
    """The 3x4 `matrix` applied to a `share` of 0..1, as float32 for `cv2.transform`."""
    return (_UNITY + share * (matrix - _UNITY)).astype(np.float32)
