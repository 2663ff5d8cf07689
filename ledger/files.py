"""Writing a file so that it appears whole or not at all: the one writer of all packages. Imports nothing heavy.

New bytes go to a draft, a neighbour under a name of its own that no reader looks at, which then takes the name of the
file in one step. So any number of writers may write one file at once, and one of them wins. A crash leaves the old file
and at worst a draft, which `sweep` removes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

DRAFT = ".draft-"  # how the name of a draft begins
ABANDONED = 3600.0  # seconds after which nobody is writing to a draft any more


def replace_text(path: Path, text: str) -> None:
    """Writes UTF-8 `text` to `path`, creating its folder. Raises `OSError`; then `path` is as it was."""
    replace_bytes(path, text.encode())


def replace_bytes(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Writes `content` to `path`, creating its folder. Raises `OSError`; then `path` is as it was. Unless it is only a
    cache, what was written is `durable`: it has reached the disk, and outlasts a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as draft, draft.open("wb") as stream:
        stream.write(content)
        if durable:
            stream.flush()
            os.fsync(stream.fileno())


@contextmanager
def replacing(path: Path, suffix: str = ".part") -> Iterator[Path]:
    """A draft to write to, which takes the place of `path`; where an error is raised, it goes."""
    draft = path.with_name(f"{DRAFT}{os.urandom(8).hex()}{suffix}")
    try:
        yield draft
        draft.replace(path)
    except BaseException as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        if isinstance(error, OSError):  # names the file, not its draft
            error.filename, error.filename2 = str(path), None
        raise


def sweep(folder: Path, older: float = ABANDONED) -> int:
    """Removes drafts in `folder` that killed writers left, by their age in seconds; returns how many."""
    removed = 0
    for draft in folder.glob(f"{DRAFT}*"):
        with suppress(FileNotFoundError):  # its writer was alive, and has finished
            if time.time() - draft.stat().st_mtime > older:
                draft.unlink()
                removed += 1
    return removed
