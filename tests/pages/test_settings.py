"""What authors may write in page.toml and section.toml: everything accepted is shown, everything unknown is refused."""

from __future__ import annotations

import io
import json
import re
import shutil
import tomllib

import pytest
from PIL import Image

from ledger.problems import InputError
from pages.images.scenes import SCENES, draw
from pages.source.settings import absolute

FULL = """
title = "A small page about very small things"
emphasis = "very small things"
cited_title = "Cited: a small page"
kind = "Sample paper"
venue = "Nowhere Conference"
honour = "Best of Two"
thesis = "Small things can be checked."
description = "Two sections, three exhibits."
language = "ar"
direction = "rtl"
address = "https://example.org/small/"
key = "small-things"
year = 2026

[affiliations]
north = "Northern Institute"
south = "Southern Works"

[[authors]]
name = "Ada First"
at = ["south", "north"]
equal = true
url = "https://ada.example/"
orcid = "0000-0002-1825-0097"
contact = true

[[authors]]
name = "Ben Second"
at = ["north"]
equal = true
corresponding = true

[[links]]
key = "paper"
label = "The paper"
url = "https://example.org/paper"

[[links]]
label = "A video"
url = "https://example.org/video"

[[links]]
label = "Slides"
url = "https://example.org/slides"

[[links]]
label = "Code"
url = "https://example.org/code"

[[links]]
label = "Data"
url = "https://example.org/data"

[[announcements]]
name = "Ada First"
text = "looks for a small place."

[[sponsors]]
name = "Small Change Fund"
url = "https://fund.example/"

[[credits]]
name = "Garden picture"
text = "taken by a neighbour"
licence = "CC0"

[variants]
clean = { name = "tidy version", text = "as it should be" }
distorted = { name = "untidy version", text = "as it came" }

[door]
text = "Two versions of one thing."
treatments = { exposure_extremes = 0.5 }

[masthead]
badge = ["intentional_blur"]
severity = 0.4
seed = 9
stamp = "sample"

[teaser]
video = "walk.mp4"
poster = "walk.png"
alt = "Somebody walks"
caption = "A walk."

[check]
allow = ["1893", "Route 66"]
"""
TEASER = 'video = "walk.mp4"\nposter = "walk.png"'
BARE = """
title = "A page"
description = "Nothing but a title."
year = 2026
door = false

[[authors]]
name = "Ada First"

[[links]]
key = "paper"
label = "The paper"
url = "https://example.org/paper"

[check]
allow = ["1893", "Route 66"]
"""


@pytest.fixture(scope="module")
def full(themed):
    def change(site):
        site.write("content/page.toml", FULL)
        site.write("content/files/walk.mp4", b"not really a film")
        site.write("content/files/walk.png", b"nor a picture")

    return themed("full", change)


@pytest.fixture(scope="module")
def bare(themed):
    def change(site):
        site.write("content/page.toml", BARE)
        (site.root / "content/sections/02-second/distorted.md").unlink()
        text = (site.root / "content/sections/02-second/section.toml").read_text()
        site.write("content/sections/02-second/section.toml", text.partition("[distorted]")[0])

    return themed("bare", change)


@pytest.mark.parametrize("variant", ["clean", "distorted"])
def test_whatever_page_toml_accepts_is_on_the_page(full, variant):
    """A field that is read and shown nowhere is a promise broken."""
    html = full.read(f"{variant}/index.html")
    for said in (
        "Sample paper", "Nowhere Conference", "<b>Best of Two</b>", "Small things can be checked.",
        "Northern Institute", "Southern Works", "contributed equally", "corresponding author", "contact",
        'href="https://ada.example/"', 'href="https://orcid.org/0000-0002-1825-0097"', "looks for a small place.",
        "Small Change Fund", 'href="https://fund.example/"', "Garden picture", "taken by a neighbour", "CC0",
        '<video controls', "files/walk.mp4", "files/walk.png", "Somebody walks", "A walk.",
    ):  # fmt: skip
        assert said in html, said
    assert re.search(r'<html lang="ar" dir="rtl" [^>]*data-paper="small-things"', html)
    assert '<em><span class="strip-line">very small things</span></em>' in html
    labels = re.findall(r'<li><a href="https://example.org/\w+" rel="noopener">([^<]+)</a></li>', html)
    assert labels == ["The paper", "A video", "Slides", "Code", "Data"]
    assert f"See the </span>{'untidy' if variant == 'clean' else 'tidy'} version" in html


