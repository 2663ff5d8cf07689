"""What every arm draws under held-out prompts, as judge and scorers see it: working files, one a setting.

`miniature.report.rows` makes the raw rows of the repository from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from miniature.annotators import CELLS
from miniature.nets import shapes
from miniature.report.rows import CPU, FEELINGS, GPU
from miniature.training import renders
from miniature.training.common import Pictures, as_float
from miniature.training.studio import Studio
from miniature.world import splits

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5)
SCORERS = ("encoder", "gatenone-low-s0", "gatenone-low-s1", "gatenone-low-s2", "gatenone-high-s0")
NEGATIVE = "sharp and bright, clean and colorful"
IMAGE_START = 4  # of 8 steps: strength 0.5
PIECE = {"cuda": 300, "cpu": 20}  # pairs between two saves


@dataclass(frozen=True)
class Setting:
    """One way to draw the evaluation prompts. `seed` moves the noise of every prompt."""

    arm: str | None
    strength: float
    seed: int
    negative: str = ""
    from_image: bool = False

    @property
    def id(self) -> str:
        way = "-negative" if self.negative else "-image" if self.from_image else ""
        return f"{self.arm or 'base'}@{self.strength:.3f}-n{self.seed}{way}"


def settings(arms: set[str]) -> tuple[Setting, ...]:
    """Everything that is measured, for the arms that exist, most important first."""
    seeds = range(3)
    chosen = [Setting(None, 0.0, seed) for seed in seeds]
    main = [(f"{family}-s{seed}", seed) for family in ("draft", "dpo") for seed in seeds]
    others = ("draft-pluralist", "draft-gate95", "draft-hacked")
    chosen += [Setting(arm, strength, seed) for strength in (1.0, 0.5, 1.5) for arm, seed in main]
    chosen += [Setting(arm, 1.0, 0) for arm in others]
    chosen += [Setting(f"draft-s{seed}", 1.0, seed, negative=NEGATIVE) for seed in seeds]
    chosen += [Setting(arm, strength, seed) for strength in (0.25, 0.75, 1.25) for arm, seed in main]
    chosen += [Setting(None, 0.0, seed, from_image=True) for seed in seeds]
    chosen += [Setting(f"draft-s{seed}", 1.0, seed, from_image=True) for seed in seeds]
    chosen += [Setting(None, 0.0, seed, negative=NEGATIVE) for seed in seeds]
    chosen += [Setting(arm, 1.0, seed) for seed in (1, 2) for arm in others]
    chosen += [Setting(arm, strength, 0) for strength in (0.5, 1.5) for arm in others]
    return tuple(setting for setting in chosen if setting.arm is None or setting.arm in arms)


def run(
    folder: Path, sizes: shapes.Sizes, part: str = "0/1", *, only: tuple[Setting, ...] = (), every: int = 1
) -> None:
    """Measure every `part`-th setting below `folder/measured`: the pairs that are missing there, piece by piece.

    `only` names settings of one's own; `every` n takes every n-th pair of prompts, for a machine without a GPU.
    """
    arms = {path.stem for path in (folder / "alignment").glob("*.safetensors")}
    rewards = {path.stem for path in (folder / "rewards").glob("*.safetensors")}
    scorers = tuple(name for name in SCORERS if name == "encoder" or name in rewards)
    number, of = map(int, part.split("/"))
    counts, _ = renders.stored_counts(folder / "data")
    (folder / "measured").mkdir(exist_ok=True)
    studio = Studio(folder, sizes, scorers)
    for setting in (only or settings(arms))[number::of]:
        path = folder / "measured" / f"{setting.id}.npz"
        have = dict(np.load(path)) if path.exists() else {}
        asked = np.arange(0, counts.evaluation, every)
        missing = np.setdiff1d(asked, have.get("pairs", []))
        if len(missing) and have and str(have["run"]) != run_of(studio):  # never two devices in one file
            have, missing = {}, asked
        studio.align(setting.arm, setting.strength)
        for piece in np.array_split(missing, np.arange(0, len(missing), PIECE[studio.place.type])[1:]):
            if len(piece):
                arrays = measure(studio, folder, setting, piece, feelings="found_emotion" not in have)
                have = merge(have, arrays) if have else arrays
                store(path, have)
        if setting == Setting(None, 0.0, 0) and every == 1 and "all_names" not in have:
            store(path, have | _all_rewards(studio, folder, have))
        print(f"[measure] {setting.id} {len(have['pairs'])}", flush=True)


def run_of(studio: Studio) -> str:
    """Id of the run whose device this is."""
    return GPU if studio.place.type == "cuda" else CPU


def merge(have: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Arrays of one setting over the prompt pairs of both, in order of the pairs."""
    pairs = np.concatenate([have["pairs"], more["pairs"]])
    order = np.argsort(pairs)
    joined = {"pairs": pairs[order]}
    joined |= {
        name: np.concatenate([have[name], more[name]])[order] for name in ("found_plain", "found_requested", "plain")
    }
    joined["scores"] = np.concatenate([have["scores"], more["scores"]], 1)[:, order]
    return have | more | joined


