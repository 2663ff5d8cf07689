"""A new exhibit: pictures copied under the hash of their bytes, an entry whose gaps `check` names (unfinished.py)."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ledger.files import replace_bytes, replace_text
from ledger.problems import InputError, Problem, relative
from pages.cache.store import read_json

NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")  # of exhibits and sets, as ledger.schema has it
KINDS = {0: "painting", 1: "photograph", 2: "pair"}  # by the number of pictures
ALT = "TODO: what the picture shows, for those who cannot see it"
REMOTE = {  # of an exhibit whose picture is elsewhere: it builds, and `check` asks for the addresses by the licence
    "url": "https://example.org/picture.jpg",
    "page": "https://example.org/",
    "licence": "TODO: under which licence; `url` is the address of the picture itself, `page` of the page about it",
}
MAX_PIXELS = 200_000_000  # of a picture to copy; whether the page shows so many is for page.toml to say


def new_exhibit(root: Path, name: str, pictures: Sequence[Path], title: str, sets: Sequence[str]) -> Path:
    """Write results/exhibit-NAME.json and return it. Alternative texts, caption, credit and licence say TODO, which
    `check` refuses until somebody has written them. InputError, with nothing written, when the name is taken, a name is
    none, or a picture cannot be read."""
    problems = [*_odd_names(name, sets), *_taken(root, name)]
    copies = list[tuple[dict[str, Any], bytes]]()
    for number, picture in enumerate(pictures, 1):
        try:
            copies.append(_copy(picture, number))
        except (OSError, ValueError) as error:
            problems.append(Problem(str(picture), 0, "", str(error)))
    if problems:
        raise InputError(problems)
    title = _text(title)
    remote = {"id": "original", "label": title or name, "alt": ALT, "remote": REMOTE}
    exhibit = {
        "title": title or name.replace("-", " ").capitalize(),
        "kind": KINDS.get(len(pictures), "series"),
        "caption": "TODO: what there is to see in it",
        "credit": "TODO: who made it",
        "licence": "TODO: under which licence it may be shown",
        "pictures": [entry for entry, _ in copies] or [remote],
        "sets": list(sets),
    }
    text = json.dumps({"exhibits": {name: exhibit}}, indent=1, ensure_ascii=False) + "\n"
    return _write(root, _file(root, name), text, {entry["file"]: content for entry, content in copies})


def _file(root: Path, name: str) -> Path:
    return root / f"results/exhibit-{name}.json"


def _odd_names(name: str, sets: Sequence[str]) -> Iterator[Problem]:
    for field, word in [("NAME", name), *(("--set", one) for one in sets)]:
        if not NAME.fullmatch(word):
            message = f"'{word}' is not lower-case letters, digits, '.', '-' and '_', beginning with a letter or digit"
            yield Problem("new-exhibit", 0, field, message)


def _taken(root: Path, name: str) -> Iterator[Problem]:
    """Asked of the files, not of the ledger, which refuses other exhibits that are not finished."""
    for file in sorted((root / "results").glob("*.json")):
        exhibits = read_json(file).get("exhibits")
        if file == _file(root, name) or (isinstance(exhibits, dict) and name in exhibits):
            yield Problem(relative(file, root), 0, "", f"there is an exhibit '{name}' already")


def _copy(picture: Path, number: int) -> tuple[dict[str, Any], bytes]:
    """A picture as the ledger names it, and its bytes, which are those of a whole picture."""
    from effects.decode import decode, header

    content = picture.read_bytes()
    found = header(content, picture.name, MAX_PIXELS)
    decode(content, picture.name, MAX_PIXELS)
    digest = hashlib.sha256(content).hexdigest()
    file = f"{digest[:16]}.{found.suffix}"
    one = {"id": f"picture-{number}", "label": _text(picture.stem.replace("_", " ")), "alt": ALT, "file": file}
    return {**one, "sha256": digest, "width": found.width, "height": found.height}, content


def _text(said: str) -> str:
    """What the command line or the name of a file says, whatever the locale took its letters for."""
    return os.fsencode(said).decode("utf-8", "replace")


def _write(root: Path, file: Path, text: str, pictures: dict[str, bytes]) -> Path:
    """All of it, or, when the disk refuses, nothing."""
    made = list[Path]()
    try:
        for name, content in pictures.items():
            place = root / "results/pictures" / name
            if not place.exists():
                replace_bytes(place, content)
                made.append(place)
        replace_text(file, text)
    except OSError as error:
        for place in made:
            place.unlink()
        raise InputError([Problem(relative(file, root), 0, "", f"cannot be written: {error.strerror}")]) from None
    return file
