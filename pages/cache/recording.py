"""A ledger that records what is looked up in it, and fingerprints of what the look-ups give (see fragments.py)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ledger import Ledger

Read = tuple[str, ...]  # ("item", shelf, key), ("shelf", name), ("value", id), ("everything",), ("picture", ...), ...
SHELVES = ("values", "tables", "exhibits", "claims", "runs")


def digest(thing: object) -> str:
    """Short fingerprint of a pydantic model, or of anything whose repr tells it apart."""
    text = thing.model_dump_json() if hasattr(thing, "model_dump_json") else repr(thing)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:20]


class Digests:
    """Fingerprints of the ledger's parts, each computed once a build; `others` knows the looks at anything else."""

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
            case ("item", shelf, key):
                found = getattr(self.ledger, shelf).get(key)
                return "" if found is None else digest(found)
            case ("value", name):
                return self(("item", "exhibits", self.owner[name]) if name in self.owner else ("item", "values", name))
            case ("shelf", shelf):
                return digest([(key, self(("item", shelf, key))) for key in getattr(self.ledger, shelf)])
            case ("everything",):
                return digest([self(("shelf", shelf)) for shelf in SHELVES])
            case _:
                return self.others(read)


class RecordingMapping(Mapping[str, Any]):
    """One mapping of the ledger; looking at a key, or at all keys, is recorded."""

    def __init__(self, name: str, things: Mapping[str, Any], record: Callable[[Read], None]) -> None:
        self.name, self.things, self.record = name, things, record

    def __getitem__(self, key: str) -> Any:
        self.record(("item", self.name, key))
        return self.things[key]

    def __contains__(self, key: object) -> bool:
        self.record(("item", self.name, str(key)))
        return key in self.things

    def __iter__(self) -> Iterator[str]:
        self.record(("shelf", self.name))
        return iter(self.things)

    def __len__(self) -> int:
        self.record(("shelf", self.name))
        return len(self.things)


class RecordingLedger:
    """A ledger that tells `record` what is looked up in it. Whatever it does not know counts as reading everything."""

    def __init__(self, ledger: Ledger, record: Callable[[Read], None]) -> None:
        self._ledger, self._record = ledger, record
        self.values = RecordingMapping("values", ledger.values, record)
        self.tables = RecordingMapping("tables", ledger.tables, record)
        self.exhibits = RecordingMapping("exhibits", ledger.exhibits, record)
        self.claims = RecordingMapping("claims", ledger.claims, record)
        self.runs = RecordingMapping("runs", ledger.runs, record)

    def value(self, name: str) -> Any:
        self._record(("value", name))
        return self._ledger.value(name)

    def get(self, name: str) -> Any:
        self._record(("value", name))
        return self._ledger.get(name)

    def cell(self, table: str, row: str, column: str) -> Any:
        self._record(("value", f"{table}.{row}.{column}"))
        return self._ledger.cell(table, row, column)

    def agrees(self, name: str) -> bool | None:
        self._record(("value", name))
        if (twin := self._ledger.value(name).agrees_with) is not None:
            self._record(("value", twin))
        return self._ledger.agrees(name)

    def __getattr__(self, name: str) -> Any:
        self._record(("everything",))
        return getattr(self._ledger, name)
