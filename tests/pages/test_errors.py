"""Bad input: named with file, line, field and the nearest valid name; everything at once; the old site stays."""

from __future__ import annotations

import io
import json
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

import effects
from ledger.problems import InputError


def _problems(small) -> list[str]:
    before = small.digest()
    with pytest.raises(InputError) as caught:
        small.build()
    assert small.digest() == before, "a refused build touched the old site"
    return [str(problem) for problem in caught.value.problems]


def _line(small, path: str, part: str) -> int:
    lines = (small.root / path).read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if part in line)


def test_a_misspelt_picture_is_answered_with_the_right_name(small):
    small.replace("results/exhibits.json", "garden-clean.jpg", "garden-cleen.jpg")
    place = f"results/exhibits.json:{_line(small, 'results/exhibits.json', 'garden-cleen')}"
    said = "no such picture 'garden-cleen.jpg', did you mean 'garden-clean.jpg'?"
    assert _problems(small) == [f"{place} exhibits.garden.pictures[0].file: {said}"]


def test_an_unknown_value_is_named_at_its_line_of_markdown(small):
    small.replace("content/sections/01-first/clean.md", "models.alpha.delta", "models.alfa.delta")
    assert _problems(small) == [
        "content/sections/01-first/clean.md:1: no such value 'models.alfa.delta', did you mean 'models.alpha.delta'?"
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('table("models")', 'table("model")', "no table 'model', did you mean 'models'?"),
        ('exhibits("gallery")', 'exhibits("galery")', "no exhibit is in the set 'galery', did you mean 'gallery'?"),
        ('chart("emotion")', 'chart("emotions")', "no chart 'emotions', did you mean 'emotion'?"),
        ('link("paper")', 'link("papper")', "no link 'papper' in content/page.toml, did you mean 'paper'?"),
        ('table("models")', 'tabel("models")', "there is no 'tabel', did you mean 'table'?"),
        ('table("models") }}', 'table("models") }', "unexpected '}'"),
        ('table("models")', "claim(3)", "no claim '3'"),
        ('table("models")', "knob()", "no exhibit is in the set 'knob': put some into it, or leave out the call"),
        ('value("models.alpha.delta")', 'percent("models.alpha.delta")', "'models.alpha.delta' is no share"),
    ],
)
def test_a_wrong_name_in_a_text_is_named_at_its_line(small, old, new, said):
    path = "content/sections/01-first/clean.md"
    small.replace(path, old, new)
    (problem,) = _problems(small)
    assert problem.startswith(f"{path}:{_line(small, path, new)}: ")
    assert said in problem


def test_what_the_theme_stumbles_over_after_a_defect_of_page_toml_is_not_told(small):
    """An author whose affiliation is misspelt got two KeyErrors of our own code besides."""
    first = '[[authors]]\nname = "Ada First"\n'
    small.replace("content/page.toml", first, f'[affiliations]\nuni = "A university"\n\n{first}at = ["unx"]\n')
    (problem,) = _problems(small)
    assert "authors[0].at: no affiliation 'unx', did you mean 'uni'?" in problem


def test_a_catalogue_of_nothing_is_named_at_its_line(small):
    small.replace("content/page.toml", '[catalogue]\nexhibit = "garden"\npicture = "clean"\nseverities = [0.5]\n', "")
    small.replace("content/sections/01-first/clean.md", 'table("models")', "catalogue()")
    assert any(
        problem.startswith("content/sections/01-first/clean.md:") and "there is no catalogue: declare" in problem
        for problem in _problems(small)
    )


def test_an_unknown_treatment_is_named_at_its_badge(small):
    small.replace("content/sections/01-first/section.toml", "intentional_blur", "intentional_blurr")
    said = "no treatment 'intentional_blurr', did you mean 'intentional_blur'?"
    assert _problems(small) == [f"content/sections/01-first/section.toml:2 badge[0]: {said}"]


