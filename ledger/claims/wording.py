"""What the rules that judge claims work with: values by their names, what was found, and the words to say it in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ledger.book import show
from ledger.schema import Value


@dataclass(frozen=True)
class Ref:
    """A value with its id."""

    id: str
    value: Value

    @property
    def number(self) -> float:
        """The number; a pending value never reaches a rule that compares."""
        assert self.value.value is not None
        return self.value.value

    @property
    def marked(self) -> str:
        return "{" + self.id + "}"

    @property
    def named(self) -> str:
        """`ΔHPSv3 of DanceFlux ({...})`, as it stands inside a sentence."""
        return f"{lowered(self.value.label)} ({self.marked})"


@dataclass
class Finding:
    """What a rule found: items that speak for the sentence, against it, or for neither. A `reason` stands instead.

    `unmeasured` names what has no number: it is printed, and decides nothing.
    """

    supports: list[str] = field(default_factory=list)
    refutes: list[str] = field(default_factory=list)
    undecided: list[str] = field(default_factory=list)
    unmeasured: list[str] = field(default_factory=list)
    reason: str = ""

    def add(self, outcome: bool | None, item: str) -> None:
        (self.undecided if outcome is None else self.supports if outcome else self.refutes).append(item)


def pairs_of(refs: Sequence[Ref]) -> list[tuple[Ref, Ref]]:
    return list(zip(refs[::2], refs[1::2], strict=True))


_NUMBERS = [
    "none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
]  # fmt: skip


def in_words(count: int) -> str:
    return _NUMBERS[count] if count < len(_NUMBERS) else str(count)


_NAMES = {"Wilcoxon", "Nano", "Flux", "Seedream", "Playground"}


def lowered(label: str) -> str:
    """A label inside a sentence; names and symbols keep their capitals."""
    first = label.split(" ", 1)[0]
    return label if first in _NAMES or not first[1:].islower() else label[:1].lower() + label[1:]


def interval_of(ref: Ref) -> str:
    if ref.value.interval is None:
        return ""
    low, high = (show(ref.value.model_copy(update={"value": end, "qualifier": ""})) for end in ref.value.interval)
    return f", 95 % interval {low} to {high},"
