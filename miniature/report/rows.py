"""The raw rows behind every number of the miniature: what judge and scorers said of each pair of pictures.

`results/rows/miniature.csv.gz` has a row per setting and prompt pair, `miniature-rewards.csv.gz` one per reward of the
sweep and pair. They are gathered from the working files of a training folder and from runs of the evidence engine;
`document` reads nothing else, so that any number can be checked without a GPU.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from miniature.world import splits

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
GPU, CPU, ENGINE = "miniature-gpu", "miniature-cpu", "miniature-by-engine"  # ids of runs
PAIRS, FEELINGS = 300, 60
WAYS = ("oiop", "oidp", "diop", "didp")  # the picture, then the prompt: o plain, d requested
SCORERS = (
    "encoder", "gatenone-low-s0", "gatenone-low-s1", "gatenone-low-s2", "gatenone-high-s0", "gate95-low-s0",
)  # fmt: skip
SWEPT = ("generated", "moods", "rendered", "rendered_emotion")
DECIMALS = 5
FILES = ("miniature.csv.gz", "miniature-rewards.csv.gz")


@dataclass(frozen=True)
class Setting:
    """One way to draw the evaluation prompts. `arm` is "base" or an aligned variant; `way` is "" for plain guided
    sampling; `noise` is added to the seed of each prompt, "engine" where the evidence engine chose the seeds."""

    arm: str
    strength: float
    noise: str
    way: str = ""


@dataclass(frozen=True)
class Measured:
    """What was seen under one setting. `pairs` int (n,): which prompt pairs; `plain` and `requested` (n, labels): what
    the judge found; `scores` (n, scorers, 4), nan where a scorer did not take part; `apart` (n,): mean cosine distance
    of a plain picture to all others; `feelings` (m, labels): what it found where a negative feeling was named."""

    setting: Setting
    run: str
    pairs: NDArray[np.int64]
    plain: Flags
    requested: Flags
    scores: Floats
    apart: Floats | None = None
    feelings: Flags | None = None

    def cut(self, pairs: Iterable[int]) -> Measured:
        """Only some of the pairs. `apart` goes, since it compares a picture with all others, unless all stay."""
        at = np.flatnonzero(np.isin(self.pairs, list(pairs)))
        if len(at) == len(self.pairs):
            return self
        parts = {name: getattr(self, name)[at] for name in ("pairs", "plain", "requested", "scores")}
        return replace(self, apart=None, **parts)


@dataclass(frozen=True)
class Swept:
    """Cosines of every reward of the sweep on the pairs of one kind (rewards, n, 4), see `SWEPT`."""

    names: tuple[str, ...]
    scores: dict[str, Floats]


# --- gathering --------------------------------------------------------------------------------------------------------


def measured_in(folder: Path) -> Iterator[Measured]:
    """The working files below `folder/measured`, one a setting."""
    for path in sorted((folder / "measured").glob("*.npz")):
        match = re.fullmatch(r"(.+)@([\d.]+)-n(\d)(?:-(\w+))?", path.stem)
        if match:
            with np.load(path) as arrays:
                yield _measured(Setting(match[1], float(match[2]), match[3], match[4] or ""), dict(arrays))


def _measured(setting: Setting, arrays: dict[str, Any]) -> Measured:
    count = len(arrays["found_plain"])
    scores = np.full((count, len(SCORERS), len(WAYS)), np.nan)
    for name, part in zip(arrays["scorers"], arrays["scores"], strict=True):
        scores[:, SCORERS.index(str(name))] = part
    return Measured(
        setting,
        str(arrays["run"]),
        np.asarray(arrays["pairs"], np.int64),
        arrays["found_plain"],
        arrays["found_requested"],
        scores,
        apart(arrays["plain"]),
        arrays.get("found_emotion"),
    )


def apart(vectors: NDArray[Any]) -> Floats:
    """Mean cosine distance of each vector (n, d) to all others."""
    unit = np.asarray(vectors, float)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    return np.asarray(1 - ((unit @ unit.T).sum(1) - 1) / (len(unit) - 1), float)


def swept_in(folder: Path) -> Swept:
    """The rewards of the sweep on the base model's pictures and on rendered truth."""
    with np.load(folder / "measured" / "base@0.000-n0.npz") as arrays:
        scores = {kind: np.asarray(arrays[f"all_{kind}"], float) for kind in SWEPT}
        return Swept(tuple(map(str, arrays["all_names"])), scores)


