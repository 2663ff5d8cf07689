"""The unit of the strength of alignment: 1 is the largest strength that leaves plain pictures intact.

On validation prompts (none of which is in any other set) the trainings of a variant at strength 1 lose at most two
points of the objects in plain pictures and gain at most .05 unasked treatments a picture over the base. The judge
measures here; it gives no gradient. What lies above is over-optimised: a part of what is lost there is damage and not
taste.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from miniature.shipping import pack
from miniature.world import splits

if TYPE_CHECKING:
    from miniature.nets import shapes
    from miniature.training.sampling import BatchSampler

GRID = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)  # multiples of the difference that was trained
RECALL_LOST, ARTIFACTS = 0.02, 0.05
PROMPTS = 300
MAIN_REWARDS = ("gatenone-low-s0", "gatenone-low-s1", "gatenone-low-s2")


def passes(base: Mapping[str, float], seen: Mapping[str, float]) -> bool:
    """Whether plain pictures kept their objects and gained no treatments, within the margins."""
    lost, gained = base["recall"] - seen["recall"], seen["artifacts"] - base["artifacts"]
    return round(lost, 9) <= RECALL_LOST and round(gained, 9) <= ARTIFACTS


def climb(
    base: Mapping[str, float], look: Callable[[float], dict[str, float]]
) -> tuple[float | None, dict[float, dict[str, float]]]:
    """The largest multiple of `GRID` up to which all pass, and what was seen on the way: up from 1 until one fails, or,
    where 1 fails, down until one passes. None where none does."""
    ladder = {1.0: look(1.0)}
    up = passes(base, ladder[1.0])
    for multiple in [at for at in GRID if at > 1] if up else [at for at in reversed(GRID) if at < 1]:
        ladder[multiple] = look(multiple)
        if passes(base, ladder[multiple]) != up:
            break
    return max((at for at, seen in ladder.items() if passes(base, seen)), default=None), ladder


def run(folder: Path, sizes: shapes.Sizes, part: str = "0/1", only: Sequence[str] = ()) -> dict[str, float]:
    """Find the unit of every `part`-th variant (or of `only` these) and write `alignment/{variant}.unit.json`.

    All trainings of a variant have one unit. Each draws its own share of the prompts, in turn, and the base draws all.
    What was drawn is kept in `calibration/`, for a run that goes on. Returns the units.
    """
    from miniature.nets import shapes
    from miniature.training.sampling import BatchSampler

    rewards = {path.stem for path in (folder / "rewards").glob("*.safetensors")}
    sampler = BatchSampler(folder, sizes, tuple(name for name in MAIN_REWARDS if name in rewards))
    pairs = splits.prompt_pairs("validation", PROMPTS if sizes is not shapes.TINY else 12)
    number, of = map(int, part.split("/"))
    units = {}
    for variant, trainings in list(variants(folder).items())[number::of]:
        target = folder / "alignment" / f"{variant}.unit.json"
        if target.exists() or (only and variant not in only):
            continue
        report = _calibrated(sampler, trainings, pairs)
        target.write_text(json.dumps(report))
        print(f"[calibrate] {variant} {report}", flush=True)
        units[variant] = report["unit"]
    return units


def _calibrated(sampler: BatchSampler, trainings: list[str], pairs: list[splits.PromptPair]) -> dict[str, Any]:
    """The unit of a variant, and what was seen on the way to it."""
    base = _plain(sampler, {None: 0.0}, pairs)
    found, ladder = climb(base, lambda multiple: _plain(sampler, dict.fromkeys(trainings, multiple), pairs))
    rows = [{"multiple": multiple} | row for multiple, row in sorted(ladder.items())]
    return {"unit": found or min(GRID), "passed": found is not None, "base": base, "rows": rows, "n": len(pairs)}


def variants(folder: Path) -> dict[str, list[str]]:
    """The trained arms of each variant."""
    found: dict[str, list[str]] = {}
    for path in sorted((folder / "alignment").glob("*.safetensors")):
        found.setdefault(pack.variant(path.stem), []).append(path.stem)
    return found


def _plain(sampler: BatchSampler, arms: dict[str | None, float], pairs: list[splits.PromptPair]) -> dict[str, float]:
    """Object recall, unasked treatments a picture and mean main reward, under plain prompts divided among the arms."""
    seen = [plain(sampler, arm, multiple, pairs[at :: len(arms)]) for at, (arm, multiple) in enumerate(arms.items())]
    shown, kept, unasked, reward = np.sum(seen, 0)
    return {"recall": kept / shown, "artifacts": unasked / len(pairs), "reward": reward / len(pairs)}


def plain(
    sampler: BatchSampler, arm: str | None, multiple: float, pairs: list[splits.PromptPair]
) -> tuple[float, float, float, float]:
    """Objects shown, of them found, unasked treatments found, and the sum of the main rewards, over all prompts."""
    kept = sampler.folder / "calibration" / f"{arm or 'base'}@{multiple:g}-{pairs[0].seed}-{len(pairs)}.json"
    if not kept.exists():
        sampler.align(arm, multiple, raw=True)
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(json.dumps(_counted(sampler, pairs)))
    counts: tuple[float, float, float, float] = tuple(json.loads(kept.read_text()))
    return counts


def _counted(sampler: BatchSampler, pairs: list[splits.PromptPair]) -> tuple[float, float, float, float]:
    shown = np.array([splits.label_row(pair.scene, ()) for pair in pairs], bool)
    prompts = [pair.original for pair in pairs]
    pictures = sampler.generate(prompts, [pair.seed for pair in pairs])
    found = sampler.verdicts(pictures)
    rewards = [(sampler.embed(pictures, name) * sampler.embed_text(prompts, name)).sum(-1) for name in sampler.scorers]
    kinds = np.array([label.split(":")[0] for label in splits.labels()])
    objects, treatments = kinds == "object", kinds == "treatment"
    return (
        float(shown[:, objects].sum()),
        float((found & shown)[:, objects].sum()),
        float(found[:, treatments].sum()),
        float(sum(reward.sum() for reward in rewards) / max(1, len(rewards))),
    )
