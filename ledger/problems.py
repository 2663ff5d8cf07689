"""Errors that name file, line, field and remedy: the one module of errors for the whole project.

Whatever reads what people or machines wrote (ledger, pages, evidence, miniature) collects `Problem`s and raises one
`InputError` with all of them, before anything is written. `explain` puts what pydantic found into plain words, and
`json_line` and `toml_line` find the line of a path.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from json.decoder import WHITESPACE, scanstring  # type: ignore[attr-defined]
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_origin

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails

JsonPath = Sequence[str | int]
SHOWN = 60  # defects of one file that are spelled out
ID = r"^[a-z0-9][a-z0-9_.-]*$"
ID_RULE = "ids hold lower-case letters, digits, '.', '_' and '-', and begin with a letter or digit"
FORMS = {ID: f"is no id: {ID_RULE}"}  # pattern of a field -> what messages say of a text that does not match it


def form(pattern: str, words: str) -> str:
    """`pattern`, which messages call `words`: "is no date: write 2026/05/01"."""
    FORMS[pattern] = words
    return pattern


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


def shortened(problems: list[Problem]) -> list[Problem]:
    """The first defects of a file, and how many more there are."""
    return problems[:SHOWN] + _more(problems[0].file, len(problems)) if problems else []


def _more(file: str, count: int) -> list[Problem]:
    """That there are defects which are not spelled out, where there are."""
    return [Problem(file, 0, "", f"and {count - SHOWN} more defects")] if count > SHOWN else []


# -- what pydantic found, in plain words ------------------------------------------------------------------------------


def explain(
    error: ValidationError,
    model: type[BaseModel],
    file: str,
    whole: Any,
    line_of: Callable[[JsonPath], int],
    below: JsonPath = (),
) -> list[Problem]:
    """One problem per place of `whole`, which `model` refused; a place that fits no branch of a union is named once.

    `below` is where `whole` stands in the file.
    """
    details = error.errors(include_url=False)
    paths = [_written_path(detail["loc"], detail["type"], whole) for detail in details]
    found = dict[tuple[str | int, ...], list[str]]()
    for detail, path in zip(details, paths, strict=True):
        follows = detail["type"] in ("too_short", "literal_error")  # where something inside was refused
        if not (follows and any(other[: len(path)] == path != other for other in paths)):
            found.setdefault(path, []).append(plainly(detail, path, model))
    told = [((*below, *path), _either(said)) for path, said in islice(found.items(), SHOWN)]
    return [Problem(file, line_of(path), spell(path), said) for path, said in told] + _more(file, len(found))


def _either(said: Sequence[str]) -> str:
    """What the branches of a union say of one place: "must be named fields or false, not 3"."""
    if len(said) == 1 or not all(one.startswith("must be ") for one in said):
        return said[0]
    kinds = dict.fromkeys(one.removeprefix("must be ").partition(", not ")[0] for one in said)
    rest = next((one.partition(", not ")[2] for one in said if ", not " in one), "")
    return f"must be {' or '.join(kinds)}" + (f", not {rest}" if rest else "")


def _written_path(loc: JsonPath, kind: str, whole: Any) -> tuple[str | int, ...]:
    """The steps that the file has, and the missing key: pydantic adds tags of its own between them."""
    path = list[str | int]()
    for step in loc:
        try:
            whole = whole[step]
        except (KeyError, IndexError, TypeError):
            continue
        path.append(step)
    return (*path, loc[-1]) if kind == "missing" else tuple(path)


_MUST_BE = {
    "float_type": "a number",
    "int_type": "a whole number",
    "string_type": "a text",
    "bool_type": "true or false",
    "float_parsing": "a number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "bool_parsing": "true or false",
    "model_type": "named fields",
    "dict_type": "named fields",
    "list_type": "a list",
    "tuple_type": "a list",
    "finite_number": "a finite number",
}


def plainly(detail: ErrorDetails, path: JsonPath, model: type[BaseModel]) -> str:
    """What is wrong, in words that need no knowledge of pydantic."""
    kind, given, name = detail["type"], detail["input"], str(path[-1]) if path else ""
    if "[key]" in detail["loc"]:
        return f"{name!r} {FORMS.get(detail.get('ctx', {}).get('pattern', ID), FORMS[ID])}"
    if kind in _MUST_BE:
        hint = _instead(kind, given, name, fields_at(model, (*path, 0) if kind == "list_type" else path))
        return f"must be {_MUST_BE[kind]}, not {_as_written(given)}"[:120] + hint
    limits = detail.get("ctx", {})
    match kind:
        case "missing":
            return "is missing"
        case "string_too_short":
            return "is empty"
        case "too_short":
            return f"needs at least {limits['min_length']}"
        case "too_long":
            return f"must have at most {limits['max_length']}"
        case "string_pattern_mismatch":
            return f"{given!r} {FORMS.get(limits['pattern'], 'has another form than ' + limits['pattern'])}"
        case "literal_error":
            words = re.findall("'([^']*)'", limits["expected"])
            expected = limits["expected"].replace("False", "false")
            return f"must be {expected}, not {_as_written(given)}{did_you_mean(str(given), words)}"
        case "extra_forbidden":
            return f"unknown key {name!r}{_known_keys(name, path, model)}"
    return detail["msg"].removeprefix("Value error, ").replace("Input should be", "must be")


def _as_written(given: Any) -> str:
    """A value as TOML and JSON spell it."""
    if isinstance(given, bool):
        return str(given).lower()
    return given.isoformat() if hasattr(given, "isoformat") else repr(given)


def _instead(kind: str, given: Any, name: str, known: Sequence[str]) -> str:
    """How a field of a wrong type is written."""
    if kind == "list_type" and known:
        return f": write [[{name}]] above each of them"
    if kind in ("list_type", "tuple_type") and isinstance(given, str):
        return f": write [{given!r}]"[:80]
    return f": there are {', '.join(known)}" if kind == "model_type" and known else ""


def _known_keys(name: str, path: JsonPath, model: type[BaseModel]) -> str:
    """The nearest key to an unknown one: beside it, in a table below, at the top of the file; else all there are."""
    above = path[:-1]
    known = fields_at(model, above)
    if near := did_you_mean(name, known):
        return near
    if below := [f"[{spell((*above, one))}]" for one in known if name in fields_at(model, (*above, one))]:
        return f": it belongs into {' or '.join(below)}"
    listed = f": there are {', '.join(known)}" if known else ""
    top = difflib.get_close_matches(name, fields_at(model, ()), n=1, cutoff=0.85) if above else []
    return f"{listed}; '{top[0]}' stands at the top of the file" if top else listed


def fields_at(model: Any, path: JsonPath) -> list[str]:
    """Names of the fields that the table at `path` below `model` may have; none where it is no model."""
    for step in path:
        if "root" in getattr(model, "model_fields", {}):
            model = model.model_fields["root"].annotation
        if hasattr(model, "model_fields"):
            field = model.model_fields.get(str(step))
            model = field.annotation if field else None
        elif inner := get_args(model):
            model = inner[0] if get_origin(model) is tuple else inner[-1]
        while not hasattr(model, "model_fields") and get_origin(model) not in (dict, list, tuple, None):
            model = next((arm for arm in get_args(model) if arm is not type(None)), None)
    return [*model.model_fields] if hasattr(model, "model_fields") else []


# -- places -----------------------------------------------------------------------------------------------------------


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


_PART = r"""(?:[\w-]+|"[^"]*"|'[^']*')"""
_DOTTED = rf"{_PART}(?:\s*\.\s*{_PART})*"
_KEY = re.compile(rf"\s*({_DOTTED})\s*=")
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_DOTTED})\s*\]\]?\s*(#.*)?$")


def toml_line(text: str, path: JsonPath) -> int:
    """1-based line of the key at `path` in TOML `text`, of the first one below it, or of what it stands in; 1 when none
    of these is there."""
    if not path:
        return 1
    wanted, best, table = tuple(path), 1, tuple[str | int, ...]()
    last = dict[tuple[str | int, ...], int]()  # arrays of tables, and the index of the one that stands above
    for number, line in enumerate(text.split("\n"), 1):
        if header := _HEADER.match(line):
            table = _table(_parts(header[2]), last)
            if header[1] == "[[":
                last[table] = last.get(table, -1) + 1
                table = (*table, last[table])
            if table[: len(wanted)] == wanted:  # the first table below it
                return number
            if wanted[: len(table)] == table:
                best = number
        elif key := _KEY.match(line):
            full = (*table, *_parts(key[1]))
            if full[: len(wanted)] == wanted:  # the key itself, or a dotted one below it
                return number
            if wanted[: len(full)] == full:  # an inline table or a list
                best = number
    return best


def _parts(dotted: str) -> list[str]:
    return [part.strip("\"'") for part in re.findall(_PART, dotted)]


def _table(names: Sequence[str], last: dict[tuple[str | int, ...], int]) -> tuple[str | int, ...]:
    """The path of a table: below an array of tables it belongs to the last of them."""
    path = tuple[str | int, ...]()
    for name in names[:-1]:
        path = (*path, name)
        path = (*path, last[path]) if path in last else path
    return (*path, names[-1])


def relative(path: Path, root: Path) -> str:
    """`path` as the reader knows it: below `root` when it lies there."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()
