"""Every value that has a measure, computed again from its rows and held against what the ledger says."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ledger import rows as row_files
from ledger.book import Ledger, show
from ledger.measures import evaluate
from ledger.problems import InputError, Problem, did_you_mean
from ledger.rows import Rows
from ledger.schema import Measure, Value

_ROUNDED = 1e-6  # relative: stored numbers have seven significant digits


@dataclass(frozen=True)
class Recomputed:
    """One value. `differences` says what disagrees in print; `missing` that its rows are not in this copy."""

    id: str
    stored: Value
    differences: tuple[str, ...] = ()
    missing: bool = False

    def __str__(self) -> str:
        if self.missing:
            assert self.stored.measure is not None
            return f"no rows {self.id}: {show(self.stored)}; results/{self.stored.measure.rows} is not here"
        if self.differences:
            return f"DIFFERS {self.id}: {'; '.join(self.differences)}"
        return f"agrees  {self.id}: {show(self.stored)}"


def recompute(book: Ledger, ids: Sequence[str] = ()) -> Iterator[Recomputed]:
    """The named values (patterns with `*` may stand for several), or all that have a measure.

    Raises `InputError` for an id that names nothing or has no measure, and for damaged rows.
    """
    opened: dict[Path, Rows] = {}
    for id in _chosen(book, ids):
        stored = book.value(id)
        assert stored.measure is not None
        path = book.root / "results" / stored.measure.rows
        if not path.exists():
            yield Recomputed(id, stored, missing=True)
            continue
        if path not in opened:
            opened[path] = row_files.read(path, book.root)
        yield Recomputed(id, stored, tuple(differences(stored, stored.measure, opened[path])))


def _chosen(book: Ledger, ids: Sequence[str]) -> list[str]:
    known = list(book.ids())
    if not ids:
        return [id for id in known if book.value(id).measure is not None]
    found, problems = list[str](), list[Problem]()
    for pattern in ids:
        matching = fnmatch.filter(known, pattern)
        measured = [id for id in matching if book.value(id).measure is not None]
        if not matching:
            problems.append(Problem("results", 0, pattern, "no such value" + did_you_mean(pattern, known)))
        elif not measured:
            source = book.value(matching[0]).source
            problems.append(Problem("results", 0, pattern, f"has no measure; it is {source.kind}: {source.where}"))
        found += measured
    if problems:
        raise InputError(problems)
    return list(dict.fromkeys(found))


def differences(stored: Value, measure: Measure, rows: Rows) -> Iterator[str]:
    """What the rows say otherwise than the stored value."""
    found = evaluate(measure, rows)
    new = found.estimate
    if not _alike(stored, stored.value, new.value):
        yield f"is {_text(stored, stored.value)}, the rows give {_text(stored, new.value)}"
    for word, old, now in zip(
        ("low", "high"), stored.interval or (None, None), new.interval or (None, None), strict=True
    ):
        if not _alike(stored, old, now):
            yield f"{word} end is {_text(stored, old)}, the rows give {_text(stored, now)}"
    if not _near(stored.p, new.p):
        yield f"p is {stored.p}, the rows give {new.p}"
    counts = {"n": found.n, "clusters": found.clusters, "failed": found.failed, "not_run": found.not_run}
    for name, now_counted in counts.items():
        counted = getattr(stored, name)
        if counted is not None and counted != now_counted:
            yield f"{name} is {counted}, the rows give {now_counted}"


def _alike(value: Value, old: float | None, new: float | None) -> bool:
    return _near(old, new) or _text(value, old) == _text(value, new)


def _near(old: float | None, new: float | None) -> bool:
    if old is None or new is None:
        return old is new
    return abs(old - new) <= _ROUNDED * max(abs(old), abs(new))


def _text(value: Value, number: float | None) -> str:
    return "nothing" if number is None else show(value.model_copy(update={"value": number, "qualifier": ""}))
