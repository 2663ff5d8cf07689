"""The unit of the knob: strength 1 is the largest at which plain pictures are left alone.

On validation prompts (none of which is in any other set) a training at strength 1 loses at most two points of the
objects in plain pictures and gains at most .05 unasked treatments a picture over the base. The judge measures here; it
gives no gradient. What lies above is over-optimised: a part of what is lost there is damage and not taste.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from miniature.world import splits

if TYPE_CHECKING:
    from miniature.nets import shapes
    from miniature.training.studio import Studio

GRID = (0.125, 0.25, 0.375, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)  # multiples of the difference that was trained
RECALL_LOST, ARTIFACTS = 0.02, 0.05
PROMPTS = 480
MAIN_REWARDS = ("gatenone-low-s0", "gatenone-low-s1", "gatenone-low-s2")


def unit(base: Mapping[str, float], ladder: Mapping[float, Mapping[str, float]]) -> float | None:
    """The largest multiple that passes with all smaller ones; None where the smallest fails."""
    found = None
    for multiple in sorted(ladder):
        lost = base["recall"] - ladder[multiple]["recall"]
        gained = ladder[multiple]["artifacts"] - base["artifacts"]
        if round(lost, 9) > RECALL_LOST or round(gained, 9) > ARTIFACTS:
            break
        found = multiple
    return found


def run(folder: Path, sizes: shapes.Sizes, part: str = "0/1") -> dict[str, float]:
    """Find the unit of every `part`-th arm and write `alignment/{arm}.unit.json`; returns the units."""
    from miniature.nets import shapes
    from miniature.training.studio import Studio

    rewards = {path.stem for path in (folder / "rewards").glob("*.safetensors")}
    studio = Studio(folder, sizes, tuple(name for name in MAIN_REWARDS if name in rewards))
    pairs = splits.prompt_pairs("validation", PROMPTS if sizes is not shapes.TINY else 12)
    base = plain(studio, pairs)
    units = {}
    number, of = map(int, part.split("/"))
    for path in sorted((folder / "alignment").glob("*.safetensors"))[number::of]:
        target = path.with_suffix(".unit.json")
        if target.exists():
            continue
        ladder: dict[float, dict[str, float]] = {}
        for multiple in GRID:
            studio.align(path.stem, multiple, raw=True)
            ladder[multiple] = plain(studio, pairs)
            if unit(base, ladder) != multiple:
                break
        found = unit(base, ladder)
        rows = [{"multiple": multiple} | row for multiple, row in ladder.items()]
        report = {"unit": found or GRID[0], "passed": found is not None, "base": base, "rows": rows, "n": len(pairs)}
        target.write_text(json.dumps(report))
        print(f"[calibrate] {path.stem} {report['unit']} {rows[-1:]} base {base}", flush=True)
        units[path.stem] = report["unit"]
    return units  # type: ignore[return-value]


def plain(studio: Studio, pairs: list[splits.PromptPair]) -> dict[str, float]:
    """Object recall, unasked treatments a picture and mean main reward, under plain prompts."""
    shown = np.array([splits.label_row(pair.scene, ()) for pair in pairs], bool)
    prompts = [pair.original for pair in pairs]
    pictures = studio.generate(prompts, [pair.seed for pair in pairs])
    found = studio.verdicts(pictures)
    rewards = [(studio.embed(pictures, name) * studio.embed_text(prompts, name)).sum(-1) for name in studio.scorers]
    kinds = np.array([label.split(":")[0] for label in splits.labels()])
    objects, treatments = kinds == "object", kinds == "treatment"
    return {
        "recall": float((found & shown)[:, objects].sum() / shown[:, objects].sum()),
        "artifacts": float(found[:, treatments].sum(1).mean()),
        "reward": float(sum(reward.mean() for reward in rewards) / max(1, len(rewards))),
    }
