"""Public API of the treatments: validates arguments and derives the random generator of each call.

Refuses whatever would give a silently wrong picture: floats, wrong shapes, NaN, unknown names. Greys are treated as RGB
and brought back; alpha is handed through untouched.
"""

from __future__ import annotations

import difflib
import hashlib
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from numpy.random.bit_generator import ISeedSequence

from effects import (
    clarity_and_focus,
    color_and_tone,
    composition_and_structure,
    emotion_and_subject,
    lighting_and_exposure,
)
from effects.treatment import Image, Treatment

_MODULES: tuple[ModuleType, ...] = (
    clarity_and_focus,
    color_and_tone,
    lighting_and_exposure,
    composition_and_structure,
    emotion_and_subject,
)
TREATMENTS: dict[str, Treatment] = {
    entry.name: entry for module in _MODULES for entry in vars(module).values() if isinstance(entry, Treatment)
}
_NO_FILTER = {"negative_personal_emotion": "sadness, anger or fear need a subject that shows them, not a filter"}


def apply(image: Image, name: str, severity: float, seed: int) -> Image:
    """Treat a picture.

    image: uint8, HxWx3 RGB, HxWx4 RGBA (alpha is kept) or HxW grey; any memory layout; never written to.
    name: a key of `TREATMENTS`.
    severity: 0 (a copy, bit for bit) to 1.
    seed: any int; the same seed gives the same bytes in any process.
    Returns a new array of the same shape and dtype. Raises ValueError for anything else.
    """
    chosen = _known(name)
    _check_image(image, "image")
    if (
        isinstance(severity, bool)
        or not isinstance(severity, (int, float, np.integer, np.floating))
        or not 0 <= severity <= 1
    ):
        raise ValueError(f"severity must be a number from 0 to 1, not {severity!r}")
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
        raise ValueError(f"seed must be an integer, not {seed!r}")
    if severity == 0:
        return image.copy(order="C")
    treated = chosen.function(_as_rgb(image), float(severity), _generator(int(seed), chosen.name))
    if image.ndim == 2:
        return np.asarray(cv2.cvtColor(treated, cv2.COLOR_RGB2GRAY), np.uint8)
    if image.shape[2] == 4:
        return np.asarray(np.dstack([treated, image[..., 3]]), np.uint8)
    return treated


def measure(name: str, before: Image, after: Image) -> float:
    """How much of treatment `name` there is in `after`, by its own metric (`TREATMENTS[name].metric_label`).

    Both pictures: uint8, HxWx3, HxWx4 or HxW, of one shape. 0 where nothing changed. Raises ValueError otherwise.
    """
    chosen = _known(name)
    _check_image(before, "before")
    _check_image(after, "after")
    if before.shape != after.shape:
        raise ValueError(f"before and after must have one shape, not {before.shape} and {after.shape}")
    return float(chosen.metric(_as_rgb(before), _as_rgb(after)))


def _known(name: str) -> Treatment:
    if isinstance(name, str) and name in TREATMENTS:
        return TREATMENTS[name]
    if isinstance(name, str) and name in _NO_FILTER:
        raise ValueError(f"'{name}' has no treatment: {_NO_FILTER[name]}")
    near = difflib.get_close_matches(str(name), TREATMENTS, n=1, cutoff=0.5)
    raise ValueError(
        f"no such treatment '{name}'"
        + (f", did you mean '{near[0]}'?" if near else f"; known: {', '.join(TREATMENTS)}")
    )


def _check_image(image: Image, what: str) -> None:
    if not isinstance(image, np.ndarray):
        raise ValueError(f"{what} must be a numpy array, not {type(image).__name__}")
    if image.dtype != np.uint8:
        raise ValueError(f"{what} must be uint8 (0..255), not {image.dtype}")
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in (3, 4)):
        raise ValueError(f"{what} must be HxWx3, HxWx4 or HxW, not of shape {image.shape}")
    if 0 in image.shape:
        raise ValueError(f"{what} is empty: shape {image.shape}")
    if max(image.shape[:2]) >= 32767:
        raise ValueError(f"{what} is too large: {image.shape[1]}x{image.shape[0]}, at most 32766 pixels a side")


def _as_rgb(image: Image) -> Image:
    """A C-contiguous HxWx3 view or copy without alpha."""
    if image.ndim == 2:
        return np.asarray(cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_GRAY2RGB), np.uint8)
    return np.ascontiguousarray(image[..., :3])


class _Key(ISeedSequence):
    """A text's hash as the key of a bit generator. `Philox(key=...)` would ask the system for entropy it then drops."""

    def __init__(self, text: str) -> None:
        self._digest = hashlib.sha256(text.encode()).digest()

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> npt.NDArray[Any]:
        return np.frombuffer(self._digest, np.dtype(dtype).newbyteorder("<"), n_words)


def _generator(seed: int, name: str) -> np.random.Generator:
    """Philox keyed by a hash of seed and name: independent streams, the same in every process and on every machine."""
    key: Any = _Key(f"{name}:{seed}")  # Any: numpy's own stub knows one class of seed sequences only
    return np.random.Generator(np.random.Philox(key))
