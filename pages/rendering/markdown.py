"""Authors' texts as HTML. Parts stand in a text as tokens, so that Markdown neither sees nor mangles their HTML."""

from __future__ import annotations

import html as entities
import re
from collections.abc import Sequence

from pages.rendering.typography import typeset_html

TOKEN = re.compile("\ue000([0-9]+)\ue001")
ALONE = re.compile("<p>\\s*\ue000([0-9]+)\ue001\\s*</p>")
INLINE = re.compile(r"<(?:a|code|math|span)\b")  # a part that may be all there is of a paragraph
HEADING = re.compile(r"<(h[3-6])([^>]*)>(.*?)</\1>", re.DOTALL)
TAG_OR_TOKEN = re.compile("<[^>]*>|\ue000[0-9]+\ue001")
LINKED = re.compile("<a\\b|\ue000")  # a link inside, or a part that may be one
FOOTNOTE = re.compile(r'(id="|href="#)(fn|fnref)(\d*):')
EXTENSIONS = ["tables", "attr_list", "md_in_html", "sane_lists", "def_list", "footnotes"]


def token(number: int) -> str:
    """What stands for part `number` while a text is Markdown: private-use characters pass through it."""
    return f"\ue000{number}\ue001"


def to_html(text: str, prefix: str = "") -> str:
    """Markdown -> HTML, with the quotes and dashes of print. Ids of headings and footnotes begin with `prefix`."""
    import markdown

    html = markdown.markdown(text, extensions=EXTENSIONS, output_format="html")
    html = FOOTNOTE.sub(rf"\1{prefix}-\2\3-", html).replace(
        '<a class="footnote-', '<a data-part="note" class="footnote-'
    )
    return _anchored(typeset_html(html), prefix)


def _anchored(html: str, prefix: str) -> str:
    """Every heading with an id - its words, if the author chose none - and a link to itself."""
    taken: dict[str, int] = {}

    def anchored(match: re.Match[str]) -> str:
        name, attributes, inner = match.groups()
        chosen = re.search(r'\bid="([^"]*)"', attributes)
        words = re.findall(r"\w+", entities.unescape(TAG_OR_TOKEN.sub("", inner)).casefold())
        identity = chosen[1] if chosen else "-".join([prefix, *words] if prefix else words) or name
        taken[identity] = taken.get(identity, 0) + 1
        if not chosen:
            identity += f"-{taken[identity]}" if taken[identity] > 1 else ""
            attributes += f' id="{identity}"'
        if LINKED.search(inner):
            inner += f' <a class="self" href="#{identity}" aria-label="Link to this"></a>'
            return f"<{name}{attributes}>{inner}</{name}>"
        return f'<{name}{attributes}><a class="self" href="#{identity}">{inner}</a></{name}>'

    return HEADING.sub(anchored, html)


def with_parts(html: str, parts: Sequence[str]) -> str:
    """Every token replaced by its part; a paragraph that holds nothing else goes with it."""

    def whole(match: re.Match[str]) -> str:
        part = parts[int(match[1])] if int(match[1]) < len(parts) else ""
        return f"<p>{part}</p>" if INLINE.match(part) else part

    html = ALONE.sub(whole, html)
    return TOKEN.sub(lambda match: parts[int(match[1])] if int(match[1]) < len(parts) else "", html)
