"""What an author's text holds that Markdown would print as it stands, or that no page may hold, with its line."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pages.rendering import notation

CALL = re.compile(r"\{\{.*?\}\}|\{##.*?##\}|<!--.*?-->", re.S)
USED = re.compile(r"\[\^([^\]\s]+)\](?!:)")
DEFINED = re.compile(r"^ {0,3}\[\^([^\]\s]+)\]:", re.M)
HEADING = re.compile(r"^(#{1,2})[ \t]+(\S.*)$", re.M)
FENCE = re.compile(r"^ *(`{3,}|~{3,})(?!.*\1)", re.M)
CITED = re.compile(r"\[(?:-|[^\]\n@]*[ ])@\w")
OPEN_TEX = re.compile(r"\$\$")
REFUSED = (
    (re.compile(r"<(img)\b[^>]*\ssrc\s*=\s*[\"']?[^\"'\s>]", re.I), "<{}>: write ![what it shows](file)"),
    (
        re.compile(r"<(video|audio|source)\b[^>]*\ssrc\s*=\s*[\"']?[^\"'\s>]", re.I),
        "<{}>: name the file of content/files/ with the function file",
    ),
    (re.compile(r"<(script|style|iframe|object|embed|form|base|link|meta)\b", re.I), "<{}>: no page may hold it"),
    (re.compile(r"<\w[^>]*\s(style|on[a-z]+)\s*=", re.I), "{}=: the content policy of the page forbids it"),
)


def mistakes(text: str) -> Iterator[tuple[int, str]]:
    """(line, message) of a text as it was written. Code, TeX and calls of functions are not looked into."""
    plain = CALL.sub(lambda match: "\n" * match[0].count("\n"), notation.read(text).text)

    def line(match: re.Match[str]) -> int:
        return plain.count("\n", 0, match.start()) + 1

    defined = {match[1] for match in DEFINED.finditer(plain)}
    for match in USED.finditer(plain):
        if match[1] not in defined:
            yield line(match), f"no footnote '{match[1]}': write [^{match[1]}]: and the note in a line of its own"
    for match in HEADING.finditer(plain):
        yield line(match), f"'{match[0].strip()}': headings of a text begin with ###, those above are of the page"
    for match in FENCE.finditer(plain):
        yield line(match), f"code that begins with {match[1]} and does not end"
    for match in CITED.finditer(plain):
        yield line(match), "a citation begins with its key: [@key], [@key, p. 4]"
    for match in OPEN_TEX.finditer(plain):
        yield line(match), "TeX that begins with $$ and does not end"
    for pattern, said in REFUSED:
        for match in pattern.finditer(plain):
            yield line(match), said.format(match[1].lower())
