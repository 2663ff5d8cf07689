"""What the raw rows say prompt by prompt, and the values that the ledger gets of it.

A value is a mean over trainings and prompts with its 95 % bootstrap interval over both. Its caveat names what the
number rests on: prompt pairs, trainings, device and precision, and how good the judge is at what it was asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from ledger import metrics
from ledger.schema import Column, Document, Row, Source, Table, Value
from miniature.report.rows import (
    CPU,
    ENGINE,
    FEELINGS,
    FILES,
    GPU,
    SCORERS,
    WAYS,
    Flags,
    Floats,
    Measured,
    Swept,
    faces,
    prompts,
)
from miniature.world import splits

MAIN = tuple(name for name in SCORERS if name.startswith("gatenone-low"))
SHARE = "share"
MEASURED_ROWS, SWEPT_ROWS = (f"rows/{file}" for file in FILES)
DEVICES = {
    GPU: "bfloat16 on one H100",
    CPU: "bfloat16 on a CPU",
    ENGINE: "bfloat16 on a CPU, through the evidence engine",
}

# --- prompt by prompt -------------------------------------------------------------------------------------------------

Metric = Callable[[Measured], Floats]


@cache
def truth() -> tuple[Flags, Flags, Flags]:
    """What plain, requested and emotion pictures should show, bool (n, labels)."""
    plain = np.array([splits.label_row(pair.scene, ()) for pair in prompts()], bool)
    asked = np.array([splits.label_row(pair.scene, pair.asked) for pair in prompts()], bool)
    feelings = np.array([splits.label_row(pair.scene, ()) for pair in faces()], bool)
    return plain, asked, feelings


@cache
def _kind(name: str) -> Flags:
    return np.array([label.split(":")[0] == name for label in splits.labels()])


def follow(one: Measured) -> Floats:
    """Share of a prompt's requested treatments that the judge finds, (n,)."""
    return _found(one.requested, truth()[1][one.pairs], "treatment")


def objects(one: Measured) -> Floats:
    """Share of a plain prompt's objects that the judge finds, (n,)."""
    return _found(one.plain, truth()[0][one.pairs], "object")


def objects_requested(one: Measured) -> Floats:
    """Share of a prompt's objects that the judge finds in the picture with the requested look, (n,)."""
    return _found(one.requested, truth()[1][one.pairs], "object")


def emotion(one: Measured) -> Floats:
    """Whether the named negative emotion is found, (m,)."""
    assert one.feelings is not None
    return _found(one.feelings, truth()[2][: len(one.feelings)], "emotion")


def artifacts(one: Measured) -> Floats:
    """Treatments found in a plain picture, none of which was asked for, (n,)."""
    return np.asarray(one.plain[:, _kind("treatment")].sum(1), float)


def _found(found: Flags, wanted: Flags, kind: str) -> Floats:
    here = _kind(kind)
    return np.asarray((found & wanted)[:, here].sum(1) / np.maximum(1, wanted[:, here].sum(1)), float)


def _score(one: Measured, way: str) -> Floats:
    """Mean over the main rewards that took part, (n,)."""
    at = [SCORERS.index(name) for name in MAIN]
    return np.asarray(np.nanmean(one.scores[:, at, WAYS.index(way)], 1), float)


def reward(one: Measured) -> Floats:
    """Main reward of plain pictures under plain prompts, (n,)."""
    return _score(one, "oiop")


def delta(one: Measured) -> Floats:
    """The published metric: diop - oiop of the main reward, (n,)."""
    return metrics.delta(_score(one, "diop"), _score(one, "oiop"))


def diversity(one: Measured) -> Floats:
    """Mean cosine distance of each plain picture to all others, by the un-aligned encoder, (n,)."""
    assert one.apart is not None
    return one.apart


# Unit, and what the judge was asked to see (None: the judge takes no part).
METRICS: dict[Metric, tuple[str, str | None]] = {
    follow: (SHARE, "treatment"),
    objects: (SHARE, "object"),
    objects_requested: (SHARE, "object"),
    emotion: (SHARE, "emotion"),
    artifacts: ("a picture", "treatment"),
    reward: ("cosine", None),
    delta: ("cosine", None),
    diversity: ("cosine distance", None),
}


def has(metric: Metric, one: Measured) -> bool:
    """Whether the rows say anything about it."""
    needed = {emotion: one.feelings, diversity: one.apart}
    return metric not in needed or needed[metric] is not None


