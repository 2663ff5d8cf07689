"""content/references.bib: what texts cite. Read by bibtexparser; names and accents are decoded."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from pathlib import Path

from ledger.problems import InputError, Problem, relative
from ledger.text import read_text

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
    steps = [LatexDecodingMiddleware(), SeparateCoAuthors(), SplitNameParts()]
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
    for entry in library.entries:
        fields = {one.key.lower(): one.value for one in entry.fields}
        for needed in ("title", "year"):
            if needed not in fields:
                line = (entry.start_line or 0) + 1
                problems.append(Problem(relative(file, root), line, entry.key, f"has no {needed}"))
        found[entry.key] = _reference(entry.key, fields)
    return found


def _reference(key: str, fields: dict[str, object]) -> Reference:
    names = fields.get("author") or fields.get("editor") or []
    people = [name for name in names if not isinstance(name, str)] if isinstance(names, list) else []
    family = [" ".join([*one.von, *one.last]) for one in people]
    short = {0: str(fields.get("title", key)), 1: (family or [""])[0], 2: " and ".join(family)}
    return Reference(
        key=key,
        authors=tuple(" ".join([*one.first, *one.von, *one.last, *one.jr]) for one in people),
        short=short.get(len(family), f"{(family or [''])[0]} et al."),
        year=str(fields.get("year", "")),
        title=re.sub(r"[{}]", "", str(fields.get("title", ""))),
        where=next((str(fields[name]) for name in WHERE if name in fields), ""),
        url=str(fields.get("url") or (f"https://doi.org/{fields['doi']}" if "doi" in fields else "")),
    )
