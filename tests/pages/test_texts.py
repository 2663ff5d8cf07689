"""What authors may write in a section's text: code, TeX, citations, footnotes, pictures, links to parts and files."""

from __future__ import annotations

import html
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.problems import InputError
from pages.output.check import check
from pages.rendering import notation

CLEAN = "content/sections/02-second/clean.md"
DISTORTED = "content/sections/02-second/distorted.md"
BIB = r"""
@article{miro1925,
  title = {Harlequin's {C}arnival},
  author = {Mir{\'o}, Joan and van der Berg, Anna and Li, Wei},
  journal = {Annals of Play}, year = 1925, doi = {10.1000/1}
}
@misc{adorno, title = {On \TeX\ and type}, author = {Adorno, Theodor}, year = {1944}}
@misc{many, title = {All of them}, author = {{Barnes and Noble} and others}, year = {1950}}
"""


def _write(small, text: str) -> None:
    """The same text in both voices of the second section."""
    for path in (CLEAN, DISTORTED):
        before = (small.root / path).read_text(encoding="utf-8")
        small.write(path, before + "\n" + text + "\n")


def _built(small, text: str) -> str:
    _write(small, text)
    report = small.build()
    assert list(map(str, report.problems)) == []
    return small.read("clean/index.html")


def _refused(small, text: str) -> list[str]:
    _write(small, text)
    with pytest.raises(InputError) as caught:
        small.build()
    return [str(problem) for problem in caught.value.problems if str(problem).startswith(CLEAN)]


def test_code_means_what_it_says(small):
    page = _built(
        small,
        'A `{{ x }}`.\n\n```python\nx = {"a": 12}  # {#c} {{ value("nothing") }}\n```\n\nEnd.'.replace(" in 3", ""),
    )
    assert "<code>{{ x }}</code>" in page
    block = re.search(r'<pre class="code" tabindex="0" data-language="python"><code>(.*?)</code></pre>', page, re.S)
    assert block is not None
    assert html.unescape(re.sub("<[^>]+>", "", block[1])) == 'x = {"a": 12}  # {#c} {{ value("nothing") }}\n'
    assert 'class="mi"' in block[1] and "style=" not in block[1]


def test_code_in_a_list_and_without_a_language_keeps_its_lines(small):
    page = _built(small, "- item\n\n    ~~~\n    one < two\n      three\n    ~~~\n")
    assert "<code>one &lt; two\n  three\n</code></pre>\n</li>" in page


def test_an_unknown_language_is_named_with_the_nearest_one(small):
    (problem,) = _refused(small, "```pythn\nx\n```")
    assert problem.endswith("no language 'pythn' for highlighting, did you mean 'python'?")


def test_tex_becomes_mathml(small):
    page = _built(
        small,
        "Let $\\frac{{a}}{b_1}$ be.\n\n$$\nx = 2 \\\\\ny = 3\n$$",
    )
    assert '<math alttext="\\frac{{a}}{b_1}"' in page and "<mfrac>" in page
    assert 'display="block"' in page and page.count("<math ") == 2


@pytest.mark.parametrize(
    ("tex", "said"),
    [
        (r"\frac{a", "unbalanced braces"),
        (r"\nosuch x", r"no TeX command '\nosuch'"),
        (r"}{", "unbalanced braces"),
        (r"\left( x", "cannot be read"),
    ],
)
def test_wrong_tex_is_named_at_its_line(small, tex, said):
    (problem,) = _refused(small, f"Let ${tex}$ be.")
    line = (small.root / CLEAN).read_text().splitlines().index(f"Let ${tex}$ be.") + 1
    assert problem.startswith(f"{CLEAN}:{line}: ") and said in problem


def test_aligned_formulas_are_tables():
    from pages.rendering.verbatim import html as rendered

    made = rendered(notation.Verbatim("display", r"\begin{aligned} a&=b\\ c&=d \end{aligned}"))
    rows = ElementTree.fromstring(made).iter("{http://www.w3.org/1998/Math/MathML}mtr")
    assert ["".join(row.itertext()) for row in rows] == ["a=b", "c=d"]


