"""Errors that name file, line, field and remedy.

Whatever reads what people or machines wrote (ledger, pages, evidence, miniature) collects `Problem`s and raises one
`InputError` with all of them, before anything is written.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from json.decoder import WHITESPACE, scanstring  # type: ignore[attr-defined]
from pathlib import Path

JsonPath = Sequence[str | int]


@dataclass(frozen=True, order=True)
class Problem:
    """One defect of one input file. `line` is 1-based, 0 where the file as a whole is meant."""

    file: str
    line: int
    field: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place} {self.field}: {self.message}" if self.field else f"{place}: {self.message}"


class InputError(Exception):
    """All defects found in one run, sorted by place. Commands print them and exit with status 1."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(map(str, self.problems)))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`, did you mean 'x'?` for the nearest known name, or an empty string when none is near."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f", did you mean '{near[0]}'?" if near else ""


def spell(path: JsonPath) -> str:
    """`("exhibits", 1, "file")` as `exhibits[1].file`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")


def json_line(text: str, path: JsonPath) -> int:
    """1-based line of the value at `path` in JSON `text`; that of its nearest existing ancestor if missing."""
    end_of = json.JSONDecoder(parse_constant=float).raw_decode
    at = _skip(text, 0)
    for step in path:
        found = _child(text, at, step, end_of)
        if found is None:
            break
        at = found
    return text.count("\n", 0, at) + 1


def _skip(text: str, at: int) -> int:
    return int(WHITESPACE.match(text, at).end())


def _child(text: str, at: int, step: str | int, end_of: object) -> int | None:
    """Offset of the member `step` of the object or array that starts at `at`."""
    if text[at] not in "{[" or (text[at] == "{") != isinstance(step, str):
        return None
    closing, index, at = "}" if text[at] == "{" else "]", 0, _skip(text, at + 1)
    while text[at] != closing:
        key: str | int = index
        if closing == "}":
            key, at = scanstring(text, at + 1)
            at = _skip(text, _skip(text, at) + 1)  # past the colon
        if key == step:
            return at
        _, at = end_of(text, at)  # type: ignore[operator]
        at = _skip(text, at)
        if text[at] == ",":
            at = _skip(text, at + 1)
        index += 1
    return None


_DEEPEST = 40  # levels that a search for repeated keys descends; the ledger has ten


def repeated_keys(text: str) -> list[tuple[tuple[str | int, ...], int]]:
    """Path and line of every key that an object of valid JSON `text` spells twice: a parser keeps only the last."""
    found: list[tuple[tuple[str | int, ...], int]] = []
    _scan(text, _skip(text, 0), (), found)
    return found


def _scan(text: str, at: int, path: tuple[str | int, ...], found: list[tuple[tuple[str | int, ...], int]]) -> int:
    """Collects repeated keys of the value that starts at `at`; gives the offset after it."""
    if text[at] not in "{[" or len(path) > _DEEPEST:
        return int(json.JSONDecoder(parse_constant=float).raw_decode(text, at)[1])
    closing, index, seen, at = "}" if text[at] == "{" else "]", 0, set[str](), _skip(text, at + 1)
    while text[at] != closing:
        step: str | int = index
        if closing == "}":
            line = text.count("\n", 0, at) + 1
            step, at = scanstring(text, at + 1)
            at = _skip(text, _skip(text, at) + 1)
            if step in seen:
                found.append(((*path, step), line))
            seen.add(str(step))
        at = _skip(text, _scan(text, at, (*path, step), found))
        if text[at] == ",":
            at = _skip(text, at + 1)
        index += 1
    return at + 1


_KEY = re.compile(r"\s*([\w.\"-]+)\s*=")
_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(#.*)?$")


def toml_line(text: str, path: JsonPath) -> int:
    """1-based line of the key at `path` in TOML `text`, or of what it stands in; 1 when neither is written out."""
    best, table, seen = 1, [], dict[str, int]()
    for number, line in enumerate(text.split("\n"), 1):
        if header := _HEADER.match(line):
            name = header[2].replace('"', "")
            table = list[str | int](name.split("."))
            if header[1] == "[[":
                seen[name] = seen.get(name, -1) + 1
                table.append(seen[name])
            if list(path[: len(table)]) == table:
                best = number
        elif key := _KEY.match(line):
            full = table + key[1].replace('"', "").split(".")
            if list(path) == full:
                return number
            if list(path[: len(full)]) == full:  # an inline table or a list
                best = number
    return best


def relative(path: Path, root: Path) -> str:
    """`path` as the reader knows it: below `root` when it lies there."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()
