"""What every room needs of the disk: whole writes, stamps, digests and caches. Imports nothing heavy."""

from __future__ import annotations

import hashlib
import json
import marshal
import os
from pathlib import Path
from typing import Any

_JSON = json.JSONEncoder(sort_keys=True, default=str)
# What was written less than this many ns before it was read may change again in one tick of the file clock.
MTIME_GRANULARITY_NS = 50_000_000


def atomic_write(path: Path, content: bytes) -> None:
    """Write so that `path` holds the old bytes or all of the new ones, never a part: temporary sibling, then rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_bytes(content)
    part.replace(path)


def stamp(path: Path | str) -> str:
    """Size, time of change and inode of a file: differs after anyone wrote to it. Empty when there is no file."""
    try:
        return stamp_of(os.stat(path))  # noqa: PTH116 - thousands a build, and Path costs more than the call
    except OSError:
        return ""


def stamp_of(stat: os.stat_result) -> str:
    return f"{stat.st_size}:{stat.st_mtime_ns}:{stat.st_ino}"


def stamps(folder: Path | str) -> dict[str, str]:
    """Address below `folder` -> stamp, of every file or link."""
    found: dict[str, str] = {}
    below = [(str(folder), "")]
    while below:
        place, prefix = below.pop()
        try:
            entries = os.scandir(place)
        except OSError:
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                below.append((entry.path, f"{prefix}{entry.name}/"))
            else:
                found[prefix + entry.name] = stamp_of(entry.stat(follow_symlinks=False))
    return found


def digest(*parts: object) -> str:
    """sha256 over anything that JSON can hold."""
    return hashlib.sha256(_JSON.encode(parts).encode()).hexdigest()


def code_digest(folder: Path) -> str:
    """sha256 over the Python sources of a package."""
    return digest(*(part for path in sorted(folder.rglob("*.py")) for part in (path.name, path.read_text())))


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object; an unreadable one counts as empty."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def load_cache(path: Path) -> dict[str, Any]:
    """What `save_cache` kept; an unreadable cache counts as empty."""
    try:
        found = marshal.loads(path.read_bytes())
    except (OSError, ValueError, EOFError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def save_cache(path: Path, content: dict[str, Any]) -> None:
    """Keep plain data for the next build: marshal takes a quarter of JSON's time and, unlike pickle, runs no code."""
    atomic_write(path, marshal.dumps(content))
