"""Scenes of the world, all functions of a seed; `captions` tells them, `painting` makes the pictures.

A scene is one or two subjects, a background and a time of day; a wide-spectrum request adds treatments of `effects`
with the phrases of phrases.toml, so that world and judge share one vocabulary. Scenes are divided by a hash of what
they show: no caption of one split can occur in another. A few object-treatment pairs are shown to no model.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np

from miniature.world.sprites import CHARACTERS, FACES, OBJECTS

PHRASES = Path(__file__).with_name("phrases.toml")

Split = Literal["train", "preference", "validation", "evaluation", "emotion"]

# Sub-categories whose treatment can be told at 256 pixels. The others stay on the page but not in this world.
TREATMENTS = (
    "intentional_blur", "double_exposure", "film_artifacts", "analog_degradation", "digital_artifacts",
    "clashing_disharmony", "muted_faded", "sickly_cast", "color_inconsistency", "exposure_extremes", "light_leak",
    "harsh_or_insufficient_flash", "low_contrast_oppressive", "unconventional_framing", "obstructed_cropping",
    "atmospheric_distress", "decay_and_degradation", "disgust_and_aversion", "unfinished_raw", "abstract_photo",
)  # fmt: skip

EMOTIONS = tuple(FACES)
NEGATIVE = tuple(emotion for emotion in EMOTIONS if emotion != "happy")

BACKGROUNDS: dict[str, tuple[str, ...]] = {
    "beach": ("on a beach", "by the sea"),
    "meadow": ("in a meadow", "on green grass"),
    "forest": ("in a forest", "among trees"),
    "city": ("in a city", "on a city street"),
    "desert": ("in a desert", "among sand dunes"),
    "snow": ("in the snow", "on a snowy field"),
    "room": ("in a room", "inside a room"),
    "studio": ("in a studio", "before a plain wall"),
}
TIMES: dict[str, tuple[str, ...]] = {
    "day": ("by day", "at noon"),
    "sunset": ("at sunset", "in the evening"),
    "night": ("at night", "by moonlight"),
}
QUALITIES = ("sharp", "bright", "clean", "colorful")
OPENINGS = ("", "", "a photo of ", "a picture of ")


@dataclass(frozen=True)
class Subject:
    """An object of the cast, or the word "face"; `emotion` only for a face or a character that can wear one."""

    name: str
    emotion: str | None = None

    def words(self) -> str:
        words = f"{self.emotion} {self.name}" if self.emotion else self.name
        return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


@dataclass(frozen=True)
class Scene:
    subjects: tuple[Subject, ...]
    background: str
    time: str

    @property
    def emotion(self) -> str | None:
        return next((subject.emotion for subject in self.subjects if subject.emotion), None)

    @property
    def objects(self) -> tuple[str, ...]:
        return tuple(subject.name for subject in self.subjects if subject.name != "face")


@dataclass(frozen=True)
class Asked:
    """A treatment in a picture: sub-category of the taxonomy, severity in 0..1, and the phrase that asks for it."""

    treatment: str
    severity: float
    phrase: str


def _hash(*words: str) -> int:
    return int.from_bytes(hashlib.sha256("|".join(words).encode()).digest()[:8], "big")


def split_of(scene: Scene) -> Split:
    """The only split in which a scene may occur; scenes that differ in nothing but the feeling share theirs."""
    key = "+".join(sorted(subject.name for subject in scene.subjects)) + (" feels" if scene.emotion else "")
    place = _hash(key, scene.background, scene.time) % 20
    if place < 3:
        return "preference"
    if scene.emotion:
        return "emotion" if place < 7 else "train"
    return "validation" if place == 3 else "evaluation" if place < 6 else "train"


def held_out(name: str, treatment: str) -> bool:
    """Whether no model is ever shown object `name` under `treatment` (about one pair in thirty)."""
    return _hash(name, treatment) % 30 == 0


def sample_scene(rng: np.random.Generator, split: Split | None = None, *, emotional: bool | None = None) -> Scene:
    """A random scene of `split` (any when None). `emotional` True asks for one with a feeling, False for none."""
    while True:
        feeling = rng.random() < 0.18 if emotional is None else emotional
        background, time = _choice(rng, BACKGROUNDS), _choice(rng, TIMES)
        if feeling:
            name = "face" if rng.random() < 0.5 else _choice(rng, CHARACTERS)
            subjects: tuple[Subject, ...] = (Subject(name, _choice(rng, EMOTIONS)),)
        elif rng.random() < 0.8:
            subjects = (Subject(_choice(rng, OBJECTS)),)
        else:
            one, two = rng.choice(list(OBJECTS), 2, replace=False)
            subjects = (Subject(str(one)), Subject(str(two)))
        scene = Scene(subjects, background, time)
        if split is None or split_of(scene) == split:
            return scene


def sample_treatments(rng: np.random.Generator, scene: Scene, count: int = 1, *, unseen: bool = False) -> list[Asked]:
    """`count` different treatments, severities 0.5..0.9; none that is held out for the scene unless `unseen`."""
    allowed = [t for t in TREATMENTS if unseen or not any(held_out(name, t) for name in scene.objects)]
    names = rng.choice(allowed, min(count, len(allowed)), replace=False)
    return [ask(rng, str(name)) for name in names]


def ask(rng: np.random.Generator, treatment: str) -> Asked:
    """`treatment` at a random severity, in one of its phrases."""
    options = phrases()[treatment]
    return Asked(treatment, float(rng.uniform(0.5, 0.9)), options[rng.integers(len(options))])


def _choice(rng: np.random.Generator, options: Iterable[str]) -> str:
    names = list(options)
    return str(names[rng.integers(len(names))])


@cache
def phrases() -> dict[str, tuple[str, ...]]:
    """Phrases of each treatment, in lower case."""
    known = tomllib.loads(PHRASES.read_text(encoding="utf-8"))
    return {name: tuple(known[name]) for name in TREATMENTS}
