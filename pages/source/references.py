"""content/references.bib: what texts cite. Read by bibtexparser; names and accents are decoded."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ledger.problems import InputError, Problem, relative
from ledger.text import read_text

if TYPE_CHECKING:
    from bibtexparser.model import String

WHERE = ("journal", "journaltitle", "booktitle", "publisher", "school", "institution", "howpublished")
_TEX = re.compile(r"\\((?:La|Bib)TeX)(?![A-Za-z])")  # which the decoder does not know
_PART = re.compile(r'"[^"]*"|\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}|[^\s"#{}]+')  # of what `#` joins
OTHERS = "et al."


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
    from bibtexparser.middlewares import NormalizeFieldKeys, SeparateCoAuthors, SplitNameParts
    from bibtexparser.model import DuplicateBlockKeyBlock

    logging.getLogger("bibtexparser").setLevel(logging.CRITICAL)  # what it logs is reported below, with its place
    name = relative(file, root)
    try:
        library = parse_string(read_text(file, root), append_middleware=[NormalizeFieldKeys()])
    except InputError as error:
        problems += error.problems
        return {}
    for entry in library.entries:
        for field in entry.fields:
            if field.enclosing == "no-enclosing":  # a name of BibTeX's own, such as of a month, or what `#` joins
                field.value = _joined(field.value, library.strings_dict)
            if field.key in ("author", "editor"):  # bibtexparser loses a command that begins a name behind an "and"
                field.value = re.sub(r"(\sand\s+)\\", r"\1{}\\", field.value)
    for step in (SeparateCoAuthors(), SplitNameParts()):
        library = step.transform(library)
    for block in library.failed_blocks:
        if isinstance(block, DuplicateBlockKeyBlock):
            message = f"the key '{block.key}' is taken already"
        else:
            reason = str(block.error).partition("Note:")[0] or "a brace or a quote is not closed"
            message = f"not BibTeX: {reason}"
        problems.append(Problem(name, (block.start_line or 0) + 1, "", " ".join(message.split())))
    found, decoded = {}, _decoder()
    for entry in library.entries:
        one = found[entry.key] = _reference(entry.key, {field.key: field.value for field in entry.fields}, decoded)
        for message in _wrong(one):
            problems.append(Problem(name, (entry.start_line or 0) + 1, entry.key, message))
    return found


def _joined(value: str, strings: Mapping[str, String]) -> str:
    """The text of `neurips # " 2026"`."""
    known = {name.lower(): str(string.value) for name, string in strings.items()}
    parts = _PART.findall(value)
    return "".join(part[1:-1] if part[0] in '"{' else known.get(part.lower(), part) for part in parts)


def _wrong(one: Reference) -> Iterator[str]:
    """What an entry lacks, or would be printed wrong."""
    if not one.title:
        yield "has no title"
    if not one.year:
        yield "has no year"
    if one.url and not one.url.startswith(("https://", "http://")):
        yield f"'{one.url}' is not an http(s) address"


def _decoder() -> Callable[[object], str]:
    """LaTeX -> plain text in one line."""
    from bibtexparser.library import Library
    from bibtexparser.middlewares import LatexDecodingMiddleware
    from bibtexparser.model import String

    decoding = LatexDecodingMiddleware(keep_math_mode=False)

    def decoded(latex: object) -> str:
        string = String("text", _TEX.sub(r"\1", str(latex)))
        decoding.transform_string(string, Library())
        return " ".join(re.sub(r"[{}]", "", string.value).split())

    return decoded


def _reference(key: str, fields: Mapping[str, Any], decoded: Callable[[object], str]) -> Reference:
    names = fields.get("author") or fields.get("editor") or []
    people = [name for name in names if not isinstance(name, str)] if isinstance(names, list) else []
    named = [one for one in people if one.merge_last_name_first != "others"]
    family = [decoded(" ".join([*one.von, *one.last])) for one in named]
    short = {0: decoded(fields.get("title", key)), 1: (family or [""])[0], 2: " and ".join(family)}
    first = f"{(family or [''])[0]} {OTHERS}"
    full = [decoded(" ".join([*one.first, *one.von, *one.last, *one.jr])) for one in named]
    return Reference(
        key=key,
        authors=(*full, OTHERS) if len(named) < len(people) else tuple(full),
        short=short.get(len(family), first) if len(named) == len(people) else first,
        year=decoded(fields.get("year") or str(fields.get("date", ""))[:4]),
        title=decoded(fields.get("title", "")),
        where=next((decoded(fields[name]) for name in WHERE if name in fields), ""),
        url=_address(fields),
    )


def _address(fields: Mapping[str, Any]) -> str:
    """`url`, or that of `doi`, to the letter: there `~` is no space and `%` begins no comment."""
    url = str(fields.get("url") or "")
    if not url and "doi" in fields:
        url = "https://doi.org/" + re.sub(r"^(https?://)?(dx\.)?doi\.org/|^doi:\s*", "", str(fields["doi"]), flags=re.I)
    return re.sub(r"\\([_%&#$~])(\{\})?", r"\1", re.sub(r"^\s*\\url\{(.*)\}\s*$", r"\1", url)).strip()