def test_citations_are_printed_by_author_and_year_and_listed(small):
    small.write("content/references.bib", BIB)
    page = _built(small, "As shown [@miro1925, p. 4; @adorno; @many].\n\n{{ references() }}")
    assert "Miró et al., 1925</a>, p. 4; " in page and "Adorno, 1944</a>" in page
    items = re.findall(r'<li id="ref-(\w+)">(.*?)</li>', page)
    assert [key for key, _ in items] == ["adorno", "many", "miro1925"]
    assert "Joan Miró, Anna van der Berg, Wei Li (1925)" in items[2][1]
    assert 'href="https://doi.org/10.1000/1"' in items[2][1]
    assert "Barnes and Noble et al., 1950</a>" in page and "Barnes and Noble, et al. (1950)" in items[1][1]


def test_an_unknown_citation_is_answered_with_the_nearest_key(small):
    small.write("content/references.bib", BIB)
    (problem,) = _refused(small, "As shown [@miro1926].\n\n{{ references() }}")
    assert "no reference 'miro1926' in content/references.bib, did you mean 'miro1925'?" in problem


def test_a_citation_needs_its_list(small):
    small.write("content/references.bib", BIB)
    _write(small, "As shown [@adorno].")
    assert any("#ref-adorno" in str(problem) for problem in small.build().problems)


def test_broken_references_are_named_with_their_line(small):
    small.write(
        "content/references.bib", BIB + "\n@misc{adorno, title = {Twice}, year = {2}}\n@misc{bare, title = {x}}\n"
    )
    with pytest.raises(InputError) as caught:
        small.build()
    said = [str(problem) for problem in caught.value.problems]
    assert said == [
        "content/references.bib:10: the key 'adorno' is taken already",
        "content/references.bib:11 bare: has no year",
    ]


def test_footnotes_of_two_sections_do_not_meet(small):
    for path in (CLEAN, DISTORTED):
        small.write(
            path.replace("02-second", "01-first"),
            (small.root / path.replace("02-second", "01-first")).read_text() + "\n\nOne[^1].\n\n[^1]: First note.\n",
        )
    page = _built(small, "Two[^1].\n\n[^1]: Second note.")
    assert len(set(re.findall(r'id="(\w+-fn-1)"', page))) == 2


def test_a_picture_of_content_is_shown_with_its_caption(small):
    page = _built(small, '![A garden with a wall](../../pictures/garden-clean.jpg "The garden in 1904")')
    figure = re.search(r'<figure class="image">.*?</figure>', page, re.S)
    assert figure is not None
    assert 'alt="A garden with a wall"' in figure[0] and "The garden in 1904" in figure[0]
    assert "width=" in figure[0] and "height=" in figure[0]


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("a b.jpg", "a b.jpg"),
        ("a b.jpg", "a%20b.jpg"),
        ("a b.jpg", "<a b.jpg>"),
        ("a#1?.jpg", "a%231%3F.jpg"),
        ("50%.jpg", "50%.jpg"),
        ("50%41.jpg", "50%41.jpg"),
        ("photo (1).jpg", "photo (1).jpg"),
        ("photo (1).jpg", "photo%20(1).jpg"),
        ("photo (1).jpg", r"photo\ \(1\).jpg"),
        ('a"b.jpg', '<a"b.jpg>'),
        ("e\u0301.jpg", "%C3%A9.jpg"),
    ],
)
def test_a_picture_is_found_by_its_name_or_as_addresses_write_it(small, name, written):
    """Browsers number downloads in brackets, editors escape spaces."""
    small.write(f"content/pictures/{name}", (small.root / "content/pictures/garden-clean.jpg").read_bytes())
    assert 'alt="Green bushes"' in _built(small, f"![Green bushes]({written})")


@pytest.mark.parametrize(("name", "written"), [("e\u0301 x.pdf", "\u00e9 x.pdf"), ("\u00e9 x.pdf", "e\u0301%20x.pdf")])
def test_a_file_is_found_in_either_form_of_unicode(small, name, written):
    small.write(f"content/files/{name}", "x")
    assert 'href="../files/%C3%A9%20x.pdf"' in _built(small, f"[talk]({{{{ file({written!r}) }}}})")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("![x](garden-cleen.jpg)", "no picture 'garden-cleen.jpg'"),
        ("![](garden-clean.jpg)", "needs an alternative text"),
        ("![x](https://example.org/x.png)", "is on another site"),
        ("![x](../../../../x.png)", "no picture"),
    ],
)
def test_a_picture_that_cannot_be_shown_is_named_at_its_line(small, written, said):
    (problem,) = _refused(small, written)
    assert said in problem