def test_metadata_says_who_and_where(full):
    html = full.read("clean/index.html")
    assert '<meta name="citation_author_institution" content="Southern Works">' in html
    assert '<meta name="citation_author_orcid" content="https://orcid.org/0000-0002-1825-0097">' in html
    assert '"affiliation": [{"@type": "Organization", "name": "Southern Works"}' in html


def test_the_web_manifest_names_the_publication_and_icons_that_are_published(full):
    """Without it a home screen shows a cut title and a picture of the page."""
    files = full.files()
    manifest = json.loads(files["manifest.webmanifest"])
    page = tomllib.loads((full.root / "content/page.toml").read_text(encoding="utf-8"))
    assert [manifest[name] for name in ("name", "description", "lang", "dir")] == [
        page[name] for name in ("title", "description", "language", "direction")
    ]
    icons = {icon["src"]: icon for icon in manifest["icons"]}
    assert {icon["type"] for icon in icons.values()} == {"image/svg+xml", "image/png"} and icons.keys() <= files.keys()
    for address, icon in icons.items():
        if icon["type"] == "image/png":
            assert "{}x{}".format(*Image.open(io.BytesIO(files[address])).size) == icon["sizes"]
    for page_address, up in (("index.html", ""), ("clean/index.html", "../"), ("clean/exhibit/garden.html", "../../")):
        assert f'<link rel="manifest" href="{up}manifest.webmanifest">' in full.read(page_address)


def test_the_door_has_the_words_of_its_paper(full):
    html = full.read("index.html")
    for said in ("Two versions of one thing.", "The tidy version", "as it came"):
        assert said in html


def test_what_a_paper_does_not_say_leaves_no_trace(bare):
    """No stray dot, comma or empty box where kind, venue, thesis, links or a door are missing; the address of a page
    without a door leads to the clean variant, and a section without a distorted text shows its clean one."""
    for variant in ("clean", "distorted"):
        html = bare.read(f"{variant}/index.html")
        assert 'class="kind"' not in html and 'class="thesis"' not in html and "<video" not in html
        assert "Ada First.</p>" in html and "Ada First. ," not in html and "The door" not in html
        assert "On Route" in html
    assert 'http-equiv="refresh" content="0; url=clean/index.html"' in bare.read("index.html")
    assert not [problem for problem in bare.build(force=True).problems if "twin" in str(problem)]


def test_the_teaser_may_be_a_plain_picture(themed):
    """Without one a paper whose teaser is no evidence would have to make an exhibit of it."""

    def change(site):
        teaser = '[teaser]\npicture = "garden-clean.jpg"\nalt = "Two dogs"\ncaption = "At the door."\n\n[check]'
        site.write("content/page.toml", BARE.replace("[check]", teaser))

    site = themed("teaser", change)
    for variant in ("clean", "distorted"):
        shown = site.read(f"{variant}/index.html").partition('<div class="teaser">')[2].partition("</figure>")[0]
        assert 'alt="Two dogs"' in shown and "assets/pictures/" in shown and "At the door." in shown


