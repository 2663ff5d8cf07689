"""What was made before, kept with what it read, so that it is made again only when some of that changed.

A cache with hand-made keys goes stale one day. Here the ledger that a template sees notes every look-up
(pages/cache/recording.py), and a remembered text counts only if all of its look-ups together still give what they gave.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from pages.cache.recording import Read
from pages.cache.store import load_cache, save_cache
from pages.output.publish import Tree, digest_of


class Fragment(NamedTuple):
    """Something made: a part, a section, a page (then `text` is the digest of its bytes, which lie in the site)."""

    arguments: str
    reads: tuple[Read, ...]
    seal: str  # the digests of what the reads gave
    text: str
    shows: tuple[str, ...]  # exhibits
    notes: tuple[str, ...]
    parts: tuple[str, ...]  # keys of the units in it


@dataclass
class Trace:
    """What was read, shown and noted since it began."""

    reads: dict[Read, None] = field(default_factory=dict)
    shows: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)

    def read(self, read: Read) -> None:
        self.reads[read] = None

    def include(self, key: str, part: Fragment | Trace) -> None:
        """A part of what is being made was made, or found."""
        self.reads.update(dict.fromkeys(part.reads))
        self.shows += part.shows
        self.notes += part.notes
        self.parts.append(key)


class FragmentCache:
    """Units of the last build and of this one. `frame` is a digest of what all of them depend on; `give` tells what a
    look-up gives now, and `want` hears of every look-up that still counts."""

    def __init__(
        self, file: Path, frame: str, tree: Tree, give: Callable[[Read], str], want: Callable[[Read], object]
    ) -> None:
        self.file, self.frame, self.tree, self.give, self.want = file, frame, tree, give, want
        known = load_cache(file)
        same = bool(frame) and known.get("frame") == frame
        before = known["units"] if same else {}
        self.before: dict[str, Fragment] = {key: Fragment(*unit) for key, unit in before.items()}
        self.units: dict[str, Fragment] = {}
        self.known = {read: read for unit in self.before.values() for read in unit.reads}

    def find(self, key: str, arguments: object) -> Fragment | None:
        """The unit of that name, if nothing that it depends on has changed."""
        unit = self.before.get(key)
        if unit is None or unit.arguments != repr(arguments) or unit.seal != self._seal(unit.reads):
            return None
        for read in unit.reads:
            self.want(read)
        self._retain(key)
        return unit

    def keep(self, key: str, arguments: object, text: str, trace: Trace) -> None:
        reads = tuple(map(self._shared, trace.reads))
        lists = (tuple(map(str, part)) for part in (trace.shows, trace.notes, trace.parts))
        self.units[key] = Fragment(repr(arguments), reads, self._seal(reads), str(text), *lists)

    def file_at(self, address: str, arguments: object, make: Callable[[], tuple[bytes, Trace]]) -> bytes | None:
        """The file at `address` below site/; None when it may stay as it lies there."""
        unit = self.find(address, arguments)
        if unit is not None and unit.text == self.tree.digest(address):
            return None
        content, trace = make()
        self.keep(address, arguments, digest_of(content), trace)
        return content

    def _retain(self, key: str) -> None:
        """Units inside a unit that was found are not asked for, and yet are needed when it changes next time."""
        if key not in self.units and key in self.before:
            self.units[key] = self.before[key]
            for part in self.before[key].parts:
                self._retain(part)

    def _seal(self, reads: Iterable[Read]) -> str:
        return "".join(map(self.give, reads))

    def _shared(self, read: Read) -> Read:
        """As plain text, also what was marked as safe, and once for all units: so it is kept and loaded once."""
        if read not in self.known:
            self.known[read] = tuple(map(str, read))
        return self.known[read]

    def save(self) -> None:
        """Keep this build's units for the next; those that it did not ask for are forgotten."""
        if self.units != self.before:
            units = {key: tuple(unit) for key, unit in self.units.items()}
            save_cache(self.file, {"frame": self.frame, "units": units})
