"""What is true of the shipped page and of no other."""

from __future__ import annotations

import html
import re
from collections import defaultdict
from pathlib import Path

import pytest
from PIL import ImageFont

from ledger import load
from pages.build import Report, build
from pages.source.citation import disagreements
from tests.paper.complete import with_all_pictures

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Report]:
    out = tmp_path_factory.mktemp("real") / "site"
    return out, build(PROJECT, out, checked=False)


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Report]:
    root = tmp_path_factory.mktemp("complete")
    with_all_pictures(PROJECT, root)
    return root / "site", build(root, root / "site")


@pytest.mark.parametrize("variant", ["clean", "distorted"])
def test_chinese_words_are_marked_as_such_and_their_glyphs_are_shipped(real, variant):
    """Without a CJK font on the reader's machine they were blank; without `lang`, a voice spells them in English."""
    page = (real[0] / variant / "index.html").read_text(encoding="utf-8")
    text = re.sub(r"<[^>]*>", "", page.replace('<span lang="zh">', "\x00"))
    words = re.findall("\x00?[\u4e00-\u9fff]+", text)
    assert len(words) == 3 and all(word[0] == "\x00" for word in words)
    font = ImageFont.truetype(str(PROJECT / "templates/static/fonts/noto-serif-sc.woff2"), 40)
    missing = bytes(font.getmask("\u6728"))
    assert all(bytes(font.getmask(character)) != missing for word in words for character in word[1:])
    style = next((real[0] / "assets").rglob("base*.css")).read_text(encoding="utf-8")
    assert all(f"U+{ord(character):04X}" in style for word in words for character in word[1:])


@pytest.mark.parametrize("variant", ["clean", "distorted"])
def test_the_abstract_lists_each_claim_of_the_argument_once_and_no_bookkeeping(real, variant):
    """Slips of counting among the verdicts made the paper look refuted; every line leads to its reason in the audit."""
    page = (real[0] / variant / "index.html").read_text(encoding="utf-8")
    listed = re.findall(r'<li><a href="[^"]*#claim-([a-z0-9-]+)">', page.partition('<div class="verdicts">')[2])
    argument = [name for name, claim in load(PROJECT).claims.items() if claim.weight == "argument"]
    assert sorted(listed) == sorted(argument)
    audit = (real[0] / variant / "audit.html").read_text(encoding="utf-8")
    assert [name for name in load(PROJECT).claims if f'id="claim-{name}"' not in audit] == []


@pytest.mark.parametrize("what", ["<title>(.*?)</title>", '<meta name="description" content="(.*?)">'])
def test_no_two_pages_share_a_title_or_a_description(real, what):
    """Ten pages of one title cannot be told apart among tabs, bookmarks and results of a search."""
    found = defaultdict(list)
    for path in real[0].rglob("*.html"):
        found[html.unescape(re.search(what, path.read_text(encoding="utf-8"), re.DOTALL)[1])].append(path.name)
    assert {words: pages for words, pages in found.items() if len(pages) > 1 or not words} == {}


def test_the_heading_of_a_picture_on_the_wall_says_which_model_drew_it_and_how_strongly_aligned(real):
    page = (real[0] / "clean/exhibit/wall-00-draft-1.00.html").read_text(encoding="utf-8")
    heading = re.search("<h1>(.*?)</h1>", page)[1]
    assert heading.endswith(": reward back-propagation, alignment 1")


def test_pages_of_the_numbers_of_a_picture_are_headed_by_its_title(real):
    headings = {
        path.name: html.unescape(re.search("<h1>(.*?)</h1>", path.read_text(encoding="utf-8"))[1])
        for path in (real[0] / "data/values").glob("exhibits.*.html")
    }
    assert headings
    assert [name for name, heading in headings.items() if heading.startswith("Exhibits.")] == []


@pytest.mark.parametrize("state", ["real", "complete"])
@pytest.mark.parametrize("variant", ["clean", "distorted"])
def test_the_page_stays_small_enough_for_a_phone(request, state, variant):
    """20,000 elements blocked a phone for more than a second; what is too much moves to a page of its own."""
    page = (request.getfixturevalue(state)[0] / variant / "index.html").read_text(encoding="utf-8")
    assert len(re.findall("<[a-z]", page)) < 8000
    assert len(page.encode()) < 600_000


def test_the_complete_page_is_sound_and_shows_every_picture(complete):
    """Checked as it is published: both copies alike, no picture over its budget, first view below 400 kB."""
    site, report = complete
    assert report.problems == ()
    for variant in ("clean", "distorted"):
        shown = [page.read_text(encoding="utf-8") for page in (site / variant / "exhibit").glob("*.html")]
        assert not [page for page in shown if "Picture not in this copy" in page]


@pytest.mark.parametrize("variant", ["clean", "distorted"])
def test_words_that_are_ours_have_typographic_apostrophes(complete, variant):
    """Titles, labels, credits and captions; what others wrote, the prompts, stays as it was."""
    page = (complete[0] / variant / "index.html").read_text(encoding="utf-8")
    page = re.sub(r"<(script|pre|code|blockquote)\b.*?</\1>|<!--.*?-->", "", page, flags=re.DOTALL)
    texts = [html.unescape(text) for text in re.sub(r"<[^>]*>", "\n", page).splitlines()]
    assert [text for text in texts if re.search(r"\w'\w|s' ", text)] == []


def test_citation_and_notice_name_the_paper_as_its_page_does() -> None:
    assert list(disagreements(PROJECT)) == []
