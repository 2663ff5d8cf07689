"""The merged ledger: look-up of values, their printed form, and the downloads made from them.

A value has one id: its own, that of a table cell (`{table}.{row}.{column}`) or that of a score beside a picture
(`exhibits.{exhibit}.{picture}.{score}`). An id that names nothing raises `UnknownValue` with the nearest that does.
"""

from __future__ import annotations

import csv
import io
import operator
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

from ledger.problems import JsonPath, Problem, did_you_mean, json_line, spell, toml_line
from ledger.schema import Claim, Exhibit, Publication, Row, Run, Table, Value

MINUS = "\u2212"
_BEYOND: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "≤": operator.le,
    ">": operator.gt,
    "≥": operator.ge,
}
_UNGROUPED = {"year", "seed", "rank"}  # numbers that are names, so no thousands separator
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class UnknownValue(KeyError):
    """No value has this id. The message names the nearest known one, which is looked for when it is printed."""

    def __init__(self, id: str, known: Callable[[], Iterator[str]]) -> None:
        super().__init__(id)
        self.known = known

    def __str__(self) -> str:
        return f"no such value {self.args[0]!r}" + did_you_mean(str(self.args[0]), self.known())


@dataclass(frozen=True)
class Ledger:
    """Everything under results/ and the claims that rest on it. Build one with `ledger.load`."""

    values: dict[str, Value] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
    exhibits: dict[str, Exhibit] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    claims: dict[str, Claim] = field(default_factory=dict)
    files: dict[tuple[str, str], Path] = field(default_factory=dict)  # ("exhibits", id) -> the file that holds it
    root: Path = Path()

    @cached_property
    def scores(self) -> dict[str, Value]:
        """Scores beside pictures, under their full ids."""
        return {
            f"exhibits.{exhibit_id}.{picture.id}.{score}": value
            for exhibit_id, exhibit in self.exhibits.items()
            for picture in exhibit.pictures
            for score, value in picture.scores.items()
        }

    def get(self, id: str) -> Value | None:
        """The value of this id; None where there is none."""
        return self.values.get(id) or self.scores.get(id)

    def value(self, id: str) -> Value:
        """The value of this id, which must exist."""
        found = self.get(id)
        if found is None:
            raise UnknownValue(id, self.ids)
        return found

    def ids(self) -> Iterator[str]:
        """Ids of all values: loose ones and cells first, then scores beside pictures."""
        yield from self.values
        yield from self.scores

    def cell(self, table: str, row: str, column: str) -> Value | None:
        """The value of a table cell; None where nothing was reported."""
        return self.values.get(f"{table}.{row}.{column}")

    def agrees(self, id: str) -> bool | None:
        """Whether a value and its counterpart print alike, to the coarser precision; None where it has none."""
        value = self.value(id)
        if value.agrees_with is None:
            return None
        return alike(value, self.value(value.agrees_with))

    def problem(self, path: JsonPath, message: str) -> Problem:
        """A defect found later in something the ledger holds; `path` as ("exhibits", id, "pictures", 0, "file")."""
        file = self.files[(str(path[0]), str(path[1]))]
        name = file.relative_to(self.root).as_posix()
        text = file.read_text(encoding="utf-8-sig")
        if file.suffix == ".json":
            return Problem(name, json_line(text, path), spell(path), message)
        place = _declared(tomllib.loads(text), path)
        return Problem(name, toml_line(text, place), spell(place), message)


def _declared(header: Mapping[str, Any], path: JsonPath) -> JsonPath:
    """Where the TOML of a table in CSV says what is wrong with one of its values: of the column, or of all of them."""
    column, rest = str(path[1]).rpartition(".")[2], tuple(path[2:])
    return ("columns", column, *rest) if rest and rest[0] in header.get("columns", {}).get(column, {}) else rest


def alike(first: Value, second: Value) -> bool:
    """Do two values agree to the printed precision: within half a unit of the coarser last digit?

    A value printed as a bound agrees with what lies on the right side of it.
    """
    if first.value is None or second.value is None:
        return False
    for bound, other in ((first, second), (second, first)):
        if bound.qualifier in _BEYOND and not other.qualifier:
            return _BEYOND[bound.qualifier](other.value or 0.0, bound.value or 0.0)
    return abs(first.value - second.value) <= 0.5 * 10.0 ** -min(first.digits, second.digits) + 1e-9


def show(value: Value) -> str:
    """The printed form: `digits` decimals, a true minus sign, thousands parted by commas, the bound before it.

    A number too small for its decimals is printed with two digits that count, below 0.0001 as a power of ten; so is one
    of sixteen digits, of which a float knows no more; a pending one as the word "pending". No line ends between a bound
    and its number.
    """
    if value.value is None:
        return "pending"
    number, digits = value.value, value.digits
    if number and abs(number) < 0.5 * 10.0**-digits:
        text = f"{number:.2g}" if abs(number) >= 1e-4 else scientific(number)
    elif abs(number) >= 1e15:
        text = scientific(number, 3)
    else:
        text = f"{number:.{digits}f}" if value.unit in _UNGROUPED else f"{number:,.{digits}f}"
        if not float(text.replace(",", "")):
            text = text.lstrip("-")
    return f"{value.qualifier}\u00a0{text}".strip().replace("-", MINUS)


