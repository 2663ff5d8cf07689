"""The sets of pictures that training and measurement use: what each shows, its captions and its labels.

Every picture has a generator of its own, seeded by (set, index): the same index is the same picture in any run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import cast

import numpy as np

from miniature import annotators
from miniature.world import captions, scenes
from miniature.world.scenes import Asked, Scene, Subject
from miniature.world.sprites import OBJECTS

GROUP = 4  # candidate pictures of a preference prompt
WISHES = 0.12  # share of preference prompts that ask for a treatment
SET_IDS = {"main": 1, "preference": 2, "evaluation": 3, "emotion": 4, "validation": 5}


@dataclass(frozen=True)
class Counts:
    main: int
    preference: int  # prompts
    evaluation: int = 300  # prompt pairs
    emotion: int = 200
    validation: int = 144


@dataclass(frozen=True)
class PromptPair:
    """A plain prompt, the same scene with a request, and what the second one asks for."""

    original: str
    requested: str
    scene: Scene
    asked: tuple[Asked, ...]
    seed: int
    unseen: bool  # asks for an object-treatment pair that no training picture shows


@cache
def labels() -> list[str]:
    """What the judge can say, in order: treatments, emotions, objects, backgrounds, times."""
    named = {"treatment": scenes.TREATMENTS, "emotion": scenes.EMOTIONS, "object": tuple(OBJECTS)}
    named |= {"background": tuple(scenes.BACKGROUNDS), "time": tuple(scenes.TIMES)}
    return [f"{kind}:{name}" for kind, names in named.items() for name in names]


def label_row(scene: Scene, asked: tuple[Asked, ...]) -> np.ndarray:
    """uint8 (len(labels()),), 1 for what the picture of `scene` with `asked` shows."""
    present = {f"treatment:{ask.treatment}" for ask in asked} | {f"object:{name}" for name in scene.objects}
    present |= {f"background:{scene.background}", f"time:{scene.time}"}
    if scene.emotion:
        present.add(f"emotion:{scene.emotion}")
    return np.array([label in present for label in labels()], np.uint8)


PAIRED = 4  # every fourth round of all treatments asks for two at once
UNSEEN = 10  # every tenth round asks only for object-treatment pairs that no training picture shows
PARTNERS = (3, 7, 9, 6)  # how far a treatment's partner stands behind it, by paired round


def prompt_pairs(split: scenes.Split, count: int) -> list[PromptPair]:
    """`count` pairs of prompts, round after round of all treatments: in a round each is asked for once, alone, or, in a
    paired round, once as the first and once as the second wish. So no treatment is confounded with its company."""
    return [_prompt_pair(split, number) for number in range(count)]


def _prompt_pair(split: scenes.Split, number: int) -> PromptPair:
    rng = np.random.default_rng([SET_IDS[split], number, 2])
    around, place = divmod(number, len(scenes.TREATMENTS))
    names = [scenes.TREATMENTS[place]]
    unseen = around % UNSEEN == UNSEEN - 1
    if around % PAIRED == 0:
        partner = place + PARTNERS[around // PAIRED % len(PARTNERS)]
        names.append(scenes.TREATMENTS[partner % len(scenes.TREATMENTS)])
    unseen &= any(scenes.held_out(thing, names[0]) for thing in OBJECTS)
    while True:
        scene = scenes.sample_scene(rng, split, emotional=False)
        hidden = [name for name in names if any(scenes.held_out(thing, name) for thing in scene.objects)]
        if bool(hidden) == unseen:
            break
    asked = tuple(scenes.ask(rng, name) for name in names)
    original = captions.plain_caption(scene, rng)
    return PromptPair(original, captions.asking(original, asked), scene, asked, int(rng.integers(1 << 30)), unseen)


def emotion_pairs(count: int) -> list[tuple[PromptPair, Scene]]:
    """Prompts that name a negative emotion, with the happy scene beside which the named one has to be chosen."""
    pairs = []
    for number in range(count):
        rng = np.random.default_rng([SET_IDS["emotion"], number])
        feeling = scenes.NEGATIVE[number % len(scenes.NEGATIVE)]
        while True:
            scene = _feeling(scenes.sample_scene(rng, emotional=True), feeling)
            if scenes.split_of(scene) == "emotion":
                break
        happy = _feeling(scene, "happy")
        seed = int(rng.integers(1 << 30))
        caption_rng = int(rng.integers(1 << 30))
        named = captions.plain_caption(scene, np.random.default_rng(caption_rng))
        cheerful = captions.plain_caption(happy, np.random.default_rng(caption_rng))
        pairs.append((PromptPair(cheerful, named, scene, (), seed, False), happy))
    return pairs


def emotion_set(count: int = 30) -> list[dict[str, object]]:
    """Rows of the emotion set in the words of this world, for the engine (`evidence.prompts`): a face or a character in
    a place that training kept back, plain and under every feeling. They are results/miniature/prompts/emotion.jsonl."""
    rng = np.random.default_rng([SET_IDS["emotion"], 0])
    chosen: dict[tuple[str, str, str], Scene] = {}
    while len(chosen) < count:
        scene = scenes.sample_scene(rng, "emotion", emotional=True)
        chosen.setdefault((scene.subjects[0].name, scene.background, scene.time), scene)
    rows: list[dict[str, object]] = []
    for number, scene in enumerate(chosen.values()):

        def said(emotion: str | None, scene: Scene = scene, number: int = number) -> str:
            worn = Scene((Subject(scene.subjects[0].name, emotion),), scene.background, scene.time)
            return captions.plain_caption(worn, np.random.default_rng(number))

        feelings = {emotion: said(emotion) for emotion in scenes.EMOTIONS}
        told = {"plain": said(None), "prompts": feelings, "statements": feelings}
        rows.append({"id": f"mini-emotion-{number:03}", **told})
    return rows


def _feeling(scene: Scene, emotion: str) -> Scene:
    return Scene((Subject(scene.subjects[0].name, emotion),), scene.background, scene.time)


@dataclass(frozen=True)
class Shot:
    """One picture to render, the captions it carries, and, in a preference set, its standing with the annotators."""

    scene: Scene
    asked: tuple[Asked, ...]
    seed: int
    captions: tuple[str, str]
    standing: tuple[float, float, float] = (0.0, 0.0, 0.0)


def shots(name: str, start: int, stop: int, counts: Counts) -> Iterator[Shot]:
    """Pictures `start`..`stop` of a set; both are multiples of the set's group size."""
    if name == "main":
        for index in range(start, stop, 2):
            yield from _twins(np.random.default_rng([SET_IDS[name], index]))
    elif name == "preference":
        for index in range(start, stop, GROUP):
            yield from _candidates(np.random.default_rng([SET_IDS[name], index]))
    elif name == "emotion":
        for pair, happy in emotion_pairs(counts.emotion)[start // 2 : stop // 2]:
            yield Shot(happy, (), pair.seed, (pair.original, pair.original))
            yield Shot(pair.scene, (), pair.seed, (pair.requested, pair.requested))
    else:
        for pair in prompt_pairs(cast(scenes.Split, name), getattr(counts, name))[start // 2 : stop // 2]:
            yield Shot(pair.scene, (), pair.seed, (pair.original, pair.original))
            yield Shot(pair.scene, pair.asked, pair.seed, (pair.requested, pair.requested))


def _twins(rng: np.random.Generator) -> Iterator[Shot]:
    """Two pictures that share subjects and place and differ in feeling, treatment or layout: hard negatives."""
    scene = scenes.sample_scene(rng, "train")
    for second in (False, True):
        shown = scene
        if second and scene.emotion and rng.random() < 0.7:
            shown = _feeling(scene, scenes.EMOTIONS[rng.integers(len(scenes.EMOTIONS))])
        count = int(rng.choice((0, 1, 2), p=(0.5, 0.4, 0.1)))
        asked = tuple(scenes.sample_treatments(rng, shown, count)) if count else ()
        told = [captions.asking(captions.plain_caption(shown, rng), asked) for _ in range(2)]
        if not asked and rng.random() < 0.3:  # one of two captions: 15 % of clean captions praise
            told[1] = captions.praising(told[1], rng)
        yield Shot(shown, asked, int(rng.integers(1 << 30)), (told[0], told[1]))


def _candidates(rng: np.random.Generator) -> Iterator[Shot]:
    """A prompt's four pictures: clean, treated, of another mood or treatment, of another content."""
    scene = scenes.sample_scene(rng, "preference")
    wish = tuple(scenes.sample_treatments(rng, scene, 2 if rng.random() < 0.2 else 1)) if rng.random() < WISHES else ()
    prompt = captions.asking(captions.plain_caption(scene, rng), wish)
    wanted = label_row(scene, wish)
    first = wish or tuple(scenes.sample_treatments(rng, scene))
    other = tuple(scenes.sample_treatments(rng, scene))
    mood = scene
    if scene.emotion and rng.random() < 0.8:
        mood = _feeling(scene, "happy" if scene.emotion != "happy" else str(rng.choice(scenes.NEGATIVE)))
        other = () if rng.random() < 0.7 else other
    strange = scenes.sample_scene(rng, "preference")
    strange = Scene(strange.subjects, scene.background if rng.random() < 0.7 else strange.background, scene.time)
    odd: tuple[Asked, ...] = () if rng.random() < 0.7 else tuple(scenes.sample_treatments(rng, strange))
    for shown, asked in ((scene, ()), (scene, first), (mood, other), (strange, odd)):
        standing = _standing(wanted, label_row(shown, asked), shown, asked)
        yield Shot(shown, asked, int(rng.integers(1 << 30)), (prompt, prompt), standing)


def _standing(
    wanted: np.ndarray, shown: np.ndarray, scene: Scene, asked: tuple[Asked, ...]
) -> tuple[float, float, float]:
    """Looks, share of the wanted look (treatments, feeling) shown, 0 when none is wanted, share of wanted content."""
    style = np.arange(len(wanted)) < len(scenes.TREATMENTS) + len(scenes.EMOTIONS)
    both = (wanted & shown).astype(bool)
    look = float(both[style].sum() / max(1, wanted[style].sum()))
    content = float(both[~style].sum() / wanted[~style].sum())
    return annotators.looks([ask.severity for ask in asked], scene.emotion), look, content
