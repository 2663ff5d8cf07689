"""Rows: one observation a line, in one format for every run, model and scorer.

`results/rows/NAME.csv.gz` is gzipped CSV with the columns of `Row`; `schema.json` beside the files describes them. A
row says who drew what under which prompt and seed, who scored it, and the number, or that scoring failed or was not
run. Writing sorts the rows and leaves time and name out of the gzip header, so that equal rows give equal bytes.
Reading refuses, with line and column, whatever does not fit.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import re
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from ledger.files import replace_bytes
from ledger.problems import InputError, Problem, did_you_mean, relative
from ledger.schema import Identifying

Status = Literal["scored", "failed", "not_run"]
FOLDER = "rows"  # below results/ and below site/data/
SCHEMA = "schema.json"
_SHOWN = 60  # defects spelled out
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


class Row(NamedTuple):
    """One observation. All fields but the last four identify it."""

    run: str
    row: str
    prompt: str
    scorer: str
    way: str
    profile: str = ""
    prompt_set: str = ""
    seed: str = ""
    kind: str = ""
    label: str = ""
    number: float | None = None
    status: Status = "scored"
    sample: str = ""

    @property
    def identity(self) -> tuple[str, ...]:
        """What no two rows of a file may share."""
        return self[: len(IDENTITY)]  # type: ignore[return-value]


COLUMNS: dict[str, str] = {
    "run": "id of the run that made the observation; its provenance is in the ledger",
    "row": "who drew: id of a generator, with overrides after '@', or of a training of it",
    "prompt": "id of the prompt in its set",
    "scorer": "who scored: id of a scorer or judge",
    "way": "which picture was scored under which text; of four-way scores the first two letters name the picture and "
    "the last two the prompt: oi/di the original or the distorted picture, op/dp the original or the distorted prompt",
    "profile": "settings profile of the run; empty where there is one",
    "prompt_set": "name or digest of the prompt set",
    "seed": "seed of the picture's noise, or of that of the picture it is compared with; empty where there is none",
    "kind": "kind of picture: plain, wide, or the protocol's own word",
    "label": "what a judge of labels was asked about, as in treatment:muted_faded; empty for a plain score",
    "number": "the score; empty unless the status is scored",
    "status": "scored, failed (an error is recorded) or not_run (planned, not done)",
    "sample": "key of the scored picture; empty where there is none",
}
IDENTITY = tuple(COLUMNS)[:-3]
_LARGEST = 1e100
_NEEDED = 5  # columns that may not be empty
_STATUSES = get_args(Status)


@dataclass(frozen=True)
class Rows:
    """The rows of one file, column by column; `where` selects without looking at each row."""

    all: tuple[Row, ...]

    @cached_property
    def _codes(self) -> dict[str, tuple[list[str], NDArray[np.int32]]]:
        """Per column its distinct texts and, for each row, which of them it has."""
        coded = {}
        for place, column in enumerate(IDENTITY):
            texts = dict[str, int]()
            codes = [texts.setdefault(str(row[place]), len(texts)) for row in self.all]
            coded[column] = (list(texts), np.asarray(codes, dtype=np.int32))
        return coded

    @cached_property
    def _places(self) -> dict[str, list[NDArray[np.intp]]]:
        """Per column and text of it, which rows have that text, in order."""
        return {
            column: np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes, minlength=len(texts)))[:-1])
            for column, (texts, codes) in self._codes.items()
        }

    def where(self, conditions: Mapping[Identifying, Sequence[str]], ways: Sequence[str] = ("*",)) -> Iterator[Row]:
        """Rows whose columns have one of the given texts, in order; a text that ends in `*` fits every continuation."""
        wanted: dict[str, Sequence[str]] = {"way": ways} | {str(column): texts for column, texts in conditions.items()}
        fitting = {column: fitting_texts(self._codes[column][0], texts) for column, texts in wanted.items()}
        having = {column: [self._places[column][at] for at in chosen] for column, chosen in fitting.items()}
        first, *others = sorted(having, key=lambda column: sum(map(len, having[column])))
        places = np.sort(np.concatenate([np.empty(0, np.intp), *having[first]]))
        for column in others:
            texts, codes = self._codes[column]
            fits = np.zeros(len(texts), dtype=bool)
            fits[fitting[column]] = True
            places = places[fits[codes[places]]]
        return (self.all[place] for place in places.tolist())


def fitting_texts(texts: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Which texts are a wanted one, or begin with what stands before the `*` of one."""
    whole, beginnings = set(wanted), tuple(text[:-1] for text in wanted if text.endswith("*"))
    return [at for at, text in enumerate(texts) if text in whole or text.startswith(beginnings)]


# -- writing ----------------------------------------------------------------------------------------------------------