# --- files ------------------------------------------------------------------------------------------------------------


@cache
def prompts() -> list[splits.PromptPair]:
    return splits.prompt_pairs("evaluation", PAIRS)


@cache
def faces() -> list[splits.PromptPair]:
    """Prompts that name a negative feeling."""
    return [pair for pair, _ in splits.emotion_pairs(FEELINGS)]


HEAD = ("run", "arm", "strength", "noise", "way", "set", "prompt", "asked", "seen_plain", "seen_requested", "apart")


def write(folder: Path, measured: Iterable[Measured], swept: Swept) -> None:
    """Both files below `folder`; the same rows give the same bytes."""
    ways = [f"{scorer}.{way}" for scorer in SCORERS for way in WAYS]
    lines = [line for one in measured for line in _lines(one)]
    _write(folder / FILES[0], (*HEAD, *ways), sorted(lines, key=lambda line: (line[1:6], int(line[6]))))
    rewards = [
        (kind, str(pair), name, *map(_digits, scores[at, pair]))
        for kind, scores in swept.scores.items()
        for at, name in enumerate(swept.names)
        for pair in range(scores.shape[1])
    ]
    _write(folder / FILES[1], ("set", "prompt", "reward", *WAYS), rewards)


def _lines(one: Measured) -> Iterator[tuple[str, ...]]:
    setting = one.setting
    about = (one.run, setting.arm, f"{setting.strength:g}", setting.noise, setting.way)
    for at, pair in enumerate(one.pairs):
        asked = ";".join(ask.treatment for ask in prompts()[pair].asked)
        seen = _words(one.plain[at]), _words(one.requested[at])
        distance = "" if one.apart is None else _digits(one.apart[at])
        yield (*about, "pair", str(pair), asked, *seen, distance, *map(_digits, one.scores[at].ravel()))
    for at, flags in enumerate(() if one.feelings is None else one.feelings):
        named = faces()[at].scene.emotion or ""
        yield (*about, "feeling", str(at), named, "", _words(flags), "", *[""] * one.scores[0].size)


def _digits(number: float) -> str:
    return "" if np.isnan(number) else f"{number:.{DECIMALS}f}"


def _words(flags: Flags) -> str:
    names = splits.labels()
    return ";".join(names[at] for at in np.flatnonzero(flags))


def _write(path: Path, head: Sequence[str], lines: Iterable[Sequence[str]]) -> None:
    sheet = io.StringIO()
    writer = csv.writer(sheet, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(lines)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(sheet.getvalue().encode(), 9, mtime=0))


def read(folder: Path) -> tuple[list[Measured], Swept]:
    """What `write` wrote."""
    groups: dict[tuple[Setting, str], list[dict[str, str]]] = {}
    for line in _read(folder / FILES[0]):
        setting = Setting(line["arm"], float(line["strength"]), line["noise"], line["way"])
        groups.setdefault((setting, line["run"]), []).append(line)
    measured = [_parsed(setting, run, lines) for (setting, run), lines in groups.items()]
    scores: dict[str, dict[str, list[list[float]]]] = {}
    for line in _read(folder / FILES[1]):
        scores.setdefault(line["set"], {}).setdefault(line["reward"], []).append([float(line[way]) for way in WAYS])
    names = tuple(next(iter(scores.values())))
    return measured, Swept(names, {kind: np.array(list(found.values())) for kind, found in scores.items()})


def _parsed(setting: Setting, run: str, lines: list[dict[str, str]]) -> Measured:
    pairs = [line for line in lines if line["set"] == "pair"]
    feelings = [line for line in lines if line["set"] == "feeling"]
    scores = [[float(line[f"{name}.{way}"] or "nan") for name in SCORERS for way in WAYS] for line in pairs]
    return Measured(
        setting,
        run,
        np.array([int(line["prompt"]) for line in pairs]),
        np.array([_flags(line["seen_plain"]) for line in pairs]),
        np.array([_flags(line["seen_requested"]) for line in pairs]),
        np.array(scores).reshape(-1, len(SCORERS), len(WAYS)),
        np.array([float(line["apart"]) for line in pairs]) if pairs[0]["apart"] else None,
        np.array([_flags(line["seen_requested"]) for line in feelings]) if feelings else None,
    )


@cache
def _flags(words: str) -> Flags:
    known = words.split(";")
    return np.array([name in known for name in splits.labels()])


def _read(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", newline="") as lines:
        yield from csv.DictReader(lines)
