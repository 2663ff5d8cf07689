"""Measured numbers as ledger values: mean, n, spread, interval, and what is missing said in words.

`n` counts the pairs behind a number; pairs that failed or were not run are named in the caveat, never dropped in
silence. With several seeds the interval is over the prompts' own means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ledger import metrics
from ledger.schema import Column, Row, Source, Table, Value

if TYPE_CHECKING:
    from evidence.protocols import Experiment

SEED = 2512  # of every bootstrap: the same samples give the same interval
Grid = Sequence[Sequence[float | None]]  # seeds x prompts; None where a number is missing


@dataclass
class Sheet:
    """A table under construction: columns in the order of first use, rows as given."""

    id: str
    title: str
    caption: str
    note: str = ""
    columns: dict[str, Column] = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)
    values: dict[str, Value] = field(default_factory=dict)

    def put(self, row: Row, column: Column, value: Value) -> None:
        self.rows.setdefault(row.id, row)
        self.columns.setdefault(column.id, column)
        self.values[f"{self.id}.{row.id}.{column.id}"] = value

    def table(self) -> Table:
        return Table(
            title=self.title,
            caption=self.caption,
            columns=list(self.columns.values()),
            rows=list(self.rows.values()),
            note=self.note,
        )


def mean(experiment: Experiment, label: str, grid: Grid, *, unit: str, digits: int = 3, caveat: str = "") -> Value:
    """Mean over seeds and prompts of a per-pair number."""
    flat = [number for line in grid for number in line if number is not None]
    total = sum(len(line) for line in grid)
    caveat = "; ".join(part for part in (caveat, missing(total - len(flat), total)) if part)
    if not flat:
        return pending(experiment, label, unit, digits, caveat or "nothing was asked for")
    return Value(
        label=label,
        value=float(np.mean(flat)),
        unit=unit,
        digits=digits,
        source=Source(kind="measured", where=experiment.run),
        n=len(flat),
        sd=float(np.std(flat)),
        interval=interval(grid),
        caveat=caveat or None,
    )


def share(experiment: Experiment, label: str, grid: Grid, *, digits: int = 3, caveat: str = "") -> Value:
    """A mean of zeros and ones."""
    return mean(experiment, label, grid, unit="share", digits=digits, caveat=caveat)


def interval(grid: Grid) -> tuple[float, float] | None:
    """95 % bootstrap interval of the mean over prompts, seeds averaged within each; None where nothing differs."""
    columns = [[n for n in column if n is not None] for column in zip(*grid, strict=True)]
    means = [float(np.mean(column)) for column in columns if column]
    return metrics.mean_interval(means, SEED) if means else None


def number(
    experiment: Experiment,
    label: str,
    value: float,
    *,
    unit: str = "",
    digits: int = 3,
    n: int,
    p: float | None = None,
    caveat: str = "",
) -> Value:
    """A statistic that is no mean."""
    return Value(
        label=label,
        value=value,
        unit=unit,
        digits=digits,
        source=Source(kind="measured", where=experiment.run),
        n=n,
        p=p,
        caveat=caveat or None,
    )


def pending(experiment: Experiment, label: str, unit: str, digits: int, why: str) -> Value:
    return Value(label=label, value=None, unit=unit, digits=digits, source=Source(kind="pending", where=why), n=0)


def missing(failed: int, total: int) -> str:
    return f"{failed} of {total} are missing: failed or not run" if failed else ""


def complete(*grids: Grid) -> list[NDArray[np.float64]]:
    """The numbers of each grid where all have one, in one order: paired arrays of equal length, (n,)."""
    lines = [[number for line in grid for number in line] for grid in grids]
    together = [row for row in zip(*lines, strict=True) if all(number is not None for number in row)]
    return [np.asarray(column, dtype=np.float64) for column in zip(*together, strict=True)] if together else []


def difference(first: Grid, second: Grid) -> list[list[float | None]]:
    """first - second where both are there."""
    return [
        [a - b if a is not None and b is not None else None for a, b in zip(x, y, strict=True)]
        for x, y in zip(first, second, strict=True)
    ]


def greater(first: Grid, second: Grid) -> list[list[float | None]]:
    """1 where the first is strictly greater, 0 elsewhere, None where either is missing."""
    return [
        [float(a > b) if a is not None and b is not None else None for a, b in zip(x, y, strict=True)]
        for x, y in zip(first, second, strict=True)
    ]
