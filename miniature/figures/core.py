"""Every published figure of the miniature, as a measure of its raw rows: what is compared, over what, how uncertain.

`results/rows/miniature.csv.gz` holds what judge and scorers said of each drawn picture, `miniature-rewards.csv.gz` what
every reward said of the same pairs. A figure is data (`ledger.schema.Measure`): `python build.py recompute` and the
reader's browser evaluate the same. Intervals: over trainings by Student's t where several trainings are compared,
otherwise by resampling prompts. What was not measured is left out, never filled in.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ledger import measures
from ledger import rows as raw
from ledger.schema import Column, Document, Identifying, Measure, Row, Selection, Source, Table, Value
from miniature.calibration import MAIN_REWARDS

GPU, CPU, ENGINE, PLACEBOS = "miniature-gpu", "miniature-cpu", "miniature-by-engine", "miniature-crossed"
CROSSED, CROSSED_CPU = "miniature-crossed-gpu", "miniature-crossed-cpu"
FIRST, SECOND = (GPU, CPU), (CROSSED, CROSSED_CPU)  # runs of the first and of the second measurement
DRAWN, SWEPT = "rows/miniature.csv.gz", "rows/miniature-rewards.csv.gz"
MAIN = MAIN_REWARDS
SHARE = "share"
DEVICES = {
    GPU: "bfloat16 on one H100",
    CPU: "bfloat16 on a CPU",
    ENGINE: "bfloat16 on a CPU, through the evidence engine",
    PLACEBOS: "bfloat16 on a CPU",
    CROSSED: "bfloat16 on one H100",
    CROSSED_CPU: "bfloat16 on a CPU",
}
Where = dict[Identifying, tuple[str, ...]]


@dataclass(frozen=True)
class Quantity:
    """What is read off the pictures: the way and scorer of its rows, and the kinds of prompt that count."""

    label: str
    way: str
    unit: str = SHARE
    better: Literal["higher", "lower", "none"] = "higher"
    scorer: tuple[str, ...] = ("judge",)
    kinds: tuple[str, ...] = ()
    less: str | None = None
    shared: bool = False  # each number rests on all pictures of its setting: prompts are not independent

    def of(self, arm: Arm) -> Selection:
        where: Where = {"run": arm.runs, "row": arm.rows, "scorer": self.scorer}
        if self.kinds:
            where["kind"] = self.kinds
        if arm.sets:
            where["prompt_set"] = arm.sets
        return Selection(where=where, way=self.way, less=self.less)


QUANTITIES: dict[str, Quantity] = {
    "follow": Quantity("requests followed", "asked"),
    "single": Quantity("requests for one look followed", "asked", kinds=("single",)),
    "double": Quantity("requests for two looks followed", "asked", kinds=("double",)),
    "reward": Quantity("reward of plain pictures", "oiop", "cosine", scorer=MAIN),
    "objects": Quantity("objects kept in plain pictures", "plain-objects"),
    "one_object": Quantity("objects kept in plain pictures of one object", "plain-objects", kinds=("one",)),
    "two_objects": Quantity("objects kept in plain pictures of two objects", "plain-objects", kinds=("two",)),
    "wide_objects": Quantity("objects kept in requested pictures", "wide-objects"),
    "emotion": Quantity("named negative emotion found", "emotion"),
    "happy": Quantity("happy face where a negative one was named", "happy", better="lower"),
    "artifacts": Quantity("unasked treatments in plain pictures", "plain-unasked", "a picture", "lower"),
    "diversity": Quantity(
        "distance between plain pictures", "plain-apart", "cosine distance", scorer=("encoder",), shared=True
    ),
    "delta": Quantity("Δ of the main reward", "diop", "cosine", "none", scorer=MAIN, less="oiop"),
    "asked_under_plain": Quantity("asked-for look left under the plain prompt", "asked-under-plain", better="none"),
}
DOSE = ("follow", "single", "double", "reward", "objects", "one_object", "two_objects", "emotion", "happy", "artifacts")


@dataclass(frozen=True)
class Arm:
    """A variant at a strength: rows of its trainings, measured in `runs` on some sets of prompts, all when empty."""

    label: str
    rows: tuple[str, ...]
    runs: tuple[str, ...] = SECOND
    sets: tuple[str, ...] = ()


def trainings(variant: str, strength: float = 1, seeds: str = "012") -> tuple[str, ...]:
    return tuple(f"{variant}-s{seed}@{strength:g}" for seed in seeds)


# Strength 1 is where plain pictures lose at most two points of their objects (`calibration`); above it the variants are
# over-optimised. The second measurement: prompts that cross treatments with their company, a placebo beside each arm.
BASE = Arm("base model", ("base",))
ALIGNED = Arm("aligned, 1", trainings("draft"))
PLACEBO = Arm("placebo of the aligned model, 1", trainings("placebo-draft"))
LEASHED = {
    0.5: Arm("aligned, 0.5", trainings("draft", 0.5, "0")),
    1.0: ALIGNED,
    2.0: Arm("over-optimised, 2", trainings("draft", 2, "0")),
}
DOUBLE_PLACEBO = Arm("placebo of the over-optimised model, 2", trainings("placebo-draft", 2, "0"))
LEASHES = {  # the same training with other weights of leash and anchor, as trained
    "leash1-anchor1": Arm("aligned, leash 1, anchor 1", trainings("leash1-anchor1")),
    "leash1-anchor3": Arm("aligned, leash 1, anchor 3", trainings("leash1-anchor3")),
}
LEASH_PLACEBOS = {name: Arm(f"placebo of {arm.label}", trainings(f"placebo-{name}")) for name, arm in LEASHES.items()}
PLURALIST = Arm("pluralist reward, as trained", trainings("pluralist"))
ONE_PLURALIST = Arm(PLURALIST.label, trainings("pluralist", 1, "2"))  # the one that was drawn beside its placebo
PLURALIST_PLACEBO = Arm("placebo of the pluralist reward", trainings("placebo-pluralist", 1, "2"))

# The first measurement: trainings without an anchor, which stopped early; judged with the judge's first thresholds.
# Which trainings were measured at a strength follows from the time there was on the GPU.
FIRST_BASE = Arm("base model", ("base",), FIRST)
UNLEASHED = {
    0.25: Arm("first training, 0.25", trainings("unleashed", 0.25, "02"), FIRST),
    0.5: Arm("first training, 0.5", trainings("unleashed", 0.5, "02"), FIRST),
    0.75: Arm("first training, 0.75", trainings("unleashed", 0.75, "02"), FIRST),
    1.0: Arm("first training, 1", trainings("unleashed", 1, "0"), FIRST),
    2.0: Arm("first training, over-optimised, 2", trainings("unleashed", 2), FIRST),
    3.0: Arm("first training, over-optimised, 3", trainings("unleashed", 3, "0"), FIRST),
}
DPO = {
    0.5: Arm("Diffusion-DPO, 0.5", trainings("dpo", 0.5), FIRST),
    1.0: Arm("Diffusion-DPO, 1", trainings("dpo", 1, "01"), FIRST),
    1.5: Arm("Diffusion-DPO, 1.5", trainings("dpo", 1.5, "01"), FIRST),
}
FIRST_PLURALIST = Arm("first training, pluralist reward, 1", ("unleashed-pluralist@1",), FIRST)
GATE95 = Arm("first training, reward behind the 95 % gate, 1", ("unleashed-gate95@1",), FIRST)
HACKED = Arm("over-optimised on purpose", ("hacked@1",), FIRST)
FIRST_PLACEBO = Arm("placebo of the first training, 1", trainings("placebo-unleashed", 1, "0"), (PLACEBOS,))


class Figures:
    """Values of measures over the two files of rows below `results`."""

    def __init__(self, results: Path) -> None:
        self.rows = {name: raw.read(results / name) for name in (DRAWN, SWEPT)}
        self.told = json.loads((results / "miniature" / "training.json").read_text())
        self.have = {row.row for row in self.rows[DRAWN].all}

    def value(self, label: str, measure: Measure, *, unit: str, run: str, digits: int = 3, note: str = "") -> Value:
        """A measure as the ledger's value; pending with its reason where the rows give none."""
        made = measures.measured(
            label[:1].upper() + label[1:], measure, self.rows[measure.rows], unit=unit, digits=digits,
            source=Source(kind="measured", where=run), caveat=note or None,
        )  # fmt: skip
        flat = made.interval is not None and made.interval[0] == made.interval[1]  # trainings that happen to agree
        alone = (
            {"interval": None, "caveat": f"{note}; no spread to tell an interval from"}
            if flat or not made.interval
            else {}
        )
        return made.model_copy(update={"rows": measure.rows, **alone})

    def level(self, arm: Arm, name: str, where: Where | None = None) -> Value:
        quantity = QUANTITIES[name]
        chosen = quantity.of(arm)
        chosen = chosen.model_copy(update={"where": {**chosen.where, **(where or {})}})
        measure = Measure(rows=DRAWN, statistic="mean", of=chosen, interval="bootstrap")
        return self.value(
            f"{quantity.label}, {arm.label}", measure, unit=quantity.unit, run=self.run(arm),
            note=f"{self.note(arm)}; interval over prompts",
        )  # fmt: skip

    def contrast(self, arm: Arm, other: Arm, name: str, label: str = "") -> Value:
        """First minus second on the same prompts and noise: over trainings where there are several."""
        quantity = QUANTITIES[name]
        several = len(arm.rows) > 1
        measure = Measure(
            rows=DRAWN,
            statistic="contrast",
            of=quantity.of(arm),
            beside=quantity.of(other),
            cluster="row" if several else "prompt",
            interval="t" if several else "none" if quantity.shared else "bootstrap",
        )
        over = "trainings" if several else "none, since pictures share distances" if quantity.shared else "prompts"
        told = f"{self.note(arm)}; same prompts and noise in both; interval over {over}"
        text = label or f"{quantity.label}, {arm.label} minus {other.label}"
        return self.value(text, measure, unit=quantity.unit, run=self.run(arm), note=told)

    def run(self, arm: Arm) -> str:
        return next(row.run for row in self.rows[DRAWN].where({"row": arm.rows, "run": arm.runs}))

    def note(self, arm: Arm) -> str:
        found = {row.run for row in self.rows[DRAWN].where({"row": arm.rows, "run": arm.runs})}
        count = len(arm.rows)
        trained = (
            ""
            if arm.rows in (("base",), ("renderer",), ("renderer-decoded",))
            else f"{count} trainings; "
            if count > 1
            else "one training; "
        )
        return trained + " and ".join(DEVICES[run] for run in DEVICES if run in found)


def table(name: str, title: str, caption: str, columns: list[Column], cells: dict[Row, dict[str, Value]]) -> Document:
    values = {f"{name}.{row.id}.{column}": value for row, line in cells.items() for column, value in line.items()}
    return Document(
        values={key: value for key, value in values.items() if value.value is not None},
        tables={name: Table(title=title, caption=caption, columns=columns, rows=list(cells))},
    )


def columns(*names: str) -> list[Column]:
    return [
        Column(id=name, label=QUANTITIES[name].label, unit=QUANTITIES[name].unit, better=QUANTITIES[name].better)
        for name in names
    ]


def merged(parts: Iterable[Document]) -> Document:
    whole = Document()
    for part in parts:
        whole = Document(
            values=whole.values | part.values, tables=whole.tables | part.tables, runs=whole.runs | part.runs
        )
    return whole
