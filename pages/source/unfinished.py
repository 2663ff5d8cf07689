"""Unfinished texts, which begin with TODO. A build notes them, `check` refuses them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ledger.problems import Problem, relative
from ledger.text import read_text

MARK = re.compile(r"""(?:^|["'])TODO\b:?\s*([^"'\n]*)""")
FOLDERS = (("content", (".toml", ".md")), ("results", (".json", ".toml")))


def unfinished(root: Path) -> Iterator[Problem]:
    """Every line of content/ and results/ where a text begins with TODO."""
    for folder, suffixes in FOLDERS:
        for file in sorted((root / folder).rglob("*")):
            if file.suffix in suffixes and file.is_file():
                yield from _marks(file, root)


def _marks(file: Path, root: Path) -> Iterator[Problem]:
    for number, line in enumerate(read_text(file, root).split("\n"), 1):
        if match := MARK.search(line.lstrip() if file.suffix == ".md" else line):
            yield Problem(relative(file, root), number, "", f"unfinished: {match[1].strip() or 'write it'}")
