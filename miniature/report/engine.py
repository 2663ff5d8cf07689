"""What the evidence engine measured of the miniature, as raw rows.

The engine draws with the stock pipelines, writes pictures as files and scores them from there, with seeds of its own:
none of the code of `measurement` takes part, so the two can be held against each other.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from miniature.report import rows
from miniature.report.rows import ENGINE, SCORERS, WAYS, Measured, Setting
from miniature.world import splits

# Scorers of the engine by their rows in evidence/cards/scorers.toml.
ENGINE_SCORERS = {
    "miniature-encoder": "encoder",
    "miniature-reward": "gatenone-low-s0",
    "miniature-reward-gate95": "gate95-low-s0",
    "miniature-reward-pluralist": "gatenone-high-s0",
}
COMMAND = "python build.py evidence --protocol pairs --run miniature-by-engine --models "
FOUND = 0.5  # probability from which a label counts as seen


Sample = dict[str, Any]
Pictures = dict[tuple[str, int], str]  # prompt and seed -> digest of the pixels


def samples(run: Path) -> list[Sample]:
    """All samples of `python build.py evidence --models miniature... --protocol pairs --run NAME`."""
    return [json.loads(path.read_text()) for path in sorted((run / "samples").glob("*/*.json"))]


def measured(samples: Sequence[Sample]) -> Iterator[Measured]:
    """One a setting, of pairs whose pictures have all their scores."""
    said: dict[str, dict[tuple[str, str], Any]] = {}
    for sample in (one for one in samples if one["stage"] == "score" and one["status"] == "done"):
        key = sample["made"]["scorer"], sample["identity"]["prompt"]
        said.setdefault(sample["identity"]["picture"], {})[key] = sample["result"]["score"]
    drawn: dict[Setting, Pictures] = {}
    for sample in (one for one in samples if one["stage"] == "generate" and one["status"] == "done"):
        of = sample["identity"]
        drawn.setdefault(_setting_of(of), {})[of["prompt"], of["seed"]] = sample["result"]["pixels"]
    for setting, pictures in sorted(drawn.items(), key=lambda item: repr(item[0])):
        if setting.way == "negative":
            pictures = _plain(drawn.get(replace(setting, way=""), {})) | pictures
        found = _judged(setting, pictures, said)
        if len(found.pairs):
            yield found


def _plain(pictures: Pictures) -> Pictures:
    plain = {pair.original for pair in rows.prompts()}
    return {key: pixels for key, pixels in pictures.items() if key[0] in plain}


def _setting_of(identity: dict[str, Any]) -> Setting:
    """The protocol passes a negative prompt to requested pictures only: the plain ones are those of the row without."""
    told, arm = identity["settings"], Path(identity["lora"]).name if identity["lora"] else "base"
    way = "unguided" if told["true_cfg_scale"] == 1 else "negative" if identity["negative"] else ""
    if told["method"] != "none":
        way = f"{told['method']}{told[told['method'] + '_scale']:g}"
    return Setting(arm, identity["lora_scale"] if arm != "base" else 0.0, "engine", way)


def _judged(setting: Setting, pictures: Pictures, said: dict[str, dict[tuple[str, str], Any]]) -> Measured:
    names, order = splits.labels(), [SCORERS.index(name) for name in ENGINE_SCORERS.values()]
    seeds = dict(pictures.keys())  # of the requested prompts, which are all different
    pairs, plain, requested, scores = [], [], [], []
    for number, pair in enumerate(rows.prompts()):
        texts = pair.original, pair.requested
        two = [said.get(pictures.get((text, seeds.get(pair.requested, -1)), ""), {}) for text in texts]
        if any(len(answers) < 2 * len(ENGINE_SCORERS) + 1 for answers in two):
            continue
        found = [[answers["miniature-judge", ""][name] >= FOUND for name in names] for answers in two]
        row = np.full((len(SCORERS), len(WAYS)), np.nan)
        row[order] = [[answers[scorer, text] for answers in two for text in texts] for scorer in ENGINE_SCORERS]
        pairs.append(number)
        plain.append(found[0])
        requested.append(found[1])
        scores.append(row)
    return Measured(setting, ENGINE, np.array(pairs), np.array(plain), np.array(requested), np.array(scores))


def provenance(samples: Sequence[Sample]) -> dict[str, Any]:
    """The run, read off its samples."""
    drawn = [sample for sample in samples if sample["stage"] == "generate"]
    made = [sample["made"] for sample in drawn]
    told: dict[str, set[str]] = {}
    for one in made:
        for name, version in one["software"].items():
            told.setdefault(name, set()).add(version)
    count = len({_setting_of(sample["identity"]) for sample in drawn})
    commits = ", ".join(sorted({one["commit"] for one in made}))
    return {
        "title": "The miniature: main comparison and ways back, by the evidence engine",
        "date": max(one["date"] for one in made)[:10],
        "command": COMMAND + ",".join(sorted({one["model"] for one in made})),
        "hardware": ", ".join(sorted({one["hardware"] for one in made})),
        "software": {name: ", ".join(sorted(versions)) for name, versions in sorted(told.items())},
        "seconds": round(sum(one["seconds"] for one in made), 1),
        "note": f"{len(drawn)} pictures of {count} settings, weights in bfloat16, at commit {commits}.",
    }
