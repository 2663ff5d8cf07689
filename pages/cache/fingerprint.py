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

from pages.cache.store import MTIME_GRANULARITY_NS

INPUTS = ("content", "results", "templates", ".cache/remote", ".cache/draw")  # below the root of a project
CODE = ("pages", "ledger", "effects", "templates", "build.py")  # beside this package
SETTINGS = (
    "page.toml", "section.toml", "charts.toml", "taxonomy.toml", "sources.toml", "pictures.lock.json", "draw.json",
)  # fmt: skip
ENVIRONMENT = ("SITE_URL", "SOURCE_DATE_EPOCH")


@dataclass(frozen=True)
class State:
    """Digests over name, size, times and inode of files. Empty when one of them is so new that it may still change."""

    inputs: str  # of everything
    frame: str  # of what every page depends on: code, templates, settings, the environment


def state(root: Path) -> State:
    """The state of the project at `root` and of the code that builds it."""
    new, lines, frame = time.time_ns() - MTIME_GRANULARITY_NS, list[str](), list[str]()
    racy, racy_frame = False, False
    here = Path(__file__).parents[2]
    for place, framing in [
        *((root / name, name == "templates") for name in INPUTS),
        *((here / name, True) for name in CODE),
    ]:
        for path, stat in _walk(place):
            line = f"{path}:{stat.st_size}:{stat.st_mtime_ns}:{stat.st_ctime_ns}:{stat.st_ino}"
            racy |= stat.st_mtime_ns > new
            lines.append(line)
            if framing or path.endswith(SETTINGS):
                racy_frame |= stat.st_mtime_ns > new
                frame.append(line)
    around = [sys.version, *(f"{name}={os.environ.get(name, '')}" for name in ENVIRONMENT)]
    installed = [Path(path) for path in sys.path if path.endswith("-packages")]
    around += [f"{path}:{path.stat().st_mtime_ns}" for path in installed if path.exists()]
    return State("" if racy else _sha256(lines + around), "" if racy_frame else _sha256(frame + around))


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