def test_an_unknown_key_is_answered_with_the_nearest(small):
    small.replace("content/page.toml", "citation_key", "citation_kee")
    small.replace("content/sections/02-second/section.toml", 'nav = "Second"\n\n[dist', 'naav = "Second"\n\n[dist')
    found = _problems(small)
    assert "content/page.toml:7 citation_kee: unknown key 'citation_kee', did you mean 'citation_key'?" in found
    assert "content/sections/02-second/section.toml:5 clean.naav: unknown key 'naav', did you mean 'nav'?" in found


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ('door = "none"', "door: must be named fields or false, not 'none': there are text, treatments, seed"),
        ('[door]\ntextt = "x"', "door.textt: unknown key 'textt', did you mean 'text'?"),
        ('[door]\ntreatments = ["film"]', "door.treatments: must be named fields, not ['film']"),
        ('published = "May"', "published: 'May' is no date: write 2026, 2026-05 or 2026-05-01"),
        ('direction = "right"', "direction: must be 'ltr' or 'rtl', not 'right'"),
        ('language = "English"', "language: 'English' is no language tag: write en, de, pt-BR or zh-Hans"),
        ('nav = "x"\ntext = "y"', "text: unknown key 'text': it belongs into [door]"),
        ('affiliation = "MIT"', "affiliation: unknown key 'affiliation', did you mean 'affiliations'?"),
        ("announcements = { name = 1 }", "must be a list, not {'name': 1}: write [[announcements]] above each of them"),
        ('sponsors = ["MIT"]', "sponsors[0]: must be named fields, not 'MIT': there are url, name, text, licence"),
        ('highlight = "ours"', "highlight: must be a list, not 'ours': write ['ours']"),
        ("[masthead]\nseed = -1", "masthead.seed: must be greater than or equal to 0"),
        ('[teaser]\nvideo = "a.mov"', "is no video for browsers: a file of content/files/ that ends in .mp4 or .webm"),
        ('[teaser]\nvideo = "a/b.mp4"\nalt = "x"', "teaser.video: no such file 'content/files/a/b.mp4'"),
    ],
)
def test_a_wrong_value_of_page_toml_is_told_in_words_of_the_author(small, wrong, said):
    small.replace("content/page.toml", "[[authors]]", f"{wrong}\n[[authors]]", 1)
    found = [problem for problem in _problems(small) if "nav: " not in problem]
    assert len(found) == 1 and found[0].startswith("content/page.toml:") and said in found[0]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('arxiv = "', 'arxiv = "https://arxiv.org/abs/', "is no arXiv number: write it as 2601.00001"),
        ("widths = [", "widths = [0, ", "pictures.widths[0]: must be greater than or equal to 1"),
    ],
)
def test_a_value_that_would_break_later_steps_is_refused_where_it_is_written(small, old, new, said):
    small.replace("content/page.toml", old, new)
    assert [said in problem for problem in _problems(small)] == [True]