def write(path: Path, rows: Iterable[Row]) -> Path:
    """Writes rows to `path` (`.csv.gz`) and the schema beside them. Equal rows give equal bytes.

    Raises `ValueError` for a row that could not be read back, `OSError` where the disk refuses; `path` is then as it
    was.
    """
    ordered = sorted(rows, key=lambda row: row.identity)
    _refuse_unreadable(ordered)
    sheet = io.StringIO()
    writer = csv.writer(sheet, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([_cells(row) for row in ordered])
    replace_bytes(path, packed(sheet.getvalue().encode()))
    replace_bytes(path.with_name(SCHEMA), schema_text().encode())
    return path


def packed(content: bytes) -> bytes:
    """Gzip without time and name."""
    return gzip.compress(content, compresslevel=9, mtime=0)


def _cells(row: Row) -> list[str]:
    return ["" if cell is None else repr(float(cell)) if isinstance(cell, float) else str(cell) for cell in row]


def _refuse_unreadable(rows: Sequence[Row]) -> None:
    before = None
    for row in rows:
        for column, message in _defects(_cells(row), row.number):
            raise ValueError(f"{column} of {row}: {message}")
        if before is not None and row.identity == before.identity:
            raise ValueError(f"two rows with one identity: {row}")
        before = row


def schema_text() -> str:
    """Description of the columns, published beside the files (a Table Schema of frictionless data)."""
    kinds = {"number": "number"}
    fields: list[dict[str, Any]] = [
        {"name": name, "type": kinds.get(name, "string"), "description": about} for name, about in COLUMNS.items()
    ]
    for entry in fields:
        if entry["name"] == "status":
            entry["constraints"] = {"enum": list(get_args(Status))}
    schema = {"fields": fields, "primaryKey": list(IDENTITY), "missingValues": [""]}
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


# -- reading ----------------------------------------------------------------------------------------------------------


def read(path: Path, root: Path | None = None) -> Rows:
    """The rows of a file, or an `InputError` with every defect at its line and column."""
    name = relative(path, root) if root else path.name
    problems, rows, lines = list[Problem](), list[Row](), dict[tuple[str, ...], int]()
    line = 0
    try:
        reader = csv.reader(io.StringIO(_text(path, name), newline=""), strict=True)
        _check_header(name, next(reader, []))
        for cells in reader:
            line = reader.line_num
            problems += _take(name, line, cells, rows, lines)
    except csv.Error as error:
        problems.append(Problem(name, line + 1, "", f"not CSV: {error}"))
    if problems:
        more = [Problem(name, 0, "", f"and {len(problems) - _SHOWN} more defects")] if len(problems) > _SHOWN else []
        raise InputError(problems[:_SHOWN] + more)
    return Rows(tuple(rows))


def _text(path: Path, name: str) -> str:
    try:
        content = gzip.decompress(path.read_bytes())
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError([Problem(name, 0, "", f"not a whole gzip file: {error}")]) from None
    except OSError as error:
        raise InputError([Problem(name, 0, "", f"cannot be read: {error.strerror}")]) from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError([Problem(name, line, "", "not UTF-8 text")]) from None


def _check_header(name: str, header: list[str]) -> None:
    problems = [
        Problem(name, 1, column, "no such column" + did_you_mean(column, COLUMNS))
        for column in header
        if column not in COLUMNS
    ]
    problems += [Problem(name, 1, column, "this column is missing") for column in COLUMNS if column not in header]
    if not problems and header != list(COLUMNS):
        problems = [Problem(name, 1, "", f"the columns are {', '.join(COLUMNS)}, each once and in this order")]
    if problems:
        raise InputError(problems)


def _take(
    name: str, line: int, cells: list[str], rows: list[Row], lines: dict[tuple[str, ...], int]
) -> Iterator[Problem]:
    """Enters one line, or says what is wrong with it."""
    if len(cells) != len(COLUMNS):
        yield Problem(name, line, "", f"{len(cells)} cells where the header has {len(COLUMNS)}")
        return
    *identity, text, status, sample = cells
    number = _number(text)
    if defects := [Problem(name, line, column, message) for column, message in _defects(cells, number)]:
        yield from defects
        return
    row = Row(*map(sys.intern, identity), number, sys.intern(status), sample)  # type: ignore[arg-type, call-arg]
    first = lines.setdefault(row.identity, line)
    if first != line:
        yield Problem(name, line, "", f"repeats the observation of line {first}")
        return
    rows.append(row)


def _defects(cells: Sequence[str], number: float | None) -> Iterator[tuple[str, str]]:
    if not all(cells[:_NEEDED]):
        yield from ((column, "is empty") for column, cell in zip(IDENTITY[:_NEEDED], cells, strict=False) if not cell)
    text, status = cells[-3], cells[-2]
    if status not in _STATUSES:
        yield "status", f"{status!r} is none of {', '.join(_STATUSES)}" + did_you_mean(status, _STATUSES)
    elif (status == "scored") != bool(text):
        yield "number", "is empty, yet the status is scored" if not text else f"stands beside the status {status}"
    elif number is not None and not math.isfinite(number):
        yield "number", f"{text!r} is no finite number"
    elif number is not None and abs(number) > _LARGEST:
        yield "number", f"{text!r} is beyond {_LARGEST:g}, of which no sum of squares can be told"


def _number(text: str) -> float | None:
    """The number of a cell; NaN for what is none, so that one test refuses both."""
    if not text:
        return None
    return float(text) if _NUMBER.fullmatch(text) else math.nan
