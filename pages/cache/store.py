"""File stamps, digests and caches. Imports nothing heavy."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Container, Iterator, Mapping
from pathlib import Path
from typing import Any

from ledger.files import replace_bytes

_JSON = json.JSONEncoder(sort_keys=True, default=str)
VERSION = 1  # of the layout of all caches: raise when one of them is kept in another form
# What was written less than this many ns before it was read may change again in one tick of the file clock.
MTIME_GRANULARITY_NS = 50_000_000


def stamp(path: Path | str) -> str:
    """Size, times and inode of a file or link: differs after anyone wrote to it, also who set the time of change back.
    Empty when there is none."""
    try:
        return stamp_of(os.lstat(path))  # thousands a build, and Path costs more than the call
    except OSError:
        return ""


def stamp_of(stat: os.stat_result) -> str:
    return f"{stat.st_size}:{stat.st_mtime_ns}:{stat.st_ctime_ns}:{stat.st_ino}"


def stamps(folder: Path | str) -> dict[str, str]:
    """Address below `folder` -> stamp, of every file or link; what goes while this looks is left out."""
    found: dict[str, str] = {}
    for address, entry in entries(folder):
        with contextlib.suppress(FileNotFoundError):  # the draft of a picture that an encoder just finished
            found[address] = stamp_of(entry.stat(follow_symlinks=False))
    return found


def entries(folder: Path | str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Address below `folder` of every file or link, and what the folder says of it."""
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
                yield prefix + entry.name, entry


def digest(*parts: object) -> str:
    """sha256 over anything that JSON can hold."""
    return sha256(_JSON.encode(parts).encode())


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def sha256_of(path: Path | str) -> str:
    """Of the bytes of a file; empty where none can be read."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - thousands a build
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def code_digest(*places: Path) -> str:
    """sha256 over Python sources: files, and folders with all that is in them."""
    found = hashlib.sha256()
    for place in places:
        below = sorted(f"/{address}" for address, _ in entries(place) if address.endswith(".py"))
        for address in below if place.is_dir() else [""]:
            content = Path(f"{place}{address}").read_bytes()
            found.update(f"{place.name}{address} {len(content)}\n".encode() + content)
    return found.hexdigest()


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object; an unreadable one counts as empty."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


class FileDigests:
    """sha256 of the files of a folder. A file is read again when its stamp is another than kept.

    `known` holds name -> [stamp, sha256], as plain data for a cache.
    """

    def __init__(self, folder: Path | str, known: dict[str, list[str]] | None = None) -> None:
        self.folder, self.known = str(folder), dict(known or {})
        self.seen: dict[str, str] = {}  # name -> stamp, of every file that was looked at

    def look(self) -> Mapping[str, str]:
        """Name -> stamp, of all files as they are now."""
        self.seen = stamps(self.folder)
        return self.seen

    def look_again(self, name: str) -> str:
        """The stamp of the file `name`, which may have been written since."""
        self.seen[name] = found = stamp(f"{self.folder}/{name}")
        return found

    def size(self, name: str) -> int:
        """Bytes of the file `name`, which must be there."""
        return int((self.seen.get(name) or self.look_again(name)).partition(":")[0])

    def inode(self, name: str) -> str:
        """Of the file `name`, which must be there. Files with one inode are links to the same bytes."""
        return (self.seen.get(name) or self.look_again(name)).rpartition(":")[2]

    def __call__(self, name: str) -> str:
        """Of the file `name`; empty where there is none."""
        now = self.seen.get(name) or self.look_again(name)
        if not now:
            return ""
        if (kept := self.known.get(name)) is None or kept[0] != now:
            kept = self.known[name] = [now, sha256_of(f"{self.folder}/{name}")]
        return kept[1]

    def keep(self, digests: Mapping[str, str], touched: Container[str]) -> None:
        """The folder was replaced by one with these files. Of those that it held before, with the same digest, only
        the ones with an inode that was `touched` have another stamp now."""
        before = self.known
        self.known = {}
        for name, digest in digests.items():
            stamp, known = before.get(name, ("", ""))
            if known != digest or stamp != self.seen.get(name) or stamp.rpartition(":")[2] in touched:
                stamp = self.look_again(name)
            self.known[name] = [stamp, digest]

    def unchanged(self) -> bool:
        """Whether the folder holds the known files as they were kept and no others."""
        return self.look() == {name: kept[0] for name, kept in self.known.items()}


CACHES = ("sites.json", "rendered.json", "templates.json", "pictures.json", "facts.json")  # beside encoded pictures


def forget(root: Path) -> None:
    """Delete all caches of a project; encoded pictures are then unknown and made anew."""
    for name in CACHES:
        try:
            (root / ".cache" / name).unlink(missing_ok=True)
        except (IsADirectoryError, PermissionError):
            shutil.rmtree(root / ".cache" / name)


_KEPT = re.compile(rb'\{"version":(\d+),"sha256":"([0-9a-f]{64})","content":(.*)\}', re.S)


def load_cache(path: Path, parse: Callable[[bytes], Any] = json.loads) -> dict[str, Any]:
    """What `save_cache` kept; a cache that is damaged, of another version or of somebody else counts as empty. To
    `parse` large ones, that of pydantic_core takes half as long, but is slow to import."""
    try:
        kept = _KEPT.fullmatch(path.read_bytes())
    except IsADirectoryError:  # in its place nothing could be kept
        shutil.rmtree(path)
        return {}
    except OSError:
        return {}
    if kept is None or int(kept[1]) != VERSION or sha256(kept[3]) != kept[2].decode():
        return {}
    try:
        return dict(parse(kept[3]))
    except ValueError:
        return {}


def save_cache(path: Path, content: dict[str, Any]) -> None:
    """Keep plain data for the next build."""
    from pydantic_core import PydanticSerializationError, to_json  # takes a fifth of the time of json

    try:
        body = to_json(content)
    except PydanticSerializationError:  # the name of a file that is not UTF-8
        body = json.dumps(content, separators=(",", ":")).encode()
    head = f'{{"version":{VERSION},"sha256":"{sha256(body)}","content":'.encode()
    replace_bytes(path, head + body + b"}", durable=False)
