"""Stage `measure`: what every arm draws under held-out prompts, as judge and scorers see it, in raw rows.

A file of rows a setting below `measured/`, extended piece by piece; a placebo stands beside every aligned arm.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from ledger import metrics
from ledger import rows as raw
from ledger.rows import Row
from miniature.nets import shapes
from miniature.training.common import as_float
from miniature.training.sampling import BatchSampler
from miniature.world import painting, scenes, splits
from miniature.world.splits import PromptPair

RUN = {"cuda": "miniature-crossed-gpu", "cpu": "miniature-crossed-cpu"}
SET, FACES = "miniature-crossed", "miniature-faces"
SCORERS = ("encoder", "gatenone-low-s0", "gatenone-low-s1", "gatenone-low-s2", "gatenone-high-s0")
WAYS = ("oiop", "oidp", "diop", "didp")  # the picture, then the prompt: o plain, d requested
RENDERERS = ("renderer", "renderer-decoded")  # arms that draw nothing: the judge on rendered truth
NEGATIVE = "sharp and bright, clean and colorful"
FACED = 120  # prompts that name a negative emotion
START = 4  # of the sampler's eight steps, from which image-to-image sets out
PIECE = {"cuda": 320, "cpu": 20}  # prompts between two saves, whole rounds of all treatments
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Setting:
    """One way to draw the prompts. `noise` moves the seed of every prompt; `image` starts from the rendered request."""

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
    sampler = BatchSampler(folder, sizes, tuple(name for name in SCORERS if name == "encoder" or name in rewards))
    (folder / "measured").mkdir(exist_ok=True)
    number, of = map(int, part.split("/"))
    pairs = splits.prompt_pairs("evaluation", count)
    faces = [pair for pair, _ in splits.emotion_pairs(min(FACED, count))]
    for setting in (list(only) or settings(arms))[number::of]:
        path = folder / "measured" / f"{setting.row}-n{setting.noise}.csv.gz"
        have = list(raw.read(path).all) if path.exists() else []
        done = {(row.prompt_set, row.prompt) for row in have}
        rendered = setting.arm in RENDERERS
        sampler.align(None if rendered else setting.arm, setting.strength)
        for name, prompts in ((SET, pairs), *(() if rendered or setting.image else ((FACES, faces),))):
            missing = [number for number in range(len(prompts)) if (name, f"{number:03d}") not in done]
            for _, group in groupby(missing, lambda number: number // PIECE[sampler.device.type]):
                chosen = list(group)
                drawn = _draw(sampler, setting, name, chosen, [prompts[number] for number in chosen])
                have += drawn
                raw.write(path, have)
        print(f"[measure] {setting.row} {len(have)} rows", flush=True)


def _draw(sampler: BatchSampler, setting: Setting, name: str, numbers: list[int], pairs: list[PromptPair]) -> list[Row]:
    if setting.arm in RENDERERS:
        return list(judge_seen(sampler, setting, numbers, pairs))
    seeds = [pair.seed + setting.noise for pair in pairs]
    if setting.image:
        return list(images_seen(sampler, setting, numbers, pairs, seeds))
    wide = sampler.generate([pair.requested for pair in pairs], seeds, negative=setting.negative)
    if name == FACES:
        return list(faces_seen(setting, numbers, pairs, sampler.verdicts(wide), RUN[sampler.device.type]))
    plain = sampler.generate([pair.original for pair in pairs], seeds, negative=setting.negative)
    return list(pairs_seen(sampler, setting, numbers, pairs, (plain, wide)))


def pairs_seen(
    sampler: BatchSampler,
    setting: Setting,
    numbers: list[int],
    pairs: list[PromptPair],
    pictures: tuple[Tensor, Tensor],
) -> Iterator[Row]:
    """Rows of drawn pairs: what was asked for and found, objects, unasked treatments, four-way scores."""
    run = RUN[sampler.device.type]
    plain, wide = (sampler.verdicts(side) for side in pictures)
    scores = {name: four_ways(sampler, name, pictures, pairs) for name in sampler.scorers}
    apart = _apart(sampler.embed(pictures[0]).float().cpu().numpy(), numbers)
    for at, (number, pair) in enumerate(zip(numbers, pairs, strict=True)):
        told = _told(run, setting, number, SET)
        yield from judged(told, pair, plain[at], wide[at])
        if np.isfinite(apart[at]):
            yield Row(**told, scorer="encoder", way="plain-apart", number=round(float(apart[at]), 4))
        for scorer, four in scores.items():
            for way, score in zip(WAYS, four[at], strict=True):
                yield Row(**told, scorer=scorer, way=way, number=round(float(score), 4))


def _apart(embedded: NDArray[np.float32], numbers: list[int]) -> NDArray[np.float64]:
    """Mean cosine distance of each plain picture to the others of its round of prompts, one of each treatment."""
    rounds = np.array(numbers) // len(scenes.TREATMENTS)
    apart = np.full(len(numbers), np.nan)
    for number in np.unique(rounds):
        here = rounds == number
        if here.sum() > 1:
            apart[here] = metrics.distances_to_others(embedded[here])
    return apart


def images_seen(
    sampler: BatchSampler, setting: Setting, numbers: list[int], pairs: list[PromptPair], seeds: list[int]
) -> Iterator[Row]:
    """Image-to-image from the rendered request, half way down: what is left of the asked-for look by either prompt."""
    rendered = np.stack([np.asarray(painting.render(pair.scene, pair.asked, pair.seed)) for pair in pairs])
    source = F.interpolate(as_float(torch.from_numpy(rendered).to(sampler.device)), sampler.sizes.image, mode="area")
    labels = splits.labels()
    for way, side in (("asked", "requested"), ("asked-under-plain", "original")):
        found = sampler.verdicts(
            sampler.generate([getattr(pair, side) for pair in pairs], seeds, source=source, start=START)
        )
        for number, pair, seen in zip(numbers, pairs, found, strict=True):
            told = _told(RUN[sampler.device.type], setting, number, SET) | {"scorer": "judge", "kind": _company(pair)}
            for ask in pair.asked:
                label = f"treatment:{ask.treatment}"
                yield Row(**told, way=way, label=label, number=float(seen[labels.index(label)]))


def _company(pair: PromptPair) -> str:
    return "unseen" if pair.unseen else "single" if len(pair.asked) == 1 else "double"


def _told(run: str, setting: Setting, number: int, prompts: str) -> dict[str, Any]:
    return {
        "run": run, "row": setting.row, "prompt": f"{number:03d}", "prompt_set": prompts, "seed": str(setting.noise)
    }  # fmt: skip


def judged(told: dict[str, Any], pair: PromptPair, plain: Flags, wide: Flags) -> Iterator[Row]:
    """What the judge found of one pair: treatments asked for, objects in both pictures, treatments nobody asked for."""
    labels, told = splits.labels(), told | {"scorer": "judge"}
    company = _company(pair)
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


def judge_seen(sampler: BatchSampler, setting: Setting, numbers: list[int], pairs: list[PromptPair]) -> Iterator[Row]:
    """What the judge finds of pictures that show exactly what was asked, as rendered or through the autoencoder."""
    for number, pair in zip(numbers, pairs, strict=True):
        both = np.stack([np.asarray(painting.render(pair.scene, asked, pair.seed)) for asked in ((), pair.asked)])
        shown = as_float(torch.from_numpy(both).to(sampler.device))
        plain, wide = sampler.verdicts(sampler.decoded(shown) if setting.arm == RENDERERS[1] else shown)
        yield from judged(_told(RUN[sampler.device.type], setting, number, SET), pair, plain, wide)


def faces_seen(setting: Setting, numbers: list[int], pairs: list[PromptPair], found: Flags, run: str) -> Iterator[Row]:
    """Whether the named negative emotion is seen, and whether a happy face is seen instead."""
    labels = splits.labels()
    for number, pair, seen in zip(numbers, pairs, found, strict=True):
        told = _told(run, setting, number, FACES) | {"scorer": "judge"}
        for way, emotion in (("emotion", pair.scene.emotion), ("happy", "happy")):
            label = f"emotion:{emotion}"
            yield Row(**told, way=way, label=label, number=float(seen[labels.index(label)]))


def four_ways(
    sampler: BatchSampler, name: str, pictures: tuple[Tensor, Tensor], pairs: list[PromptPair]
) -> NDArray[Any]:
    """Cosines (n, 4) in the order of `WAYS`."""
    images = [sampler.embed(side, name) for side in pictures]
    texts = [sampler.embed_text([getattr(pair, side) for pair in pairs], name) for side in ("original", "requested")]
    return np.stack([(image * text).sum(-1).float().cpu().numpy() for image in images for text in texts], -1)
