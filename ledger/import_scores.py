"""From a published CSV of scores to rows, and from rows to values beside the reported ones.

content/scores.toml says how the CSV is laid out (ledger/raw_scores.py) and which values follow from it: templates that
are filled in for every model, scorer, way, quantile or bin, each with the measure that computes it. The CSV is not
kept; its rows go to results/rows/NAME.csv.gz, the values to results/DOCUMENT.json, each whole or not at all.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from ledger import rows as row_files
from ledger.book import MINUS, alike, show
from ledger.csv_tables import read_tables
from ledger.files import replace_bytes, replace_text
from ledger.measures import measured, observations
from ledger.problems import InputError, Problem, did_you_mean, plainly, relative, spell, toml_line
from ledger.raw_scores import Layout, read_scores
from ledger.reading import read_document
from ledger.rows import Rows
from ledger.schema import Column, Document, Id, Measure, Row, Selection, Source, Strict, Table, Value
from ledger.text import read_toml_as

FILE = "content/scores.toml"
Progress = Callable[[int, int, str], None]  # steps done, steps in all, what is being done
Axis = Literal["model", "base", "scorer", "way", "quantile", "bin"]
WORDS = (  # that the axes of `combinations` know
    "source", "model", "model_label", "base", "base_label", "scorer", "scorer_label", "unit", "prefix",
    "way", "way_label", "way_pictures", "percent", "quantile", "bin", "low", "high", "at_least", "below",
)  # fmt: skip
Words = dict[str, str | int]  # what a template is filled in with


class Bins(Strict):
    """Equal bins that hold every observation of a selection, shared by all models."""

    width: int = Field(gt=0)
    of: Selection


class Template(Strict):
    """Values of one column, one for every combination of `each`."""

    each: list[Axis] = Field(default_factory=list)
    scorers: list[Id] | None = None  # all
    quantiles: list[int] = Field(default_factory=list)  # in per cent
    bin: Bins | None = None
    table: Id
    row: str = "{model}"
    column: str
    heading: str  # of the column
    label: str
    unit: str
    digits: int = Field(default=3, ge=0, le=6)
    source: str
    measure: dict[str, Any]  # a Measure; run, row and scorer are filled in where its selections do not name them
    agrees_with: list[str] = Field(default_factory=list)  # the first of these values that has a number


class Heading(Strict):
    """A table of the document. `rows` are rows that are no model: id -> label."""

    title: str
    caption: str
    row_label: str = "Row"
    rows: dict[Id, str] = Field(default_factory=dict)


class Plan(Layout):
    """content/scores.toml."""

    name: Id  # of the file of rows
    document: Id  # of the file of values
    source: str  # where the values come from, in words
    table: Id  # whose rows are the models
    tables: dict[Id, Heading]
    values: list[Template]


@dataclass(frozen=True)
class Comparison:
    """A reported value and its recomputed counterpart."""

    reported: str
    recomputed: str
    reported_text: str
    recomputed_text: str
    exact: float
    agrees: bool


@dataclass(frozen=True)
class Report:
    """What an import read and found. `pairs` counts distinct pairs by row of the table."""

    rows: int
    repeats: int
    pairs: dict[str, int]
    comparisons: list[Comparison]
    written: tuple[Path, ...]

    def lines(self) -> Iterator[str]:
        """For people: what was read, then one line a compared number."""
        total = sum(self.pairs.values())
        yield f"{self.rows} rows, {self.repeats} of them repeats: {total} pairs of {len(self.pairs)} models"
        for item in self.comparisons:
            verdict = "agrees" if item.agrees else "DIFFERS"
            yield f"{verdict:8}{item.reported}: reported {item.reported_text}, recomputed {item.recomputed_text}"
        agreed = sum(item.agrees for item in self.comparisons)
        yield f"{agreed} of {len(self.comparisons)} reported numbers agree to the printed precision"
        yield from (f"wrote {path}" for path in self.written)


def import_scores(csv_path: Path, root: Path, progress: Progress | None = None) -> Report:
    """Recompute everything that the scores decide; write the rows and the document of values.

    Raises `InputError` with all defects of the CSV, of content/scores.toml or of the document that has the table of
    models; then nothing is written. The same CSV gives the same bytes.
    """
    plan, text = _read_plan(root)
    reported = _documents(root, plan, text)
    models = {row.id: row for row in reported.tables[plan.table].rows}
    if wrong := [*_wrong_names(plan, text, models)]:
        raise InputError(wrong)
    scores = read_scores(csv_path, plan, list(models))
    derivation = _Derivation(plan, text, reported, Rows(tuple(sorted(scores.rows, key=lambda row: row.identity))))
    document = derivation.document(progress or (lambda done, total, what: None))
    written = _write(plan, root, scores.rows, document)
    repeats = scores.lines - sum(scores.pairs.values())
    pairs = {model: scores.pairs[model] for model in models if model in scores.pairs}
    return Report(scores.lines, repeats, pairs, derivation.comparisons(), written)


def _read_plan(root: Path) -> tuple[Plan, str]:
    try:
        text, plan = read_toml_as(Plan, root / FILE, root)
    except FileNotFoundError:
        said = "no such file: it says what the columns are called and which values follow from them (docs/numbers.md)"
        raise InputError([Problem(FILE, 0, "", said)]) from None
    return plan, text


def _documents(root: Path, plan: Plan, text: str) -> Document:
    """What is reported: all documents but the one that is written, without the references between them."""
    merged = Document()
    tables, problems = read_tables(root)
    if problems:
        raise InputError(problems)
    others = sorted(file for file in (root / "results").glob("*.json") if file.stem != plan.document)
    for document in (*(read_document(file, root) for file in others), *(table for _, table in tables)):
        merged.values.update(document.values)
        merged.tables.update(document.tables)
    if plan.table not in merged.tables:
        said = f"no table {plan.table!r} in results/" + did_you_mean(plan.table, merged.tables)
        raise InputError([Problem(FILE, toml_line(text, ["table"]), "table", said)])
    _refuse_to_replace(root / "results" / f"{plan.document}.json", plan, root, toml_line(text, ["document"]))
    return merged


def _wrong_names(plan: Plan, text: str, models: Iterable[str]) -> Iterator[Problem]:
    """Models, ways and tables that the plan names and nothing declares: their values would be left out."""
    named: list[tuple[tuple[str | int, ...], str, str, Iterable[str]]] = [
        (("models", name), f"row of table '{plan.table}'", row, models) for name, row in plan.models.items()
    ]
    for index, template in enumerate(plan.values):
        named.append((("values", index, "table"), "table under [tables]", template.table, plan.tables))
        for scorer in template.scorers or ():
            named.append((("values", index, "scorers"), "scorer", scorer, plan.scorers))
        for side in ("of", "beside"):
            selection = template.measure.get(side)
            for key in ("way", "less"):
                way = str(selection.get(key, "*")) if isinstance(selection, dict) else "*"
                if "*" not in way and "{" not in way:
                    named.append((("values", index, "measure", side, key), "way", way, plan.ways))
    for path, what, name, known in named:
        if name not in known:
            yield Problem(
                FILE, toml_line(text, path), spell(path), f"no {what} is called {name!r}{did_you_mean(name, known)}"
            )


def _refuse_to_replace(file: Path, plan: Plan, root: Path, line: int) -> None:
    """InputError where the document that would be written holds what no import wrote."""
    if not file.is_file():
        return
    there = read_document(file, root)
    if there.exhibits or there.runs or {*there.tables} - {*plan.tables}:
        said = f"{relative(file, root)} holds other things, which an import would replace: choose a name of its own"
        raise InputError([Problem(FILE, line, "document", said)])


def _write(plan: Plan, root: Path, rows: Iterable[row_files.Row], document: Document) -> tuple[Path, ...]:
    """Both files, or neither: where the second cannot be written the first is put back as it was."""
    first = root / "results" / row_files.FOLDER / f"{plan.name}.csv.gz"
    second = root / "results" / f"{plan.document}.json"
    before = first.read_bytes() if first.exists() else None
    target = first
    try:
        row_files.write(first, rows)
        target = second
        replace_text(second, document.model_dump_json(indent=1, exclude_defaults=True) + "\n")
    except OSError as error:
        with contextlib.suppress(OSError):
            if before is None:
                first.unlink(missing_ok=True)
            else:
                replace_bytes(first, before)
        said = f"cannot be written: {error.strerror}"
        raise InputError([Problem(relative(target, root), 0, "", said)]) from None
    return first, second


class _Derivation:
    """Fills in the templates and evaluates their measures."""

    def __init__(self, plan: Plan, text: str, reported: Document, rows: Rows) -> None:
        self.plan, self.text, self.reported, self.rows = plan, text, reported, rows
        drawn = {row.row for row in rows.all}
        self.models = [row for row in reported.tables[plan.table].rows if row.id in drawn]
        self.values: dict[str, Value] = {}
        self.columns: dict[str, dict[str, Column]] = {table: {} for table in plan.tables}
        self.cells: dict[str, set[str]] = {table: set() for table in plan.tables}

    def document(self, tell: Progress) -> Document:
        for index, template in enumerate(self.plan.values):
            tell(index, len(self.plan.values), template.column)
            try:
                for words in self.combinations(template):
                    self.put(template, words)
            except (KeyError, ValueError) as error:
                raise InputError([self.wrong(index, error)]) from None
        tell(len(self.plan.values), len(self.plan.values), "written")
        return Document(tables=self.tables(), values=self.values)

    def wrong(self, index: int, error: Exception) -> Problem:
        path: tuple[str | int, ...] = ("values", index)
        if isinstance(error, ValidationError):
            detail = error.errors(include_url=False)[0]
            place = ("measure", *detail["loc"]) if error.title == "Measure" else ("column",)
            path, said = (*path, *place), plainly(detail, detail["loc"], Measure)
        else:
            said = (
                f"no such word {error}{did_you_mean(str(error.args[0]), WORDS)}"
                if isinstance(error, KeyError)
                else str(error)
            )
        return Problem(FILE, toml_line(self.text, path), spell(path), said)

    # -- what templates are filled in with

    def combinations(self, template: Template) -> Iterator[Words]:
        for parts in itertools.product(*(list(self.axis(axis, template)) for axis in template.each)):
            words: Words = {"source": self.plan.source}
            for part in parts:
                words |= part
            if "base" not in template.each or self.base_of(words):
                yield words | self.base_of(words)

    def axis(self, axis: Axis, template: Template) -> Iterator[Words]:
        match axis:
            case "model":
                for row in self.models:
                    yield {"model": row.id, "model_label": row.label}
            case "base":
                yield {}  # follows from the model
            case "scorer":
                for id in template.scorers or self.plan.scorers:
                    about = self.plan.scorers[id]
                    yield {"scorer": id, "scorer_label": about.label, "unit": about.unit, "prefix": about.prefix}
            case "way":
                for id, way in self.plan.ways.items():
                    yield {"way": id, "way_label": way.label, "way_pictures": way.pictures}
            case "quantile":
                for percent in template.quantiles:
                    yield {"percent": percent, "quantile": str(percent / 100)}
            case "bin":
                yield from self.bins(template)

    def base_of(self, words: Words) -> Words:
        """The base model of a model's group; nothing for a base itself, or where its base was not scored."""
        own = next((row for row in self.models if row.id == words.get("model")), None)
        group = self.reported.tables[self.plan.table].rows
        base = next((row for row in group if own and row.group == own.group and row.kind == "base"), None)
        if base is None or base is own or base not in self.models:
            return {}
        return {"base": base.id, "base_label": base.label}

    def bins(self, template: Template) -> Iterator[Words]:
        if template.bin is None:
            raise ValueError("the axis 'bin' needs 'bin'")
        width, scorers = template.bin.width, tuple(template.scorers or self.plan.scorers)
        chosen = template.bin.of.model_copy(update={"where": {"run": (self.plan.run,), "scorer": scorers}})
        numbers = [number for number in observations(chosen, self.rows).values() if not isinstance(number, str)]
        first, last = (math.floor(edge / width) for edge in (min(numbers), max(numbers)))
        for low in range(first * width, (last + 1) * width, width):
            name = f"m{-low}" if low < 0 else f"p{low}" if low else "0"
            ends = {"low": _printed(low), "high": _printed(low + width)}
            yield {"bin": name, "at_least": str(low), "below": str(low + width), **ends}

    # -- values

    def put(self, template: Template, words: Words) -> None:
        row, column = template.row.format_map(words), template.column.format_map(words)
        id = f"{template.table}.{row}.{column}"
        unit = template.unit.format_map(words)
        value = measured(
            template.label.format_map(words),
            self.measure(template, words),
            self.rows,
            unit=unit,
            digits=template.digits,
            source=Source(kind="recomputed", where=template.source.format_map(words)),
        )
        self.values[id] = self.beside_reported(_tidied(value), template, words)
        heading = template.heading.format_map(words)
        self.columns[template.table].setdefault(column, Column(id=column, label=heading, unit=unit))
        self.cells[template.table].add(row)

    def measure(self, template: Template, words: Words) -> Measure:
        filled = _filled(template.measure, words)
        for side in ("of", "beside"):
            if isinstance(filled.get(side), dict):
                where = {"run": [self.plan.run], **_kept(words, row="model", scorer="scorer")}
                filled[side]["where"] = {**where, **filled[side].get("where", {})}
        return Measure.model_validate({"rows": f"{row_files.FOLDER}/{self.plan.name}.csv.gz", **filled})

    def beside_reported(self, value: Value, template: Template, words: Words) -> Value:
        """The value with its reported counterpart, and a caveat where they differ."""
        for pattern in template.agrees_with:
            counterpart = pattern.format_map(words)
            reported = self.reported.values.get(counterpart)
            if reported is not None and reported.value is not None:
                caveat = None if alike(reported, value) else f"{show(reported)} was reported."
                return value.model_copy(update={"agrees_with": counterpart, "caveat": caveat})
        return value

    def tables(self) -> dict[str, Table]:
        return {
            id: Table(
                title=heading.title,
                caption=heading.caption,
                row_label=heading.row_label,
                columns=list(self.columns[id].values()),
                rows=[
                    *(row for row in self.models if row.id in self.cells[id]),
                    *(Row(id=row, label=label) for row, label in heading.rows.items() if row in self.cells[id]),
                ],
            )
            for id, heading in self.plan.tables.items()
            if self.columns[id]
        }

    def comparisons(self) -> list[Comparison]:
        return [
            Comparison(
                value.agrees_with,
                id,
                show(self.reported.values[value.agrees_with]),
                show(value),
                value.value or 0.0,
                alike(self.reported.values[value.agrees_with], value),
            )
            for id, value in self.values.items()
            if value.agrees_with
        ]


def _filled(pattern: Any, words: Mapping[str, Any]) -> Any:
    """A measure with its words filled in, however deep they stand."""
    if isinstance(pattern, dict):
        return {key: _filled(inner, words) for key, inner in pattern.items()}
    if isinstance(pattern, list):
        return [_filled(inner, words) for inner in pattern]
    return pattern.format_map(words) if isinstance(pattern, str) else pattern


def _kept(words: Words, **columns: str) -> dict[str, list[str]]:
    return {column: [str(words[word])] for column, word in columns.items() if word in words}


def _printed(edge: int) -> str:
    return str(edge).replace("-", MINUS)


def _tidied(value: Value) -> Value:
    """Seven significant digits: more than any score carries, and the same bytes on every machine."""
    interval = value.interval and (_tidy(value.interval[0]), _tidy(value.interval[1]))
    numbers = {name: _tidy(number) for name in ("value", "sd", "p") if (number := getattr(value, name)) is not None}
    return value.model_copy(update={**numbers, "interval": interval})


def _tidy(number: float) -> float:
    return float(f"{number:.7g}")
