"""How much room a text of a chart takes, and how it is set in the room that there is.

Widths are those of the theme's sans serif at thirteen pixels, in the heaviest weight of its charts. A theme with a
wider one has to say so here.
"""

from __future__ import annotations

import unicodedata

SIZE = 13  # pixels, of all letters of a chart
LEADING = 15  # pixels, from one line to the next
WIDTHS = {
    letter: width
    for width, letters in (
        (3.7, " 'ijl/"), (4.4, ",.!:;[]()"), (5.2, "ft{}|r-I"), (6.2, "\\\""), (6.8, "s?zcvyL"), (7.3, "Jxeg*ako_"),
        (7.6, "Fhnu\u2013"), (8.6, "CYPVX#BR"), (9.3, "KADUGOQHN&"), (10.6, "wM"), (11.7, "m@\u2026"), (12.5, "W%"),
    )
    for letter in letters
}  # fmt: skip
OTHERS = 7.8  # figures, and letters of other alphabets at most


def length(text: str) -> float:
    """Pixels that a text takes."""
    return sum(SIZE if unicodedata.east_asian_width(one) in "WF" else WIDTHS.get(one, OTHERS) for one in text)


def fitted(text: str, room: float, most: int = 3) -> list[str]:
    """The text in at most so many lines, none longer than `room`; what does not fit ends in an ellipsis."""
    lines = [""]
    for word in text.split():
        for piece in _pieces(word, room):
            longer = f"{lines[-1]} {piece}".strip()
            if length(longer) <= room:
                lines[-1] = longer
            else:
                lines.append(piece)
    lines = [line for line in lines if line] or [""]
    if len(lines) <= most:
        return lines
    last = lines[most - 1]
    while last and length(f"{last}…") > room:
        last = last[:-1]
    return [*lines[: most - 1], f"{last.rstrip()}…"]


def _pieces(word: str, room: float) -> list[str]:
    """A word, or pieces of one that is longer than a line."""
    pieces = [""]
    for letter in word:
        if pieces[-1] and length(pieces[-1] + letter) > room:
            pieces.append("")
        pieces[-1] += letter
    return pieces
