"""content/references.bib: what texts cite. Read by bibtexparser; names and accents are decoded."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ledger.problems import InputError, Problem, relative
from ledger.text import read_text

OTHERS = "et al."
PART = re.compile(r'"[^"]*"|\{[^{}]*\}|[^\s"#{}]+')
JOINED = re.compile(rf"(?=.*[\"{{])(?:{PART.pattern})(?:\s*#\s*(?:{PART.pattern}))+")  # one part at least is enclosed
WHERE = ("journal", "booktitle", "publisher", "school", "institution", "howpublished")


@dataclass(frozen=True)
class Reference:
    """One entry, as it is printed."""

    key: str
    authors: tuple[str, ...]  # given names first
    short: str  # "Lovelace et al."
    year: str
    title: str
    where: str
    url: str


def load(root: Path, problems: list[Problem]) -> dict[str, Reference]:
    """Key -> reference; every entry that cannot be read is a Problem with its line. No file, no references."""
    file = root / "content/references.bib"
    return read(file, root, problems) if file.exists() else {}


def read(file: Path, root: Path, problems: list[Problem]) -> dict[str, Reference]:
    """Key -> reference of a BibTeX file, named below `root` in `problems`."""
    from bibtexparser.entrypoint import parse_string
    from bibtexparser.middlewares import LatexDecodingMiddleware, SeparateCoAuthors, SplitNameParts
    from bibtexparser.model import DuplicateBlockKeyBlock

    logging.getLogger("bibtexparser").setLevel(logging.CRITICAL)  # what it logs is reported below, with its place
    steps = [LatexDecodingMiddleware(keep_math_mode=False), SeparateCoAuthors(), SplitNameParts()]
    try:
        library = parse_string(read_text(file, root), append_middleware=steps)
    except InputError as error:
        problems += error.problems
        return {}
    for block in library.failed_blocks:
        if isinstance(block, DuplicateBlockKeyBlock):
            message = f"the key '{block.key}' is taken already"
        else:
            message = f"not BibTeX: {block.error}"
        problems.append(Problem(relative(file, root), (block.start_line or 0) + 1, "", " ".join(message.split())))
    found = {}
    strings = {string.key: string.value for string in library.strings}
    for entry in library.entries:
        fields = {one.key.lower(): _joined(one.value, strings) for one in entry.fields}
        for needed in ("title", "year"):
            if needed not in fields:
                line = (entry.start_line or 0) + 1
                problems.append(Problem(relative(file, root), line, entry.key, f"has no {needed}"))
        found[entry.key] = _reference(entry.key, fields)
    return found


def _joined(value: object, strings: Mapping[str, object]) -> object:
    """A field whose parts BibTeX joins: `neurips # " 2026"`."""
    parts = JOINED.fullmatch(value) and PART.findall(value) if isinstance(value, str) else None
    if not parts:
        return value
    return "".join(part[1:-1] if part[0] in '"{' else str(strings.get(part, part)) for part in parts)


def _reference(key: str, fields: dict[str, object]) -> Reference:
    names = fields.get("author") or fields.get("editor") or []
    people = [name for name in names if not isinstance(name, str)] if isinstance(names, list) else []
    family = [" ".join([*one.von, *one.last]) for one in people]
    full = [" ".join([*one.first, *one.von, *one.last, *one.jr]) for one in people]
    if full[1:] and full[-1] == "others":  # BibTeX's word for authors that an entry does not name
        full[-1] = OTHERS
    short = {0: str(fields.get("title", key)), 1: (family or [""])[0], 2: " and ".join(family)}
    many = len(family) > 2 or OTHERS in full
    return Reference(
        key=key,
        authors=tuple(full),
        short=f"{family[0]} {OTHERS}" if many else short[len(family)],
        year=str(fields.get("year", "")),
        title=re.sub(r"[{}]", "", str(fields.get("title", ""))),
        where=next((str(fields[name]) for name in WHERE if name in fields), ""),
        url=str(fields.get("url") or (f"https://doi.org/{fields['doi']}" if "doi" in fields else "")),
    )
