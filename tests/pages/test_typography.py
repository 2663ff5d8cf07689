"""What people type becomes what a printer would set; what is quoted to the letter stays."""

from __future__ import annotations

import pytest

from pages.rendering.typography import typeset, typeset_html


@pytest.mark.parametrize(
    ("typed", "printed"),
    [
        ("the model's taste", "the model’s taste"),
        ('a "good" picture', "a “good” picture"),
        ("(\"bad\", 'worse')", "(“bad”, ‘worse’)"),
        ("\"'so' it is\"", "“‘so’ it is”"),
        ("clean - or not", "clean – or not"),
        ("clean -- or not", "clean – or not"),
        ("well-kept, state-of-the-art", "well-kept, state-of-the-art"),
        ("pages 18-40", "pages 18–40"),
        ("0.5-1.5", "0.5–1.5"),
        ("on 2026-01-31", "on 2026-01-31"),
        ("GPT-4-turbo, FLUX.1-dev, SD3.5-M, CC BY-SA 4.0", "GPT-4-turbo, FLUX.1-dev, SD3.5-M, CC BY-SA 4.0"),
        ("arXiv 2512-00001-x", "arXiv 2512-00001-x"),
        ("95 % of 40 MB in 3 s", "95\u00a0% of 40\u00a0MB in 3\u00a0s"),
        ("3 minutes, 2 models, 4 says", "3 minutes, 2 models, 4 says"),
        ("\ue0000\ue001-\ue0001\ue001 and \ue0002\ue001 %", "\ue0000\ue001–\ue0001\ue001 and \ue0002\ue001\u00a0%"),
        ("a\n- b", "a\n- b"),
        ("", ""),
    ],
)
def test_typed_text_is_printed(typed, printed):
    assert typeset(typed) == printed
    assert typeset(printed) == printed, "a second time changes nothing"


@pytest.mark.parametrize(
    ("typed", "printed"),
    [
        ('<p>"<em>so</em>" it\'s</p>', "<p>“<em>so</em>” it’s</p>"),
        ('<p>a</p><p>"b"</p>', "<p>a</p><p>“b”</p>"),
        ("<p title=\"it's 1-2\">it's 1-2</p>", '<p title="it\'s 1-2">it’s 1–2</p>'),
        ("<p><code>it's 1-2</code>'s</p>", "<p><code>it's 1-2</code>’s</p>"),
        ("<pre><code>a - b</code> - c</pre><p>a - d</p>", "<pre><code>a - b</code> - c</pre><p>a – d</p>"),
        ('<a href="https://x.org/a-b/1-2">1-2</a>', '<a href="https://x.org/a-b/1-2">1–2</a>'),
        ("<!-- it's --><svg><text>1-2</text></svg>", "<!-- it's --><svg><text>1-2</text></svg>"),
        ("a &lt; b's", "a &lt; b’s"),
        ('<img alt="x"/>"a"<br/>"b"', '<img alt="x"/>“a”<br/>“b”'),
    ],
)
def test_tags_and_what_is_quoted_to_the_letter_stay(typed, printed):
    assert typeset_html(typed) == printed


def test_a_prompt_is_evidence_and_stays_as_it_was_typed(small):
    typed = 'a "blurred" garden - it\'s 1-2 %'
    small.json("results/exhibits.json", lambda doc: doc["exhibits"]["garden"]["pictures"][0].update(prompt=typed))
    small.replace("content/sections/02-second/clean.md", "hangs", "hangs - it's \"here\" `it's` -")
    assert not small.build().problems
    page = small.read("clean/index.html")
    assert "<blockquote>a &#34;blurred&#34; garden - it&#39;s 1-2 %</blockquote>" in page
    assert "hangs – it’s “here” <code>it's</code> –" in page
