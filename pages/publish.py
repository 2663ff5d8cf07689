"""Puts a finished site in place: it appears whole, or the old one stays - whenever the build is killed.

The new tree is built beside the old one and the two directories are exchanged in one system call (renameat2 on Linux,
renamex_np on macOS). Elsewhere two renames do it, and the next build repairs what a kill between them left. Files whose
bytes did not change are hard links to the old ones, so their times stay.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pages.pictures import stamp

AT_FDCWD, RENAME_EXCHANGE, RENAME_SWAP = -100, 2, 2


@dataclass(frozen=True)
class Published:
    """What publishing did: addresses below site/."""

    written: tuple[str, ...]
    kept: int
    removed: tuple[str, ...]


def publish(out: Path, texts: Mapping[str, bytes], files: Mapping[str, Path], known: dict[str, str]) -> Published:
    """Make `out` hold exactly `texts` (address -> bytes) and `files` (address -> file in the cache).

    `known` maps addresses to digests of what the last build wrote there, as `stamp` sees it; it is updated.
    """
    recover(out)
    new = out.with_name(f".{out.name}.next")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    written, fresh, folders = [], dict[str, str](), {str(new)}
    for address in sorted({*texts, *files}):
        place, old = f"{new}/{address}", f"{out}/{address}"
        if (folder := place.rpartition("/")[0]) not in folders:
            os.makedirs(folder, exist_ok=True)  # noqa: PTH103 - thousands of addresses, and Path costs more
            folders.add(folder)
        digest = hashlib.sha256(texts[address]).hexdigest() if address in texts else f"file:{files[address].name}"
        before = known.get(address, "")
        if before and before == f"{digest} {stamp(old)}" and _link(old, place):
            fresh[address] = before  # the same inode
            continue
        if address in texts:
            Path(place).write_bytes(texts[address])
            written.append(address)
        else:
            if not _link(files[address], place):
                shutil.copyfile(files[address], place)
            written.append(address)
        fresh[address] = f"{digest} {stamp(place)}"
    removed = tuple(sorted(orphans(out, {*texts, *files})))
    exchange(new, out)
    shutil.rmtree(new, ignore_errors=True)
    known.clear()
    known.update(fresh)
    return Published(tuple(written), len(fresh) - len(written), removed)


def orphans(out: Path, addresses: set[str]) -> set[str]:
    """Files below `out` that are not among `addresses`."""
    found = set()
    for folder, _, names in os.walk(out):
        where = os.path.relpath(folder, out)
        found |= {name if where == "." else f"{where}/{name}".replace(os.sep, "/") for name in names}
    return found - addresses


def recover(out: Path) -> None:
    """Undo what a kill between two renames left (only where directories cannot be exchanged at once)."""
    old = out.with_name(f".{out.name}.old")
    if old.exists() and not out.exists():
        old.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def exchange(new: Path, out: Path) -> None:
    """`out` becomes what `new` is; the former `out`, if any, is found at `new` or gone."""
    if not out.exists():
        new.rename(out)
    elif not _exchange_at_once(new, out):
        old = out.with_name(f".{out.name}.old")
        out.rename(old)
        new.rename(out)
        shutil.rmtree(old, ignore_errors=True)


def _exchange_at_once(one: Path, other: Path) -> bool:
    libc = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "linux" and hasattr(libc, "renameat2"):
        return not libc.renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE)
    if sys.platform == "darwin" and hasattr(libc, "renamex_np"):
        return not libc.renamex_np(os.fsencode(one), os.fsencode(other), RENAME_SWAP)
    return False


def _link(source: Path | str, target: Path | str) -> bool:
    try:
        os.link(source, target)
    except OSError:
        return False
    return True
