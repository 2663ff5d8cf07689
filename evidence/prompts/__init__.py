"""Prompts are data sets with a schema: one JSON line each.

Shipped: `wide` (300 plain / wide-spectrum pairs), `emotion` (30 faces x 4 emotions) and `critical` (100), all written
by `grammar.py`. A path to a `.jsonl` file is a set too, and `hub:` names a published one (see `hub.py`). Unknown keys,
doubled ids and missing files are errors with file and line.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import Field, ValidationError

from effects.decode import header
from evidence.dimensions import DIMENSIONS
from ledger.problems import InputError, Problem, did_you_mean, explain, relative
from ledger.schema import Id, Strict
from ledger.text import parse_json, read_text

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


class Prompt(Strict):
    """One row of a prompt set. What a protocol needs of it, it says when it is missing.

    `plain` is p_o, `wide` is p_a. `prompts`, `statements` and `images` have one entry per
    emotion. `image` (a photograph, an artwork) and `images` are files, relative to the file of the set.
    """

    id: Id
    plain: str = Field(min_length=1)
    wide: str = ""
    dimensions: list[str] = Field(default_factory=list)
    tags: list[Id] = Field(default_factory=list)  # sub-categories of content/taxonomy.toml
    negative: str = ""  # words of polish to push away from
    prompts: dict[str, str] = Field(default_factory=dict)  # emotion -> what is asked for
    statements: dict[str, str] = Field(default_factory=dict)  # emotion -> what a matcher checks the picture against
    topic: str = ""
    image: str = ""
    images: dict[str, str] = Field(default_factory=dict)

    @property
    def labels(self) -> tuple[str, ...]:
        """What an annotator is asked about: its own vocabulary, the kind before the name."""
        return tuple(f"treatment:{tag}" for tag in self.tags)

    def texts(self) -> Iterator[tuple[str, str]]:
        """Its texts with the kind of each."""
        yield "plain", self.plain
        if self.wide:
            yield "wide", self.wide
        yield from self.prompts.items()


@dataclass(frozen=True)
class PromptSet:
    """Rows in file order. `digest` is the sha256 of the rows, `whole` that of the set they were cut from: both go into
    the provenance of a run."""

    name: str
    folder: Path
    rows: tuple[Prompt, ...]
    digest: str
    source: str
    whole: str


def names() -> list[str]:
    """The sets that ship with the project."""
    return sorted(path.stem for path in HERE.glob("*.jsonl"))


def load(name: str, limit: int | None = None) -> PromptSet:
    """A shipped set by name, a `.jsonl` file by path, or a published one as `hub:owner/name`; first `limit` rows."""
    if name.startswith("hub:"):
        from evidence.prompts import hub

        return _cut(hub.load(name.removeprefix("hub:")), limit)
    path = Path(name) if name.endswith(".jsonl") else HERE / f"{name}.jsonl"
    if not path.is_file():
        hint = did_you_mean(name, names())
        raise InputError([Problem(name, 0, "", f"no such prompt set{hint}; shipped: {', '.join(names())}")])
    file = relative(path.resolve(), ROOT)
    rows = _parse(read_text(path.resolve(), ROOT), file)
    _pictures(rows[:limit], path.parent, file)
    return _cut(of_rows(path.stem, path.parent, rows, file), limit)


def of_rows(name: str, folder: Path, rows: list[Prompt], source: str) -> PromptSet:
    digest = _digest(rows)
    return PromptSet(name, folder, tuple(rows), digest, source, digest)


def _digest(rows: Sequence[Prompt]) -> str:
    lines = (json.dumps(row.model_dump(exclude_defaults=True), sort_keys=True, ensure_ascii=False) for row in rows)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _cut(whole: PromptSet, limit: int | None) -> PromptSet:
    if limit is None or limit >= len(whole.rows):
        return whole
    rows = whole.rows[:limit]
    return replace(whole, rows=rows, digest=_digest(rows))


def _parse(text: str, file: str) -> list[Prompt]:
    rows: list[Prompt] = []
    problems: list[Problem] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), 1):  # not splitlines: a prompt may hold U+2028
        if not line.strip():
            continue
        try:
            row = _row(line, file, number)
        except InputError as error:
            problems += error.problems
            continue
        problems += [
            Problem(file, number, "dimensions", f"unknown dimension '{d}'{did_you_mean(d, DIMENSIONS)}")
            for d in row.dimensions
            if d not in DIMENSIONS
        ]
        first = seen.setdefault(row.id, number)
        if first != number:
            problems.append(Problem(file, number, "id", f"'{row.id}' stands in line {first} already"))
        rows.append(row)
    if not rows and not problems:
        problems.append(Problem(file, 0, "", "holds no prompt"))
    if problems:
        raise InputError(problems)
    return rows


def _row(line: str, file: str, number: int) -> Prompt:
    """The prompt of one line."""
    try:
        written = parse_json(line, file)
        return Prompt.model_validate(written)
    except InputError as error:
        problems = [replace(problem, line=number) for problem in error.problems]
    except ValidationError as error:
        problems = explain(error, Prompt, file, written, lambda _: number)
    raise InputError(problems)


def _pictures(rows: Sequence[Prompt], folder: Path, file: str) -> None:
    """Raises InputError for pictures that are not there or that nothing can read."""
    problems: list[Problem] = []
    for row in rows:
        for name in filter(None, [row.image, *row.images.values()]):
            try:
                header(folder / name, name)
            except ValueError as error:
                problems.append(Problem(file, 0, row.id, str(error)))
    if problems:
        raise InputError(problems)
