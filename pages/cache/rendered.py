"""What the last build rendered, taken again where nothing that it read has changed.

Wraps `render` from outside: it is handed a `Recall` and asks it for every file, and for the parts of pages. Of a file a
digest is remembered; its bytes lie in the published site, and are made anew where the site holds other ones.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pages.cache.recording import Read, Recall, Record, digest
from pages.cache.store import load_cache, save_cache, sha256

Published = Callable[[str, str], bytes | None]  # address, sha256 -> bytes


class RenderedCache(Recall):
    """`code` is the digest of what every page depends on; `give` tells what a look-up gives now; `published` reads a
    file of the published site, if it has that digest."""

    def __init__(self, file: Path, code: str, give: Callable[[Read], str], published: Published) -> None:
        self.path, self.code, self.give, self.published = file, code, give, published
        known = load_cache(file)
        same = bool(code) and known.get("code") == code
        self.reads: list[Read] = [tuple(read) for read in known["reads"]] if same else []
        self.before: dict[str, Any] = known["made"] if same else {}
        self.made: dict[str, Any] = {}
        self.number = {read: number for number, read in enumerate(self.reads)}

    def file(self, address: str, arguments: object, make: Callable[[Record], bytes]) -> tuple[bytes, Record]:
        known = self._find(address, arguments)
        content = self.published(address, known["sha256"]) if known else None
        if known and content is not None:
            return content, self._retain(address)
        record = Record()
        content = make(record)
        self._keep(address, arguments, record, sha256=sha256(content))
        return content, record

    def piece(self, key: str, arguments: object, make: Callable[[Record], str]) -> tuple[str, Record]:
        if known := self._find(key, arguments):
            return known["text"], self._retain(key)
        record = Record()
        text = str(make(record))
        self._keep(key, arguments, record, text=text)
        return text, record

    def _find(self, key: str, arguments: object) -> dict[str, Any] | None:
        known: dict[str, Any] | None = self.before.get(key)
        return known if known and known["key"] == self._key(arguments, known["reads"]) else None

    def _key(self, arguments: object, reads: list[int]) -> str:
        return digest([arguments, *(self.give(self.reads[number]) for number in reads)])

    def _keep(self, key: str, arguments: object, record: Record, **content: str) -> None:
        reads = [self._number(tuple(map(str, read))) for read in record.reads]
        about = {"shows": record.shows, "notes": record.notes, "pieces": record.pieces}
        self.made[key] = {"key": self._key(arguments, reads), "reads": reads, **about, **content}

    def _retain(self, key: str) -> Record:
        """Parts of what was recalled are not asked for, and yet are needed when it changes next time."""
        known = self.before[key]
        if key not in self.made:
            self.made[key] = known
            for piece in known["pieces"]:
                self._retain(piece)
        reads = {self.reads[number]: None for number in known["reads"]}
        return Record(reads, known["shows"], [*known["notes"]], pieces=known["pieces"])

    def _number(self, read: Read) -> int:
        """Look-ups are kept once for all that asked for them."""
        if read not in self.number:
            self.number[read] = len(self.reads)
            self.reads.append(read)
        return self.number[read]

    def save(self) -> None:
        """Remember what this build made or recalled; the rest is forgotten."""
        if self.made == self.before:
            return
        used = sorted({number for one in self.made.values() for number in one["reads"]})
        new = {number: place for place, number in enumerate(used)}
        made = {name: {**one, "reads": [new[number] for number in one["reads"]]} for name, one in self.made.items()}
        save_cache(self.path, {"code": self.code, "reads": [self.reads[number] for number in used], "made": made})
