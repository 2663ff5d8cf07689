"""Scores of an evidence run as one mapping that can be committed and compared: generator | prompt -> scorer | text."""

from __future__ import annotations

import json
from pathlib import Path


def scores(run: Path) -> dict[str, dict[str, float]]:
    """All single-number scores of a run folder, by picture."""
    samples = [json.loads(path.read_text()) for path in sorted((run / "samples").glob("*/*.json"))]
    drawn = {s["result"]["pixels"]: s for s in samples if s["stage"] == "generate"}
    found: dict[str, dict[str, float]] = {}
    for sample in samples:
        if sample["stage"] == "score" and isinstance(sample["result"]["score"], float):
            made = drawn[sample["identity"]["picture"]]
            key = f"{made['made']['model']} | {made['identity']['prompt']}"
            text = f"{sample['made']['scorer']} | {sample['identity']['prompt']}"
            found.setdefault(key, {})[text] = round(sample["result"]["score"], 4)
    return found
