"""What a page looks up while it is rendered, and fingerprints of what those look-ups give.

Instead of keys written by hand, the ledger that a template sees records every look-up, and a page
of the last build counts only if all of its look-ups together still give what they gave (rendered.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ledger import Ledger
    from ledger.problems import Problem
    from ledger.schema import Value

Read = tuple[
    str, ...
]  # ("item", mapping, key), ("mapping", name), ("value", id), ("everything",), ("picture", ...), ...
MAPPINGS = ("values", "tables", "exhibits", "claims", "runs")


@dataclass
class Record:
    """What one page read, showed and noted, and what is wrong with it."""

    reads: dict[Read, None] = field(default_factory=dict)
    exhibits_shown: dict[str, str] = field(default_factory=dict)  # exhibit -> the first section that shows it
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    pieces: list[str] = field(default_factory=list)  # keys of the parts in it that have a record of their own

    def read(self, read: Read) -> None:
        self.reads[read] = None

    def include(self, key: str, piece: Record) -> None:
        """A part of it was rendered, or taken from the cache."""
        self.reads.update(piece.reads)
        self.exhibits_shown = {**piece.exhibits_shown, **self.exhibits_shown}
        self.notes += piece.notes
        self.problems += piece.problems
        self.pieces.append(key)


@dataclass(frozen=True)
class Unchanged:
    """A file that the published site holds already, with this sha256."""

    sha256: str


class OutputSource:
    """Where a renderer gets its output: here, by rendering. RenderedCache overrides this (rendered.py)."""

    def file(
        self, address: str, arguments: object, make: Callable[[Record], bytes]
    ) -> tuple[bytes | Unchanged, Record]:
        """The file at `address`, which depends on `arguments` and on what its record says, and on nothing else."""
        record = Record()
        return make(record), record

    def piece(self, key: str, arguments: object, make: Callable[[Record], str]) -> tuple[str, Record]:
        """A part of a page, likewise."""
        record = Record()
        return make(record), record


def digest(thing: object) -> str:
    """Short fingerprint of a pydantic model, or of anything whose repr tells it apart."""
    text = thing.model_dump_json() if hasattr(thing, "model_dump_json") else repr(thing)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:20]


class Fingerprints:
    """Fingerprints of the ledger's parts, each computed once a build; `others` knows the look-ups of anything else."""

    def __init__(self, ledger: Ledger, others: Callable[[Read], str]) -> None:
        self.ledger, self.others = ledger, others
        self.known: dict[Read, str] = {}
        self.owner = {  # score beside a picture -> its exhibit, with which it changes
            f"exhibits.{name}.{picture.id}.{score}": name
            for name, exhibit in ledger.exhibits.items()
            for picture in exhibit.pictures
            for score in picture.scores
        }

    def __call__(self, read: Read) -> str:
        if (known := self.known.get(read)) is None:
            known = self.known[read] = self._compute(read)
        return known

    def _compute(self, read: Read) -> str:
        match read:
            case ("item", mapping, key):
                found = getattr(self.ledger, mapping).get(key)
                return "" if found is None else digest(found)
            case ("value", name):
                return self(("item", "exhibits", self.owner[name]) if name in self.owner else ("item", "values", name))
            case ("mapping", mapping):
                return digest([(key, self(("item", mapping, key))) for key in getattr(self.ledger, mapping)])
            case ("any", mapping):
                return str(bool(getattr(self.ledger, mapping)))
            case ("everything",):
                return digest([self(("mapping", mapping)) for mapping in MAPPINGS])
            case _:
                return self.others(read)


class RecordingMapping(Mapping[str, Any]):
    """One mapping of the ledger; each look-up of a key, or of all keys, is recorded."""

    def __init__(self, name: str, things: Mapping[str, Any], record: Callable[[Read], None]) -> None:
        self.name, self.things, self.record = name, things, record

    def __getitem__(self, key: str) -> Any:
        self.record(("item", self.name, key))
        return self.things[key]

    def __contains__(self, key: object) -> bool:
        self.record(("item", self.name, str(key)))
        return key in self.things

    def __iter__(self) -> Iterator[str]:
        self.record(("mapping", self.name))
        return iter(self.things)

    def __len__(self) -> int:
        self.record(("mapping", self.name))
        return len(self.things)

    def __bool__(self) -> bool:
        """Whether there is any: a page that asks no more does not change with every one of them."""
        self.record(("any", self.name))
        return bool(self.things)


class RecordingLedger:
    """A ledger that tells `record` what is looked up in it. Whatever it does not know counts as reading everything."""

    def __init__(self, ledger: Ledger, record: Callable[[Read], None]) -> None:
        self._ledger, self._record = ledger, record
        self.values = RecordingMapping("values", ledger.values, record)
        self.tables = RecordingMapping("tables", ledger.tables, record)
        self.exhibits = RecordingMapping("exhibits", ledger.exhibits, record)
        self.claims = RecordingMapping("claims", ledger.claims, record)
        self.runs = RecordingMapping("runs", ledger.runs, record)

    def value(self, name: str) -> Value:
        self._record(("value", name))
        return self._ledger.value(name)

    def get(self, name: str) -> Value | None:
        self._record(("value", name))
        return self._ledger.get(name)

    def cell(self, table: str, row: str, column: str) -> Value | None:
        self._record(("value", f"{table}.{row}.{column}"))
        return self._ledger.cell(table, row, column)

    def agrees(self, name: str) -> bool | None:
        self._record(("value", name))
        if (twin := self._ledger.value(name).agrees_with) is not None:
            self._record(("value", twin))
        return self._ledger.agrees(name)

    def whole(self) -> Ledger:
        """Everything at once."""
        self._record(("everything",))
        return self._ledger

    def __getattr__(self, name: str) -> Any:
        self._record(("everything",))
        return getattr(self._ledger, name)
