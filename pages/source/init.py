"""A new publication: `python build.py init DIR`. It builds at once; texts to be written begin with TODO."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from ledger.problems import InputError, Problem
from pages.source import references
from pages.source.references import Reference

STARTER = Path(__file__).parent / "starter"
PLACES = {"gitignore": ".gitignore", "github": ".github/workflows"}  # names that a dot would hide
UNKNOWN = Reference("paper", ("TODO: names of the authors",), "", "", "TODO: title of the paper", "", "")


def init(folder: Path, bib: Path | None, today: int) -> list[Path]:
    """Write a small, complete publication into `folder` and return its files. The first entry of the BibTeX file `bib`
    gives title, authors, year and venue; without it `today`, a year, is filled in. InputError when the folder holds
    anything already, or the BibTeX has no entry; nothing is written then."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError([Problem(str(folder), 0, "", "is not an empty folder: choose a new one")])
    reference = _first(bib) if bib else UNKNOWN
    try:
        _write(folder, _page(reference, today))
    except OSError:  # of a full disk: half a publication is none
        for path in folder.iterdir() if folder.is_dir() else ():
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        raise
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _write(folder: Path, page: str) -> None:
    for source in _files():
        first, *rest = source.relative_to(STARTER).parts
        target = folder / Path(PLACES.get(first, first), *rest)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    (folder / "content/page.toml").write_text(page, encoding="utf-8")


def _files() -> Iterator[Path]:
    return (path for path in sorted(STARTER.rglob("*")) if path.is_file())


def _first(bib: Path) -> Reference:
    problems: list[Problem] = []
    found = references.read(bib, bib.parent, problems)
    if problems:
        raise InputError(problems)
    if not found:
        raise InputError([Problem(str(bib), 0, "", "holds no entry: @inproceedings{key, title = {...}, ...}")])
    return next(iter(found.values()))


def _page(reference: Reference, today: int) -> str:
    """page.toml as the BibTeX entry has it."""
    lines = [
        "# What the page is called, who made it, where it lives. docs/page.md explains every field.",
        f"title = {_quoted(reference.title)}",
        'thesis = "TODO: the paper in one sentence"',
        'description = "TODO: what the page is, for search engines and cards"',
        f"venue = {_quoted(reference.where)}",
        f"citation_key = {_quoted(re.sub(r'[^A-Za-z0-9:_-]', '-', reference.key) or 'paper')}",
        f"year = {_year(reference.year, today)}",
        "# Where the page will be published: canonical links and cards need it. SITE_URL overrides it.",
        'address = ""',
    ]
    for name in (name for name in reference.authors if name != references.OTHERS):
        lines += ["", "[[authors]]", f"name = {_quoted(name)}"]
    if reference.url:
        lines += ["", "[[links]]", 'key = "paper"', 'label = "Paper"', f"url = {_quoted(reference.url)}"]
    lines += ["", "# Numbers that texts may type because no table holds them.", "[check]", 'allow = ["OpenCV"]', ""]
    return "\n".join(lines)


def _year(written: str, today: int) -> int:
    """As BibTeX has it: 1998, `'98` and "May 1998" are one year; `today` where it names none."""
    if whole := re.search(r"(?<!\d)(19|20|21)\d\d(?!\d)", written):
        return int(whole[0])
    if short := re.fullmatch(r"\W*(\d\d)\W*", written):
        return today - (today - int(short[1])) % 100
    return today


def _quoted(text: str) -> str:
    """A TOML basic string; JSON's escapes are TOML's."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
