"""Every promise of `check`, broken on purpose once."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

from pages.output.check import check, read_page


def _found(small) -> list[str]:
    return [str(problem) for problem in check(small.root, small.out)]


def _edit(small, address: str, old: str, new: str, count: int = 1) -> int:
    """Change a built file; the line of the first change."""
    text = small.read(address)
    assert old in text
    (small.out / address).write_text(text.replace(old, new, count), encoding="utf-8")
    return text[: text.index(old)].count("\n") + 1


def test_a_share_may_stand_in_per_cent_and_no_other_number_may(small):
    """`check` knows both printed forms of a share, and still finds a percentage that the ledger does not have."""
    for variant in ("clean", "distorted"):
        small.replace(
            f"content/sections/01-first/{variant}.md",
            "points",
            'points, {{ percent("emotion_choice.alpha.anger") }} right',
        )
    assert not small.build().problems
    page = small.read("clean/index.html")
    assert '<data value="0.19" data-ref="emotion_choice.alpha.anger">19</data> %</a>' in page
    small.write("site/clean/index.html", page.replace(">19</data> %", ">91</data> %"))
    assert any("reads 91 (0.19), the ledger has 0.19" in line for line in _found(small))


def test_the_built_site_is_sound(small):
    assert _found(small) == []


def test_a_site_that_was_never_built_is_said_to_be_missing(fresh):
    assert _found(fresh) == ["site: no such site: build it first"]


def test_a_number_that_differs_between_the_variants_is_found(small):
    line = _edit(small, "distorted/index.html", "−3.17", "−3.18")
    assert any(
        p.startswith(f"site/distorted/index.html:{line}: value 'models.alpha.delta' reads −3.18") for p in _found(small)
    )


def test_a_number_that_the_ledger_lacks_is_found(small):
    line = _edit(small, "clean/index.html", 'data-ref="models.alpha.after"', 'data-ref="models.alpha.afters"')
    message = "value 'models.alpha.afters' is not in the ledger, did you mean 'models.alpha.after'?"
    assert f"site/clean/index.html:{line}: {message}" in _found(small)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('data-ref="models.beta.delta"', "", "lacks value 'models.beta.delta' of clean/index.html"),
        ('data-exhibit="tiny"', "", "lacks exhibit 'tiny' of clean/index.html"),
        ('href="https://example.org/paper"', 'href="index.html"', "lacks outgoing link 'https://example.org/paper'"),
        (
            '<section id="second" data-section>',
            '<section id="second">',
            "its sections are not those of clean/index.html",
        ),
    ],
)
def test_evidence_that_one_variant_lacks_is_found(small, old, new, said):
    _edit(small, "distorted/index.html", old, new)
    assert any(p.startswith("site/distorted/index.html") and said in p for p in _found(small))


def test_a_page_without_its_twin_is_found(small):
    (small.out / "distorted/exhibit/tiny.html").unlink()
    assert any("has no twin distorted/exhibit/tiny.html" in problem for problem in _found(small))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It rose by 42 points.", "'42' is typed in prose"),
        ("It rose by 4.2 %.", "'4.2' is typed in prose"),
        ("In 1893 it rose.", ""),  # allowed
        ("In 1894 it rose.", "'1894' is typed in prose"),
        ("On Route 66 it rose.", ""),
        ("On Route 660 it rose.", "'660' is typed in prose"),
        ("Type `x = 42` to see.", ""),  # code is not prose
        ('It fell by {{ value("models.alpha.delta") }}.', ""),
    ],
)
def test_a_number_typed_in_prose_is_found_at_its_line_of_markdown(small, text, found):
    path = "content/sections/02-second/clean.md"
    small.write(path, "A line before.\n\n" + text + "\n\n" + (small.root / path).read_text())
    if "value" in text:
        other = "content/sections/02-second/distorted.md"
        small.write(other, text + "\n\n" + (small.root / other).read_text())
    problems = [str(problem) for problem in small.build().problems]
    assert problems == (
        [f"{path}:3: {found}: refer to a ledger value, or allow it in page.toml, [check] allow"] * bool(found)
    )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            'href="exhibit/tiny.html"',
            'href="exhibit/tinny.html"',
            "broken link to 'clean/exhibit/tinny.html', did you mean",
        ),
        ('href="#first"', 'href="#frist"', "no anchor '#frist' in clean/index.html, did you mean 'first'?"),
        (
            "values/models.html#models.alpha.after",
            "values/models.html#models.alpha",
            "no anchor '#models.alpha' in data/values/models.html",
        ),
        ('<img src="', '<img src="x', "no such file"),
        (".avif 60w", "x.avif 60w", "no such file"),
        ('<img src="../', '<img src="https://cdn.example/', "would be requested from a third party"),
        (
            'rel="stylesheet" href="../',
            'rel="stylesheet" href="//cdn.example/',
            "would be requested from a third party",
        ),
        ("<main>", '<main><object data="https://x.example/a"></object>', "would be requested from a third party"),
        ("<main>", '<main><a ping="https://x.example/" href="#first">x</a>', "would be requested from a third party"),
        ("<main>", '<main><svg aria-hidden="true"><use href="//x.example/i.svg"/></svg>', "from a third party"),
        ('href="#first"', 'href="javascript:alert(1)"', "only http(s) and mailto are allowed"),
        ('alt="A corner of the field."', 'alt=""', "has no alternative text"),
        (' width="50"', "", "has no width and height"),
        ("<h2>1", "<h4>1", "heading of level 4 follows level 1"),
        ("<h2>1", "<h1>1", "2 headings of level 1, a page has one"),
        ("<main>", '<main id="first">', "id 'first' is taken already"),
        ("<main>", '<main style="color: red">', "inline style on <main>"),
        ("<main>", '<main onclick="x()">', "inline onclick"),
        ("<main>", "<main><script>x()</script>", "inline <script>"),
        ("default-src 'self'", "default-src *", "no Content-Security-Policy"),
        ('aria-labelledby="chart', 'data-x="chart', "drawing without a name"),
    ],
)
def test_a_defect_of_a_page_is_found_at_its_line(small, old, new, said):
    line = _edit(small, "clean/index.html", old, new)
    found = [p for p in _found(small) if p.startswith("site/clean/index.html:") and said in p]
    assert found, _found(small)
    expected = 1 if "Policy" in said else line  # a policy that is missing stands in no line
    assert any(int(p.split(":")[1]) == expected or "id 'first'" in p or "level 1" in p for p in found), found


@pytest.mark.parametrize(
    ("path", "old", "new", "field"),
    [
        ("content/sections/02-second/section.toml", 'title = "Second', 'title = "2 Second', "clean.title"),
        ("content/page.toml", "Small things", "17 things", "thesis"),
    ],
)
def test_a_number_typed_in_a_title_is_found(small, path, old, new, field):
    small.replace(path, old, new, 1)
    assert any(p.file == path and p.field == field and "is typed in prose" in p.message for p in small.build().problems)


def test_a_style_sheet_that_asks_elsewhere_is_found(small):
    sheet = next((small.out / "assets/css").glob("*.css"))
    sheet.write_text('body { }\n@import "https://fonts.example/x.css";\n.a { background: url(gone.png) }\n')
    found = _found(small)
    name = sheet.relative_to(small.root).as_posix()
    assert f"{name}:2: 'https://fonts.example/x.css' would be requested from a third party" in found
    assert f"{name}:3: no such file 'gone.png'" in found


def test_a_first_view_over_budget_is_found(small):
    small.replace("content/page.toml", "[check]\n", "[check]\nfirst_view_kb = 1\n")
    problems = [str(problem) for problem in small.build().problems]
    assert any("site/clean/index.html: first view weighs" in problem for problem in problems)


def test_fonts_that_only_a_style_sheet_names_count_in_the_first_view(small):
    """Nine of eleven fonts escaped the budget."""
    small.write("templates/static/fonts/heavy.woff2", bytes(410_000))
    sheet = next((small.root / "templates/static/css").glob("*.css"))
    face = '@font-face { font-family: "Heavy"; src: url("../fonts/heavy.woff2") format("woff2"); }\n'
    small.write(sheet.relative_to(small.root).as_posix(), face + sheet.read_text(encoding="utf-8"))
    problems = [str(problem) for problem in small.build().problems]
    assert any("site/clean/index.html: first view weighs 4" in problem for problem in problems)


def test_a_picture_over_budget_is_found(small):
    small.replace("content/page.toml", "[check]\n", "[check]\npicture_kb = 1\n")
    assert any("the budget of a picture is exceeded" in problem.message for problem in small.build().problems)


def test_a_published_ledger_that_breaks_its_schema_is_found(small):
    path = small.out / "data/ledger.json"
    doc = json.loads(path.read_text())
    doc["values"]["models.alpha.after"]["digits"] = 99
    path.write_text(json.dumps(doc, indent=1))
    line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if '"digits": 99' in text)
    assert any(p.startswith(f"site/data/ledger.json:{line} values.models.alpha.after.digits") for p in _found(small))


def test_published_json_that_is_none_is_found(small):
    (small.out / "data/tables/models.json").write_text("{\n nope")
    (small.out / "data/ledger.json").write_text("[" * 99999)
    found = _found(small)
    assert any(p.startswith("site/data/tables/models.json:2: invalid JSON") for p in found)
    assert any(p.startswith("site/data/ledger.json: invalid JSON") for p in found)


def test_what_was_read_before_is_told_at_the_same_place(small):
    """Facts of pages and of exhibits come from a cache: a defect must not hide there, nor move when the page does."""
    line = _edit(small, "clean/index.html", 'alt="A corner of the field."', 'alt=""')
    first = _found(small)
    assert first == _found(small)
    assert any(problem.startswith(f"site/clean/index.html:{line}: picture") for problem in first)
    _edit(small, "clean/index.html", "<main>", "<main>\n\n")
    assert any(problem.startswith(f"site/clean/index.html:{line + 2}: picture") for problem in _found(small))


def test_a_failed_check_is_told_again_by_the_next_build(small):
    """A build that ended badly must not look like one with nothing to do."""
    small.replace("content/sections/02-second/clean.md", " painting.", " painting of 12.")
    assert small.build().problems
    again = small.build()
    assert not again.unchanged and again.problems


def test_pages_are_read_with_void_and_self_closed_elements():
    """The scanner keeps its place: what follows an unclosed <br> is still prose, what follows </section> is not."""
    facts = read_page(
        '<section id="a" data-section><div data-prose><p>one 1<br>two 2 <data data-ref="x" value="3">3</data>'
        '<svg aria-hidden="true"><path d="M4 4"/><text>4</text></svg> 5</p><!--part t--><p>6</p><!--/part--></div> 7'
        "</section> 8"
    )
    assert [number for _, number, _ in facts.numbers] == ["1", "2", "5"]
    assert list(facts.values) == [("x", "3", "3")]
    assert facts.sections == ["a"]


def test_facts_are_those_that_another_parser_finds(small):
    """Our scanner knows HTML as our templates write it; Python's parser knows HTML."""

    class Reader(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.ids, self.headings, self.outgoing, self.exhibits = [], [], {}, {}

        def handle_starttag(self, tag, attrs):
            given = dict(attrs)
            self.ids += [given["id"]] if given.get("id") else []
            self.headings += [int(tag[1])] if re.fullmatch("h[1-6]", tag) else []
            if tag in ("a", "area") and (given.get("href") or "").startswith(("http://", "https://")):
                self.outgoing[given["href"]] = None
            if tag == "figure" and "data-exhibit" in given:
                self.exhibits[given["data-exhibit"]] = None

    pages = sorted(small.out.rglob("*.html"))
    assert len(pages) > 10
    for page in pages:
        text, reader = page.read_text(encoding="utf-8"), Reader()
        reader.feed(text)
        facts = read_page(text)
        levels = [level for level, _ in facts.headings]
        assert (facts.ids, levels) == (reader.ids, reader.headings), page
        assert (facts.outgoing, facts.exhibits) == (reader.outgoing, reader.exhibits), page


def test_a_table_that_one_variant_lacks_is_one_line(small):
    """It was a line for every cell."""
    page = re.sub(r'data-ref="models\.[^"]*"', "", small.read("distorted/index.html"))
    (small.out / "distorted/index.html").write_text(page, encoding="utf-8")
    lacking = [line for line in _found(small) if "lacks" in line]
    said = "lacks 3 values 'models.*', such as 'models.alpha.after', of clean/index.html"
    assert lacking == [f"site/distorted/index.html: {said}; its texts are content/sections/*/distorted.md"]


def test_a_file_with_a_hash_in_its_name_is_found_where_a_page_loads_it(small):
    """A poster called "frame #1.jpg" was called missing."""
    (small.out / "assets/frame #1.jpg").write_bytes(b"x")
    _edit(small, "clean/index.html", "</main>", '<video poster="../assets/frame%20%231.jpg"></video></main>')
    assert not any("frame" in line for line in _found(small))
