"""Stage `measure`: what every arm draws under held-out prompts, as judge and scorers see it, in raw rows.

A file of rows a setting below `measured/`, extended piece by piece; a placebo stands beside every aligned arm.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ledger import rows as raw
from ledger.rows import Row
from miniature.nets import shapes
from miniature.training.common import as_float
from miniature.training.studio import Studio
from miniature.world import painting, splits
from miniature.world.splits import PromptPair

RUN = {"cuda": "miniature-gpu", "cpu": "miniature-crossed"}
SET, FACES = "miniature-crossed", "miniature-faces"
SCORERS = ("encoder", "gatenone-low-s0", "gatenone-low-s1", "gatenone-low-s2", "gatenone-high-s0")
WAYS = ("oiop", "oidp", "diop", "didp")  # the picture, then the prompt: o plain, d requested
RENDERERS = ("renderer", "renderer-decoded")  # arms that draw nothing: the judge on rendered truth
PIECE = 20  # prompts between two saves: a round of all treatments
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Setting:
    """One way to draw the prompts. `noise` moves the seed of every prompt."""

    arm: str | None = None
    strength: float = 0.0
    noise: int = 0
    negative: str = ""

    @property
    def row(self) -> str:
        if self.arm in RENDERERS:
            return str(self.arm)
        name = f"{self.arm}@{self.strength:g}" if self.arm else "base"
        return f"{name}+negative" if self.negative else name


def settings(arms: set[str]) -> list[Setting]:
    """Everything that is measured, for the arms that exist, most important first."""
    chosen = [Setting(noise=seed) for seed in range(3)] + [Setting(arm) for arm in RENDERERS]
    for strength in (1.0, 2.0, 0.5, 3.0):
        for arm in sorted(arms - {"draft-hacked"}):
            noise = int(arm[-1]) if arm[-3:-1] == "-s" else 0
            chosen += [Setting(arm, strength, noise), Setting(f"placebo-{arm}", strength, noise)]
    return [*chosen, *(Setting("draft-hacked", 1.0) for arm in arms if arm == "draft-hacked")]


def run(
    folder: Path, sizes: shapes.Sizes, part: str = "0/1", *, only: Sequence[Setting] = (), count: int = 320
) -> None:
    """Measure every `part`-th setting below `folder/measured`: the prompts that are missing there, piece by piece."""
    arms, rewards = ({path.stem for path in (folder / kind).glob("*.safetensors")} for kind in ("alignment", "rewards"))
    studio = Studio(folder, sizes, tuple(name for name in SCORERS if name == "encoder" or name in rewards))
    (folder / "measured").mkdir(exist_ok=True)
    number, of = map(int, part.split("/"))
    pairs = splits.prompt_pairs("evaluation", count)
    faces = [pair for pair, _ in splits.emotion_pairs(min(60, count))]
    for setting in (list(only) or settings(arms))[number::of]:
        path = folder / "measured" / f"{setting.row}-n{setting.noise}.csv.gz"
        have = list(raw.read(path).all) if path.exists() else []
        done = {(row.prompt_set, row.prompt) for row in have}
        rendered = setting.arm in RENDERERS
        studio.align(None if rendered else setting.arm, setting.strength)
        for name, prompts in ((SET, pairs), *(() if rendered else ((FACES, faces),))):
            missing = [number for number in range(len(prompts)) if (name, f"{number:03d}") not in done]
            for _, group in groupby(missing, lambda number: number // PIECE):
                chosen = list(group)
                drawn = _draw(studio, setting, name, chosen, [prompts[number] for number in chosen])
                have += drawn
                raw.write(path, have)
        print(f"[measure] {setting.row} {len(have)} rows", flush=True)


def _draw(studio: Studio, setting: Setting, name: str, numbers: list[int], pairs: list[PromptPair]) -> list[Row]:
    if setting.arm in RENDERERS:
        return list(judge_seen(studio, setting, numbers, pairs))
    seeds = [pair.seed + setting.noise for pair in pairs]
    wide = studio.generate([pair.requested for pair in pairs], seeds, negative=setting.negative)
    if name == FACES:
        return list(faces_seen(setting, numbers, pairs, studio.verdicts(wide), RUN[studio.place.type]))
    plain = studio.generate([pair.original for pair in pairs], seeds, negative=setting.negative)
    return list(pairs_seen(studio, setting, numbers, pairs, (plain, wide)))


def pairs_seen(
    studio: Studio, setting: Setting, numbers: list[int], pairs: list[PromptPair], pictures: tuple[Tensor, Tensor]
) -> Iterator[Row]:
    """Rows of drawn pairs: what was asked for and found, objects, unasked treatments, four-way scores."""
    run = RUN[studio.place.type]
    plain, wide = (studio.verdicts(side) for side in pictures)
    scores = {name: four_ways(studio, name, pictures, pairs) for name in studio.scorers}
    for at, (number, pair) in enumerate(zip(numbers, pairs, strict=True)):
        told = _told(run, setting, number, SET)
        yield from judged(told, pair, plain[at], wide[at])
        for scorer, four in scores.items():
            for way, score in zip(WAYS, four[at], strict=True):
                yield Row(**told, scorer=scorer, way=way, number=round(float(score), 4))


def _told(run: str, setting: Setting, number: int, prompts: str) -> dict[str, Any]:
    return {
        "run": run, "row": setting.row, "prompt": f"{number:03d}", "prompt_set": prompts, "seed": str(setting.noise)
    }  # fmt: skip


def judged(told: dict[str, Any], pair: PromptPair, plain: Flags, wide: Flags) -> Iterator[Row]:
    """What the judge found of one pair: treatments asked for, objects in both pictures, treatments nobody asked for."""
    labels, told = splits.labels(), told | {"scorer": "judge"}
    company = "unseen" if pair.unseen else "single" if len(pair.asked) == 1 else "double"
    many = "one" if len(pair.scene.objects) == 1 else "two"
    for ask in pair.asked:
        label = f"treatment:{ask.treatment}"
        yield Row(**told, way="asked", kind=company, label=label, number=float(wide[labels.index(label)]))
    for thing in pair.scene.objects:
        label = f"object:{thing}"
        for way, kind, found in (("plain-objects", many, plain), ("wide-objects", company, wide)):
            yield Row(**told, way=way, kind=kind, label=label, number=float(found[labels.index(label)]))
    unasked = sum(bool(seen) for label, seen in zip(labels, plain, strict=True) if label.startswith("treatment:"))
    yield Row(**told, way="plain-unasked", kind=many, number=float(unasked))


def judge_seen(studio: Studio, setting: Setting, numbers: list[int], pairs: list[PromptPair]) -> Iterator[Row]:
    """What the judge finds of pictures that show exactly what was asked, as rendered or through the autoencoder."""
    for number, pair in zip(numbers, pairs, strict=True):
        both = np.stack([np.asarray(painting.render(pair.scene, asked, pair.seed)) for asked in ((), pair.asked)])
        shown = as_float(torch.from_numpy(both).to(studio.place))
        plain, wide = studio.verdicts(studio.decoded(shown) if setting.arm == RENDERERS[1] else shown)
        yield from judged(_told(RUN[studio.place.type], setting, number, SET), pair, plain, wide)


def faces_seen(setting: Setting, numbers: list[int], pairs: list[PromptPair], found: Flags, run: str) -> Iterator[Row]:
    """Whether the named negative emotion is seen, and whether a happy face is seen instead."""
    labels = splits.labels()
    for number, pair, seen in zip(numbers, pairs, found, strict=True):
        told = _told(run, setting, number, FACES) | {"scorer": "judge"}
        for way, emotion in (("emotion", pair.scene.emotion), ("happy", "happy")):
            label = f"emotion:{emotion}"
            yield Row(**told, way=way, label=label, number=float(seen[labels.index(label)]))


def four_ways(studio: Studio, name: str, pictures: tuple[Tensor, Tensor], pairs: list[PromptPair]) -> NDArray[Any]:
    """Cosines (n, 4) in the order of `WAYS`."""
    images = [studio.embed(side, name) for side in pictures]
    texts = [studio.embed_text([getattr(pair, side) for pair in pairs], name) for side in ("original", "requested")]
    return np.stack([(image * text).sum(-1).float().cpu().numpy() for image in images for text in texts], -1)