def test_two_papers_on_one_origin_remember_their_own_choices(full, bare):
    for site, key in ((full, "small-things"), (bare, "paper")):
        assert f'data-paper="{key}"' in site.read("clean/index.html")
    for script in (full.root / "templates/static/js").glob("*.js"):
        for line in script.read_text().splitlines():
            if "Storage." in line:
                assert "dataset.paper" in line or "(key" in line.lower(), f"{script.name}: {line}"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('at = ["north"]', 'at = ["nort"]', "authors[1].at: no affiliation 'nort', did you mean 'north'?"),
        ('name = "Ben Second"\nat =', 'name = "Ben Second"\naffiliation =', "authors[1].affiliation: unknown key"),
        ('orcid = "0000-0002-1825-0097"', 'orcid = "12"', "authors[0].orcid: '12' is no ORCID"),
        ('emphasis = "very small', 'emphasis = "quite small', "is not the end of the title"),
        ('video = "walk.mp4"', 'video = "run.mp4"', "teaser.video: no such file 'content/files/run.mp4'"),
        (TEASER, 'picture = "run.png"', "teaser.picture: no such file 'content/pictures/run.png'"),
        ('video = "walk.mp4"', 'picture = "walk.png"', "poster goes with video"),
        (TEASER, 'exhibit = "gardn"', "no exhibit 'gardn', did you mean 'garden'?"),
        ('alt = "Somebody walks"', "", "needs alt"),
        ('badge = ["intentional_blur"]', 'badge = ["blur"]', "masthead.badge: no treatment 'blur'"),
        ("exposure_extremes = 0.5", "exposure_extreme = 0.5", "did you mean 'exposure_extremes'?"),
        ('label = "Code"', 'key = "paper"\nlabel = "Code"', "'paper' is the key of another link already"),
        ('language = "ar"', 'language = "Arabic!"', "language: 'Arabic!' is no language tag"),
        ("[check]", '[[stamps]]\nset = "galery"\nword = "no"\n\n[check]', "no set of exhibits 'galery', did you mean"),
        ("[check]", 'highlight = ["x"]\n\n[check]', "unknown key 'highlight'"),
        ("year = 2026", 'year = 2026\nhighlight = ["tuned"]', "no row of this kind 'tuned'"),
    ],
)
def test_a_wrong_word_in_page_toml_is_refused_with_the_nearest(fresh, old, new, said):
    fresh.write("content/files/walk.mp4", b"not really a film")
    fresh.write("content/files/walk.png", b"nor a picture")
    assert old in FULL
    fresh.write("content/page.toml", FULL.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        fresh.build()
    problems = [str(one) for one in caught.value.problems]
    assert any(one.startswith("content/page.toml:") and said in one for one in problems), problems


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('scene = { name = "wal" }', "scene.name: must be 'none', 'opening_page', 'wall'"),
        ('scene = { name = "wall", values = ["models.alfa.delta"] }', "no value 'models.alfa.delta', did you mean"),
        (
            'scene = { name = "snapshots", photographs = "galery" }',
            "no set of exhibits 'galery', did you mean 'gallery'?",
        ),
        ('layout = { galery = "wide" }', "no set of exhibits 'galery', did you mean"),
        ("first = { galery = 1 }", "no set of exhibits 'galery', did you mean"),
        ("first = { gallery = 0 }", "must be greater than or equal to 1"),
        ('layout = { gallery = "wyde" }', "must be 'level', 'small', 'wide' or 'narrow'"),
        ('specimen = "gardn"', "no exhibit 'gardn', did you mean 'garden'?"),
        ("openning = true", "unknown key 'openning', did you mean 'opening'?"),
        ("opening = true", "only the first sections can be the opening of the page"),
    ],
)
def test_a_wrong_word_in_section_toml_is_refused_with_the_nearest(fresh, written, said):
    fresh.replace("content/sections/02-second/section.toml", 'id = "second"', f'id = "second"\n{written}')
    with pytest.raises(InputError) as caught:
        fresh.build()
    (problem,) = [str(one) for one in caught.value.problems]
    assert problem.startswith("content/sections/02-second/section.toml:2 ") and said in problem


def test_a_section_may_show_the_first_exhibits_of_a_set(small):
    def shown():
        return re.findall('<figure data-exhibit="([^"]*)"', small.read("clean/index.html").partition('id="second"')[0])

    gallery = shown()
    small.replace("content/sections/01-first/section.toml", 'id = "first"\n', 'id = "first"\nfirst = { gallery = 1 }\n')
    small.build()
    assert len(gallery) > 1 and shown() == gallery[:1]


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("HTTPS://Example.ORG", "https://example.org/"),
        ("https://example.org:8443/a/b//", "https://example.org:8443/a/b/"),
        ("https://müller.example/Käse", "https://xn--mller-kva.example/K%C3%A4se/"),
        ("https://mu\u0308ller.example", "https://xn--mller-kva.example/"),
        ("https://straße.example/a&b", "https://xn--strae-oqa.example/a&b/"),
        ("http://[::1]:80/x", "http://[::1]:80/x/"),
        ("https://example.org/%7Eme", "https://example.org/%7Eme/"),
    ],
)
def test_an_address_is_spelled_as_name_servers_and_sitemaps_know_it(written, address):
    assert absolute(written) == address
    assert absolute(address) == address


