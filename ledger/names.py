"""Names of files whose letters carry marks: macOS takes the marks apart, people and other systems write them as one."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path


def composed(name: str) -> str:
    """One spelling of the two."""
    return unicodedata.normalize("NFC", name)


def on_disk(root: Path, path: str) -> str:
    """`path` below `root`, or the one there that is the same in the other spelling; empty where there is neither."""
    if os.path.lexists(f"{root}/{path}"):
        return path
    place = root
    for part in path.split("/"):
        names = [entry.name for entry in place.iterdir()] if place.is_dir() and part not in ("", "..") else []
        same = (name for name in names if composed(name) == composed(part))
        if (name := next(same, None)) is None:
            return ""
        place /= name
    return place.relative_to(root).as_posix()
