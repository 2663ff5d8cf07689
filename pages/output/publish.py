"""Stages a finished site in a folder of its own, and puts it in place: it appears whole, or the old one stays.

The staged folder and the site are exchanged in one system call (renameat2 on Linux, renamex_np on macOS). Elsewhere two
renames do it, and the next build repairs what a kill between them left. Files whose bytes did not change are hard links
to the old ones, so their times stay. What an exchange leaves, the site before, is what the next build stages in: of
thousands of links it makes those that changed. Where a folder cannot be exchanged, because it is a mount point or its
parent is closed, the files are copied into it: what pages show first, then the pages.

A folder is written only when it is empty, or carries the stamp of an earlier build. A link is followed. What hosts keep
in a published folder stays: CNAME, and the `.git` file of a worktree.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from ledger.files import replace_bytes
from pages.cache.recording import Unchanged
from pages.cache.store import FileDigests, entries, sha256

AT_FDCWD, RENAME_EXCHANGE, RENAME_SWAP = -100, 2, 2
STAMP = ".made-by-build-py"  # in every site that a build made
STAMP_TEXT = b"This folder is output: every build replaces all of it but CNAME and .git.\n"
KEPT = ("CNAME", ".git")  # what hosts put into a published folder
CANNOT_BE_EXCHANGED = (errno.EXDEV, errno.EBUSY, errno.EACCES, errno.EPERM)  # another disk, a mount point, closed


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
    place = Path(os.path.realpath(out))
    for mine in (root, *inputs):
        if mine.resolve().is_relative_to(place):
            raise Refused(
                f"holds {mine}, of which the site is made: choose a folder of its own, such as {root / 'site'}"
            )
    for mine in inputs:
        if place.is_relative_to(mine.resolve()):
            raise Refused(f"lies in {mine}, of which the site is made: choose a folder of its own")
    if place.is_symlink():
        raise Refused("is a link that leads to itself: choose a folder")
    if not place.exists():
        return place
    if not place.is_dir():
        raise Refused("is a file: choose a folder")
    if (place / ".git").is_dir():
        raise Refused("is a repository of its own: publish into a worktree of it, or choose another folder")
    if not _is_ours(place):
        foreign = sorted(path.name for path in place.iterdir() if path.name not in KEPT)
        raise Refused(
            f"holds {', '.join(foreign[:3])} and is not the work of a build: empty it, or choose another folder"
        )
    for name in KEPT:
        if os.path.lexists(place / name) and not (place / name).is_file():
            raise Refused(f"holds {name}, which is no file and would be lost: remove it, or choose another folder")
    return place


def _is_ours(folder: Path) -> bool:
    """Whether a build may replace all of a folder: one with our stamp, or with nothing but what hosts put there."""
    return (folder / STAMP).is_file() or not {path.name for path in folder.iterdir()} - {*KEPT}


@dataclass
class Staged:
    """A site in a folder of its own. `files`: address -> sha256 and bytes; `written`: those that the old site lacks;
    `touched`: inodes whose stamps changed, as a link was made to them or removed, or that a copy took the place of."""

    folder: Path
    files: dict[str, tuple[str, int]] = field(default_factory=dict)
    written: list[str] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)

    @property
    def digests(self) -> dict[str, str]:
        return {address: digest for address, (digest, _) in self.files.items()}


@contextmanager
def staging(out: Path, spare: Path) -> Iterator[Path]:
    """A folder to stage a site for `out` in: `spare`, which keeps what is left in it for the next build, if the two are
    on one disk, else one beside `out`."""
    beside = out.with_name(f".{out.name}.next")
    free = [beside] if not beside.is_dir() or _is_ours(beside) else []
    folder = _make(*(spare, *free) if _on_one_disk(out, spare) else (*free, spare))
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)  # a full disk gets its room back
        raise
    if folder == beside:
        shutil.rmtree(folder, ignore_errors=True)


def _on_one_disk(*places: Path) -> bool:
    """Of a folder that is not there, the one that it would be made in counts."""
    there = (next(one for one in (place, *place.parents) if one.exists()) for place in places)
    return len({place.stat().st_dev for place in there}) == 1


def _make(*folders: Path) -> Path:
    """The first of the folders that can be made, or is there."""
    for folder in folders:
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            return folder
    raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(folders[0].parent))


def stage(
    out: Path,
    folder: Path,
    texts: Mapping[str, bytes | Unchanged],
    files: Mapping[str, tuple[str, str]],
    old: FileDigests,
) -> Staged:
    """Make `folder` hold exactly `texts` (address -> bytes) and `files` (address -> file of a cache, its digest). `old`
    knows the site at `out`. What `folder` holds already that is the same file as in the old site stays."""
    texts = {STAMP: STAMP_TEXT, **texts}  # first, or nobody would know whose a folder is that a kill left half made
    digests = {name: sha256(text) if isinstance(text, bytes) else text.sha256 for name, text in texts.items()}
    digests |= {name: digest for name, (_, digest) in files.items()}
    kept = {address: old.inode(address) for address, digest in digests.items() if old(address) == digest}
    staged = Staged(folder)
    there = _clear(staged, kept if _on_one_disk(out, folder) else {})
    for address, digest in digests.items():
        place, text = f"{folder}/{address}", texts.get(address)
        if address not in kept:
            _put(place, text if isinstance(text, bytes) else files[address][0])
            made = Path(place).stat()
            staged.files[address] = digest, made.st_size
            staged.touched.add(str(made.st_ino))
            staged.written.append(address)
            continue
        if address not in there:
            _put(place, f"{out}/{address}")
            staged.touched.add(kept[address])
        staged.files[address] = digest, old.size(address)
    for name in KEPT:
        if (out / name).is_file():
            shutil.copy2(out / name, folder / name, follow_symlinks=False)
            staged.touched.add(old.inode(name))
            staged.files[name] = old(name), old.size(name)
    return staged


def _clear(staged: Staged, kept: Mapping[str, str]) -> set[str]:
    """Remove from the folder all but the files with an address and an inode of `kept`; the addresses of those."""
    there = set[str]()
    for address, entry in [*entries(staged.folder)]:
        if kept.get(address) == str(entry.inode()):
            there.add(address)
        else:
            staged.touched.add(str(entry.inode()))
            Path(entry.path).unlink()
            _remove_empty_folders(staged.folder, address)
    return there


def _put(place: str, content: bytes | str) -> None:
    """Bytes, or a link to the file of that name, a copy where the disk knows no links."""
    if isinstance(content, bytes):
        _write(place, content)
    elif not _link(content, place):
        _write(place, Path(content).read_bytes())


def publish(staged: Staged, out: Path) -> Published:
    """Put a staged site in the place of the one at `out`."""
    recover(out)
    removed = tuple(sorted({address for address, _ in entries(out)} - staged.files.keys()))
    try:
        exchange(staged.folder, out)
    except OSError as error:
        if error.errno not in CANNOT_BE_EXCHANGED:
            raise
        _copy(staged, out, removed)
        shutil.rmtree(staged.folder, ignore_errors=True)
    written = tuple(sorted(name for name in staged.written if name != STAMP))
    return Published(written, len(staged.files) - len(staged.written), removed)


def _copy(staged: Staged, out: Path, removed: Iterable[str]) -> None:
    """Copy into a folder that cannot be exchanged: first what no old page asks for, pages last, then delete."""
    for address in sorted(staged.written, key=lambda name: (name.endswith(".html"), name)):
        replace_bytes(out / address, (staged.folder / address).read_bytes(), durable=False)
    for address in removed:
        (out / address).unlink(missing_ok=True)
        _remove_empty_folders(out, address)


def _remove_empty_folders(folder: Path, address: str) -> None:
    """Those that a file at `address` below `folder` may have been the last in."""
    for parent in list(Path(address).parents)[:-1]:
        try:
            (folder / parent).rmdir()
        except OSError:
            break


def recover(out: Path) -> None:
    """Undo what a kill between two renames left (only where directories cannot be exchanged at once)."""
    old = out.with_name(f".{out.name}.old")
    if not old.is_dir() or not _is_ours(old):
        return
    if not out.exists():
        old.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def exchange(new: Path, out: Path) -> None:
    """`out` becomes what `new` is; the former `out`, if any, is found at `new`."""
    if not out.exists():
        new.rename(out)
    elif not _exchange_at_once(new, out):
        old = out.with_name(f".{out.name}.old")
        out.rename(old)
        try:
            new.rename(out)
        except OSError:
            old.rename(out)
            raise
        old.rename(new)


def _exchange_at_once(one: Path, other: Path) -> bool:
    libc = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "linux" and hasattr(libc, "renameat2"):
        return not libc.renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE)
    if sys.platform == "darwin" and hasattr(libc, "renamex_np"):
        return not libc.renamex_np(os.fsencode(one), os.fsencode(other), RENAME_SWAP)
    return False


def _write(place: str, content: bytes) -> None:
    Path(place).parent.mkdir(parents=True, exist_ok=True)
    with Path(place).open("xb") as file:  # a file that is there may be one of the published site as well
        file.write(content)


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
