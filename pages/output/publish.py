"""Puts a finished site in place: it appears whole, or the old one stays - whenever the build is killed.

The new tree is built beside the old one and the two directories are exchanged in one system call (renameat2 on Linux,
renamex_np on macOS). Elsewhere two renames do it, and the next build repairs what a kill between them left. Files whose
bytes did not change are hard links to the old ones, so their times stay.

The tree that was exchanged away is kept, as hard links, beside the site: the next build has only to bring it up to
date, which costs as much as changed, not as much as there is.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pages.cache.store import stamp, stamps

AT_FDCWD, RENAME_EXCHANGE, RENAME_SWAP = -100, 2, 2


@dataclass
class Tree:
    """What the last build left at a place. `publish` brings it up to date."""

    digests: dict[str, str] = field(default_factory=dict)  # address -> digest of every file
    stamps: dict[str, str] = field(default_factory=dict)  # address -> stamp, as the file was written
    changed: list[str] = field(default_factory=list)  # where the tree before it differs
    intact: bool = False  # nobody changed a file since

    @classmethod
    def at(cls, out: Path, digests: dict[str, str], noted: dict[str, str], changed: list[str]) -> Tree:
        """What was noted of the tree at `out`, and whether it still is so."""
        return cls(digests, noted, changed, stamps(out) == noted)

    def digest(self, address: str) -> str:
        """The digest of an untouched file of the tree; empty where there is none."""
        return self.digests.get(address, "") if self.intact else ""


@dataclass(frozen=True)
class Published:
    """What publishing did: addresses below site/."""

    written: tuple[str, ...]
    kept: int
    removed: tuple[str, ...]


def digest_of(content: bytes) -> str:
    """How a tree notes the bytes of a file."""
    return hashlib.sha256(content).hexdigest()


def publish(out: Path, texts: Mapping[str, bytes | None], files: Mapping[str, str], tree: Tree) -> Published:
    """Make `out` hold exactly `texts` (address -> bytes, None for those of an intact `tree`) and `files` (address ->
    file in the cache, which is named by its content)."""
    recover(out)
    new = out.with_name(f".{out.name}.next")
    shutil.rmtree(new, ignore_errors=True)
    here = _former(out, tree, new)
    written, noted = list[str](), dict[str, str]()
    digests = {address: tree.digests[address] if text is None else digest_of(text) for address, text in texts.items()}
    digests |= dict.fromkeys(files, "file")
    for address, digest in digests.items():
        old, place, before = f"{out}/{address}", f"{new}/{address}", tree.stamps.get(address)
        same = digest == tree.digests.get(address) and (tree.intact or before == stamp(old))
        if same and before and (address in here or _link(old, place)):
            noted[address] = before  # the same inode
            continue
        text = texts.get(address)
        _write(place, files.get(address, old) if text is None else text)
        written.append(address)
        noted[address] = stamp(place)
    there = tree.stamps if tree.intact else stamps(out)
    removed = sorted(there.keys() - digests.keys())
    _remove(new, here - digests.keys())
    exchange(new, out)
    if new.exists():
        new.rename(_before(out))
    tree.digests, tree.stamps, tree.changed, tree.intact = digests, noted, [*written, *removed], True
    return Published(tuple(sorted(written)), len(digests) - len(written), tuple(removed))


def _before(out: Path) -> Path:
    return out.with_name(f".{out.name}.before")


def _former(out: Path, tree: Tree, new: Path) -> set[str]:
    """Begin `new` with the tree before the last, brought up to date; its addresses. Empty where that cannot be."""
    if tree.intact and _before(out).is_dir():
        _before(out).rename(new)
        _remove(new, tree.changed)
        for address in tree.changed:
            if address in tree.stamps:
                _link(f"{out}/{address}", f"{new}/{address}")
        here = {path[len(str(new)) + 1 :] for path in _names(new)}
        if here == tree.stamps.keys():
            return here
    shutil.rmtree(_before(out), ignore_errors=True)
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    return set()


def _names(folder: str | Path) -> Iterable[str]:
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            yield from _names(entry.path)
        else:
            yield entry.path


def _write(place: str, content: bytes | str) -> None:
    """A file with these bytes, or those of another file, at `place`: what lies there may be linked to the old tree."""
    Path(place).unlink(missing_ok=True)
    Path(place).parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        Path(place).write_bytes(content)
    elif not _link(content, place):
        shutil.copyfile(content, place)


def _remove(folder: Path, addresses: Iterable[str]) -> None:
    """Delete files, and folders that are empty then."""
    for address in addresses:
        (folder / address).unlink(missing_ok=True)
        for parent in list(Path(address).parents)[:-1]:
            try:
                (folder / parent).rmdir()
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
