"""The rules that judge claims: small functions from values to evidence for, against and for neither.

A rule takes the values in the order in which the claim lists them. To add one is to write the function under `@rule`:
`paired` rules read the values two by two, `at_least` is the smallest number of them. Each further parameter is an
option that the claim must give: one of type `Ref` names a value, one of type `Table` a table, any other is a text.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ledger.book import alike
from ledger.claims.wording import in_words, interval_in_words
from ledger.schema import Table, Value

# -- what a rule works with -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ref:
    """A value with its id and its label as it stands inside a sentence."""

    id: str
    value: Value
    label: str
    counterpart: Ref | None = None  # the value that reports the same quantity independently

    @property
    def number(self) -> float:
        """The number; a rule gets no pending values."""
        assert self.value.value is not None
        return self.value.value

    @property
    def marked(self) -> str:
        return "{" + self.id + "}"

    @property
    def named(self) -> str:
        """`accuracy of ours ({...})`."""
        return f"{self.label} ({self.marked})"

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval, or the number itself twice where none is known."""
        return self.value.interval or (self.number, self.number)

    @property
    def half_digit(self) -> float:
        """Half a unit of the last printed digit."""
        return 0.5 * 10.0**-self.value.digits


@dataclass
class Finding:
    """What a rule found: items that speak for the sentence, against it, or for neither.

    `unmeasured` items have no number yet and leave the verdict as it is. A `reason` stands instead of the lists.
    """

    supports: list[str] = field(default_factory=list)
    refutes: list[str] = field(default_factory=list)
    undecided: list[str] = field(default_factory=list)
    unmeasured: list[str] = field(default_factory=list)
    reason: str = ""

    def add(self, outcome: bool | None, item: str) -> None:
        (self.undecided if outcome is None else self.supports if outcome else self.refutes).append(item)


@dataclass(frozen=True)
class Rule:
    """A rule as claims name it."""

    apply: Callable[..., Finding]
    paired: bool
    at_least: int
    options: dict[str, type]  # name -> Ref, Table or str

    @property
    def leads(self) -> bool:
        """Whether the first value is the one that the others are held against."""
        return not self.paired and self.at_least > 1


RULES: dict[str, Rule] = {}


def rule(*, paired: bool = False, at_least: int | None = None) -> Callable[[Callable[..., Finding]], Rule]:
    """Enters the function below under its name."""

    def enter(function: Callable[..., Finding]) -> Rule:
        _, *options = inspect.signature(function, eval_str=True).parameters.values()
        least = at_least if at_least is not None else 2 if paired else 1
        made = Rule(function, paired, least, {option.name: option.annotation for option in options})
        RULES[function.__name__] = made
        return made

    return enter


def pairs_of(refs: Sequence[Ref]) -> list[tuple[Ref, Ref]]:
    return list(zip(refs[::2], refs[1::2], strict=True))


# -- the rules --------------------------------------------------------------------------------------------------------


@rule(paired=True)
def first_above_second(refs: Sequence[Ref]) -> Finding:
    """Of every two values in turn the first is above the second."""
    return _pairwise(refs, lambda a, b: a.number > b.number, "above", "not above")


@rule(paired=True)
def first_below_second(refs: Sequence[Ref]) -> Finding:
    """Of every two values in turn the first is below the second."""
    return _pairwise(refs, lambda a, b: a.number < b.number, "below", "not below")


def _pairwise(refs: Sequence[Ref], holds: Callable[[Ref, Ref], bool], yes: str, no: str) -> Finding:
    finding = Finding()
    for first, second in pairs_of(refs):
        fits = holds(first, second)
        finding.add(fits, f"{first.named} is {yes if fits else no} {second.named}")
    return finding


@rule()
def all_below(refs: Sequence[Ref], than: Ref) -> Finding:
    """Every value, and where it has one its whole interval, is below `than`."""
    return _beside(refs, than, -1, "below")


@rule()
def all_above(refs: Sequence[Ref], than: Ref) -> Finding:
    """Every value, and where it has one its whole interval, is above `than`."""
    return _beside(refs, than, 1, "above")


