"""Tables that authors keep as results/tables/NAME.csv, with a NAME.toml that says what its columns are.

Every number becomes the value `NAME.{row}.{column}`; an empty cell says "not reported". JSON stays the form for what a
cell alone cannot say: number of samples, intervals, caveats of single values.
"""

from __future__ import annotations

import csv
import io
import math
import re
import unicodedata
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from ledger.problems import ID, ID_RULE, InputError, Problem, did_you_mean, relative
from ledger.schema import Column, Document, Id, Row, Source, Strict, Table, Value
from ledger.text import foreign_delimiter, read_text, read_toml_as

FOLDER = "results/tables"


def _of_numbers(source: Source | None) -> Source | None:
    if source is not None and source.kind == "pending":
        raise ValueError("a number in a table is not pending: leave its cell empty")
    return source


Origin = Annotated[Source, AfterValidator(_of_numbers)]


class ColumnHeader(Strict):
    label: str = Field(min_length=1)
    unit: str = ""
    digits: int = Field(ge=0, le=6)
    better: Literal["lower", "higher", "none"] = "none"
    note: str = ""
    source: Origin | None = None  # where this column's numbers come from, if not from the table's source


class TableHeader(Strict):
    """results/tables/NAME.toml. `row`, `id`, `group` and `ignore` name columns of the CSV that hold no number."""

    title: str = Field(min_length=1)
    caption: str = ""
    note: str = ""
    row: str
    row_label: str = ""  # heads the names of the rows; without it what the column is called
    id: str = ""  # ids of the rows; without it they follow from the names
    group: str = ""
    ignore: tuple[str, ...] = ()
    source: Origin
    columns: dict[Id, ColumnHeader] = Field(min_length=1)


def read_tables(root: Path) -> tuple[list[tuple[Path, Document]], list[Problem]]:
    """One document for each table below results/tables/, and the defects of all of them."""
    found: list[tuple[Path, Document]] = []
    problems: list[Problem] = []
    for file in sorted((root / FOLDER).glob("*.csv")):
        try:
            found.append((file.with_suffix(".toml"), _read(file, root)))
        except InputError as error:
            problems += error.problems
    for toml in sorted((root / FOLDER).glob("*.toml")):
        if not toml.with_suffix(".csv").exists():
            problems.append(Problem(relative(toml, root), 0, "", f"there is no {toml.stem}.csv beside it"))
    return found, problems


def _read(file: Path, root: Path) -> Document:
    name = relative(file, root)
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", file.stem):
        raise InputError([Problem(name, 0, "", "name it in lower-case letters, digits, - and _")])
    header = _header(file.with_suffix(".toml"), root)
    lines = _lines(file, root)
    problems = [*_wrong_columns(name, lines[0][1], header)] if lines else []
    if len(lines) < 2:
        problems.append(Problem(name, 1, "", "holds no row" if lines else "is empty"))
    if problems:
        raise InputError(problems)
    rows: dict[str, Row] = {}
    values: dict[str, Value] = {}
    for line, cells in lines[1:]:
        if len(cells) != len(lines[0][1]):
            message = f"has {len(cells)} cells, the first line {len(lines[0][1])}"
            problems.append(Problem(name, line, "", message))
            continue
        record = dict(zip(lines[0][1], cells, strict=True))
        identity = _identity(record, header)
        if misnamed := _wrong_identity(identity, record[header.row], rows):
            problems.append(Problem(name, line, header.id or header.row, misnamed))
            continue
        row = Row(id=identity, label=record[header.row], group=record.get(header.group, ""))
        rows[row.id] = row
        cells_of_row, wrong = _cells(record, row, header)
        values |= {f"{file.stem}.{row.id}.{column}": value for column, value in cells_of_row.items()}
        problems += [Problem(name, line, column, message) for column, message in wrong]
    if problems:
        raise InputError(problems)
    return Document(values=values, tables={file.stem: _table(header, list(rows.values()))})


