"""Code and TeX as HTML at build time: highlighting by Pygments in classes, formulas by latex2mathml as MathML."""

from __future__ import annotations

import re
from functools import cache
from html import escape

from markupsafe import Markup

from ledger.problems import did_you_mean
from pages.rendering.notation import Verbatim

ALIGNED = re.compile(r"\\(begin|end)\{(?:aligned|align|split)\}")  # latex2mathml knows align* alone
COMMAND = re.compile(r"\\[A-Za-z]+")
TAGS = re.compile(r">([^<]*)")


def html(piece: Verbatim) -> Markup:
    """A piece of a text as HTML. ValueError names an unknown language or TeX command, or an unbalanced brace."""
    if piece.kind == "code":
        return Markup(f"<code>{escape(piece.text, quote=False)}</code>")
    if piece.kind == "block":
        return _highlighted(piece.text, piece.language)
    return _formula(piece.text, piece.kind)


@cache
def _highlighted(code: str, language: str) -> Markup:
    if not language:
        return Markup(f'<pre tabindex="0"><code>{escape(code, quote=False)}</code></pre>')
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import get_all_lexers, get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        lexer = get_lexer_by_name(language)
    except ClassNotFound:
        known = [alias for _, aliases, _, _ in get_all_lexers() for alias in aliases]
        raise ValueError(f"no language '{language}' for highlighting{did_you_mean(language, known)}") from None
    tokens = Markup(highlight(code, lexer, HtmlFormatter(nowrap=True)))
    return Markup('<pre class="code" tabindex="0" data-language="{}"><code>{}</code></pre>').format(language, tokens)


@cache
def _formula(tex: str, kind: str) -> Markup:
    from xml.etree import ElementTree

    from latex2mathml.converter import convert

    depth = 0
    for brace in re.findall(r"\\[{}]|[{}]", tex):
        depth += {"{": 1, "}": -1}.get(brace, 0)
        if depth < 0:
            break
    if depth:
        raise ValueError(f"TeX with unbalanced braces: {tex}")
    display = "block" if kind == "display" else "inline"
    try:
        mathml: str = convert(ALIGNED.sub(r"\\\1{align*}", tex), display=display)
        ElementTree.fromstring(mathml)
    except Exception as error:  # latex2mathml raises a class of its own for each mistake
        raise ValueError(f"TeX that cannot be read ({type(error).__name__}): {tex}") from None
    unknown = COMMAND.search(" ".join(TAGS.findall(mathml)))
    if unknown:
        raise ValueError(f"no TeX command '{unknown[0]}' is known: {tex}")
    labelled = mathml.replace("<math ", f'<math alttext="{escape(" ".join(tex.split()))}" ', 1)
    return Markup(labelled)