def _beside(refs: Sequence[Ref], than: Ref, side: int, word: str) -> Finding:
    finding = Finding()
    for ref in refs:
        low, high = ref.interval
        if low <= than.number <= high and low < high:
            finding.add(None, f"{ref.named}{interval_in_words(ref.value)} is on neither side of {than.named}")
        else:
            fits = (ref.number - than.number) * side > 0
            finding.add(fits, f"{ref.named} is {'' if fits else 'not '}{word} {than.named}")
    return finding


@rule()
def within(refs: Sequence[Ref], low: Ref, high: Ref) -> Finding:
    """Every value lies between `low` and `high`, bounds included, to the printed precision of the bounds."""
    finding = Finding()
    for ref in refs:
        fits = low.number - low.half_digit <= ref.number <= high.number + high.half_digit
        finding.add(fits, f"{ref.named} lies {'within' if fits else 'outside'} {low.marked} to {high.marked}")
    return finding


@rule(paired=True)
def same_number(refs: Sequence[Ref]) -> Finding:
    """Of every two values in turn, the claimed and the found one, both print alike."""
    finding = Finding()
    for claimed, found in pairs_of(refs):
        fits = alike(claimed.value, found.value)
        finding.add(fits, f"{claimed.named}, {'and' if fits else 'but'} {found.named}")
    return finding


@rule(paired=True)
def share_in_per_cent(refs: Sequence[Ref]) -> Finding:
    """A claimed percentage, then a share that it rounds."""
    return _per_cent(refs, lambda share: 100 * share, "")


@rule(paired=True)
def rest_in_per_cent(refs: Sequence[Ref]) -> Finding:
    """A claimed percentage, then a share whose complement it rounds."""
    return _per_cent(refs, lambda share: 100 - 100 * share, "one minus ")


def _per_cent(refs: Sequence[Ref], derived: Callable[[float], float], wording: str) -> Finding:
    finding = Finding()
    for claimed, share in pairs_of(refs):
        fits = abs(claimed.number - derived(share.number)) <= claimed.half_digit + 1e-9
        finding.add(fits, f"{wording}{share.named} {'rounds' if fits else 'does not round'} to {claimed.marked} %")
    return finding


@rule(at_least=2)
def lowest(refs: Sequence[Ref]) -> Finding:
    """The first value is the lowest of all."""
    return _pairwise([side for other in refs[1:] for side in (refs[0], other)], _less, "below", "not below")


@rule(at_least=2)
def highest(refs: Sequence[Ref]) -> Finding:
    """The first value is the highest of all."""
    return _pairwise([side for other in refs[1:] for side in (other, refs[0])], _less, "below", "not below")


def _less(first: Ref, second: Ref) -> bool:
    return first.number < second.number


@rule(at_least=3)
def rank(refs: Sequence[Ref]) -> Finding:
    """A claimed rank, then the value ranked, then all others: one more than the number of higher ones."""
    claimed, ranked, *others = refs
    found = 1 + sum(other.number > ranked.number for other in others)
    fits = claimed.number == found
    size = in_words(len(others) + 1)
    item = f"{in_words(found - 1)} of {size} entries stand above {ranked.named}; the claimed rank is {claimed.marked}"
    return Finding([item]) if fits else Finding([], [item])


@rule(at_least=2)
def last(refs: Sequence[Ref]) -> Finding:
    """No other value is below the first."""
    found = sum(_less(other, refs[0]) for other in refs[1:])
    item = f"{in_words(found)} of {in_words(len(refs))} entries stand below {refs[0].named}"
    return Finding([], [item]) if found else Finding([item])


@rule(at_least=4)
def place_between_extremes(refs: Sequence[Ref]) -> Finding:
    """A claimed share, then a value, then others: where the value stands between the least and the greatest."""
    claimed, placed, *others = refs
    low, high = min(others, key=lambda ref: ref.number), max(others, key=lambda ref: ref.number)
    if low.number == high.number:
        return Finding(undecided=[f"all others are alike, {low.marked}: nothing lies between them"])
    found = (placed.number - low.number) / (high.number - low.number)
    fits = abs(claimed.number - found) <= claimed.half_digit + 1e-9
    item = f"{placed.named} between {low.named} and {high.named} gives {found:.3f}; claimed is {claimed.marked}"
    return Finding([item]) if fits else Finding([], [item])