def _table(header: TableHeader, rows: list[Row]) -> Table:
    columns = [Column(id=id, **about.model_dump(exclude={"digits", "source"})) for id, about in header.columns.items()]
    label = header.row_label or header.row.replace("_", " ").capitalize()
    words = {"title": header.title, "caption": header.caption, "note": header.note, "row_label": label}
    return Table(**words, columns=columns, rows=rows)


def _cells(record: dict[str, str], row: Row, header: TableHeader) -> tuple[dict[str, Value], list[tuple[str, str]]]:
    """Column -> value of one line, and (column, message) of the cells that hold no number."""
    values: dict[str, Value] = {}
    wrong: list[tuple[str, str]] = []
    for column, about in header.columns.items():
        try:
            number = _number(record[column])
        except ValueError as error:
            wrong.append((column, str(error)))
            continue
        if number is not None:
            label, source = f"{about.label} of {row.label}", about.source or header.source
            values[column] = Value(label=label, value=number, unit=about.unit, digits=about.digits, source=source)
    return values, wrong


def _header(file: Path, root: Path) -> TableHeader:
    try:
        return read_toml_as(TableHeader, file, root)[1]
    except FileNotFoundError:
        message = f"no such file: it says what the columns of {file.stem}.csv are"
        raise InputError([Problem(relative(file, root), 0, "", message)]) from None


def _lines(file: Path, root: Path) -> list[tuple[int, list[str]]]:
    """(line, cells) of every line that is not empty."""
    text = read_text(file, root)
    if foreign := foreign_delimiter(text):
        raise InputError([Problem(relative(file, root), 1, "", foreign)])
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    found = []
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                found.append((reader.line_num, [cell.strip() for cell in cells]))
    except csv.Error as error:
        raise InputError([Problem(relative(file, root), reader.line_num, "", f"not CSV: {error}")]) from None
    return _without_empty_ends(found)


def _without_empty_ends(lines: list[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """The lines without columns at their end that hold nothing at all, which spreadsheets leave behind."""
    width = max((n for _, cells in lines for n, cell in enumerate(cells, 1) if cell), default=0)
    return [(number, cells[:width]) for number, cells in lines]


def _wrong_columns(name: str, names: list[str], header: TableHeader) -> Iterator[Problem]:
    declared = {*header.columns, *header.ignore, header.row, *filter(None, (header.id, header.group))}
    for column in sorted(declared - {*names}):
        yield Problem(name, 1, column, f"no such column{did_you_mean(column, names)}")
    for number, column in enumerate(names, 1):
        if not column:
            yield Problem(name, 1, "", f"column {number} has no name: name it, or remove it (pandas: index=False)")
        elif column not in declared:
            yield Problem(name, 1, column, f"is not declared: add [columns.{column}] to the TOML, or ignore = [...]")
        if column and names.index(column) < number - 1:
            yield Problem(name, 1, column, "stands twice")


def _identity(record: dict[str, str], header: TableHeader) -> str:
    """A row's id: as its column says, or its name in lower-case letters, digits and hyphens."""
    if header.id:
        return record[header.id]
    plain = unicodedata.normalize("NFKD", record[header.row]).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9_]+", "-", plain).strip("-_")


def _wrong_identity(identity: str, label: str, taken: Collection[str]) -> str:
    if not label:
        return "the row has no name"
    if not re.fullmatch(ID, identity):
        own = f"'{identity}' is no id" if identity else f"'{label}' holds no letter of an id"
        return f"{own}: {ID_RULE}; `id` in the TOML names a column of them"
    twice = f"'{label}' has the id '{identity}' of another row: `id` in the TOML names a column of ids"
    return twice if identity in taken else ""


def _number(cell: str) -> float | None:
    if not cell:
        return None
    try:
        number = float(cell.replace("−", "-"))
    except ValueError:
        raise ValueError(f"'{cell}' is not a number: write 1234.5, or leave the cell empty") from None
    if not math.isfinite(number):
        raise ValueError(f"'{cell}' is not a finite number")
    return number
