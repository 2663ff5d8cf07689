"""The unit of the knob, and up to where on it plain pictures are left alone.

On validation prompts (none of which is in any other set): plain object recall within two points of the base, under
0.05 unasked treatments a picture. The judge measures here; it gives no gradient.

DPO has no strength of its own: its unit is the largest multiple that passes. Reward back-propagation stops by itself,
on a reward that gave no gradient: its strength 1 is the variant as it stopped, whatever that costs, so that the knob
shows both the part where taste alone is at work (up to `validated`) and the part where pictures break.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from miniature.nets import shapes
from miniature.shipping import pack
from miniature.training import renders
from miniature.training.studio import Studio
from miniature.world import splits

GRID = (0.25, 0.4, 0.6, 0.8, 1.0, 1.3, 1.8, 2.5)
RECALL_LOST, ARTIFACTS = 0.02, 0.05


def run(folder: Path, sizes: shapes.Sizes, part: str = "0/1") -> dict[str, float]:
    """Find the unit of every `part`-th arm and write `alignment/{arm}.unit.json`; returns the units.

    A DPO arm is multiplied by it; from then on strength 1 is the arm in its file, rounded as it is shipped.
    """
    studio = Studio(folder, sizes)
    counts, _ = renders.stored_counts(folder / "data")
    pairs = splits.prompt_pairs("validation", counts.validation)
    captions, seeds = [pair.original for pair in pairs], [pair.seed for pair in pairs]
    shown = np.array([splits.label_row(pair.scene, ()) for pair in pairs], bool)
    base = _plain(studio, captions, seeds, shown)
    units = {}
    number, of = map(int, part.split("/"))
    for path in sorted((folder / "alignment").glob("*.safetensors"))[number::of]:
        if (folder / "alignment" / f"{path.stem}.unit.json").exists():
            continue
        rows: list[dict[str, Any]] = []
        validated = 0.0
        for multiple in GRID:
            studio.align(path.stem, multiple)
            rows.append({"multiple": multiple} | _plain(studio, captions, seeds, shown))
            if rows[-1]["recall"] < base["recall"] - RECALL_LOST or rows[-1]["artifacts"] >= ARTIFACTS:
                break
            validated = multiple
        unit = validated or GRID[0] if path.stem.startswith("dpo") else 1.0
        report = {"unit": unit, "validated": validated, "base": base, "rows": rows, "n": len(pairs)}
        stored = {key: value * unit if ".lora_B." in key else value for key, value in load_file(path).items()}
        save_file(pack.restore(pack.quantise(stored)), path.with_suffix(".scaled"))
        path.with_suffix(".scaled").replace(path)  # at once: a variant must not be scaled twice
        (folder / "alignment" / f"{path.stem}.unit.json").write_text(json.dumps(report))
        print(f"[calibrate] {path.stem} {unit} {rows[-1:]} base {base}", flush=True)
        units[path.stem] = unit
    return units


def _plain(studio: Studio, captions: list[str], seeds: list[int], shown: np.ndarray) -> dict[str, float]:
    """Object recall and unasked treatments a picture, under plain prompts."""
    found = studio.verdicts(studio.generate(captions, seeds))
    kinds = np.array([label.split(":")[0] for label in splits.labels()])
    objects, treatments = kinds == "object", kinds == "treatment"
    return {
        "recall": float((found & shown)[:, objects].sum() / shown[:, objects].sum()),
        "artifacts": float(found[:, treatments].sum(1).mean()),
    }
