"""Authors' texts as HTML. Parts stand in a text as tokens, so that Markdown neither sees nor mangles their HTML."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pages.rendering.typography import typeset_html

TOKEN = re.compile("\ue000([0-9]+)\ue001")
ALONE = re.compile("<p>\\s*\ue000([0-9]+)\ue001\\s*</p>")
INLINE = re.compile(r"<(?:a|code|math|span)\b")  # a part that may be all there is of a paragraph
FOOTNOTE = re.compile(r'(id="|href="#)(fn|fnref)(\d*):')
EXTENSIONS = ["tables", "attr_list", "md_in_html", "sane_lists", "def_list", "footnotes"]


def token(number: int) -> str:
    """What stands for part `number` while a text is Markdown: private-use characters pass through it."""
    return f"\ue000{number}\ue001"


def to_html(text: str, prefix: str = "") -> str:
    """Markdown -> HTML, with the quotes and dashes of print. Footnotes of the text get ids that begin with `prefix`."""
    import markdown

    html = markdown.markdown(text, extensions=EXTENSIONS, output_format="html")
    html = FOOTNOTE.sub(rf"\1{prefix}-\2\3-", html).replace(
        '<a class="footnote-', '<a data-part="note" class="footnote-'
    )
    return typeset_html(html)


def with_parts(html: str, parts: Sequence[str]) -> str:
    """Every token replaced by its part; a paragraph that holds nothing else goes with it."""

    def whole(match: re.Match[str]) -> str:
        part = parts[int(match[1])] if int(match[1]) < len(parts) else ""
        return f"<p>{part}</p>" if INLINE.match(part) else part

    html = ALONE.sub(whole, html)
    return TOKEN.sub(lambda match: parts[int(match[1])] if int(match[1]) < len(parts) else "", html)
