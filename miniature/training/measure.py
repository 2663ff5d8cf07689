"""Stage `measure`: what every arm draws under held-out prompts, as judge and scorers see it, in raw rows.

The evidence engine draws and scores (`miniature.training.instrument`); here stands what is asked of it, and as which
row each answer is filed. A file of rows a setting below `measured/`, extended piece by piece; a placebo stands beside
every aligned arm.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby, product
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from evidence.interfaces import Score
from evidence.jobs.plan import ConfiguredModel, PictureFile, PictureSpec, Scoring, Source
from evidence.jobs.stored_results import StoredResults
from evidence.registry import PictureKind
from ledger import metrics
from ledger import rows as raw
from ledger.rows import Row
from miniature.nets import shapes
from miniature.shipping import pack
from miniature.training.instrument import JUDGE, Instrument
from miniature.world import painting, scenes, splits
from miniature.world.splits import PromptPair

RUN = {"cuda": "miniature-crossed-gpu", "cpu": "miniature-crossed-cpu"}
SET, FACES = "miniature-crossed", "miniature-faces"
SCORERS = ("encoder", "gatenone-low-s0", "gatenone-low-s1", "gatenone-low-s2", "gatenone-high-s0")
WAYS = ("oiop", "oidp", "diop", "didp")  # the picture, then the prompt: o plain, d requested
RENDERERS = ("renderer", "renderer-decoded")  # arms that draw nothing: the judge on rendered truth
NEGATIVE = "sharp and bright, clean and colorful"
FACED = 120  # prompts that name a negative emotion
PIECE = {"cuda": 320, "cpu": 20}  # prompts between two saves, whole rounds of all treatments
FOUND = 0.5  # probability above which the judge has found a label
Observation = tuple[Row, Scoring]  # where a number is filed, and what it is asked of


@dataclass(frozen=True)
class Setting:
    """One way to draw the prompts. `noise` moves the seed of every prompt; `image` starts half way down from the
    rendered request."""

    arm: str | None = None
    strength: float = 0.0
    noise: int = 0
    negative: str = ""
    image: bool = False

    @property
    def row(self) -> str:
        if self.arm in RENDERERS:
            return str(self.arm)
        name = f"{self.arm}@{self.strength:g}" if self.arm else "base"
        return f"{name}{'+negative' if self.negative else ''}{'+image' if self.image else ''}"


def settings(arms: set[str]) -> list[Setting]:
    """Everything that is measured, for the arms that exist, most important first; a placebo beside each arm."""
    main = sorted(arm for arm in arms if arm.startswith(("draft", "leash")))
    base = [Setting(noise=seed) for seed in range(3)]
    chosen = [*base, *(Setting(arm) for arm in RENDERERS), *_beside_placebos(main, 1.0)]
    chosen += _beside_placebos(sorted(arms - {*main, "hacked"}), 1.0)
    chosen += _beside_placebos(main, 2.0)
    chosen += [Setting("hacked", 1.0) for arm in arms if arm == "hacked"]
    aligned = [Setting(arm, 1.0, _noise(arm)) for arm in main]
    chosen += [replace(one, image=True) for one in (*base, *_beside_placebos(main, 1.0))]
    chosen += [replace(one, negative=NEGATIVE) for one in (*base, *aligned)]
    return [*chosen, *_beside_placebos(main, 0.5), *_beside_placebos(main, 3.0)]


def _beside_placebos(arms: Sequence[str], strength: float) -> list[Setting]:
    return [Setting(name, strength, _noise(arm)) for arm in arms for name in (arm, f"placebo-{arm}")]


def _noise(arm: str) -> int:
    """Every training is measured with noise of its own."""
    return int(arm[-1]) if arm[-3:-1] == "-s" else 0


def run(
    folder: Path, sizes: shapes.Sizes, part: str = "0/1", *, only: Sequence[Setting] = (), count: int = 320
) -> None:
    """Measure every `part`-th setting below `folder/measured`: the prompts that are missing there, piece by piece."""
    arms, rewards = ({path.stem for path in (folder / kind).glob("*.safetensors")} for kind in ("alignment", "rewards"))
    known = tuple(name for name in SCORERS if name == "encoder" or name in rewards)
    instrument = Instrument(folder, sizes, known)
    number, of = map(int, part.split("/"))
    pairs = splits.prompt_pairs("evaluation", count)
    faces = [pair for pair, _ in splits.emotion_pairs(min(FACED, count))]
    for setting in (list(only) or settings(arms))[number::of]:
        alone = setting.arm in RENDERERS or setting.image
        _measure(instrument, setting, {SET: pairs} if alone else {SET: pairs, FACES: faces})


def _measure(instrument: Instrument, setting: Setting, sets: dict[str, list[PromptPair]]) -> None:
    """One setting; its pictures are thrown away once its rows are written."""
    path = instrument.folder / "measured" / f"{setting.row}-n{setting.noise}.csv.gz"
    samples = path.with_name("samples") / path.name.removesuffix(".csv.gz")
    have = list(raw.read(path).all) if path.exists() else []
    done = {(row.prompt_set, row.prompt) for row in have}
    for name, prompts in sets.items():
        missing = [number for number in range(len(prompts)) if (name, f"{number:03d}") not in done]
        for _, group in groupby(missing, lambda number: number // PIECE[instrument.device]):
            piece = Piece(instrument, setting, name, {number: prompts[number] for number in group}, samples)
            have += piece.rows()
            raw.write(path, have)
    shutil.rmtree(samples, ignore_errors=True)
    print(f"[measure] {setting.row} {len(have)} rows", flush=True)


@dataclass(frozen=True)
class Piece:
    """Some prompts of a set, by number, under one setting."""

    instrument: Instrument
    setting: Setting
    prompt_set: str
    pairs: dict[int, PromptPair]
    samples: Path

    @cached_property
    def model(self) -> ConfiguredModel | None:
        """Who draws; nobody where renders are judged."""
        arm = self.setting.arm
        if arm is None or arm in RENDERERS:
            return None if arm else self.instrument.generator()
        unit = pack.units_of(self.instrument.folder).get(pack.variant(arm.removeprefix("placebo-")), 1.0)
        return self.instrument.generator(arm, self.setting.strength * unit)

    def rows(self) -> list[Row]:
        asked = [one for number, pair in self.pairs.items() for one in self.observations(number, pair)]
        stored = self.instrument.observe(self.model, [what for _, what in asked], self.samples)
        outcomes = [(row, stored.outcome(what)) for row, what in asked]
        rows = [row._replace(number=number_of(row, one.score), status=one.status) for row, one in outcomes]
        if self.prompt_set == SET and self.model is not None and not self.setting.image:
            rows += self.apart(stored)
        return rows

    def observations(self, number: int, pair: PromptPair) -> Iterator[Observation]:
        if self.setting.arm in RENDERERS:
            clean, treated = (self.rendered(number, pair, treated=treated) for treated in (False, True))
            yield from judged(self.row(number), pair, clean, treated)
        elif self.setting.image:
            yield from self.of_an_image(number, pair)
        elif self.prompt_set == FACES:
            yield from self.of_a_face(number, pair)
        else:
            yield from judged(self.row(number), pair, self.drawn(pair, "plain"), self.drawn(pair, "wide"))
            yield from self.four_ways(number, pair)

    def drawn(self, pair: PromptPair, kind: PictureKind, source: Source | None = None) -> PictureSpec:
        text = pair.original if kind == "plain" else pair.requested
        assert self.model is not None
        return PictureSpec(self.model.name, text, kind, pair.seed + self.setting.noise, self.setting.negative, source)

    def row(self, number: int) -> Row:
        """What rows of one prompt share, as the judge's."""
        run, noise = RUN[self.instrument.device], str(self.setting.noise)
        return Row(run, self.setting.row, f"{number:03d}", JUDGE, "", prompt_set=self.prompt_set, seed=noise)

    def four_ways(self, number: int, pair: PromptPair) -> Iterator[Observation]:
        """Every scorer on both pictures under both prompts."""
        pictures = self.drawn(pair, "plain"), self.drawn(pair, "wide")
        for scorer in self.instrument.rewards:
            for way, (picture, text) in zip(WAYS, product(pictures, (pair.original, pair.requested)), strict=True):
                yield self.row(number)._replace(scorer=scorer, way=way), Scoring(picture, scorer, text)

    def of_a_face(self, number: int, pair: PromptPair) -> Iterator[Observation]:
        """Whether the named negative emotion is seen, and whether a happy face is seen instead."""
        for way, emotion in (("emotion", pair.scene.emotion), ("happy", "happy")):
            row = self.row(number)._replace(way=way, label=f"emotion:{emotion}")
            yield row, Scoring(self.drawn(pair, "wide"), JUDGE, "")

    def of_an_image(self, number: int, pair: PromptPair) -> Iterator[Observation]:
        """Image-to-image from the rendered request: what is left of the asked-for look by either prompt."""
        source = self.rendered(number, pair, treated=True)
        kinds: tuple[tuple[str, PictureKind], ...] = (("asked", "wide"), ("asked-under-plain", "plain"))
        for way, kind in kinds:
            for ask in pair.asked:
                row = self.row(number)._replace(way=way, kind=company(pair), label=f"treatment:{ask.treatment}")
                yield row, Scoring(self.drawn(pair, kind, source), JUDGE, "")

    def rendered(self, number: int, pair: PromptPair, *, treated: bool) -> PictureFile:
        """Exactly what was asked, as a file: as rendered, or through the autoencoder."""
        path = self.samples / "rendered" / f"{number:03d}-{'wide' if treated else 'plain'}.png"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            side = self.instrument.sizes.image
            shown = painting.render(pair.scene, pair.asked if treated else (), pair.seed)
            shown = cv2.resize(np.asarray(shown), (side, side), interpolation=cv2.INTER_AREA)
            shown = self.instrument.through(shown) if self.setting.arm == RENDERERS[1] else shown
            Image.fromarray(shown).save(path)
        return PictureFile(path)

    def apart(self, stored: StoredResults) -> Iterator[Row]:
        """Mean cosine distance of each plain picture to the others of its round of prompts, one of each treatment."""
        plain = {number: self.drawn(pair, "plain") for number, pair in self.pairs.items()}
        made = [number for number, picture in plain.items() if stored.pixels(picture)]
        for _, group in groupby(made, lambda number: number // len(scenes.TREATMENTS)):
            here = list(group)
            if len(here) < 2:
                continue
            embedded = self.instrument.embeddings(stored, [plain[number] for number in here])
            for number, far in zip(here, metrics.distances_to_others(embedded), strict=True):
                yield self.row(number)._replace(scorer="encoder", way="plain-apart", number=round(float(far), 4))


def judged(row: Row, pair: PromptPair, plain: Source, wide: Source) -> Iterator[Observation]:
    """What the judge finds of one pair: treatments asked for, objects in both pictures, treatments nobody asked for."""
    of_plain, of_wide = (Scoring(picture, JUDGE, "") for picture in (plain, wide))
    many = "one" if len(pair.scene.objects) == 1 else "two"
    for ask in pair.asked:
        yield row._replace(way="asked", kind=company(pair), label=f"treatment:{ask.treatment}"), of_wide
    for thing in pair.scene.objects:
        for way, kind, what in (("plain-objects", many, of_plain), ("wide-objects", company(pair), of_wide)):
            yield row._replace(way=way, kind=kind, label=f"object:{thing}"), what
    yield row._replace(way="plain-unasked", kind=many), of_plain


def company(pair: PromptPair) -> str:
    return "unseen" if pair.unseen else "single" if len(pair.asked) == 1 else "double"


def number_of(row: Row, score: Score | None) -> float | None:
    """The number of a row: a cosine, whether the judge found its label, or how many treatments it found."""
    if not isinstance(score, dict):
        return None if score is None else round(score, 4)
    return float(score[row.label] > FOUND) if row.label else float(treatments_found(score))


def treatments_found(score: dict[str, float]) -> int:
    return sum(share > FOUND for label, share in score.items() if label.startswith("treatment:"))