SHARES = {"share", "probability"}  # units that `percent` prints


def percent(value: Value) -> str:
    """A share in per cent, without the sign: whole, halves up, with one decimal where whole would read 0 or 100. A
    difference of shares in percentage points, with one decimal."""
    if value.value is None:
        return show(value)
    exact = Decimal(str(value.value)) * 100
    rounded = exact.quantize(Decimal(1), ROUND_HALF_UP)
    if is_difference(value) or (abs(rounded) in (0, 100) and exact != rounded):
        rounded = exact.quantize(Decimal("0.1"), ROUND_HALF_UP)
    digits = -int(rounded.as_tuple().exponent)
    return show(value.model_copy(update={"value": float(rounded), "digits": digits, "unit": "%"}))


def percent_sign(value: Value) -> str:
    """What stands after `percent(value)`."""
    return "" if value.value is None else "points" if is_difference(value) else "%"


def is_difference(value: Value) -> bool:
    return value.measure is not None and value.measure.statistic == "contrast"


def in_percent(value: Value) -> Value:
    """A share with its interval in per cent, printed as exactly as before; any other value as it is."""
    if value.unit not in SHARES or value.value is None:
        return value
    ends = value.interval and (100 * value.interval[0], 100 * value.interval[1])
    scaled = {"value": 100 * value.value, "interval": ends, "digits": max(0, value.digits - 2), "unit": "%"}
    return value.model_copy(update=scaled)


def scientific(number: float, digits: int = 2) -> str:
    """A number as so many digits and a power of ten: "2.5·10⁻⁶", "10⁹"."""
    mantissa, exponent = f"{number:.{digits - 1}e}".split("e")
    power = "10" + str(int(exponent)).translate(_SUPERSCRIPT)
    mantissa = f"{float(mantissa):g}"
    return power if mantissa == "1" else f"{mantissa}·{power}"


def publication(ledger: Ledger) -> Publication:
    """The whole ledger as one document, for `ledger.json`."""
    return Publication.model_construct(
        values=ledger.values,
        tables=ledger.tables,
        exhibits=ledger.exhibits,
        runs=ledger.runs,
        claims=ledger.claims,
    )


def publication_json(ledger: Ledger) -> str:
    """`ledger.json`: validates against `publication_schema`; empty fields are left out."""
    return publication(ledger).model_dump_json(indent=1, exclude_defaults=True) + "\n"


def publication_schema() -> dict[str, object]:
    """JSON Schema of `ledger.json`."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Publication.model_json_schema()}


def table_records(ledger: Ledger, id: str) -> list[dict[str, str | float | int | None]]:
    """One record a row: label, group, kind, then per column its number and, where known, interval, n, p and source."""
    table = ledger.tables[id]
    return [_record(ledger, id, table, row) for row in table.rows]


def _record(ledger: Ledger, id: str, table: Table, row: Row) -> dict[str, str | float | int | None]:
    record: dict[str, str | float | int | None] = {
        "id": row.id,
        "label": row.label,
        "group": row.group,
        "kind": row.kind,
        "note": row.note,
    }
    for column in table.columns:
        value = ledger.cell(id, row.id, column.id)
        record[column.id] = None if value is None else value.value
        for part, content in _particulars(value):
            record[f"{column.id}_{part}"] = content
    return record


def _particulars(value: Value | None) -> list[tuple[str, str | float | int]]:
    """What a number must not be printed without, as far as it is known."""
    if value is None:
        return [("source", "not reported")]
    low, high = value.interval or (None, None)
    parts = [
        ("bound", value.qualifier or None),
        ("low", low),
        ("high", high),
        ("n", value.n),
        ("p", value.p),
        ("source", f"{value.source.kind}: {value.source.where}"),
        ("caveat", value.caveat),
    ]
    return [(name, content) for name, content in parts if content is not None]


def table_csv(ledger: Ledger, id: str) -> str:
    """The records of a table as CSV: the columns that any row has, in the order of the table."""
    records = table_records(ledger, id)
    sheet = io.StringIO()
    writer = csv.DictWriter(sheet, _header(ledger.tables[id], records), lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return sheet.getvalue()


def _header(table: Table, records: list[dict[str, str | float | int | None]]) -> list[str]:
    present = {name for record in records for name in record}
    names = ["id", "label", "group", "kind", "note"]
    for column in table.columns:
        parts = ("", "_bound", "_low", "_high", "_n", "_p", "_source", "_caveat")
        names += [column.id + part for part in parts if column.id + part in present]
    return list(dict.fromkeys(names))
