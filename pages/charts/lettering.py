"""How much room a text of a chart takes, and how it is set in the room that there is.

Nobody knows a reader's font: widths are those of a wide sans serif at thirteen pixels.
"""

from __future__ import annotations

import unicodedata

SIZE = 13  # pixels, of all letters of a chart
LEADING = 15  # pixels, from one line to the next


def length(text: str) -> float:
    """Pixels that a text takes at most, of ordinary words."""
    return sum(SIZE if unicodedata.east_asian_width(letter) in "WF" else 6.6 for letter in text)


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
