"""A published CSV of scores as rows, by a mapping that people write (content/scores.toml).

A line of the CSV is one pair of pictures: its model, its prompt and, for each scorer, one score for each way, in
columns named PREFIX_WAY. Repeats of a pair become rows of a run of their own, so that both the distinct pairs and the
file as it is can be counted. Refused with line and column: a foreign delimiter, a missing or unknown column, text in a
number, an unknown model, NaN or infinity, a repeat with other scores.
"""

from __future__ import annotations

import csv
import fnmatch
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import Field

from ledger.problems import InputError, Problem, did_you_mean, shortened
from ledger.rows import Row
from ledger.schema import Id, Strict
from ledger.text import foreign_delimiter, read_text

_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*\Z", re.ASCII)
_LARGEST = 1e6  # no scorer comes near


class Scorer(Strict):
    """`prefix` names its columns in the CSV."""

    prefix: str = Field(min_length=1)
    label: str = Field(min_length=1)
    unit: str


class Way(Strict):
    """Which picture was scored under which text."""

    kind: str
    label: str = Field(min_length=1)  # "plain picture, distorted prompt"
    pictures: str = ""  # "plain pictures under the distorted prompt"


class Layout(Strict):
    """What the columns and the models of a CSV are called."""

    run: Id
    model: str = Field(min_length=1)  # column of the model
    prompt: str = Field(min_length=1)  # column of the prompt's number
    ignored: list[str] = Field(default_factory=list)  # further columns, patterns with `*`
    models: dict[str, Id] = Field(
        default_factory=dict
    )  # name in the file -> row of the table; rows may also be named by their ids
    scorers: dict[Id, Scorer] = Field(min_length=1)
    ways: dict[Id, Way] = Field(min_length=1)

    def column(self, scorer: str, way: str) -> str:
        return f"{self.scorers[scorer].prefix}_{way}"

    def score_columns(self) -> dict[str, tuple[str, str]]:
        """Columns of scores, with the scorer and the way of each."""
        return {self.column(scorer, way): (scorer, way) for scorer in self.scorers for way in self.ways}


@dataclass
class Scores:
    """The rows of a CSV, how many lines it had, and how many pairs each model has without repeats."""

    rows: list[Row] = field(default_factory=list)
    lines: int = 0
    pairs: dict[str, int] = field(default_factory=dict)


def read_scores(csv_path: Path, layout: Layout, models: Sequence[str]) -> Scores:
    """The rows of a CSV, or an `InputError` with every defect at its line and column."""
    return _Reader(csv_path, layout, models).read()


class _Reader:
    def __init__(self, path: Path, layout: Layout, models: Sequence[str]) -> None:
        self.name, self.layout = path.name, layout
        try:
            self.text = read_text(path, path.parent)
        except FileNotFoundError:
            raise InputError([Problem(self.name, 0, "", "no such file")]) from None
        self.models = {**{model: model for model in models}, **layout.models}
        self.columns = layout.score_columns()
        self.known: dict[tuple[str, str], list[tuple[int, list[float]]]] = {}  # lines of a pair, with their scores
        self.header: list[str] = []
        self.scores = Scores()

    def read(self) -> Scores:
        problems, line = list[Problem](), 0
        try:
            reader = csv.reader(io.StringIO(self.text, newline=""), strict=True)
            self.header = next(reader, [])
            if problems := list(self.header_problems()):
                raise InputError(problems)
            for cells in reader:
                line = reader.line_num
                problems += self.take(line, cells)
        except csv.Error as error:
            problems.append(Problem(self.name, line + 1, "", f"not CSV: {error}"))
        if not problems and not self.scores.lines:
            problems.append(Problem(self.name, 1, "", "no rows below the header"))
        if problems:
            raise InputError(shortened(problems))
        return self.scores

    def header_problems(self) -> Iterator[Problem]:
        """A foreign delimiter alone, where there is one; else what is missing, twice there or unknown."""
        if not self.header:
            yield Problem(self.name, 1, "", f"no header: the {'first line' if self.text.strip() else 'file'} is empty")
            return
        if foreign := foreign_delimiter(self.text):
            yield Problem(self.name, 1, "", foreign)
            return
        wanted = [self.layout.model, self.layout.prompt, *self.columns]
        for column in wanted:
            if self.header.count(column) > 1:
                yield Problem(self.name, 1, column, "this column stands twice")
        if missing := [column for column in wanted if column not in self.header]:
            near = did_you_mean(missing[0], self.header)
            yield Problem(self.name, 1, "", f"no column {', '.join(map(repr, missing))}{near}")
        if unknown := [column for column in self.header if column not in wanted and not self.ignores(column)]:
            listed = ", ".join(map(repr, unknown))
            remedy = "add a scorer or way for them to content/scores.toml, or name them under 'ignored' there"
            yield Problem(self.name, 1, "", f"columns that no scorer has: {listed}; {remedy}")

    def ignores(self, column: str) -> bool:
        return any(fnmatch.fnmatchcase(column, pattern) for pattern in self.layout.ignored)

    def take(self, line: int, cells: list[str]) -> Iterator[Problem]:
        """Enters one line of the CSV, or says what is wrong with it."""
        if not cells:
            return
        if len(cells) != len(self.header):
            yield Problem(self.name, line, "", f"{len(cells)} cells where the header has {len(self.header)}")
            return
        record = dict(zip(self.header, cells, strict=True))
        if defects := list(self.cell_defects(record)):
            yield from (self.problem(line, column, said) for column, said in defects)
            return
        model, prompt = self.models[record[self.layout.model]], str(int(record[self.layout.prompt]))
        numbers = [float(record[column]) for column in self.columns]
        seen = self.known.setdefault((model, prompt), [])
        for column, now, before in zip(self.columns, numbers, seen[0][1] if seen else numbers, strict=True):
            if now != before:
                said = f"{now} repeats {model}, prompt {prompt}, of line {seen[0][0]}, which has {before}"
                yield self.problem(line, column, said)
        seen.append((line, numbers))
        self.enter(model, prompt, numbers, copy=len(seen))

    def enter(self, model: str, prompt: str, numbers: Sequence[float], copy: int) -> None:
        run = self.layout.run + ("" if copy == 1 else f"-repeat-{copy - 1}")
        self.scores.lines += 1
        self.scores.pairs[model] = self.scores.pairs.get(model, 0) + (copy == 1)
        for (scorer, way), number in zip(self.columns.values(), numbers, strict=True):
            kind = self.layout.ways[way].kind
            self.scores.rows.append(Row(run, model, prompt, scorer, way, kind=kind, number=number))

    def cell_defects(self, record: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        model, prompt = record[self.layout.model], record[self.layout.prompt]
        if model not in self.models:
            yield self.layout.model, f"unknown model {model!r}" + did_you_mean(model, self.models)
        if not re.fullmatch(r"\d{1,9}", prompt, re.ASCII):
            yield self.layout.prompt, f"{prompt!r} is no prompt index: a whole number from 0"
        for column in self.columns:
            text = record[column]
            if re.fullmatch(r"\s*[+-]?(nan|inf(inity)?)\s*", text, re.IGNORECASE):
                yield column, f"{text.strip()!r} is not a finite number"
            elif not _NUMBER.match(text):
                yield column, f"{text!r} is no number"[:120]
            elif abs(float(text)) > _LARGEST:
                yield column, f"{text.strip()!r} is no score"

    def problem(self, line: int, column: str, said: str) -> Problem:
        return Problem(self.name, line, f"{column} (column {self.header.index(column) + 1})", said)