def test_a_date_and_an_orcid_are_taken_in_the_forms_that_people_copy(small):
    author = '[[authors]]\norcid = "https://orcid.org/0000-0002-1825-0097"\n'
    small.replace("content/page.toml", "[[authors]]\n", f"published = 2026-05-01\n{author}", 1)
    assert not small.build().problems
    assert 'name="citation_publication_date" content="2026/05/01"' in small.read("clean/index.html")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("content/chart.toml", "nothing reads a file of this name, did you mean 'charts.toml'?"),
        ("content/sections/02-second/distorded.md", "nothing reads a file of this name, did you mean 'distorted.md'?"),
        ("results/psnr.csv", "nothing reads it here: tables lie in results/tables/"),
        ("results/tables/psnr.tsv", "nothing reads it: save the table as CSV"),
    ],
)
def test_a_file_that_nothing_reads_is_named(small, path, said):
    """The text of a misspelt distorted.md was left out without a word."""
    small.write(path, "x")
    assert _problems(small) == [f"{path}: {said}"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a {{ b", "'}}' is missing before '{'; between backticks or dollar signs, braces stand for themselves"),
        ("a {{ }} b", "nothing, or not enough, stands between '{{' and '}}'"),
        ("a {% raw b", "there is no '{% raw %}'"),
        (
            r"\frac{{a}}{b}",
            "there is no 'a'; names of values and tables stand between quotes; between backticks or dollar signs",
        ),
    ],
)
def test_braces_that_stand_for_nothing_are_told_without_words_of_jinja(small, text, said):
    path = "content/sections/01-first/clean.md"
    small.replace(path, '{{ table("models") }}', text)
    (problem,) = _problems(small)
    assert problem.startswith(f"{path}:") and said in problem


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("A note[^a].", "no footnote 'a': write [^a]: and the note in a line of its own"),
        ("```python\nx = 1\n", "code that begins with ``` and does not end"),
        ("# Top", "'# Top': headings of a text begin with ###"),
        ("<iframe src='https://example.org'></iframe>", "<iframe>: no page may hold it"),
        ("<p style='color: red'>x</p>", "style=: the content policy of the page forbids it"),
        ("{{ value() }}", "value() needs 'name'"),
        ('{{ table("models", colums=[]) }}', "table() takes no 'colums', did you mean 'columns'?"),
        ('{{ chart(["a"]) }}', "a name between quotes is needed, not a list"),
        ("{{ value(\u201cmodels\u201d) }}", "'\u201c' is no part of a call: names stand between straight quotes"),
        ("{{ value(models.alpha.delta) }}", "there is no 'models'; names of values and tables stand between quotes"),
        ("![a plot](plot.pdf)", "'plot.pdf' is not a picture that can be read: save the drawing as PNG"),
        ('<img src="garden-clean.jpg" alt="x">', "<img>: write ![what it shows](file)"),
        ('<video src="walk.mp4"></video>', "<video>: name the file of content/files/ with the function file"),
        ("as [see @opencv, p. 3] says", "a citation begins with its key: [@key], [@key, p. 4]"),
        ("$$ a = b", "TeX that begins with $$ and does not end"),
        ("![a garden](garden clean.jpg)", "no picture 'garden clean.jpg' beside the text or in content/pictures/"),
    ],
)
def test_what_a_text_cannot_hold_is_named_at_its_line(small, text, said):
    """Some were printed as they stood, some named at a line of the built page, some in words of Python."""
    path = "content/sections/01-first/clean.md"
    small.write("content/pictures/plot.pdf", "%PDF-1.4")
    small.replace(path, '{{ table("models") }}', text)
    problems = [one for one in _problems(small) if said in one]
    assert len(problems) == 1 and problems[0].startswith(f"{path}:{_line(small, path, text.splitlines()[0])}: ")


def test_a_thing_may_be_shown_twice(themed):
    """The second table and chart had the ids of the first, which the check refused."""
    twice = '{{ table("models", columns="delta") }}\n\n{{ chart("emotion") }}\n\n' * 2
    path = "content/sections/02-second/clean.md"
    site = themed("twice", lambda small: small.write(path, (small.root / path).read_text(encoding="utf-8") + twice))
    page = site.read("clean/index.html")
    assert page.count('data-table="models"') >= 2 and page.count('data-chart="emotion"') >= 2
    assert page.count('id="table-models"') == page.count('id="chart-emotion"') == 1


def test_twelve_cards_of_treatments_are_numbered(themed):
    """The ninth was an error of the theme."""
    cards = "".join(f'\n\n### Card {{data-treatment="{name}"}}\n\nText.' for name in [*effects.TREATMENTS][:12])
    path = "content/sections/02-second/clean.md"
    site = themed("cards", lambda small: small.write(path, (small.root / path).read_text(encoding="utf-8") + cards))
    assert '<p class="risk-number" aria-hidden="true">XII</p>' in site.read("clean/index.html")


def test_a_knob_without_an_axis_is_named_at_its_line(themed):
    def turned(small):
        small.json("results/exhibits.json", lambda doc: doc["exhibits"]["garden"]["sets"].append("knob"))
        small.replace("content/sections/01-first/clean.md", '{{ table("models") }}', "{{ knob() }}")

    with pytest.raises(InputError, match="no picture of the set 'knob' has an axis with numbers"):
        themed("knob", turned)


def test_an_interval_has_its_lower_end_first(small):
    small.json("results/numbers.json", lambda doc: doc["values"]["models.alpha.delta"].update(interval=[2, 1]))
    assert ["interval needs its lower end first" in problem for problem in _problems(small)] == [True]


