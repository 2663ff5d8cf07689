"""Stages a finished site in a folder of its own, and puts it in place: it appears whole, or the old one stays.

The staged folder stands beside the site and the two are exchanged in one system call (renameat2 on Linux, renamex_np on
macOS). Elsewhere two renames do it, and the next build repairs what a kill between them left. Files whose bytes did not
change are hard links to the old ones, so their times stay. Where a folder cannot be exchanged, because it is a mount
point or its parent is closed, the files are copied into it: what pages show first, then the pages.

A folder is written only when it is empty, or carries the stamp of an earlier build. A link is followed. What hosts keep
in a published folder stays: CNAME, and the `.git` file of a worktree.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ledger.files import replace_bytes
from pages.cache.recording import Unchanged
from pages.cache.store import FileDigests, names, sha256

AT_FDCWD, RENAME_EXCHANGE, RENAME_SWAP = -100, 2, 2
STAMP = ".made-by-build-py"  # in every site that a build made
STAMP_TEXT = b"This folder is output: every build replaces all of it but CNAME and .git.\n"
KEPT = ("CNAME", ".git")  # what hosts put into a published folder


class Refused(Exception):
    """The folder is not ours to write. The message says why, and what to do."""


@dataclass(frozen=True)
class Published:
    """What publishing did: addresses below site/."""

    written: tuple[str, ...]
    kept: int
    removed: tuple[str, ...]


def destination(out: Path, root: Path, inputs: Iterable[Path]) -> Path:
    """The folder that `out` leads to, if a site may be written there. Refused names what stands against it."""
    place = out.resolve()
    for mine in (root, *inputs):
        if mine.resolve().is_relative_to(place):
            raise Refused(
                f"holds {mine}, of which the site is made: choose a folder of its own, such as {root / 'site'}"
            )
    for mine in inputs:
        if place.is_relative_to(mine.resolve()):
            raise Refused(f"lies in {mine}, of which the site is made: choose a folder of its own")
    if not place.exists():
        return place
    if not place.is_dir():
        raise Refused("is a file: choose a folder")
    if (place / ".git").is_dir():
        raise Refused("is a repository of its own: publish into a worktree of it, or choose another folder")
    foreign = sorted(path.name for path in place.iterdir() if path.name not in KEPT)
    if foreign and STAMP not in foreign:
        raise Refused(
            f"holds {', '.join(foreign[:3])} and is not the work of a build: empty it, or choose another folder"
        )
    return place


@dataclass
class Staged:
    """A site in a folder of its own. `files`: address -> sha256 and bytes; `written`: those that the old site lacks."""

    folder: Path
    files: dict[str, tuple[str, int]]
    written: tuple[str, ...]

    @property
    def digests(self) -> dict[str, str]:
        return {address: digest for address, (digest, _) in self.files.items()}


def discard(folder: Path) -> None:
    """Take away a staged folder, or what an exchange left in its place."""
    shutil.rmtree(folder, ignore_errors=True)


def staging_folder(out: Path, spare: Path) -> Path:
    """An empty folder beside `out`, where it can be exchanged; else `spare`."""
    for folder in (out.with_name(f".{out.name}.next"), spare):
        shutil.rmtree(folder, ignore_errors=True)
        try:
            folder.mkdir(parents=True)
        except OSError:
            continue
        return folder
    raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(out.parent))


def stage(
    out: Path,
    folder: Path,
    texts: Mapping[str, bytes | Unchanged],
    files: Mapping[str, tuple[str, str]],
    old: FileDigests,
) -> Staged:
    """Make `folder` hold exactly `texts` (address -> bytes) and `files` (address -> file of a cache, its digest)."""
    texts = {**texts, STAMP: STAMP_TEXT}
    digests = {name: sha256(text) if isinstance(text, bytes) else text.sha256 for name, text in texts.items()}
    digests |= {name: digest for name, (_, digest) in files.items()}
    staged, written = dict[str, tuple[str, int]](), list[str]()
    for address, digest in digests.items():
        place, text, kept = f"{folder}/{address}", texts.get(address), old(address) == digest
        if isinstance(text, bytes) and not kept:
            _write(place, text)
        else:
            source = f"{out}/{address}" if kept else files[address][0]
            if not _link(source, place):
                _write(place, Path(source).read_bytes())
        staged[address] = digest, old.size(address) if kept else Path(place).stat().st_size
        if not kept:
            written.append(address)
    for name in KEPT:
        if (out / name).is_file():
            shutil.copy2(out / name, folder / name)
            staged[name] = old(name), old.size(name)
    return Staged(folder, staged, tuple(sorted(written)))


def publish(staged: Staged, out: Path) -> Published:
    """Put a staged site in the place of the one at `out`."""
    recover(out)
    removed = tuple(sorted({*names(out)} - staged.files.keys()))
    if staged.folder.parent == out.parent and not os.path.ismount(out):
        exchange(staged.folder, out)
    else:
        _copy(staged, out, removed)
    discard(staged.folder)
    return Published(
        tuple(name for name in staged.written if name != STAMP), len(staged.files) - len(staged.written), removed
    )


def _copy(staged: Staged, out: Path, removed: Iterable[str]) -> None:
    """Copy into a folder that cannot be exchanged: first what no old page asks for, pages last, then delete."""
    for address in sorted(staged.written, key=lambda name: (name.endswith(".html"), name)):
        replace_bytes(out / address, (staged.folder / address).read_bytes(), durable=False)
    for address in removed:
        (out / address).unlink(missing_ok=True)
        for parent in list(Path(address).parents)[:-1]:
            try:
                (out / parent).rmdir()
            except OSError:
                break


def recover(out: Path) -> None:
    """Undo what a kill between two renames left (only where directories cannot be exchanged at once)."""
    old = out.with_name(f".{out.name}.old")
    if old.exists() and not out.exists():
        old.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def exchange(new: Path, out: Path) -> None:
    """`out` becomes what `new` is; the former `out`, if any, is found at `new`."""
    if not out.exists():
        new.rename(out)
    elif not _exchange_at_once(new, out):
        old = out.with_name(f".{out.name}.old")
        out.rename(old)
        new.rename(out)
        old.rename(new)


def _exchange_at_once(one: Path, other: Path) -> bool:
    libc = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "linux" and hasattr(libc, "renameat2"):
        return not libc.renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE)
    if sys.platform == "darwin" and hasattr(libc, "renamex_np"):
        return not libc.renamex_np(os.fsencode(one), os.fsencode(other), RENAME_SWAP)
    return False


def _write(place: str, content: bytes) -> None:
    try:
        Path(place).write_bytes(content)
    except FileNotFoundError:
        Path(place).parent.mkdir(parents=True)
        Path(place).write_bytes(content)


def _link(source: Path | str, target: Path | str) -> bool:
    for attempt in range(2):
        try:
            os.link(source, target)
        except FileNotFoundError:
            if attempt:
                return False
            Path(target).parent.mkdir(parents=True, exist_ok=True)
        except OSError:
            return False
        else:
            return True
    return False
