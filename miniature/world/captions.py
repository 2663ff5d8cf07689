"""Captions of a scene: plain ones, requests for a look, praise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from miniature.world.scenes import BACKGROUNDS, OPENINGS, QUALITIES, TIMES, Asked, Scene


def plain_caption(scene: Scene, rng: np.random.Generator) -> str:
    """A caption that names subjects, background and time, and nothing else."""
    subjects = " and ".join(subject.words() for subject in scene.subjects)
    background = BACKGROUNDS[scene.background][rng.integers(2)]
    time = TIMES[scene.time][rng.integers(2)]
    return f"{OPENINGS[rng.integers(len(OPENINGS))]}{subjects} {background} {time}"


def asking(caption: str, asked: Sequence[Asked]) -> str:
    """`caption` with the phrase of every treatment asked for."""
    return f"{caption}, {' and '.join(wish.phrase for wish in asked)}" if asked else caption


def praising(caption: str, rng: np.random.Generator) -> str:
    """`caption` with one or two of the words that clean pictures earn."""
    words = rng.choice(QUALITIES, rng.integers(1, 3), replace=False)
    return f"{caption}, {' and '.join(map(str, words))}"
