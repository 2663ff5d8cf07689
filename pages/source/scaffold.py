"""A new exhibit: pictures copied under the hash of their bytes, an entry whose gaps the next build names."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ledger.problems import InputError, Problem, relative


def new_exhibit(root: Path, name: str, pictures: Sequence[Path], title: str, sets: Sequence[str]) -> Path:
    """Write results/exhibit-NAME.json and return it. Alternative texts, caption, credit and licence are left empty: the
    build refuses them until somebody has written them. InputError when the name is taken or is none."""
    import ledger
    from pages.images.jobs import Codec
    from pages.images.library import _header

    file = root / f"results/exhibit-{name}.json"
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
        raise InputError([Problem("new-exhibit", 0, "NAME", f"'{name}' is not lower-case letters, digits, - and _")])
    if name in ledger.load(root).exhibits or file.exists():
        raise InputError([Problem(relative(file, root), 0, "", f"there is an exhibit '{name}' already")])
    entries: list[dict[str, Any]] = []
    for number, picture in enumerate(pictures, 1):
        try:
            digest, width, height, _, form, _ = _header(picture, Codec().max_pixels)
        except ValueError as error:
            raise InputError([Problem(str(picture), 0, "", str(error))]) from None
        target = root / "results/pictures" / f"{digest[:16]}.{'jpg' if form == 'jpeg' else form}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(picture, target)
        assert hashlib.sha256(target.read_bytes()).hexdigest() == digest
        one = {"id": f"picture-{number}", "label": picture.stem.replace("_", " "), "alt": "", "file": target.name}
        entries.append({**one, "sha256": digest, "width": width, "height": height})
    if not entries:
        remote = {"url": "", "page": "", "licence": ""}
        entries.append({"id": "original", "label": title or name, "alt": "", "remote": remote})
    exhibit = {
        "title": title or name.replace("-", " ").capitalize(),
        "kind": {0: "painting", 1: "photograph", 2: "pair"}.get(len(pictures), "series"),
        "caption": "",
        "credit": "",
        "licence": "",
        "pictures": entries,
        "sets": list(sets),
    }
    file.write_text(json.dumps({"exhibits": {name: exhibit}}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return file
