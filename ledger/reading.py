"""From results/*.json and content/claims.toml to one `Ledger`, or to one `InputError` with every defect at its line.

Refused: broken or repeated JSON, unknown keys, text in a number, NaN and infinity, addresses that are not http(s), two
things with one id, references that lead nowhere, cells outside their table, files that lie outside the project.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from ledger.book import Ledger
from ledger.claims.judge import judge_claims
from ledger.claims.read import ClaimRow, Known, check_claims, read_claims
from ledger.csv_tables import read_tables
from ledger.problems import (
    InputError,
    JsonPath,
    Problem,
    did_you_mean,
    explain,
    json_line,
    relative,
    spell,
)
from ledger.schema import Document, Exhibit, Picture, Remote, Table
from ledger.sources import FILE as SOURCES
from ledger.sources import Source, read_sources
from ledger.text import parse_json, read_text

_COLLECTIONS = ("values", "tables", "exhibits", "runs")


def load(root: Path) -> Ledger:
    """Read, merge, cross-check and judge everything the project at `root` knows.

    Raises `InputError` with all defects of all files; references are checked once every file can be read.
    """
    problems = list[Problem]()
    documents, rows, sources = _written(root, problems)
    if problems:
        raise InputError(problems)
    merged = _merge(documents, root)
    _locate(merged, sources)
    known = Known({**merged.values, **merged.scores}, merged.tables)
    problems = [*_dangling(merged, root), *check_claims(rows, known, root)]
    if problems:
        raise InputError(problems)
    return replace(merged, claims=judge_claims(rows, known))


def _written(
    root: Path, problems: list[Problem]
) -> tuple[list[tuple[Path, Document]], list[ClaimRow], dict[str, Source]]:
    """Documents, claims and sources as far as they can be read; the defects of all files are added to `problems`."""
    documents = list[tuple[Path, Document]]()
    for file in sorted((root / "results").glob("*.json")):
        try:
            documents.append((file, read_document(file, root)))
        except InputError as error:
            problems += error.problems
    tables, defects = read_tables(root)
    problems += defects
    try:
        return [*documents, *tables], read_claims(root), read_sources(root)
    except InputError as error:
        problems += error.problems
    return [], [], {}


def read_document(file: Path, root: Path) -> Document:
    """One file of results/, checked by itself."""
    name = relative(file, root)
    text = _text(file, name, root)
    written = parse_json(text, name)
    try:
        return Document.model_validate_json(text, strict=True)
    except ValidationError as error:
        raise InputError(explain(error, Document, name, written, lambda path: json_line(text, path))) from None


def _text(file: Path, name: str, root: Path) -> str:
    if not file.resolve().is_relative_to(root.resolve()):
        raise InputError([Problem(name, 0, "", "a link that leads out of the project")])
    try:
        return read_text(file, root)
    except FileNotFoundError:
        raise InputError([Problem(name, 0, "", "a link that leads nowhere")]) from None


# -- one ledger out of many files -------------------------------------------------------------------------------------


def _merge(documents: list[tuple[Path, Document]], root: Path) -> Ledger:
    """All documents in one; scores that point to a value get it, counterparts point to each other."""
    merged, problems = Ledger(root=root), []
    for file, document in documents:
        for collection in _COLLECTIONS:
            for id, thing in getattr(document, collection).items():
                if first := merged.files.get((collection, id)):
                    said = f"two {collection} with one id; the other is in {relative(first, root)}"
                    problems.append(_at(file, root, (collection, id), said))
                    continue
                merged.files[(collection, id)] = file
                getattr(merged, collection)[id] = thing
    if problems:
        raise InputError(problems)
    for id, value in list(merged.values.items()):
        counterpart = merged.values.get(value.agrees_with or "")
        if counterpart is not None and counterpart.agrees_with is None:
            merged.values[value.agrees_with or ""] = counterpart.model_copy(update={"agrees_with": id})
    for id, value in merged.values.items():
        if value.measure and value.rows is None and (root / "results" / value.measure.rows).exists():
            merged.values[id] = value.model_copy(update={"rows": value.measure.rows})
    for id, exhibit in merged.exhibits.items():
        if any(picture.scores_from for picture in exhibit.pictures):
            merged.exhibits[id] = _with_scores(exhibit, merged)
    return merged


def _with_scores(exhibit: Exhibit, merged: Ledger) -> Exhibit:
    def filled(picture: Picture) -> Picture:
        found = {
            score: merged.values[id] for score, id in picture.scores_from.items() if id in merged.values
        }  # a reference to nothing is reported by `_dangling`
        return picture.model_copy(update={"scores": {**picture.scores, **found}})

    return exhibit.model_copy(update={"pictures": [filled(picture) for picture in exhibit.pictures]})


def _locate(merged: Ledger, sources: dict[str, Source]) -> None:
    """Gives every picture of a source its address and its rights."""
    problems = []
    for id, exhibit in merged.exhibits.items():
        for index, picture in enumerate(exhibit.pictures):
            if picture.remote is not None and (wrong := _unlocated(picture.remote, sources)):
                step, said = wrong
                problems.append(merged.problem(("exhibits", id, "pictures", index, "remote", step), said))
    if problems:
        raise InputError(problems)
    for id, exhibit in merged.exhibits.items():
        if any(picture.remote is not None and picture.remote.source for picture in exhibit.pictures):
            pictures = [_located(picture, sources) for picture in exhibit.pictures]
            merged.exhibits[id] = exhibit.model_copy(update={"pictures": pictures})


def _located(picture: Picture, sources: dict[str, Source]) -> Picture:
    if picture.remote is None or not picture.remote.source:
        return picture
    return picture.model_copy(update={"remote": sources[picture.remote.source].located(picture.remote)})


def _unlocated(remote: Remote, sources: dict[str, Source]) -> tuple[str, str] | None:
    """The key that names nothing in content/sources.toml, and what to say about it."""
    if not remote.source:
        return None
    if remote.source not in sources:
        return "source", f"{_unknown('source', remote.source, sources)} ({SOURCES})"
    groups = sources[remote.source].groups
    if remote.group not in groups:
        return "group", f"{_unknown('group', str(remote.group), groups)} ({SOURCES})"
    return None


def _dangling(merged: Ledger, root: Path) -> Iterator[Problem]:
    """Everything that points to nothing, or stands twice in one thing."""
    for id, value in merged.values.items():
        if value.agrees_with and value.agrees_with not in merged.values:
            yield merged.problem(("values", id, "agrees_with"), _unknown("value", value.agrees_with, merged.values))
        if value.source.kind == "measured" and value.source.where not in merged.runs:
            yield merged.problem(("values", id, "source", "where"), _unknown("run", value.source.where, merged.runs))
        if id.startswith("exhibits."):
            yield merged.problem(("values", id), "ids that begin with 'exhibits.' belong to scores beside pictures")
    for id, table in merged.tables.items():
        yield from _table_problems(id, table, merged)
    tags = _taxonomy(root)
    for id, exhibit in merged.exhibits.items():
        yield from _exhibit_problems(id, exhibit, merged, tags)


def _table_problems(id: str, table: Table, merged: Ledger) -> Iterator[Problem]:
    for part in ("columns", "rows"):
        names = [thing.id for thing in getattr(table, part)]
        for index, name in enumerate(names):
            if name in names[:index]:
                yield merged.problem(("tables", id, part, index, "id"), f"two {part} are called {name!r}")
    cells = {f"{id}.{row.id}.{column.id}" for row in table.rows for column in table.columns}
    inner = tuple(other + "." for other in merged.tables if other.startswith(id + "."))
    for value_id in merged.values:
        if value_id.startswith(id + ".") and value_id not in cells and not value_id.startswith(inner):
            said = f"table {id!r} has no such cell" + did_you_mean(value_id, cells)
            yield merged.problem(("values", value_id), said)


def _exhibit_problems(id: str, exhibit: Exhibit, merged: Ledger, tags: set[str] | None) -> Iterator[Problem]:
    seen = set[str]()
    for index, picture in enumerate(exhibit.pictures):
        place = ("exhibits", id, "pictures", index)
        if picture.id in seen:
            yield merged.problem((*place, "id"), f"two pictures are called {picture.id!r}")
        seen.add(picture.id)
        for score, value_id in picture.scores_from.items():
            if value_id not in merged.values:
                yield merged.problem((*place, "scores_from", score), _unknown("value", value_id, merged.values))
        for score, value in picture.scores.items():
            if value.source.kind == "measured" and value.source.where not in merged.runs:
                said = _unknown("run", value.source.where, merged.runs)
                yield merged.problem((*place, "scores", score, "source", "where"), said)
    for index, tag in enumerate(exhibit.tags):
        if tags is not None and tag not in tags:
            yield merged.problem(("exhibits", id, "tags", index), _unknown("sub-category", tag, tags))


def _unknown(kind: str, id: str, known: Iterable[str]) -> str:
    return f"no such {kind} {id!r}" + did_you_mean(id, known)


def _taxonomy(root: Path) -> set[str] | None:
    """Ids of all sub-categories in content/taxonomy.toml; None where it is absent or broken, which others report."""
    try:
        tree = tomllib.loads((root / "content" / "taxonomy.toml").read_text(encoding="utf-8-sig"))
        return {str(entry["id"]) for category in tree["category"] for entry in category["sub_category"]}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _at(file: Path, root: Path, path: JsonPath, message: str) -> Problem:
    return Problem(relative(file, root), json_line(file.read_text(encoding="utf-8-sig"), path), spell(path), message)