def test_a_title_page_without_treatments_has_one_picture_of_itself(themed):
    """It had two pictures without an address, over which the check stumbled with an IndexError."""
    bare = '\n[masthead]\nbadge = []\nseverity = 0\nstamp = "Draft"\n'
    site = themed(
        "bare-masthead",
        lambda small: small.write(
            "content/page.toml", (small.root / "content/page.toml").read_text(encoding="utf-8") + bare
        ),
    )
    page = site.read("distorted/index.html")
    assert 'src=""' not in page and "data-untouched" in page.partition("<h1")[0]


def test_a_paper_without_exhibits_and_numbers_has_no_way_to_them(themed):
    """Its pages led to an index of 0 exhibits with 0 pictures, and to a list of no numbers under two headings."""

    def change(small):
        shutil.rmtree(small.root / "content")
        shutil.rmtree(small.root / "results")
        small.write("content/page.toml", 'title = "One"\ndescription = "d"\nyear = 2026\n[[authors]]\nname = "A"\n')
        small.write("content/sections/01-a/section.toml", 'id = "a"\n[clean]\ntitle = "A"\nnav = "A"\n')
        small.write("content/sections/01-a/clean.md", "Text.\n")

    site = themed("nothing", change)
    assert "xhibit" not in re.sub("<link[^>]*>|<script[^>]*>", "", site.read("clean/index.html"))
    assert "data/values.html" not in site.read("clean/index.html")
    assert not (site.out / "clean/exhibits").exists()
    assert "Scores beside pictures" not in site.read("data/values.html")
    small_exhibit = {"title": "T", "kind": "figure", "caption": "c", "credit": "x", "licence": "CC0"}
    Image.new("RGB", (40, 30)).save(site.root / "a.png")
    picture = {"id": "a", "label": "a", "alt": "a", "file": "a.png"}
    site.write("results/pictures/a.png", (site.root / "a.png").read_bytes())
    site.write("results/a.json", json.dumps({"exhibits": {"one": {**small_exhibit, "pictures": [picture]}}}))
    site.build()
    assert "All exhibits" in site.read("clean/index.html"), "the page is made again when there is a first exhibit"


@pytest.mark.parametrize("height", [1, 60, 300, 1200])
@pytest.mark.parametrize("scene", sorted(set(SCENES) - {"title_page", "door"}))
def test_a_scene_may_be_of_any_height(tmp_path, scene, height):
    """Two of them were errors of Pillow below 352 and 200 pixels."""
    Image.new("RGB", (40, 30)).save(tmp_path / "a.png")
    words = {"number": "3", "title": "Some words", "words": "Text. " * 40, "values": ["1.2", "3"], "steps": []}
    drawn = draw(tmp_path, {**words, "photographs": ["a.png"] * 3, "scene": scene, "height": height})
    assert drawn.shape[0] == height


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("content/sections/02-second/section.toml", None, ":1 id: 'main' is an id of the page's own: choose another"),
        ("templates/parts/extra.html", "x", "templates: lacks base.html: a theme of your own is a whole copy of the"),
    ],
)
def test_what_would_collide_with_the_theme_is_told_in_one_line(fresh, path, text, said):
    if text is None:
        fresh.replace(path, 'id = "second"', 'id = "main"')
        fresh.replace("content/claims.toml", '"second"', '"main"') if (
            fresh.root / "content/claims.toml"
        ).exists() else None
    else:
        shutil.rmtree(fresh.root / "templates")
        fresh.write(path, text)
    with pytest.raises(InputError) as caught:
        fresh.build()
    assert any(said in str(one) for one in caught.value.problems), caught.value.problems
