"""What every treatment makes of one small picture, in few enough numbers to commit: `python -m tests.effects.golden`.

A cell of a 6x6 grid is told by mean and spread of its three channels, in code values. Hashes of the pixels would
differ between processors, whose vector units round differently; these numbers move by less than SLACK.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt

import effects
from tests.effects.pictures import still_life

FILE = Path(__file__).with_name("golden.json")
GRID, SIDE = 6, 96
SLACK = 3
CASES = [(name, severity, seed) for name in sorted(effects.TREATMENTS) for severity, seed in ((0.3, 2), (0.8, 7))]


def told(name: str, severity: float, seed: int) -> npt.NDArray[np.uint8]:
    """Means, then spreads, of the cells."""
    pixels = effects.apply(still_life(SIDE), name, severity, seed)
    cells = pixels.reshape(GRID, SIDE // GRID, GRID, SIDE // GRID, 3).astype(float)
    return np.rint([cells.mean((1, 3)), cells.std((1, 3))]).astype(np.uint8)


def key(name: str, severity: float, seed: int) -> str:
    return f"{name} {severity} {seed}"


if __name__ == "__main__":
    FILE.write_text(json.dumps({key(*case): told(*case).tobytes().hex() for case in CASES}, indent=1) + "\n")
