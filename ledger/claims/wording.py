"""The words in which a verdict is explained."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from ledger.book import percent, percent_sign, show
from ledger.schema import Value

MARK = re.compile(r"\{([a-z0-9][a-z0-9_.-]*)( %)?\}")  # `{value id}`, or `{value id %}` for a share in per cent
_NUMBERS = [
    "none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
]  # fmt: skip

_EPONYMS = {"Wilcoxon", "Pearson", "Spearman", "Cohen", "Wilson", "Student"}


def in_words(count: int) -> str:
    return _NUMBERS[count] if count < len(_NUMBERS) else str(count)


def names_in(labels: Iterable[str]) -> frozenset[str]:
    """Words that some label writes with a capital inside a sentence, and none without: names, which keep it."""
    inner = [word.strip("(),:;'’s") for label in labels for word in label.split()[1:]]
    common = {word for word in inner if word[:1].islower()}
    return frozenset(word for word in inner if word[:1].isupper() and word.lower() not in common)


def lowered(label: str, names: frozenset[str]) -> str:
    """A label inside a sentence; names and symbols keep their capitals."""
    first = label.split(" ", 1)[0]
    return label if first.strip("'’s") in names | _EPONYMS or not first[1:].islower() else label[:1].lower() + label[1:]


def interval_in_words(value: Value) -> str:
    if value.interval is None:
        return ""
    low, high = (show(value.model_copy(update={"value": end, "qualifier": ""})) for end in value.interval)
    return f", 95 % interval {low} to {high},"


def filled(text: str, values: Mapping[str, Value]) -> str:
    """The text with the printed value in place of each `{value id}`."""

    def printed(mark: re.Match[str]) -> str:
        value = values[mark[1]]
        return f"{percent(value)} {percent_sign(value)}".strip() if mark[2] else show(value)

    return MARK.sub(printed, text)


def sentence(
    supports: Sequence[str], refutes: Sequence[str], undecided: Sequence[str], unmeasured: Sequence[str]
) -> str:
    """The evidence in words: what speaks against first, then what for; long lists are cut and counted."""
    total, good = len(supports) + len(refutes) + len(undecided), len(supports)
    known = [("Against", refutes, 4), ("Undecided", undecided, 2), ("For", supports, 2)]
    if total <= 1:
        said = capital([*refutes, *undecided, *supports][0]) + "." if total else ""
    elif good == total:
        said = f"{'Both' if total == 2 else f'All {in_words(total)}'} hold: {_listed(supports, 3)}."
    else:
        start = "None" if not good else capital(in_words(good))
        count = "Neither holds" if (good, total) == (0, 2) else f"{start} of {in_words(total)} hold{'s' * (good < 2)}"
        said = f"{count}. " + " ".join(f"{word}: {_listed(items, most)}." for word, items, most in known if items)
    rest = f"{'Not measured: ' if total else ''}{_listed(unmeasured, 2)}." if unmeasured else ""
    return f"{said} {capital(rest)}".strip()


def _listed(items: Sequence[str], most: int) -> str:
    shown = list(items if len(items) <= most + 1 else items[:most])
    if len(items) > len(shown):
        shown.append(f"and {in_words(len(items) - len(shown))} more")
    return "; ".join(shown)


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]
