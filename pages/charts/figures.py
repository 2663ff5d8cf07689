"""The charts that content/charts.toml declares, drawn from ledger values: a function for each type.

Direct labels, intervals wherever they are known, and a description that carries the numbers. Shares are drawn in per
cent; `domain` and `rules` are declared in the ledger's own unit. A chart whose values the ledger lacks is not drawn.
How they are drawn is pages/charts/svg.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from ledger.book import SHARES, in_percent
from pages.charts.svg import Chart, Dot, Line, Point, curves, dots, histograms

if TYPE_CHECKING:
    from ledger import Ledger
    from ledger.schema import Column, Row, Value
    from pages.source.settings import ChartSpec


class Cell(NamedTuple):
    """A value that has a number, and where it stands in its table."""

    row: Row
    column: Column
    value: Value
    number: float


def draw(name: str, spec: ChartSpec, ledger: Ledger, highlight: Sequence[str] = ()) -> Chart | None:
    """The chart, or None when the ledger has none of its values. `highlight`: kinds or ids of rows to set off."""
    return DRAWN[spec.type](name, spec, ledger, highlight if spec.highlight is None else spec.highlight)


def names(pattern: str, ledger: Ledger) -> list[tuple[Row, Column]]:
    """Rows and columns that the pattern `table.row.column` stands for; none where there is no such table."""
    table, _, rest = pattern.partition(".")
    row_name, _, column_name = rest.rpartition(".")
    if table not in ledger.tables:
        return []
    known = ledger.tables[table]
    return [
        (row, column)
        for row in known.rows
        for column in known.columns
        if fnmatchcase(row.id, row_name) and fnmatchcase(column.id, column_name)
    ]


def _cells(pattern: str, ledger: Ledger) -> Iterator[Cell]:
    """The cells of a pattern whose values are known and not pending."""
    for row, column in names(pattern, ledger):
        cell = _cell(pattern, row, column.id, ledger)
        if cell is not None:
            yield Cell(row, column, cell, cell.value or 0.0)


def _cell(pattern: str, row: Row, column: str, ledger: Ledger) -> Value | None:
    value = ledger.get(f"{pattern.partition('.')[0]}.{row.id}.{column}")
    return None if value is None or value.value is None else in_percent(value)


def _scale(pattern: str, ledger: Ledger) -> float:
    """What a number of charts.toml is multiplied by to be drawn among the values of a pattern."""
    table = pattern.partition(".")[0]
    cells = (ledger.get(f"{table}.{row.id}.{column.id}") for row, column in names(pattern, ledger))
    return 100.0 if any(cell and cell.unit in SHARES for cell in cells) else 1.0


def _beside(pattern: str | None, row: Row, ledger: Ledger) -> Value | None:
    """The value that another pattern names for the same row."""
    return _cell(pattern, row, pattern.rpartition(".")[2], ledger) if pattern else None


def _rows(name: str, spec: ChartSpec, ledger: Ledger, highlight: Sequence[str]) -> Chart | None:
    """Dots, bars and dumbbells: a line a row, or a line a cell where the pattern names several columns."""
    several = spec.values.endswith(".*")
    lines = []
    for cell in _cells(spec.values, ledger):
        label = f"{cell.row.label}, {cell.column.label}" if several else cell.row.label
        kind = "highlight" if {cell.row.kind, cell.row.id} & {*highlight} else "base"
        marks = _dumbbell(spec, cell, kind, ledger) if spec.type == "dumbbells" else _dots(spec, cell, kind, ledger)
        if marks:
            group = {"": "", "row": cell.row.id, "kind": cell.row.kind, "group": cell.row.group}[spec.group]
            lines.append(Line(label, marks, group, spec.type == "dumbbells", spec.type == "bars"))
    if not lines:
        return None
    lines = _ordered(lines, spec.order)
    scale = _scale(spec.values, ledger)
    domain = (scale * spec.domain[0], scale * spec.domain[1]) if spec.domain else None
    rules = [(scale * rule.at, rule.label) for rule in spec.rules]
    return dots(name, spec.title, spec.description, lines, spec.axis, domain, rules, spec.heads)


def _dots(spec: ChartSpec, cell: Cell, kind: str, ledger: Ledger) -> tuple[Dot, ...]:
    mark = Dot(cell.number, kind, cell.value.interval, _text(cell.value))
    other = _beside(spec.beside, cell.row, ledger)
    return (mark, Dot(other.value, "beside", other.interval)) if other and other.value is not None else (mark,)


def _dumbbell(spec: ChartSpec, cell: Cell, kind: str, ledger: Ledger) -> tuple[Dot, ...]:
    """From the start to the value. The interval is that of the change, laid at the start."""
    if spec.start:
        start = _beside(spec.start, cell.row, ledger)
        if start is None or start.value is None:
            return ()
        return Dot(start.value, "start", start.interval), Dot(cell.number, kind, cell.value.interval, _text(cell.value))
    change = _beside(spec.change, cell.row, ledger)
    if change is None or change.value is None:
        return ()
    again = _beside(spec.interval, cell.row, ledger)
    begin = cell.number - change.value
    spread = (again.interval if again else None) or change.interval
    ends = (begin + spread[0], begin + spread[1]) if spread else None
    return Dot(begin, "start"), Dot(cell.number, kind, ends, _text(change))


def _ordered(lines: list[Line], order: str) -> list[Line]:
    if order == "groups":
        groups = [*dict.fromkeys(line.group for line in lines)]
        return sorted(lines, key=lambda line: groups.index(line.group))
    if order == "table":
        return lines
    turn = -1 if order == "descending" else 1
    return sorted(lines, key=lambda line: turn * line.dots[0].value)


def _curves(name: str, spec: ChartSpec, ledger: Ledger, highlight: Sequence[str]) -> Chart | None:
    """A line a group of rows, in order of rows; a point stands at `across`, or at the number in its row's label.
    ValueError names a row without either."""
    series = dict[str, list[Point]]()
    for cell in _cells(spec.values, ledger):
        across = _beside(spec.across, cell.row, ledger)
        x = across.value if across else None if spec.across else _first(cell.row.label, "row", "; or set `across`")
        if x is not None:
            series.setdefault(cell.row.group, []).append(Point(x, cell.number, cell.value.interval))
    upright = (0.0, 100.0) if _scale(spec.values, ledger) == 100 else None
    return curves(name, spec.title, spec.description, series, (spec.axis, spec.up), upright) if series else None


def _histograms(name: str, spec: ChartSpec, ledger: Ledger, highlight: Sequence[str]) -> Chart | None:
    """A strip a row; its columns are bins in order, labelled by their lower edges, and its cells shares."""
    places = names(spec.values, ledger)
    columns = {column.id: column.label for _, column in places}
    shares = {(cell.row.id, cell.column.id): cell.number for cell in _cells(spec.values, ledger)}
    strips = [
        (row.label, [shares.get((row.id, column), 0.0) for column in columns])
        for row in {row.id: row for row, _ in places}.values()
    ]
    if negative := next((label for label, strip in strips if min(strip, default=0.0) < 0), None):
        raise ValueError(f"the row '{negative}' has a cell below zero, and a histogram shows shares")
    strips = [strip for strip in strips if any(strip[1])]
    edges = [_first(label, "column") for label in columns.values()]
    return histograms(name, spec.title, spec.description, strips, edges, spec.axis) if strips else None


def _text(value: Value) -> str:
    import ledger

    return ledger.show(value)


def _first(text: str, kind: str, else_: str = "") -> float:
    """The first number of a label: "0.25", "−3 to −2". ValueError where there is none."""
    match = re.search(r"[-\u2212]?\d+(?:\.\d+)?", text)
    if match is None:
        raise ValueError(f"the {kind} '{text}' has no number in its label, which is its place{else_}")
    return float(match[0].replace("\u2212", "-"))


DRAWN: dict[str, Callable[[str, ChartSpec, Ledger, Sequence[str]], Chart | None]] = {
    "dots": _rows,
    "bars": _rows,
    "dumbbells": _rows,
    "curves": _curves,
    "histograms": _histograms,
}
