"""Authors' texts as HTML. Parts stand in a text as tokens, so that Markdown neither sees nor mangles their HTML."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pages.rendering.typography import typeset_html

TOKEN = re.compile("\ue000([0-9]+)\ue001")
ALONE = re.compile("<p>\\s*\ue000([0-9]+)\ue001\\s*</p>")
EXTENSIONS = ["tables", "attr_list", "md_in_html", "sane_lists", "def_list"]


def token(number: int) -> str:
    """What stands for part `number` while a text is Markdown: private-use characters pass through it."""
    return f"\ue000{number}\ue001"


def to_html(text: str) -> str:
    """Markdown -> HTML, with the quotes and dashes of print."""
    import markdown

    return typeset_html(markdown.markdown(text, extensions=EXTENSIONS, output_format="html"))


def with_parts(html: str, parts: Sequence[str]) -> str:
    """Every token replaced by its part; a paragraph that holds nothing else goes with it."""
    for pattern in (ALONE, TOKEN):
        html = pattern.sub(lambda match: parts[int(match[1])] if int(match[1]) < len(parts) else "", html)
    return html
