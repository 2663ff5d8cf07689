"""Prompts are data sets with a schema: one JSON line each.

Shipped: `wide` (300 plain / wide-spectrum pairs), `emotion` (30 faces x 4 emotions) and `critical` (100), all written
by `grammar.py`. A path to a `.jsonl` file is a set too, and `hub:` names a published one (see `hub.py`). Unknown keys,
doubled ids and missing files are errors with file and line.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from ledger.problems import InputError, Problem, did_you_mean, relative, spell
from ledger.schema import Strict

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]

DIMENSIONS = (
    "background",
    "clarity",
    "color aesthetic",
    "color brightness",
    "detail realism",
    "detail refinement",
    "emotion",
    "lighting distinction",
    "main object",
    "object pairing",
    "richness",
)  # the eleven that VisionReward's annotators rated and this evaluation uses, in the order of the judge's output


class Prompt(Strict):
    """One row of a prompt set. What a protocol needs of it, it says when it is missing.

    `plain` is p_o, `wide` is p_a. `prompts`, `statements` and `images` have one entry per
    emotion. `image` (a photograph, an artwork) and `images` are files, relative to the file of the set.
    """

    id: str = Field(min_length=1)
    plain: str = Field(min_length=1)
    wide: str = ""
    dimensions: list[str] = Field(default_factory=list)
    tags: list[str] = Field(default_factory=list)  # sub-categories of content/taxonomy.toml
    negative: str = ""  # words of polish to push away from
    prompts: dict[str, str] = Field(default_factory=dict)  # emotion -> what is asked for
    statements: dict[str, str] = Field(default_factory=dict)  # emotion -> what a matcher checks the picture against
    topic: str = ""
    image: str = ""
    images: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True)
class PromptSet:
    """Cards in file order. `name` and `digest` (sha256 of the rows) go into the provenance of a run."""

    name: str
    folder: Path
    rows: tuple[Prompt, ...]
    digest: str
    source: str


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
    text = path.read_text("utf-8")
    rows = _parse(text, relative(path.resolve(), ROOT))
    return _cut(of_rows(path.stem, path.parent, rows, relative(path.resolve(), ROOT)), limit)


def of_rows(name: str, folder: Path, rows: list[Prompt], source: str) -> PromptSet:
    import hashlib

    lines = (json.dumps(row.model_dump(exclude_defaults=True), sort_keys=True, ensure_ascii=False) for row in rows)
    return PromptSet(name, folder, tuple(rows), hashlib.sha256("\n".join(lines).encode()).hexdigest(), source)


def _cut(whole: PromptSet, limit: int | None) -> PromptSet:
    if limit is None or limit >= len(whole.rows):
        return whole
    return of_rows(whole.name, whole.folder, list(whole.rows[:limit]), whole.source)


def _parse(text: str, file: str) -> list[Prompt]:
    rows: list[Prompt] = []
    problems: list[Problem] = []
    seen: set[str] = set()
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = Prompt.model_validate(json.loads(line))
        except json.JSONDecodeError as error:
            problems.append(Problem(file, number, "", f"not JSON: {error.msg}"))
            continue
        except ValidationError as errors:
            problems += [_problem(file, number, detail) for detail in errors.errors()]
            continue
        problems += [
            Problem(file, number, "dimensions", f"unknown dimension '{d}'{did_you_mean(d, DIMENSIONS)}")
            for d in row.dimensions
            if d not in DIMENSIONS
        ]
        if row.id in seen:
            problems.append(Problem(file, number, "id", f"'{row.id}' stands there already"))
        seen.add(row.id)
        rows.append(row)
    if problems:
        raise InputError(problems)
    return rows


def _problem(file: str, line: int, detail: Mapping[str, Any]) -> Problem:
    where = tuple(detail["loc"])
    message = str(detail["msg"])
    if detail["type"] == "extra_forbidden":
        message = f"unknown key{did_you_mean(str(where[-1]), Prompt.model_fields)}"
    return Problem(file, line, spell(where), message)
