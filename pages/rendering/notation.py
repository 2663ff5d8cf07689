"""Notation of authors' texts that neither Jinja nor Markdown may read, rewritten as calls of authors' functions.

  `...`                        {{ verbatim(n) }}     inline code
  ```python                    {{ verbatim(n) }}     fenced code, highlighted by its language
  $...$ and $$...$$            {{ verbatim(n) }}     TeX, published as MathML
  [@key], [@a; @b, p. 4]       {{ cite(...) }}       citations of content/references.bib
  ![alt](file "caption")       {{ image(...) }}      a picture of content/

So `{{`, `{#` and digits mean what they say in code and TeX. A dollar sign opens TeX only before a character that is not
white space, and closes it only behind one and not before a digit (Pandoc's rule): "$5 and $10" stays text. Every call
takes as many lines as what it stands for, so that errors name the author's line.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Literal, NamedTuple

PATTERN = re.compile(
    r"""
    (?P<jinja>\{\{.*?\}\}|\{%.*?%\}|<!--.*?-->|\\[$`\[!])
    |^(?P<indent>[ ]*)(?P<fence>`{3,}|~{3,})[ ]*(?P<language>[\w+\#.-]*)[^\n`]*\n
        (?P<block>.*?)^[ ]*(?P=fence)[ ]*$
    |(?P<ticks>`+)(?P<code>[^`].*?)(?<!`)(?P=ticks)(?!`)
    |\$\$(?P<display>.+?)\$\$
    |\$(?P<inline>[^\s$](?:(?:\\.|[^$\\\n]|\n(?!\s*\n))*[^\s$\\])?)\$(?!\d)
    |\[(?P<cite>@[^\]\n]+)\](?!\()
    |!\[(?P<alt>[^\]]*)\]\((?P<file><[^<>\n]+>|(?:[^()"\n]|\([^()\n]*\))+?)(?:\s+"(?P<caption>[^"]*)")?\s*\)
    """,
    re.X | re.S | re.M,
)

Kind = Literal["code", "block", "display", "inline"]


class Verbatim(NamedTuple):
    """A piece of a text that is published to the letter. `language` is empty where none was named."""

    kind: Kind
    text: str
    language: str = ""


@dataclass
class Source:
    """A text for Jinja, and the pieces that its calls of `verbatim` name."""

    text: str = ""
    pieces: list[Verbatim] = field(default_factory=list)


@cache
def read(text: str) -> Source:
    """The text with its notation rewritten; it keeps its lines."""
    source = Source()
    source.text = PATTERN.sub(lambda match: _call(match, source.pieces), text)
    return source


def cited(text: str) -> Iterator[str]:
    """Keys of the references that a text cites, in order."""
    for match in PATTERN.finditer(text):
        for key, _ in _keys(match["cite"] or ""):
            yield key


def _call(match: re.Match[str], pieces: list[Verbatim]) -> str:
    if match["jinja"] is not None:
        return match[0].replace("\\$", "$")
    if match["cite"] is not None:
        call = f"cite({_keys(match['cite'])!r})"
    elif match["file"] is not None:
        file = re.sub(r"\\([\\() ])", r"\1", match["file"].strip("<>"))
        call = f"image({file!r}, {match['alt']!r}, {match['caption'] or ''!r})"
    else:
        call = f"verbatim({len(pieces)})"
        pieces.append(_piece(match))
    return f"{match['indent'] or ''}{{{{ {call}{_newlines(match[0])} }}}}"


def _newlines(text: str) -> str:
    return "\n" * text.count("\n")


def _piece(match: re.Match[str]) -> Verbatim:
    if match["fence"] is not None:
        return Verbatim("block", textwrap.dedent(match["block"]), match["language"].lower())
    if match["code"] is not None:
        code: str = match["code"]
        padded = code.startswith(" ") and code.endswith(" ") and code.strip()
        return Verbatim("code", (code[1:-1] if padded else code).replace("\n", " "))
    if match["display"] is not None:
        return Verbatim("display", match["display"].strip())
    return Verbatim("inline", match["inline"])


def _keys(cite: str) -> list[tuple[str, str]]:
    """`@a; @b, p. 4` as [("a", ""), ("b", "p. 4")]."""
    found = []
    for one in cite.split(";"):
        key, _, place = one.strip().partition(",")
        found.append((key.strip().removeprefix("@"), place.strip()))
    return [(key, place) for key, place in found if key]
