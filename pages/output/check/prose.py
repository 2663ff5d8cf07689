"""Prose types no number of its own; what people typed is reported at the line where they typed it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ledger.problems import Problem, relative, spell, toml_line
from ledger.text import ENCODING
from pages.output.check.built import Built
from pages.output.check.facts import NUMBER
from pages.rendering.typography import typeset

TYPED = "is typed in prose: refer to a ledger value, or allow it in page.toml, [check] allow"
TITLES = (("thesis",), ("description",), ("lead",), ("note",))
TITLES_OF_A_VOICE = ("title", "nav", "lead")


def numbers(site: Built, root: Path, allow: list[str]) -> Iterator[Problem]:
    """The texts of the sections."""
    folders = _folders(root)
    allowed = sorted({*allow, *map(typeset, allow)}, key=len, reverse=True)
    for variant in ("clean", "distorted"):
        facts = site.pages.get(f"{variant}/index.html")
        for section, number, around in facts.numbers if facts else ():
            if not _is_allowed(number, around, allowed):
                file = root / "content/sections" / folders.get(section, section) / f"{variant}.md"
                file = file if file.exists() else file.with_name("clean.md")
                message = f"'{number}' {TYPED}"
                yield Problem(relative(file, root), _line_of(file, number, around), "", message)


def titles(root: Path, allow: list[str]) -> Iterator[Problem]:
    """Titles, leads and notes are prose too: the ones of page.toml and of every section.toml."""
    allowed = sorted(allow, key=len, reverse=True)
    for file in [root / "content/page.toml", *sorted((root / "content/sections").glob("*/section.toml"))]:
        try:
            text = file.read_text(encoding=ENCODING)
            written = tomllib.loads(text)
        except (OSError, ValueError):
            continue
        for path in (*TITLES, *((variant, key) for variant in ("clean", "distorted") for key in TITLES_OF_A_VOICE)):
            place: Any = written
            for key in path:
                place = place.get(key, "") if isinstance(place, dict) else ""
            for match in NUMBER.finditer(place) if isinstance(place, str) else ():
                if not _is_allowed(match[0], place, allowed):
                    place_of = (relative(file, root), toml_line(text, path), spell(path))
                    yield Problem(*place_of, f"'{match[0]}' {TYPED}")


def _is_allowed(number: str, around: str, allowed: list[str]) -> bool:
    """Whether some allowed phrase that stands in the text contains the number."""
    for phrase in allowed:
        for match in re.finditer(rf"(?<!\w){re.escape(phrase)}(?![.,]?\d)", around):
            inner = [match.start() + m.start() for m in re.finditer(re.escape(number), match[0])]
            if any(around.startswith(number, at) for at in inner) or number in phrase:
                return True
    return False


def _line_of(file: Path, number: str, around: str) -> int:
    """The line of a text that holds the number, the one that shares most words with its surroundings."""
    try:
        lines = file.read_text(encoding=ENCODING).split("\n")
    except OSError:
        return 0
    words = set(re.findall(r"\w+", around))
    best = [(len(words & set(re.findall(r"\w+", text))), -n) for n, text in enumerate(lines, 1) if number in text]
    return -max(best)[1] if best else 0


def _folders(root: Path) -> dict[str, str]:
    """Section id -> folder of content/sections."""
    found = {}
    for path in sorted((root / "content/sections").glob("*/section.toml")):
        try:
            found[tomllib.loads(path.read_text(encoding=ENCODING))["id"]] = path.parent.name
        except (ValueError, KeyError):
            continue
    return found
