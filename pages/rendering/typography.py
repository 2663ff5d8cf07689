"""Typographic quotes, apostrophes, dashes and spaces for prose typed in ASCII.

Markdown's own `smarty` knows quotes, but neither ranges nor units, and no text that is not Markdown: captions and leads
go through the same rules here. Code, and whatever is not a text between tags, stays as it is.
"""

from __future__ import annotations

import re

UNITS = "%|°C|px|bit|[kMGT]B|[GM]iB|ms|s|min|h|mm|cm|m|km|Hz|GHz|MP|million|billion"
RANGE = re.compile("(?<![\\w\ue001.-])([0-9]+(?:[.,][0-9]+)*|\ue000[0-9]+\ue001)-(?=[0-9\ue000])(?![0-9.,]+-)")
DASH = re.compile(r"(?<=[^\s|-]) -{1,2} (?=\S)")
UNIT = re.compile(rf"(?<=[0-9\ue001]) (?=(?:{UNITS})(?![\w\u2019-]))")
QUOTE = re.compile("[\"']")
OPENS_AFTER = re.compile(r"[\s(\[{/\u2013\u2014\u201c\u2018]")  # what an opening quote may stand behind
TAG = re.compile(r"(<!--.*?-->|<[^>]*>)", re.S)
VERBATIM = {"code", "pre", "kbd", "samp", "script", "style", "svg", "math"}
INLINE = {"a", "abbr", "b", "cite", "data", "em", "i", "mark", "q", "small", "span", "strong", "sub", "sup"}


def typeset(text: str, before: str = "") -> str:
    """Plain text that follows the character `before`. Tokens of parts (markdown.py) count as numbers."""
    curls: dict[int, str] = {}

    def curled(match: re.Match[str]) -> str:
        at = match.start()
        opens = not at or OPENS_AFTER.match(curls.get(at - 1, match.string[at - 1])) is not None
        curls[at] = ("\u201c" if opens else "\u201d") if match[0] == '"' else ("\u2018" if opens else "\u2019")
        return curls[at]

    text = DASH.sub(" \u2013 ", RANGE.sub("\\1\u2013", before + text))
    return UNIT.sub("\u00a0", QUOTE.sub(curled, text))[len(before) :]


def typeset_html(html: str) -> str:
    """The texts between the tags of HTML, but for what is quoted to the letter."""
    made, verbatim, before = [], 0, ""
    for number, piece in enumerate(TAG.split(html)):
        if number % 2:
            name = piece.strip("</>").split(maxsplit=1)[0].rstrip("/").lower() if piece.strip("</>") else ""
            if name in VERBATIM:
                verbatim += -1 if piece.startswith("</") else 1
            before = before if name in INLINE else "x" if name in VERBATIM else ""
        elif piece:
            piece = piece if verbatim else typeset(piece, before)
            before = piece[-1]
        made.append(piece)
    return "".join(made)


NUMERALS = ((50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"))


def roman(number: int) -> str:
    """Roman numerals, for numbers below ninety."""
    found = ""
    for value, letters in NUMERALS:
        found += letters * (number // value)
        number %= value
    return found