@pytest.mark.parametrize("text", ["as in {#eq:x} and {# so on", "{#one #} and {#}"])
def test_a_label_of_latex_is_text(small, text):
    small.replace("content/sections/01-first/clean.md", '{{ table("models") }}', text)
    small.build(checked=False)
    assert text.partition(" ")[0] in small.read("clean/index.html")


def test_a_teaser_that_cannot_be_read_is_told_at_its_line(small):
    """It was told at a line of the theme."""
    small.write("content/pictures/plot.pdf", "%PDF-1.4")
    small.replace("content/page.toml", "[[authors]]", '[teaser]\npicture = "plot.pdf"\nalt = "x"\n[[authors]]', 1)
    (problem,) = _problems(small)
    assert problem.startswith("content/page.toml:") and "teaser.picture: 'plot.pdf' is not a picture" in problem


def test_a_teaser_that_is_not_there_is_told_once(small):
    small.replace("content/page.toml", "[[authors]]", '[teaser]\npicture = "gardn.jpg"\nalt = "x"\n[[authors]]', 1)
    (problem,) = _problems(small)
    assert "teaser.picture: no such file 'content/pictures/gardn.jpg'" in problem


def test_all_mistakes_of_a_build_are_told_together(small):
    """One at a time is how builds waste an afternoon."""
    small.replace("content/sections/01-first/clean.md", "models.alpha.delta", "models.nobody.delta")
    small.replace("content/sections/01-first/section.toml", "intentional_blur", "nonsense_treatment")
    small.replace("results/exhibits.json", "garden-clean.jpg", "missing.jpg")
    small.write("content/sections/02-second/distorted.md", "  \n")
    files = {problem.split(":")[0] for problem in _problems(small)}
    assert files == {
        "content/sections/01-first/clean.md", "content/sections/01-first/section.toml", "results/exhibits.json",
        "content/sections/02-second/distorted.md",
    }  # fmt: skip


def test_a_section_without_a_clean_text_is_refused(small):
    (small.root / "content/sections/02-second/clean.md").unlink()
    (problem,) = _problems(small)
    assert problem == "content/sections/02-second/clean.md: no such file: every section has a text"