def store(path: Path, arrays: dict[str, Any]) -> None:
    """Write arrays so that a run that is killed leaves the file of before."""
    partial = path.with_suffix(".tmp.npz")
    np.savez_compressed(partial, **arrays)
    partial.replace(path)


def measure(
    studio: Studio, folder: Path, setting: Setting, chosen: np.ndarray, *, feelings: bool = True
) -> dict[str, Any]:
    """Arrays of one setting. `pairs` int (n,): which prompt pairs.

    `found_plain`, `found_requested` bool (n, labels); `scores` float (scorers, n, 4): oiop, oidp, diop, didp;
    `plain` float16 (n, d): encoder embeddings of the plain pictures; `found_emotion` bool (m, labels).
    """
    counts, _ = renders.stored_counts(folder / "data")
    everything = splits.prompt_pairs("evaluation", counts.evaluation)
    pairs = [everything[number] for number in chosen]
    seeds = [pair.seed + setting.seed for pair in pairs]
    plain, asked = [pair.original for pair in pairs], [pair.requested for pair in pairs]
    source = None
    if setting.from_image:
        rendered = Pictures(folder / "data", "evaluation", studio.place).complete()
        source = as_float(rendered.image[1::2][torch.from_numpy(chosen)])
    way: dict[str, Any] = {
        "negative": setting.negative,
        "source": source,
        "start": IMAGE_START if setting.from_image else 0,
    }
    one = studio.generate(plain, seeds, **way)
    two = studio.generate(asked, seeds, **way)
    arrays: dict[str, Any] = {"run": run_of(studio), "pairs": chosen}
    arrays |= {"found_plain": studio.verdicts(one), "found_requested": studio.verdicts(two)}
    embedded = {name: (studio.embed(one, name), studio.embed(two, name)) for name in studio.scorers}
    arrays["scores"] = np.stack([_four(studio, name, embedded[name], plain, asked) for name in studio.scorers])
    arrays["scorers"] = np.array(list(studio.scorers))
    arrays["plain"] = embedded["encoder"][0].half().cpu().numpy()
    if feelings and not setting.from_image:
        faces = splits.emotion_pairs(min(FEELINGS, counts.emotion))
        named = studio.generate(
            [pair.requested for pair, _ in faces],
            [pair.seed + setting.seed for pair, _ in faces],
            negative=setting.negative,
        )
        arrays["found_emotion"] = studio.verdicts(named)
    return arrays


def _four(studio: Studio, name: str, images: tuple[Tensor, Tensor], plain: list[str], asked: list[str]) -> np.ndarray:
    """Cosines (n, 4): oiop, oidp, diop, didp."""
    texts = studio.embed_text(plain, name), studio.embed_text(asked, name)
    four = [(images[i] * texts[t]).sum(-1) for i in (0, 1) for t in (0, 1)]
    return np.asarray(torch.stack(four, -1).float().cpu().numpy())


def _all_rewards(studio: Studio, folder: Path, base: dict[str, Any]) -> dict[str, Any]:
    """Every reward of the sweep on the base model's pictures and on rendered truth: cosines (rewards, n, 4).

    For feelings the four are: happy or named picture under the happy, then the named prompt; happy first.
    """
    from miniature.training import encoder, rewards

    counts, _ = renders.stored_counts(folder / "data")
    pairs = splits.prompt_pairs("evaluation", counts.evaluation)
    seeds = [pair.seed for pair in pairs]
    plain, asked = [pair.original for pair in pairs], [pair.requested for pair in pairs]
    pictures = studio.generate(plain, seeds), studio.generate(asked, seeds)
    feelings = splits.emotion_pairs(min(FEELINGS, counts.emotion))
    faces = [[getattr(pair, side) for pair, _ in feelings] for side in ("original", "requested")]
    noise = [pair.seed for pair, _ in feelings]
    moods = studio.generate(faces[0], noise), studio.generate(faces[1], noise)
    rendered = {name: Pictures(folder / "data", name, studio.place).complete() for name in ("evaluation", "emotion")}
    stored = {path.stem for path in (folder / "rewards").glob("*.safetensors")}
    names = [name for seed in range(3) for cell in CELLS if (name := f"{cell.id}-s{seed}") in stored]
    out: dict[str, list[np.ndarray]] = {"generated": [], "moods": [], "rendered": [], "rendered_emotion": []}
    for name in ("encoder", *names):
        if name not in studio.scorers:
            studio.scorers[name] = rewards.load(folder, name, studio.place)
        out["generated"].append(
            _four(studio, name, (studio.embed(pictures[0], name), studio.embed(pictures[1], name)), plain, asked)
        )
        out["moods"].append(
            _four(studio, name, (studio.embed(moods[0], name), studio.embed(moods[1], name)), faces[0], faces[1])
        )
        for key, side in (("rendered", "evaluation"), ("rendered_emotion", "emotion")):
            score = encoder.scores(studio.scorers[name], rendered[side])
            out[key].append(score.flatten(0, 1).T.float().cpu().numpy())
        if name not in base["scorers"]:
            del studio.scorers[name]
    return {f"all_{key}": np.stack(value) for key, value in out.items()} | {"all_names": np.array(["encoder", *names])}
