"""Text files that people and machines wrote, read in one way: UTF-8, with or without a byte-order mark.

A file that cannot be read so is one `InputError` that names the file and, where there is one, the line.
"""

from __future__ import annotations

import codecs
import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ledger.problems import (
    InputError,
    JsonPath,
    Problem,
    explain,
    json_line,
    relative,
    repeated_keys,
    spell,
    toml_line,
)

if TYPE_CHECKING:
    from pydantic import BaseModel

M = TypeVar("M", bound="BaseModel")

ENCODING = "utf-8-sig"
_ZERO = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_CONFLICT = re.compile(r"^<<<<<<< [^\n]*\n(?:.*\n)?=======\n(?:.*\n)?>>>>>>> ", re.MULTILINE | re.DOTALL)


def read_text(file: Path, root: Path) -> str:
    """The text of `file`, lines ended by newlines alone. FileNotFoundError is left to the caller."""
    name = relative(file, root)
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise InputError([Problem(name, 0, "", f"cannot be read: {error.strerror}")]) from None
    try:
        text = content.decode(ENCODING)
    except UnicodeDecodeError as error:
        start = error.start + len(codecs.BOM_UTF8) * content.startswith(codecs.BOM_UTF8)
        line = content.count(b"\n", 0, start) + 1
        raise InputError([Problem(name, line, "", f"not UTF-8 text ({error.reason}): save it as UTF-8")]) from None
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\ufeff", "")  # marks stay where files are joined
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise InputError([Problem(name, line, "", "holds a zero byte, as UTF-16 does: save it as UTF-8")])
    if "<<<<<<< " in text and (conflict := _CONFLICT.search(text)):
        line = text.count("\n", 0, conflict.start()) + 1
        raise InputError([Problem(name, line, "", "a merge conflict that nobody has resolved")])
    return text


def read_toml(file: Path, root: Path) -> tuple[str, dict[str, Any]]:
    """The text of a TOML file and what it says."""
    text = read_text(file, root)
    try:
        return text, tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"at line (\d+)", str(error))
        line = int(place[1]) if place else text.count("\n") + 1
        message = f"not TOML: {str(error).split(' (at')[0]}"
    except RecursionError:
        line, message = 0, "not TOML: nested too deeply"
    raise InputError([Problem(relative(file, root), line, "", message)])


def read_toml_as(model: type[M], file: Path, root: Path) -> tuple[str, M]:
    """The text of a TOML file and the checked model of what it says."""
    text, written = read_toml(file, root)
    return text, _checked(model, written, relative(file, root), lambda path: toml_line(text, path))


def read_json_as(model: type[M], file: Path, root: Path) -> tuple[str, M]:
    """The text of a JSON file and the checked model of what it says."""
    text, written = read_json(file, root)
    return text, _checked(model, written, relative(file, root), lambda path: json_line(text, path))


def _checked(model: type[M], written: Any, name: str, line_of: Callable[[JsonPath], int]) -> M:
    from pydantic import ValidationError

    try:
        return model.model_validate(written)
    except ValidationError as error:
        raise InputError(explain(error, model, name, written, line_of)) from None


def read_json(file: Path, root: Path) -> tuple[str, Any]:
    """The text of a JSON file and what it says."""
    text = read_text(file, root)
    return text, parse_json(text, relative(file, root))


class _Repeated(Exception):
    """An object spells a key twice, of which a parser keeps the last."""


def _noting_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Repeated
    return found


def parse_json(text: str, name: str) -> Any:
    """What the text of the file called `name` says."""
    try:
        found = json.loads(text, object_pairs_hook=_noting_repeats)
    except _Repeated:
        repeated = repeated_keys(text)
        raise InputError(
            Problem(name, line, spell(path), "this key is spelled twice") for path, line in repeated
        ) from None
    except json.JSONDecodeError as error:
        line, message = error.lineno, f"not JSON: {error.msg} at column {error.colno}"
        if text.split("\n")[error.lineno - 1].startswith(("<<<<<<<", "|||||||", "=======", ">>>>>>>")):
            message = "a merge conflict that nobody has resolved"
    except (RecursionError, ValueError) as error:
        line, message = 0, f"not JSON: {error}"
    else:
        if "u0000" not in text or not (zero := _ZERO.search(text)):  # the pattern takes a hundred times as long
            return found
        line, message = text.count("\n", 0, zero.start()) + 1, "\\u0000 is no character of a text"
    raise InputError([Problem(name, line, "", message)])


_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "bars"}


def foreign_delimiter(text: str) -> str:
    """What to say of a CSV whose columns are not parted by commas, or that begins with a note; nothing for others."""
    first = text.partition("\n")[0]
    if re.match(r"\"?sep=", first, re.IGNORECASE):
        return f"the line {first.strip()!r} is a note to a spreadsheet: remove it, and save the table with commas"
    mark = max(_DELIMITERS, key=first.count)
    if first.count(mark) > first.count(","):
        return f"the columns are parted by {_DELIMITERS[mark]} ({mark!r}): save the table with commas"
    return ""
