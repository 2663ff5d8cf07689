"""Reuses what the last build rendered where nothing that it read has changed.

Wraps `render` from outside: it is passed an `OutputSource` and asks it for every file and part of a page. Of a file a
digest is stored; its bytes lie in the published site, and are made anew where the site holds other ones. Look-ups
are kept once, each with the fingerprint of what it gave: what read none of those that give something else is as it was.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from pages.cache.recording import OutputSource, Read, Record, Unchanged, digest
from pages.cache.store import load_cache, save_cache, sha256


class RenderedCache(OutputSource):
    """`code` is the digest of what every page depends on; `give` tells what a look-up gives now; `published` gives the
    sha256 of a file of the published site."""

    def __init__(self, file: Path, code: str, give: Callable[[Read], str], published: Callable[[str], str]) -> None:
        self.path, self.code, self.give, self.published = file, code, give, published
        known = load_cache(file, from_json)
        same = bool(code) and known.get("code") == code
        self.reads: list[Read] = [tuple(read) for read, _ in known["reads"]] if same else []
        self.gave: list[str] = [gave for _, gave in known["reads"]] if same else []
        self.before: dict[str, Any] = known["made"] if same else {}
        self.made: dict[str, Any] = {}
        self.number = {read: number for number, read in enumerate(self.reads)}

    def file(
        self, address: str, arguments: object, make: Callable[[Record], bytes]
    ) -> tuple[bytes | Unchanged, Record]:
        known = self._find(address, arguments)
        if known and self.published(address) == known["sha256"]:
            return Unchanged(known["sha256"]), self._retain(address)
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

    @cached_property
    def changed(self) -> set[int]:
        """Look-ups of the last build that give something else now."""
        return {number for number, gave in enumerate(self.gave) if self.give(self.reads[number]) != gave}

    def _find(self, key: str, arguments: object) -> dict[str, Any] | None:
        known: dict[str, Any] | None = self.before.get(key)
        if known is None or not self.changed.isdisjoint(known["reads"]) or known["arguments"] != digest(arguments):
            return None
        return known

    def _keep(self, key: str, arguments: object, record: Record, **content: str) -> None:
        reads = [self._number(tuple(map(str, read))) for read in record.reads]
        about = {"exhibits_shown": record.exhibits_shown, "notes": record.notes, "pieces": record.pieces}
        self.made[key] = {"arguments": digest(arguments), "reads": reads, **about, **content}

    def _retain(self, key: str) -> Record:
        """Parts of what was recalled are not asked for, and yet are needed when it changes next time."""
        known = self.before[key]
        if key not in self.made:
            self.made[key] = known
            for piece in known["pieces"]:
                self._retain(piece)
        reads = {self.reads[number]: None for number in known["reads"]}
        return Record(reads, known["exhibits_shown"], [*known["notes"]], pieces=known["pieces"])

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
        used, made = sorted(set[int]().union(*(one["reads"] for one in self.made.values()))), self.made
        if len(used) < len(self.reads):
            new = {number: place for place, number in enumerate(used)}
            made = {name: {**one, "reads": [new[number] for number in one["reads"]]} for name, one in made.items()}
        reads = [(self.reads[number], self.give(self.reads[number])) for number in used]
        save_cache(self.path, {"code": self.code, "reads": reads, "made": made})
