"""The rules that judge claims: small functions from values to evidence for, against and for neither.

A rule takes the values in the order in which the claim lists them. To add one is to write the function and to name it
in `RULES`; an option called `than`, `low`, `high` or `margin` is a value, `table` a table, any other a text.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence

from ledger.book import alike
from ledger.claims.wording import Finding, Ref, in_words, interval_of, lowered, pairs_of
from ledger.schema import Table, Value


def first_above_second(refs: Sequence[Ref]) -> Finding:
    """Of every two values in turn the first is above the second."""
    return _pairwise(refs, lambda a, b: a.number > b.number, "above", "not above")


def first_below_second(refs: Sequence[Ref]) -> Finding:
    """Of every two values in turn the first is below the second."""
    return _pairwise(refs, lambda a, b: a.number < b.number, "below", "not below")


def _pairwise(refs: Sequence[Ref], holds: Callable[[Ref, Ref], bool], yes: str, no: str) -> Finding:
    finding = Finding()
    for first, second in pairs_of(refs):
        fits = holds(first, second)
        finding.add(fits, f"{first.named} is {yes if fits else no} {second.named}")
    return finding


def all_below(refs: Sequence[Ref], than: Ref) -> Finding:
    """Every value, and where it has one its whole interval, is below `than`."""
    return _beside(refs, than, -1, "below")


def all_above(refs: Sequence[Ref], than: Ref) -> Finding:
    """Every value, and where it has one its whole interval, is above `than`."""
    return _beside(refs, than, 1, "above")


def _beside(refs: Sequence[Ref], than: Ref, side: int, word: str) -> Finding:
    finding = Finding()
    for ref in refs:
        low, high = ref.value.interval or (ref.number, ref.number)
        if low <= than.number <= high and low < high:
            finding.add(None, f"{ref.named}{interval_of(ref)} is on neither side of {than.named}")
        else:
            fits = (ref.number - than.number) * side > 0
            finding.add(fits, f"{ref.named} is {'' if fits else 'not '}{word} {than.named}")
    return finding


def within(refs: Sequence[Ref], low: Ref, high: Ref) -> Finding:
    """Every value lies between `low` and `high`, bounds included, to the printed precision of the bounds."""
    finding = Finding()
    slack = 0.5 * 10.0**-low.value.digits
    for ref in refs:
        fits = low.number - slack <= ref.number <= high.number + slack
        finding.add(fits, f"{ref.named} lies {'within' if fits else 'outside'} {low.marked} to {high.marked}")
    return finding


def same_number(refs: Sequence[Ref]) -> Finding:
    """Of every two values in turn, the claimed and the found one, both print alike."""
    finding = Finding()
    for claimed, found in pairs_of(refs):
        fits = alike(claimed.value, found.value)
        finding.add(fits, f"{claimed.named}, {'and' if fits else 'but'} {found.named}")
    return finding


def share_in_per_cent(refs: Sequence[Ref]) -> Finding:
    """A claimed percentage, then a share that it rounds."""
    return _per_cent(refs, lambda share: 100 * share, "")


def rest_in_per_cent(refs: Sequence[Ref]) -> Finding:
    """A claimed percentage, then a share whose complement it rounds."""
    return _per_cent(refs, lambda share: 100 - 100 * share, "one minus ")


def _per_cent(refs: Sequence[Ref], derived: Callable[[float], float], wording: str) -> Finding:
    finding = Finding()
    for claimed, share in pairs_of(refs):
        fits = abs(claimed.number - derived(share.number)) <= 0.5 * 10.0**-claimed.value.digits + 1e-9
        finding.add(fits, f"{wording}{share.named} {'rounds' if fits else 'does not round'} to {claimed.marked} %")
    return finding


def lowest(refs: Sequence[Ref]) -> Finding:
    """The first value is the lowest of all."""
    return _pairwise([side for other in refs[1:] for side in (refs[0], other)], _less, "below", "not below")


def highest(refs: Sequence[Ref]) -> Finding:
    """The first value is the highest of all."""
    return _pairwise([side for other in refs[1:] for side in (other, refs[0])], _less, "below", "not below")


def _less(first: Ref, second: Ref) -> bool:
    return first.number < second.number


def rank(refs: Sequence[Ref]) -> Finding:
    """A claimed rank, then the value ranked, then all others: one more than the number of higher ones."""
    claimed, ranked, *others = refs
    found = 1 + sum(other.number > ranked.number for other in others)
    fits = claimed.number == found
    size = in_words(len(others) + 1)
    item = f"{in_words(found - 1)} of {size} entries stand above {ranked.named}; the claimed rank is {claimed.marked}"
    return Finding([item]) if fits else Finding([], [item])


def last(refs: Sequence[Ref]) -> Finding:
    """No other value is below the first."""
    found = sum(_less(other, refs[0]) for other in refs[1:])
    item = f"{in_words(found)} of {in_words(len(refs))} entries stand below {refs[0].named}"
    return Finding([], [item]) if found else Finding([item])


def place_between_extremes(refs: Sequence[Ref]) -> Finding:
    """A claimed share, then a value, then others: where the value stands between the least and the greatest."""
    claimed, placed, *others = refs
    low, high = min(others, key=lambda ref: ref.number), max(others, key=lambda ref: ref.number)
    found = (placed.number - low.number) / (high.number - low.number)
    fits = abs(claimed.number - found) <= 0.5 * 10.0**-claimed.value.digits + 1e-9
    item = f"{placed.named} between {low.named} and {high.named} gives {found:.3f}; claimed is {claimed.marked}"
    return Finding([item]) if fits else Finding([], [item])


def rederived(refs: Sequence[Ref], twins: Mapping[str, Ref] | None = None) -> Finding:
    """Every reported value agrees, as printed, with its recomputed twin; one without a twin is unmeasured."""
    finding = Finding()
    for ref in refs:
        twin = (twins or {}).get(ref.id)
        if twin is None:
            finding.unmeasured.append(f"nothing to recompute {ref.named} from")
            continue
        fits = alike(ref.value, twin.value)
        finding.add(fits, f"{ref.named}, recomputed {twin.marked}")
    return finding


def one_test_set(refs: Sequence[Ref]) -> Finding:
    """Accuracy and F1 in turn: is there one share of positives that every row allows?

    Accuracy a and F1 f give the true positives t = f(1 - a) / 2(1 - f); positives then make up between t and t + 1 - a
    of the set. Each printed number may be off by half of its last digit.
    """
    spans = [(accuracy, *_positives(accuracy, f1)) for accuracy, f1 in pairs_of(refs)]
    first, floor, _ = max(spans, key=lambda span: span[1])
    second, _, ceiling = min(spans, key=lambda span: span[2])
    item = (
        f"{first.named} needs at least {floor:.3f} of its pairs to be positives, {second.named} at most {ceiling:.3f}"
    )
    return Finding([item]) if floor <= ceiling else Finding([], [item])


def _positives(accuracy: Ref, f1: Ref) -> tuple[float, float]:
    half = 0.5 * 10.0**-accuracy.value.digits
    corners = [
        (f * (1 - a) / (2 * (1 - f)), a)
        for a in (accuracy.number - half, accuracy.number + half)
        for f in (f1.number - half, f1.number + half)
    ]
    return min(hits for hits, _ in corners), min(1.0, max(hits + 1 - a for hits, a in corners))


def unanimous(refs: Sequence[Ref]) -> Finding:
    """Counts in turn, for and against a side: one case on the other side, anywhere, is enough against it."""
    items = [(f"{one.named} against {other.marked}", other.number) for one, other in pairs_of(refs)]
    split = [item for item, exceptions in items if exceptions]
    if not split:
        return Finding([item for item, _ in items])
    divided = f"{in_words(len(split))} of {in_words(len(items))} run both ways"
    return Finding([], split, reason=f"{divided}: {'; '.join(split)}")


def cases(refs: Sequence[Ref]) -> Finding:
    """Counts in turn, of cases for and against: with both it holds in part."""
    finding, items = Finding(), []
    for one, other in pairs_of(refs):
        finding.supports += [one.named] if one.number else []
        finding.refutes += [other.named] if other.number else []
        items.append(f"{one.named}, against {other.named}")
    finding.reason = "; ".join(items)
    return finding


def zero(refs: Sequence[Ref]) -> Finding:
    """Every number is zero, to its printed precision."""
    finding = Finding()
    for ref in refs:
        fits = abs(ref.number) < 0.5 * 10.0**-ref.value.digits
        finding.add(fits, f"{ref.named} is {'' if fits else 'not '}zero")
    return finding


def rows_of_table(refs: Sequence[Ref], table: Table) -> Finding:
    """The claimed number is the number of rows of `table`."""
    fits = refs[0].number == len(table.rows)
    item = f"{lowered(refs[0].value.label)}: {refs[0].marked}; “{table.title}” has {in_words(len(table.rows))} rows"
    return Finding([item]) if fits else Finding([], [item])


def rows_of_kind(refs: Sequence[Ref], table: Table, kind: str) -> Finding:
    """The claimed number is the number of rows of `table` that are of one kind."""
    count = sum(row.kind == kind for row in table.rows)
    fits = refs[0].number == count
    item = (
        f"{lowered(refs[0].value.label)}: {refs[0].marked}; “{table.title}” has {in_words(count)} rows of kind “{kind}”"
    )
    return Finding([item]) if fits else Finding([], [item])


def rows_in_group(refs: Sequence[Ref], table: Table, group: str, kind: str) -> Finding:
    """The claimed number, or bound, fits the number of rows of `table` of one group and kind."""
    named = [row.label for row in table.rows if (row.group, row.kind) == (group, kind)]
    counted = Value(label="counted", value=len(named), unit="", digits=0, source=refs[0].value.source)
    fits = alike(refs[0].value, counted)
    listed = f"{in_words(len(named))} ({', '.join(named)})" if named else "none"
    item = f"{lowered(refs[0].value.label)} ({refs[0].marked}); “{table.title}” has {listed} in the group {group}"
    return Finding([item]) if fits else Finding([], [item])


def has_row(refs: Sequence[Ref], table: Table, row: str) -> Finding:
    """`table` has a row of this name."""
    fits = any(row.casefold() in (known.id, known.label.casefold()) for known in table.rows)
    item = f"“{row}” is {'' if fits else 'not '}among the {in_words(len(table.rows))} rows of “{table.title}”"
    return Finding([item]) if fits else Finding([], [item])


def sample_size(refs: Sequence[Ref], than: Ref) -> Finding:
    """Every value states that it rests on `than` samples; one that states no number is unmeasured."""
    finding = Finding()
    for ref in refs:
        if ref.value.n is None:
            finding.unmeasured.append(f"{ref.value.label} states no number of samples")
        else:
            finding.add(ref.value.n == than.number, f"{ref.value.label} rests on {ref.value.n} samples")
    return finding


def same_words(refs: Sequence[Ref], here: str, there: str) -> Finding:
    """Two places that should say the same do; both are quoted."""
    item = f"one place says “{here}”, another “{there}”"
    return Finding([item]) if here.casefold() == there.casefold() else Finding([], [item])


def not_measured(refs: Sequence[Ref], because: str) -> Finding:
    """Nothing that the ledger could hold decides this; the reason says what is missing."""
    return Finding(reason=because)


def positive(refs: Sequence[Ref]) -> Finding:
    """Every number is above zero, whatever its interval."""
    finding = Finding()
    for ref in refs:
        finding.add(ref.number > 0, f"{ref.named} is {'' if ref.number > 0 else 'not '}above zero")
    return finding


def below_zero(refs: Sequence[Ref]) -> Finding:
    """Every difference is below zero with its whole interval."""
    return _sided(refs, -1)


def above_zero(refs: Sequence[Ref]) -> Finding:
    """Every difference is above zero with its whole interval."""
    return _sided(refs, 1)


def _sided(refs: Sequence[Ref], side: int) -> Finding:
    finding = Finding()
    for ref in refs:
        low, high = ref.value.interval or (ref.number, ref.number)
        if ref.value.interval is None or low <= 0 <= high:
            finding.add(None, f"{ref.named}{interval_of(ref)} does not exclude zero")
        else:
            finding.add(
                (low > 0) == (side > 0), f"{ref.named}{interval_of(ref)} is {'above' if low > 0 else 'below'} zero"
            )
    return finding


def falls_steadily(refs: Sequence[Ref]) -> Finding:
    """No step rises beyond the intervals, and the interval of the last value lies wholly below that of the first."""
    spans = [ref.value.interval or (ref.number, ref.number) for ref in refs]
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


def loses_less_than(refs: Sequence[Ref], margin: Ref) -> Finding:
    """Every difference lies, with its whole interval, above minus `margin`."""
    finding = Finding()
    for ref in refs:
        low, high = ref.value.interval or (ref.number, ref.number)
        outcome = True if low > -margin.number else False if high < -margin.number else None
        finding.add(outcome, f"{ref.named}{interval_of(ref)} against a margin of {margin.marked}")
    return finding


Rule = Callable[..., Finding]
RULES: dict[str, Rule] = {
    rule.__name__: rule
    for rule in (
        first_above_second,
        first_below_second,
        all_below,
        all_above,
        within,
        same_number,
        share_in_per_cent,
        rest_in_per_cent,
        lowest,
        highest,
        rank,
        last,
        place_between_extremes,
        rederived,
        one_test_set,
        unanimous,
        cases,
        zero,
        rows_of_table,
        rows_of_kind,
        rows_in_group,
        has_row,
        sample_size,
        positive,
        same_words,
        not_measured,
        below_zero,
        above_zero,
        falls_steadily,
        loses_less_than,
    )
}
PAIRED = {
    "first_above_second", "first_below_second", "same_number", "share_in_per_cent", "rest_in_per_cent", "one_test_set",
    "unanimous", "cases",
}  # fmt: skip
AT_LEAST = {"rank": 3, "place_between_extremes": 4, "lowest": 2, "highest": 2, "last": 2, "falls_steadily": 2}
WITHOUT_VALUES = {"has_row", "same_words", "not_measured"}
VALUE_OPTIONS = {"than", "low", "high", "margin"}
