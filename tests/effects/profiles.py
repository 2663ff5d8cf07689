"""Small ICC profiles for the tests' own pictures: RGB from primaries and gamma, grey from gamma, CMYK by a table."""

from __future__ import annotations

import struct
from itertools import product

import numpy as np

D50 = (0.9642, 1.0, 0.8249)
# CIE xy of red, green and blue
SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
ADOBE = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
D65 = (0.3127, 0.3290)
SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def rgb(primaries, curve=(1.0,)) -> bytes:
    """A matrix profile; `curve` are the parameters of an ICC parametric curve: a gamma, or the five of sRGB."""
    columns = _adaptation() @ to_xyz(primaries)
    tags = {f"{name}XYZ".encode(): _xyz(column) for name, column in zip("rgb", columns.T, strict=True)}
    tags |= {f"{name}TRC".encode(): _curve(curve) for name in "rgb"}
    return _profile(b"RGB ", b"XYZ ", tags)


def grey(gamma: float) -> bytes:
    return _profile(b"GRAY", b"XYZ ", {b"kTRC": _curve((gamma,))})


def cmyk() -> bytes:
    """A table of two steps a channel, as lut8: paper white, full black ink mid-grey, colours by their Lab."""
    nodes = []
    for c, m, y, k in product((0, 1), repeat=4):
        lightness = 100 * (1 - 0.3 * c) * (1 - 0.3 * m) * (1 - 0.1 * y) * (1 - 0.5 * k)
        nodes.append((round(lightness * 2.55), 128 - 40 * c + 70 * m - 5 * y, 128 - 40 * c + 80 * y))
    matrix = struct.pack(">9i", *(65536 if i % 4 == 0 else 0 for i in range(9)))
    ramp = bytes(range(256))
    lut = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + matrix + ramp * 4 + bytes(np.uint8(nodes).ravel()) + ramp * 3
    return _profile(b"CMYK", b"Lab ", {b"A2B0": lut})


def to_xyz(primaries) -> np.ndarray:
    """Linear RGB -> CIE XYZ under D65, white being Y = 1."""
    whole = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
    white = np.array([D65[0] / D65[1], 1, (1 - D65[0] - D65[1]) / D65[1]])
    return whole * np.linalg.solve(whole, white)


def _adaptation() -> np.ndarray:
    """Bradford, D65 -> D50."""
    cone = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    white = np.array([D65[0] / D65[1], 1, (1 - D65[0] - D65[1]) / D65[1]])
    return np.linalg.inv(cone) @ np.diag((cone @ np.array(D50)) / (cone @ white)) @ cone


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def _xyz(values) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(map(_fixed, values))


def _curve(parameters) -> bytes:
    kind = {1: 0, 5: 3}[len(parameters)]
    return b"para\0\0\0\0" + struct.pack(">HH", kind, 0) + b"".join(map(_fixed, parameters))


def _profile(space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    tags = {b"wtpt": _xyz(D50)} | tags
    table, body, at = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for name, content in tags.items():
        content += b"\0" * (-len(content) % 4)
        table += name + struct.pack(">II", at + len(body), len(content))
        body += content
    kind = b"prtr" if space == b"CMYK" else b"mntr"
    head = struct.pack(">I4sI4s4s4s12x4s", at + len(body), b"\0" * 4, 0x04000000, kind, space, connection, b"acsp")
    head = head.ljust(68, b"\0") + b"".join(map(_fixed, D50))
    return head.ljust(128, b"\0") + table + body
