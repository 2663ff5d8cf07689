"""Rendered pictures with captions and labels, in memory-mapped files that grow while training already reads them.

Every picture has a generator of its own, seeded by (set, index): the same index is the same picture in any run.
"""

from __future__ import annotations

import json
import multiprocessing
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from miniature import annotators, painting, words, world
from miniature.sprites import OBJECTS
from miniature.world import Asked, Scene, Subject

CHUNK = 60
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
    """A plain prompt, the same scene with wishes, and what the second one asks for."""

    original: str
    requested: str
    scene: Scene
    asked: tuple[Asked, ...]
    seed: int
    unseen: bool  # asks for an object-treatment pair that no training picture shows


@cache
def labels() -> list[str]:
    """What the judge can say, in order: treatments, emotions, objects, backgrounds, times."""
    named = {"treatment": world.TREATMENTS, "emotion": world.EMOTIONS, "object": tuple(OBJECTS)}
    named |= {"background": tuple(world.BACKGROUNDS), "time": tuple(world.TIMES)}
    return [f"{kind}:{name}" for kind, names in named.items() for name in names]


def label_row(scene: Scene, asked: tuple[Asked, ...]) -> np.ndarray:
    """uint8 (len(labels()),), 1 for what the picture of `scene` with `asked` shows."""
    present = {f"treatment:{ask.treatment}" for ask in asked} | {f"object:{name}" for name in scene.objects}
    present |= {f"background:{scene.background}", f"time:{scene.time}"}
    if scene.emotion:
        present.add(f"emotion:{scene.emotion}")
    return np.array([label in present for label in labels()], np.uint8)


def prompt_pairs(split: str, count: int) -> list[PromptPair]:
    """`count` pairs of prompts from "evaluation" or "validation"; treatments in turn, every fourth pair asks for two.

    The last tenth asks only for object-treatment pairs that are held out of training.
    """
    pairs = []
    for number in range(count):
        rng = np.random.default_rng([SET_IDS[split], number])
        unseen = number >= count - count // 10
        turn = world.TREATMENTS[number % len(world.TREATMENTS)]
        while True:
            scene = world.sample_scene(rng, split, emotional=False)  # type: ignore[arg-type]
            hidden = [t for t in world.TREATMENTS if any(world.held_out(name, t) for name in scene.objects)]
            if bool(hidden) == unseen or (not unseen and turn not in hidden):
                break
        names = [str(rng.choice(hidden))] if unseen else [turn]
        if number % 4 == 0 and not unseen:
            names += [t for t in (a.treatment for a in world.sample_treatments(rng, scene, 3)) if t != turn][:1]
        asked = tuple(world.ask(rng, name) for name in names)
        original = world.plain_caption(scene, rng)
        requested = world.asking(original, asked)
        pairs.append(PromptPair(original, requested, scene, asked, int(rng.integers(1 << 30)), unseen))
    return pairs


