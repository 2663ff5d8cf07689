"""What changed since the last build, told from the stat of every input: nothing is read."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pages.cache.store import MTIME_GRANULARITY_NS, code_digest

HERE = Path(__file__).parents[2]
INPUTS = ("content", "results", "templates", ".cache/remote", ".cache/draw")  # below the root of a project
CODE = ("pages", "ledger", "effects", "build.py")  # beside this package
THEME = "templates"  # likewise, for projects that have none of their own
ENVIRONMENT = ("SITE_URL", "SOURCE_DATE_EPOCH")


def _code_on_disk() -> str:
    return code_digest(*(HERE / name for name in CODE))


def _stat_of_code() -> list[str]:
    return [_line(path, stat) for name in CODE for path, stat in _walk(HERE / name)]


def is_current() -> bool:
    """Whether the code on disk still is the code that runs. Where it is not, nothing that was made may be kept for
    later builds: they would take it for the work of the new code."""
    return _stat_of_code() == STAT_OF_IMPORTED or _code_on_disk() == IMPORTED


@dataclass(frozen=True)
class State:
    """Digests over code, environment, and name, size, times and inode of files. Empty when one of the files is so new
    that it may still change."""

    inputs: str  # of everything
    frame: str  # of what every page depends on: all but texts, which index pages show, pictures and the ledger


def state(root: Path) -> State:
    """The state of the project at `root` and of the code that builds it."""
    new, lines, frame = time.time_ns() - MTIME_GRANULARITY_NS, list[str](), list[str]()
    racy, racy_frame = False, False
    for place in [*(root / name for name in INPUTS), HERE / THEME]:
        for path, stat in _walk(place):
            line = _line(path, stat)
            racy |= stat.st_mtime_ns > new
            lines.append(line)
            if not _is_recorded(path, place.name):
                racy_frame |= stat.st_mtime_ns > new
                frame.append(line)
    around = [IMPORTED, sys.version, *(f"{name}={os.environ.get(name, '')}" for name in ENVIRONMENT)]
    installed = [Path(path) for path in sys.path if path.endswith("-packages")]
    around += [f"{path}:{path.stat().st_mtime_ns}" for path in installed if path.exists()]
    return State("" if racy else _sha256(lines + around), "" if racy_frame else _sha256(frame + around))


def on_disk(root: Path) -> str:
    """A digest over the stat of everything that a build of `root` depends on, code included."""
    places = [*(root / name for name in INPUTS), *(HERE / name for name in (*CODE, THEME))]
    return _sha256([_line(path, stat) for place in places for path, stat in _walk(place)])


def _line(path: str, stat: os.stat_result) -> str:
    return f"{path}:{stat.st_size}:{stat.st_mtime_ns}:{stat.st_ctime_ns}:{stat.st_ino}"


def _is_recorded(path: str, place: str) -> bool:
    """Whether pages record by themselves that they depend on this file: of the ledger, a picture, a text."""
    if place != "content":
        return place == "results"
    return path.endswith((".md", "claims.toml")) or "/content/pictures/" in path


def _sha256(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()


def _walk(path: Path | str) -> Iterator[tuple[str, os.stat_result]]:
    """Every file below `path` with its stat, in order of names."""
    try:
        entries = sorted(os.scandir(path), key=lambda entry: entry.name)
    except NotADirectoryError:
        yield str(path), Path(path).stat()
        return
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if entry.name != "__pycache__":
                yield from _walk(entry.path)
        else:
            yield entry.path, entry.stat(follow_symlinks=entry.is_symlink() and Path(entry.path).exists())


@contextmanager
def build_lock(root: Path) -> Iterator[None]:
    """One build at a time in one project; the kernel lets go of the lock when a build is killed."""
    (root / ".cache").mkdir(exist_ok=True)
    with (root / ".cache/lock").open("w") as file:
        try:
            import fcntl
        except ImportError:
            yield
            return
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


STAT_OF_IMPORTED = _stat_of_code()
IMPORTED = _code_on_disk()  # of the code that runs, taken as it is imported