def test_two_sections_with_one_id_are_refused(small):
    small.replace("content/sections/02-second/section.toml", 'id = "second"', 'id = "first"')
    found = _problems(small)
    place = "content/sections/02-second/section.toml:1 id"
    assert f"{place}: 'first' is the id of content/sections/01-first/section.toml already" in found


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("content/page.toml", 'title = "unclosed\n', "content/page.toml:1: not TOML"),
        ("content/page.toml", b"title = '\xff'", "content/page.toml:1: not UTF-8"),
        ("content/taxonomy.toml", "x = [", "content/taxonomy.toml:1: not TOML"),
        ("content/sections/01-first/section.toml", "id =", "content/sections/01-first/section.toml:1: not TOML"),
        ("content/sections/01-first/clean.md", b"caf\xe9", "content/sections/01-first/clean.md:1: not UTF-8"),
        ("results/numbers.json", '{"values": {', "results/numbers.json:1: not JSON"),
        ("results/numbers.json", '{"values": {"a": {"value": NaN}}}', "results/numbers.json:1"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_its_line(small, path, text, said):
    small.write(path, text)
    assert any(problem.startswith(said) for problem in _problems(small))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_not_finite_are_refused(small, number):
    """They would pass a lenient JSON reader and print as 'nan' in a table."""
    small.replace("results/numbers.json", "-3.165", number)
    line = _line(small, "results/numbers.json", f'"value": {number}')
    found = _problems(small)
    assert any(problem.startswith(f"results/numbers.json:{line} values.models.alpha.delta") for problem in found)


@pytest.mark.parametrize("rows", ["rows/alpah.csv", "../content/page.toml", "rows/../numbers.json", "/etc/hostname"])
def test_rows_that_are_not_there_or_not_ours_are_refused(small, rows):
    small.write("results/rows/alpha.csv", "x\n")
    small.json("results/numbers.json", lambda doc: doc["values"]["models.alpha.delta"].update(rows=rows))
    (problem,) = _problems(small)
    assert f"values.models.alpha.delta.rows: no such file '{rows}'" in problem


def test_two_exhibits_with_one_id_are_refused(small):
    content = json.loads((small.root / "results/exhibits.json").read_text())
    small.write("results/more.json", json.dumps({"exhibits": {"tiny": content["exhibits"]["tiny"]}}))
    (problem,) = _problems(small)
    assert "results/more.json" in problem and "exhibits.json" in problem


# -- pictures that are not what they say -----------------------------------------------------------------


def _picture(small, content: bytes) -> str:
    """Put `content` in place of the garden's second picture, as the ledger expects it."""
    import hashlib

    small.write("content/pictures/garden-distorted.png", content)
    small.json(
        "results/exhibits.json",
        lambda doc: doc["exhibits"]["garden"]["pictures"][1].update(
            sha256=hashlib.sha256(content).hexdigest(), width=None, height=None
        ),
    )
    (problem,) = _problems(small)
    line = _line(small, "results/exhibits.json", "garden-distorted.png")
    assert problem.startswith(f"results/exhibits.json:{line} exhibits.garden.pictures[1].file: ")
    return problem


@pytest.mark.parametrize("name", ["garden-distorted.png", "garden-clean.jpg"])
def test_a_truncated_picture_is_refused(small, name):
    """Half a JPEG decodes to a grey half under lenient readers."""
    whole = (small.root / "content/pictures" / name).read_bytes()
    assert "truncated" in _picture(small, whole[: len(whole) * 2 // 3])


def test_a_file_that_is_no_picture_is_refused(small):
    assert "is not a picture" in _picture(small, b"<html>not found</html>")


def test_a_decompression_bomb_is_refused_before_it_is_decoded(small):
    """A few kB of PNG that claim 30,000 x 30,000 pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 4096)) + chunk(b"IEND", b"")
    assert "megapixels" in _picture(small, bomb)


def test_other_bytes_than_the_pinned_ones_are_refused(small):
    """Somebody re-saved a picture: the evidence is not the evidence any more."""
    path = small.root / "content/pictures/garden-distorted.png"
    small.write("content/pictures/garden-distorted.png", path.read_bytes() + b"\0")
    (problem,) = _problems(small)
    assert "exhibits.garden.pictures[1].sha256" in problem and "not the one pinned here" in problem


def _photo(form: str, gps: dict[int, object] | None = None, **options: object) -> bytes:
    exif = Image.Exif()
    exif[0x0110] = "a phone"
    for tag, value in (gps or {}).items():
        exif.get_ifd(0x8825)[tag] = value
    stream = io.BytesIO()
    Image.new("RGB", (40, 30)).save(stream, form, exif=exif, **options)
    return stream.getvalue()


def _heic(gps: dict[int, object]) -> bytes:
    """The beginning of what phones write, which no browser but one shows."""
    jpeg = _photo("JPEG", gps)
    return b"\0\0\0\x18ftypheic\0\0\0\0mif1heic\0\0\1\0mdat" + jpeg[jpeg.index(b"Exif\0\0") :]


NORTH = {1: "N", 2: (48.0, 8.0, 6.0)}
XMP = b'<x:xmpmeta exif:GPSLatitude="48,8.1N"/>'


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("poster.JPG", _photo("JPEG", NORTH)),
        ("poster.png", _photo("PNG", NORTH)),
        ("poster.avif", _photo("AVIF", NORTH)),
        ("xmp.jpg", _photo("JPEG", xmp=XMP)),
        ("xmp.webp", _photo("WEBP", xmp=XMP)),
        ("phone.heic", _heic(NORTH)),
        ("film.mp4", b"\0\0\0\x18ftypmp42\0\0\0\0\0\0\0\x1emoov\xa9xyz\0\x12\x15\xc7+48.1351+011.5820/"),
        ("film.mov", b"\0\0\0\x14ftypqt  \0\0\0\0com.apple.quicktime.location.ISO6709+48.1351+011.5820/"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_a_published_file_that_says_where_it_was_taken_is_refused(small, name, content):
    """What lies in content/files/ is published as it is, metadata and all."""
    small.write(f"content/files/{name}", content)
    (problem,) = _problems(small)
    assert problem.startswith(f"content/files/{name}: says where it was taken")


def test_a_published_file_that_says_when_it_was_taken_is_not_refused(small):
    """Phones that may not tell the place still write a part for it, with a version and a date."""
    small.write("content/files/poster.jpg", _photo("JPEG", {0: b"\2\3\0\0", 29: "2026:01:01"}))
    assert not small.build().problems


@pytest.mark.parametrize("file", ["../../../etc/hostname", "/etc/hostname", "content/pictures/../page.toml"])
def test_a_path_that_leads_out_of_the_tree_is_refused(small, file):
    small.replace("results/exhibits.json", "garden-distorted.png", file)
    before = small.files()
    (problem,) = _problems(small)
    assert "exhibits.garden.pictures[1].file: " in problem and f"{file}' leads out of the project" in problem
    assert small.files() == before


LINKED = ["content/pictures/garden-distorted.png", "content/files/talk.pdf", "content/sections/02-second/distorted.md"]


def _linked(small, name: str, target: Path) -> None:
    place = small.root / name
    small.write(name, place.read_bytes() if place.exists() else b"x")
    place.rename(target)
    place.symlink_to(target)


@pytest.mark.parametrize("name", LINKED)
def test_a_link_that_leads_out_of_the_tree_is_refused(small, tmp_path, name):
    """A pull request could otherwise publish any file of the build machine."""
    _linked(small, name, tmp_path / "secret")
    (problem,) = _problems(small)
    assert "leads out of the project" in problem


@pytest.mark.parametrize("name", LINKED)
def test_a_link_within_the_tree_is_followed(small, name):
    _linked(small, name, small.root / "content/elsewhere")
    assert not small.build().problems


# -- what people or machines could smuggle in ------------------------------------------------------------


@pytest.mark.parametrize("field", ["prompt", "label", "alt"])
def test_html_in_the_ledger_is_text_on_the_page(small, field):
    poison = "<script>alert(1)</script><img src=x onerror=alert(2)>\" onload='x'"
    small.json("results/exhibits.json", lambda doc: doc["exhibits"]["garden"]["pictures"][0].update({field: poison}))
    report = small.build()
    assert not report.problems
    for page in ("clean/index.html", "distorted/exhibit/garden.html", "data/values/exhibits.garden.html"):
        assert "<script>alert" not in small.read(page)
        assert "<img src=x" not in small.read(page)


@pytest.mark.parametrize("field", ["label", "caveat"])
def test_html_in_a_value_is_text_on_the_page(small, field):
    poison = "<img src=x onerror=alert(1)>"
    small.json("results/numbers.json", lambda doc: doc["values"]["models.alpha.delta"].update({field: poison}))
    assert not small.build().problems
    assert all("<img src=x" not in small.read(page) for page in ("clean/index.html", "data/values/models.html"))


def test_html_in_captions_and_titles_cannot_close_the_json_ld(small):
    poison = "</script><script>alert(1)</script>"
    small.json("results/exhibits.json", lambda doc: doc["exhibits"]["garden"].update(title=poison, caption=poison))
    assert not small.build().problems
    assert "<script>alert" not in small.read("clean/exhibit/garden.html")


def test_javascript_links_are_refused_wherever_they_are_written(small):
    small.replace("content/page.toml", "https://example.org/paper", "javascript:alert(1)")
    (problem,) = _problems(small)
    line = _line(small, "content/page.toml", "javascript:")
    assert problem.startswith(f"content/page.toml:{line} links[0].url: 'javascript:alert(1)' is not an http(s)")


def test_javascript_links_in_the_ledger_are_refused(small):
    small.json("results/exhibits.json", lambda doc: doc["exhibits"]["tiny"].update(source_url="javascript:alert(1)"))
    assert any("exhibits.tiny.source_url" in problem for problem in _problems(small))


def test_javascript_links_in_markdown_do_not_pass_the_check(small):
    small.replace("content/sections/02-second/clean.md", "(#first)", "(javascript:alert(1))")
    report = small.build()
    assert any("only http(s) and mailto are allowed" in problem.message for problem in report.problems)