def test_a_link_to_a_part_carries_its_title(small):
    page = _built(small, 'See {{ ref("exhibit:garden") }} and {{ ref("section:first", "the start") }}.')
    assert re.search(r'<a href="exhibit/garden.html" data-part="ref">[^<]+</a>', page)
    assert '<a href="#first" data-part="ref">the start</a>' in page


def test_a_link_to_an_unknown_part_is_answered_with_the_nearest(small):
    (problem,) = _refused(small, 'See {{ ref("table:model") }}.')
    assert "no table 'model', did you mean 'models'?" in problem


def test_files_are_published_as_they_are(small):
    small.write("content/files/talk/slides 1.pdf", b"%PDF-1.4")
    page = _built(small, '[Slides]({{ file("talk/slides 1.pdf") }})')
    assert 'href="../files/talk/slides%201.pdf"' in page
    assert (small.out / "files/talk/slides 1.pdf").read_bytes() == b"%PDF-1.4"


def test_braces_name_a_heading(small):
    assert '<h3 id="here"><a class="self" href="#here">Heading</a></h3>' in _built(small, "### Heading {#here}")


def test_every_heading_can_be_linked_to(small):
    """By its words under its section's name; a heading that holds a link already gets one beside it."""
    page = _built(small, "### Für *alle*\n\n### Für alle\n\n### See [this](https://example.org)")
    identity = re.search(r'<section id="([^"]*)" data-section>(?:(?!<section).)*<h3', page, re.DOTALL)[1]
    assert (
        f'<h3 id="{identity}-für-alle"><a class="self" href="#{identity}-für-alle">Für <em>alle</em></a></h3>' in page
    )
    assert f'<h3 id="{identity}-für-alle-2">' in page
    assert f'</a> <a class="self" href="#{identity}-see-this" aria-label="Link to this"></a></h3>' in page


def test_a_byte_order_mark_is_no_text(small):
    for path in (CLEAN, DISTORTED):
        small.write(path, b"\xef\xbb\xbf### A heading\n\n" + (small.root / path).read_bytes())
    small.build()
    for variant in ("clean", "distorted"):
        page = small.read(f"{variant}/index.html")
        assert ">A heading</a></h3>" in page and "\ufeff" not in page


def test_settings_with_a_byte_order_mark_are_still_obeyed_by_the_check(small):
    """Its allow-list and the address of the site went unread, and numbers that are allowed were refused."""
    page = (small.root / "content/page.toml").read_text(encoding="utf-8")
    small.write("content/page.toml", "\ufeff" + page)
    assert not small.build(force=True).problems
    assert check(small.root, small.out) == []


def test_files_of_the_author_in_any_encoding_are_checked_without_a_traceback(small):
    small.write("content/files/old.css", "/* caf\xe9 */ p { color: red }".encode("latin-1"))
    small.write("content/files/old.html", "<p>caf\xe9</p>".encode("latin-1"))
    assert all("files/old.html" in problem.file for problem in small.build().problems)


def test_without_a_distorted_text_both_variants_show_the_clean_one(small):
    (small.root / DISTORTED).unlink()
    toml = "content/sections/02-second/section.toml"
    small.write(toml, (small.root / toml).read_text().split("[distorted]")[0])
    assert list(small.build().problems) == []
    assert "On Route 66 hangs" in small.read("distorted/index.html")


def test_a_number_in_a_text_that_serves_both_variants_is_told_once(small):
    """It was told again of a distorted.md that does not exist."""
    (small.root / DISTORTED).unlink()
    small.write(CLEAN, "A line.\n\nSome 17 words.\n")
    (problem,) = small.build().problems
    assert str(problem).startswith(f"{CLEAN}:3: '17' is typed in prose")


@given(st.text(alphabet="ab1 {}#%`$[]@!()\\\n\"'", max_size=80))
def test_the_rewritten_text_keeps_its_lines(text):
    assert notation.read(text).text.count("\n") == text.count("\n")


@given(st.lists(st.sampled_from(["`a`", "$x$", "word", "$5", "[@k]", '{{ f("`") }}', "\n"]), max_size=12))
def test_every_piece_is_called_once_and_in_order(parts):
    source = notation.read(" ".join(parts))
    calls = [int(number) for number in re.findall(r"verbatim\((\d+)\)", source.text)]
    assert calls == list(range(len(source.pieces)))