@rule()
def rederived(refs: Sequence[Ref]) -> Finding:
    """Every reported value that can be recomputed agrees with its recomputed counterpart to the printed precision."""
    finding = Finding()
    for ref in refs:
        if ref.counterpart is None:
            finding.unmeasured.append(f"nothing to recompute {ref.named} from")
        else:
            finding.add(alike(ref.value, ref.counterpart.value), f"{ref.named}, recomputed {ref.counterpart.marked}")
    return finding


@rule(paired=True)
def one_test_set(refs: Sequence[Ref]) -> Finding:
    """Accuracy and F1 in turn: is there one share of positives that every row allows?

    With errors e = 1 - accuracy, F1 f gives the true positives t = f e / 2(1 - f); positives then make up between t and
    t + e of the set. Each printed number may be off by half of its last digit.
    """
    spans = [(accuracy, *_positives(accuracy, f1)) for accuracy, f1 in pairs_of(refs)]
    first, floor, _ = max(spans, key=lambda span: span[1])
    second, _, ceiling = min(spans, key=lambda span: span[2])
    if floor > 1:
        return Finding(refutes=[f"no share of positives goes with {first.named} and its F1"])
    item = (
        f"{first.named} needs at least {floor:.3f} of its pairs to be positives, {second.named} at most {ceiling:.3f}"
    )
    return Finding([item]) if floor <= ceiling else Finding([], [item])


def _positives(accuracy: Ref, f1: Ref) -> tuple[float, float]:
    """Least and greatest share of positives; the least is above 1 where the two numbers exclude each other."""
    few, many = (max(0.0, 1 - accuracy.number + side * accuracy.half_digit) for side in (-1, 1))
    low, high = max(0.0, f1.number - f1.half_digit), f1.number + f1.half_digit
    least = low * few / (2 * (1 - low)) if low < 1 else 0.0
    if least + few > 1:
        return 2.0, 1.0
    return least, 1.0 if high >= 1 else min(1.0, high * many / (2 * (1 - high)) + many)


@rule(paired=True)
def unanimous(refs: Sequence[Ref]) -> Finding:
    """Counts in turn, for and against a side: one case on the other side, anywhere, is enough against it."""
    items = [(f"{one.named} against {other.marked}", other.number) for one, other in pairs_of(refs)]
    split = [item for item, exceptions in items if exceptions]
    if not split:
        return Finding([item for item, _ in items])
    divided = f"{in_words(len(split))} of {in_words(len(items))} run both ways: " if len(items) > 1 else ""
    return Finding([], split, reason=divided + "; ".join(split))


@rule()
def zero(refs: Sequence[Ref]) -> Finding:
    """Every number is zero, to its printed precision."""
    finding = Finding()
    for ref in refs:
        fits = abs(ref.number) < ref.half_digit
        finding.add(fits, f"{ref.named} is {'' if fits else 'not '}zero")
    return finding


@rule()
def rows_of_table(refs: Sequence[Ref], table: Table) -> Finding:
    """The claimed number is the number of rows of `table`."""
    fits = refs[0].number == len(table.rows)
    item = f"{refs[0].label}: {refs[0].marked}; “{table.title}” has {in_words(len(table.rows))} rows"
    return Finding([item]) if fits else Finding([], [item])


@rule()
def rows_of_kind(refs: Sequence[Ref], table: Table, kind: str) -> Finding:
    """The claimed number is the number of rows of `table` that are of one kind."""
    count = sum(row.kind == kind for row in table.rows)
    fits = refs[0].number == count
    item = f"{refs[0].label}: {refs[0].marked}; “{table.title}” has {in_words(count)} rows of kind “{kind}”"
    return Finding([item]) if fits else Finding([], [item])