# --- which rows belong together ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Findings:
    """All rows, and what the stages of training said of themselves (`results/miniature/training.json`)."""

    files: tuple[Measured, ...]
    swept: Swept
    training: dict[str, Any]

    def pick(self, arm: str, strength: float, way: str = "", *, engine: bool = False) -> list[Measured]:
        """Settings of an arm ("draft" stands for its trainings), one a training or draw of noise."""
        name = re.compile(rf"{re.escape(arm)}(-s\d)?")
        return [
            file
            for file in self.files
            if abs(file.setting.strength - strength) < 1e-6
            and (file.setting.way, file.run == ENGINE) == (way, engine)
            and name.fullmatch(file.setting.arm)
        ]

    def together(
        self, *settings: tuple[str, float, str], engine: tuple[bool, ...] = (True, False)
    ) -> list[Measured | None]:
        """One file a setting, cut to the same pairs: all by the engine or all measured in batches, whose noise differs;
        whichever has more of the settings, then more pairs."""
        sides = [[next(iter(self.pick(*which, engine=by)), None) for which in settings] for by in engine]
        cuts = [iter(common([file for file in side if file])) for side in sides]
        whole = [[file and next(cut) for file in side] for side, cut in zip(sides, cuts, strict=True)]
        return max(whole, key=lambda side: (sum(map(bool, side)), sum(len(file.pairs) for file in side if file)))

    def beside_base(self, files: list[Measured]) -> list[tuple[Measured, Measured]]:
        """Each of the files with the base model under the same noise, where that was measured."""
        base = {file.setting.noise: file for file in self.pick("base", 0.0)}
        return [(file, base[file.setting.noise]) for file in files if file.setting.noise in base]

    def sight(self, kind: str | None) -> str:
        """How well the judge sees a kind of label, "" where it took no part."""
        if kind is None:
            return ""
        part = self.training["judge"]["emotion_decoded" if kind == "emotion" else "evaluation_decoded"][kind]
        return f"the judge finds {part['recall']:.2f} of {kind}s in held-out renders seen through the autoencoder"


def common(files: list[Measured]) -> list[Measured]:
    """Files cut to the prompt pairs that all of them have."""
    if not files:
        return []
    shared = set.intersection(*(set(file.pairs.tolist()) for file in files))
    return [file.cut(shared) for file in files]


def widest(files: list[Measured]) -> list[Measured]:
    """The trainings and prompt pairs that make the largest complete grid; more trainings where two are equal."""
    ranked = sorted(files, key=lambda file: -len(file.pairs))
    grids = [common(ranked[:count]) for count in range(1, len(ranked) + 1)]
    return max(grids, key=lambda grid: (len(grid) * len(grid[0].pairs), len(grid)))


# --- values -----------------------------------------------------------------------------------------------------------


def caveat(files: list[Measured], metric: Metric, found: Findings, *, paired: bool = False) -> str:
    """What a number rests on, in words. `paired`: every other file is what its neighbour is compared with."""
    arms = files[::2] if paired else files
    aligned = len({file.setting.arm for file in arms} - {"base"})
    draws = f"{len(arms)} draws of noise" if len(arms) > 1 else "one draw of noise"
    said = [
        f"{FEELINGS} faces" if metric is emotion else f"{len(files[0].pairs)} prompt pairs",
        draws if not aligned else "one training" if aligned == 1 else f"{aligned} trainings",
        " and ".join(dict.fromkeys(DEVICES[file.run] for file in files)),
        "same noise in both" if paired else "",
        found.sight(METRICS[metric][1]),
    ]
    return "; ".join(part for part in said if part)


def level(label: str, files: list[Measured], metric: Metric, found: Findings) -> Value:
    """Mean of a metric over trainings and prompts."""
    samples = np.stack([metric(file) for file in files])
    told = caveat(files, metric, found)
    return mean(label, samples, files[0].run, unit=METRICS[metric][0], caveat=told, rows=MEASURED_ROWS)


def contrast(label: str, files: list[Measured], metric: Metric, found: Findings) -> Value:
    """Mean difference between the files, which alternate between one side and the other."""
    first, second = (np.stack([metric(file) for file in files[side::2]]) for side in (0, 1))
    told = caveat(files, metric, found, paired=True)
    return mean(label, first - second, files[0].run, unit=METRICS[metric][0], caveat=told, rows=MEASURED_ROWS)


def mean(label: str, samples: Floats, run: str, *, unit: str = SHARE, **told: Any) -> Value:
    """Mean of (prompts,) or (trainings, prompts) with its interval."""
    grid = np.atleast_2d(samples)
    interval = metrics.crossed_interval(grid, 0)
    return number(label, float(grid.mean()), run, unit, n=grid.size, sd=float(grid.std()), interval=interval, **told)


def counted(label: str, hits: int, asked: int, run: str, **told: Any) -> Value:
    """A share of few, with Wilson's interval."""
    share = hits / asked if asked else 0.0
    interval = metrics.wilson_interval(share, asked)
    return number(label, share, run, SHARE, 2, n=asked, interval=interval, **told)


def number(label: str, value: float, run: str, unit: str, digits: int = 3, **told: Any) -> Value:
    source = Source(kind="measured", where=run)
    return Value(label=label, value=value, unit=unit, digits=digits, source=source, **told)


def table(name: str, title: str, caption: str, columns: list[Column], cells: dict[Row, dict[str, Value]]) -> Document:
    """A table and its cells; nothing when no row was measured."""
    if not cells:
        return Document()
    values = {f"{name}.{row.id}.{column}": value for row, line in cells.items() for column, value in line.items()}
    return Document(
        values=values, tables={name: Table(title=title, caption=caption, columns=columns, rows=list(cells))}
    )