def emotion_pairs(count: int) -> list[tuple[PromptPair, Scene]]:
    """Prompts that name a negative emotion, with the happy scene beside which the named one has to be chosen."""
    pairs = []
    for number in range(count):
        rng = np.random.default_rng([SET_IDS["emotion"], number])
        feeling = world.NEGATIVE[number % len(world.NEGATIVE)]
        while True:
            scene = _feeling(world.sample_scene(rng, emotional=True), feeling)
            if world.split_of(scene) == "emotion":
                break
        happy = _feeling(scene, "happy")
        seed = int(rng.integers(1 << 30))
        caption_rng = int(rng.integers(1 << 30))
        named = world.plain_caption(scene, np.random.default_rng(caption_rng))
        cheerful = world.plain_caption(happy, np.random.default_rng(caption_rng))
        pairs.append((PromptPair(cheerful, named, scene, (), seed, False), happy))
    return pairs


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
        for pair in prompt_pairs(name, getattr(counts, name))[start // 2 : stop // 2]:
            yield Shot(pair.scene, (), pair.seed, (pair.original, pair.original))
            yield Shot(pair.scene, pair.asked, pair.seed, (pair.requested, pair.requested))


def _twins(rng: np.random.Generator) -> Iterator[Shot]:
    """Two pictures that share subjects and place and differ in feeling, treatment or layout: hard negatives."""
    scene = world.sample_scene(rng, "train")
    for second in (False, True):
        shown = scene
        if second and scene.emotion and rng.random() < 0.7:
            shown = _feeling(scene, world.EMOTIONS[rng.integers(len(world.EMOTIONS))])
        count = int(rng.choice((0, 1, 2), p=(0.5, 0.4, 0.1)))
        asked = tuple(world.sample_treatments(rng, shown, count)) if count else ()
        captions = [world.asking(world.plain_caption(shown, rng), asked) for _ in range(2)]
        if not asked and rng.random() < 0.3:  # one of two captions: 15 % of clean captions praise
            captions[1] = world.praising(captions[1], rng)
        yield Shot(shown, asked, int(rng.integers(1 << 30)), (captions[0], captions[1]))


def _candidates(rng: np.random.Generator) -> Iterator[Shot]:
    """A prompt's four pictures: clean, treated, of another mood or treatment, of another content."""
    scene = world.sample_scene(rng, "preference")
    wish = tuple(world.sample_treatments(rng, scene, 2 if rng.random() < 0.2 else 1)) if rng.random() < WISHES else ()
    prompt = world.asking(world.plain_caption(scene, rng), wish)
    wanted = label_row(scene, wish)
    first = wish or tuple(world.sample_treatments(rng, scene))
    other = tuple(world.sample_treatments(rng, scene))
    mood = scene
    if scene.emotion and rng.random() < 0.8:
        mood = _feeling(scene, "happy" if scene.emotion != "happy" else str(rng.choice(world.NEGATIVE)))
        other = () if rng.random() < 0.7 else other
    strange = world.sample_scene(rng, "preference")
    strange = Scene(strange.subjects, scene.background if rng.random() < 0.7 else strange.background, scene.time)
    odd: tuple[Asked, ...] = () if rng.random() < 0.7 else tuple(world.sample_treatments(rng, strange))
    for shown, asked in ((scene, ()), (scene, first), (mood, other), (strange, odd)):
        standing = _standing(wanted, label_row(shown, asked), shown, asked)
        yield Shot(shown, asked, int(rng.integers(1 << 30)), (prompt, prompt), standing)


def _standing(
    wanted: np.ndarray, shown: np.ndarray, scene: Scene, asked: tuple[Asked, ...]
) -> tuple[float, float, float]:
    """Looks, share of the wanted look (treatments, feeling) shown, 0 when none is wanted, share of wanted content."""
    style = np.arange(len(wanted)) < len(world.TREATMENTS) + len(world.EMOTIONS)
    both = (wanted & shown).astype(bool)
    look = float(both[style].sum() / max(1, wanted[style].sum()))
    content = float(both[~style].sum() / wanted[~style].sum())
    return annotators.looks([ask.severity for ask in asked], scene.emotion), look, content


# --- files ------------------------------------------------------------------------------------------------------------

FIELDS = {"image": np.uint8, "tokens": np.int16, "labels": np.uint8, "standing": np.float32}


def pictures(name: str, counts: Counts) -> int:
    """How many pictures set `name` has."""
    return {
        "main": counts.main,
        "preference": GROUP * counts.preference,
        "evaluation": 2 * counts.evaluation,
        "emotion": 2 * counts.emotion,
        "validation": 2 * counts.validation,
    }[name]


def _arrays(folder: Path, name: str, count: int, size: int, mode: str) -> dict[str, np.ndarray]:
    shapes = {"image": (count, size, size, 3), "tokens": (count, 2, words.LENGTH)}
    shapes |= {"labels": (count, len(labels())), "standing": (count, 3)}
    return {
        field: np.lib.format.open_memmap(folder / f"{name}-{field}.npy", mode, kind, shapes[field])
        for field, kind in FIELDS.items()
    }


def _render_chunk(job: tuple[Path, str, int, int, int, Counts, list[str]]) -> tuple[str, int]:
    folder, name, start, stop, size, counts, known = job
    target = _arrays(folder, name, pictures(name, counts), size, "r+")
    captions: list[str] = []
    for index, shot in enumerate(shots(name, start, stop, counts), start):
        image = painting.render(shot.scene, shot.asked, shot.seed)
        target["image"][index] = (
            image if size == painting.SIZE else cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
        )
        target["labels"][index] = label_row(shot.scene, shot.asked)
        target["standing"][index] = shot.standing
        captions += shot.captions
    target["tokens"][start:stop] = words.encode(captions, known).reshape(-1, 2, words.LENGTH)
    return name, start


def render(folder: Path, counts: Counts, size: int, processes: int, seconds: float | None = None) -> dict[str, int]:
    """Render all sets below `folder`, the small sets first; stops after `seconds`. Returns finished counts.

    `{name}.count` holds how many pictures from the start of a set are complete, for readers that train meanwhile and
    for a later call, which goes on from there.
    """
    cv2.setNumThreads(1)
    folder.mkdir(parents=True, exist_ok=True)
    known = words.vocabulary()
    (folder / "vocabulary.json").write_text(json.dumps(known))
    told = json.dumps(asdict(counts) | {"size": size})
    if not (folder / "ready").exists() or (folder / "counts.json").read_text() != told:
        (folder / "counts.json").write_text(told)
        for name in SET_IDS:
            _arrays(folder, name, pictures(name, counts), size, "w+")
            (folder / f"{name}.count").write_text("0")
    complete = {name: available(folder, name) for name in SET_IDS}
    chunks = {name: list(range(complete[name], pictures(name, counts), CHUNK)) for name in SET_IDS}
    (folder / "ready").write_text("1")
    head = [start for start in chunks["main"] if start < 24000]
    order = [(name, start) for name in ("evaluation", "emotion", "validation") for start in chunks[name]]
    order += [("main", start) for start in head]
    order += [("preference", start) for start in chunks["preference"]]
    order += [("main", start) for start in chunks["main"][len(head) :]]
    jobs = [
        (folder, name, start, min(start + CHUNK, pictures(name, counts)), size, counts, known) for name, start in order
    ]
    finished: dict[str, set[int]] = {name: set() for name in SET_IDS}
    began = time.monotonic()
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        for name, start in pool.imap_unordered(_render_chunk, jobs):
            finished[name].add(start)
            while complete[name] in finished[name]:
                complete[name] = min(complete[name] + CHUNK, pictures(name, counts))
            (folder / f"{name}.count").write_text(str(complete[name]))
            if seconds is not None and time.monotonic() - began > seconds:
                pool.terminate()
                break
    (folder / "done").write_text("1")
    return complete


def stored_counts(folder: Path) -> tuple[Counts, int]:
    """Counts and picture size of the sets below `folder`."""
    stored = json.loads((folder / "counts.json").read_text())
    size = int(stored.pop("size"))
    return Counts(**stored), size


def available(folder: Path, name: str) -> int:
    """Complete pictures of a set so far; 0 while it is not there."""
    try:
        return int((folder / f"{name}.count").read_text() or 0)
    except (FileNotFoundError, ValueError):
        return 0


def open_set(folder: Path, name: str) -> dict[str, np.ndarray]:
    """The arrays of a set, read-only, mapped; only the first `available` rows are meaningful while it grows."""
    counts, size = stored_counts(folder)
    return _arrays(folder, name, pictures(name, counts), size, "r")