@rule()
def rows_in_group(refs: Sequence[Ref], table: Table, group: str, kind: str) -> Finding:
    """The claimed number, or bound, fits the number of rows of `table` of one group and kind."""
    named = [row.label for row in table.rows if (row.group, row.kind) == (group, kind)]
    counted = Value(label="counted", value=len(named), unit="", digits=0, source=refs[0].value.source)
    fits = alike(refs[0].value, counted)
    listed = f"{in_words(len(named))} ({', '.join(named)})" if named else "none"
    item = f"{refs[0].label} ({refs[0].marked}); “{table.title}” has {listed} in the group {group}"
    return Finding([item]) if fits else Finding([], [item])


@rule()
def sample_size(refs: Sequence[Ref], than: Ref) -> Finding:
    """Every value states that it rests on `than` samples; one that states no number is unmeasured."""
    finding = Finding()
    for ref in refs:
        if ref.value.n is None:
            finding.unmeasured.append(f"{ref.value.label} states no number of samples")
        else:
            finding.add(ref.value.n == than.number, f"{ref.value.label} rests on {ref.value.n} samples")
    return finding


@rule(at_least=0)
def same_words(refs: Sequence[Ref], here: str, there: str) -> Finding:
    """Two places that should say the same do; both are quoted."""
    item = f"one place says “{here}”, another “{there}”"
    return Finding([item]) if here.casefold() == there.casefold() else Finding([], [item])


@rule(at_least=0)
def not_measured(refs: Sequence[Ref], because: str) -> Finding:
    """Nothing that the ledger could hold decides this; the reason says what is missing."""
    return Finding(reason=because)


@rule()
def positive(refs: Sequence[Ref]) -> Finding:
    """Every number is above zero, whatever its interval."""
    finding = Finding()
    for ref in refs:
        finding.add(ref.number > 0, f"{ref.named} is {'' if ref.number > 0 else 'not '}above zero")
    return finding


@rule()
def below_zero(refs: Sequence[Ref]) -> Finding:
    """Every difference is below zero with its whole interval."""
    return _sided(refs, -1)


@rule()
def above_zero(refs: Sequence[Ref]) -> Finding:
    """Every difference is above zero with its whole interval."""
    return _sided(refs, 1)


def _sided(refs: Sequence[Ref], side: int) -> Finding:
    finding = Finding()
    for ref in refs:
        low, high = ref.interval
        said = f"{ref.named}{interval_in_words(ref.value)}"
        if ref.value.interval is None or low <= 0 <= high:
            finding.add(None, f"{said} does not exclude zero")
        else:
            finding.add((low > 0) == (side > 0), f"{said} is {'above' if low > 0 else 'below'} zero")
    return finding


@rule(at_least=2)
def falls_steadily(refs: Sequence[Ref]) -> Finding:
    """No step rises beyond the intervals, and the interval of the last value lies wholly below that of the first."""
    spans = [ref.interval for ref in refs]
    first, last_one = spans[0], spans[-1]
    item = f"from {refs[0].named} to {refs[-1].named} in {in_words(len(refs) - 1)} steps"
    if first[1] < last_one[0]:
        return Finding([], [item])
    if last_one[1] >= first[0]:
        return Finding([], [], [item])
    steps = zip(refs[1:], itertools.pairwise(spans), strict=True)
    turns = [ref for ref, (before, after) in steps if after[0] > before[1]]
    if turns:
        return Finding([], [], [f"{item}, but not without a turn at {turns[0].named}"])
    return Finding([f"{item}, none rising beyond the intervals"])


@rule()
def loses_less_than(refs: Sequence[Ref], margin: Ref) -> Finding:
    """Every difference lies, with its whole interval, above minus `margin`."""
    finding = Finding()
    for ref in refs:
        low, high = ref.interval
        outcome = True if low > -margin.number else False if high < -margin.number else None
        finding.add(outcome, f"{ref.named}{interval_in_words(ref.value)} against a margin of {margin.marked}")
    return finding
