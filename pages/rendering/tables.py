"""How a table is set: rows that have no number yet apart, and the best of each group in each column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ledger.schema import Column, Row

Cells = Mapping[tuple[str, str], float]  # (row, column) -> number, where there is one


@dataclass(frozen=True)
class Arranged:
    rows: Sequence[Row]
    pending: Sequence[Row]
    best: frozenset[tuple[str, str]]


def arrange(rows: Sequence[Row], columns: Sequence[Column], cells: Cells) -> Arranged:
    """`best` names cells (row, column) of columns with a direction: the best of a group with two numbers or more."""
    known = [row for row in rows if any((row.id, column.id) in cells for column in columns)]
    if not known:
        return Arranged(rows, (), frozenset())
    best = {(row, column.id) for column in columns for row in _best(known, column, cells)}
    return Arranged(known, [row for row in rows if row not in known], frozenset(best))


def _best(rows: Sequence[Row], column: Column, cells: Cells) -> list[str]:
    """Rows whose number no other of their group betters."""
    if column.better == "none":
        return []
    turn = 1 if column.better == "higher" else -1
    groups: dict[str, dict[str, float]] = {}
    for row in rows:
        if row.group and (row.id, column.id) in cells:
            groups.setdefault(row.group, {})[row.id] = turn * cells[row.id, column.id]
    return [
        row
        for numbers in groups.values()
        if len(numbers) > 1
        for row, number in numbers.items()
        if number == max(numbers.values())
    ]
