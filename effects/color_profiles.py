"""Colour spaces that a file names in numbers, written out as ICC profiles: gAMA, cHRM and cICP of PNG, nclx of AVIF.

So the decoder knows one way to sRGB. Numbers are those of ITU-T H.273; refused are the curves of high dynamic range,
whose white no number of sRGB stands for. What is sRGB, or not specified, needs no profile.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Chromaticity = tuple[float, float]  # CIE xy
Primaries = tuple[Chromaticity, Chromaticity, Chromaticity, Chromaticity]  # white, red, green, blue

D65: Chromaticity = (0.3127, 0.3290)
SRGB: Primaries = (D65, (0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
PRIMARIES: dict[int, Primaries] = {
    1: SRGB,
    9: (D65, (0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),  # BT.2020
    11: ((0.314, 0.351), (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),  # P3 of the cinema
    12: (D65, (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),  # Display P3
}
SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)  # an ICC parametric curve
CURVES = {4: (2.2,), 5: (2.8,), 8: (1.0,), 13: SRGB_CURVE}
HIGH_DYNAMIC_RANGE = (16, 18)  # PQ and HLG
PLAUSIBLE = (0.1, 10.0)  # gAMA beyond it is damage
_D50 = (0.9642, 1.0, 0.8249)
_BRADFORD = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))


class HighDynamicRange(Exception):
    """The file's white is no white of sRGB."""


def named_profile(form: str, head: bytes, info: Mapping[Any, Any], embedded: bytes | None = None) -> bytes | None:
    """The profile of the space that a PNG or AVIF names in the `head` of its file or in Pillow's `info`; None for sRGB
    and where it says nothing. An `embedded` profile counts for more than numbers, but for those of cICP."""
    if embedded and form != "png":
        return embedded
    found = _code_points(form, head)
    if found and found[1] in HIGH_DYNAMIC_RANGE:
        raise HighDynamicRange
    if found and found[0] in PRIMARIES and (found[0] != 1 or found[1] in CURVES):
        return _profile(PRIMARIES[found[0]], CURVES.get(found[1], SRGB_CURVE))
    if found or embedded or form != "png" or "srgb" in info:
        return embedded
    gamma = float(info.get("gamma") or 0)
    if not PLAUSIBLE[0] <= gamma <= PLAUSIBLE[1]:
        return None
    named = info.get("chromaticity", (*SRGB[0], *SRGB[1], *SRGB[2], *SRGB[3]))
    white, red, green, blue = zip(named[::2], named[1::2], strict=True)
    try:
        return _profile((white, red, green, blue), SRGB_CURVE if abs(gamma * 2.2 - 1) < 0.02 else (1 / gamma,))
    except (ArithmeticError, ValueError, struct.error):  # points that span no space
        return None


def _code_points(form: str, head: bytes) -> tuple[int, int] | None:
    """Primaries and transfer curve by number."""
    if form == "png" and (chunk := re.search(rb"\0\0\0\x04cICP(.)(.)", head, re.DOTALL)):
        return chunk[1][0], chunk[2][0]
    if form == "avif" and (box := re.search(rb"colrnclx(..)(..)", head, re.DOTALL)):
        return int.from_bytes(box[1]), int.from_bytes(box[2])
    return None


def _profile(primaries: Primaries, curve: tuple[float, ...]) -> bytes | None:
    """A matrix and a curve as an ICC profile of version 4; None for sRGB itself."""
    pairs = zip(chain(*primaries), chain(*SRGB), strict=True)
    if curve == SRGB_CURVE and all(abs(one - other) <= 0.002 + 1e-5 * other for one, other in pairs):
        return None
    tags = {b"wtpt": _xyz(_D50)}
    tags |= {f"{name}XYZ".encode(): _xyz(column) for name, column in zip("rgb", _to_d50(primaries).T, strict=True)}
    tags |= {f"{name}TRC".encode(): _curve(curve) for name in "rgb"}
    table, body, at = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for name, content in tags.items():
        table += name + struct.pack(">II", at + len(body), len(content))
        body += content
    head = struct.pack(">I4xI4s4s4s12x4s", at + len(body), 0x04000000, b"mntr", b"RGB ", b"XYZ ", b"acsp")
    return head.ljust(68, b"\0") + _fixed(_D50).ljust(60, b"\0") + table + body


def _to_d50(primaries: Primaries) -> npt.NDArray[np.float64]:
    """Linear RGB to CIE XYZ, adapted to the white of ICC profiles."""
    import numpy as np

    white, *columns = (np.array([x / y, 1, (1 - x - y) / y]) for x, y in primaries)
    whole, bradford = np.stack(columns, axis=1), np.array(_BRADFORD)
    cones = (bradford @ _D50) / (bradford @ white)
    return np.asarray(np.linalg.inv(bradford) @ np.diag(cones) @ bradford @ (whole * np.linalg.solve(whole, white)))


def _fixed(values: Any) -> bytes:
    return b"".join(struct.pack(">i", round(float(value) * 65536)) for value in values)


def _xyz(values: Any) -> bytes:
    return b"XYZ \0\0\0\0" + _fixed(values)


def _curve(parameters: tuple[float, ...]) -> bytes:
    """A gamma, or the five numbers of a curve like that of sRGB."""
    return b"para\0\0\0\0" + struct.pack(">HH", 0 if len(parameters) == 1 else 3, 0) + _fixed(parameters)
