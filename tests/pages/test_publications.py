"""Every publication of this repository, built from its own content and results: nothing here may hold for one alone."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path

import pytest
from PIL import Image

from ledger import load
from pages.build import Report, build

ROOT = Path(__file__).parents[2]
PUBLICATIONS = [place for place in (ROOT, ROOT / "examples/treatments") if (place / "content/page.toml").is_file()]


@pytest.fixture(scope="module", params=PUBLICATIONS, ids=lambda place: place.name if place != ROOT else "paper")
def publication(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.fixture(scope="module")
def real(publication: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Report]:
    out = tmp_path_factory.mktemp("real") / "site"
    return out, build(publication, out)


def test_the_page_is_sound(real):
    """What CI deploys: no finding of `check` at all."""
    assert [str(problem) for problem in real[1].problems] == []


def test_no_text_is_escaped_twice(real):
    """Markup glued to plain strings shows tags to readers."""
    for path in real[0].rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert "&lt;h3" not in text and "&amp;lt;" not in text and "&lt;p&gt;" not in text, path.name


def test_every_value_of_the_ledger_can_be_opened(real):
    pages = "".join(path.read_text(encoding="utf-8") for path in (real[0] / "data/values").glob("*"))
    ledger = json.loads((real[0] / "data/ledger.json").read_text(encoding="utf-8"))
    missing = [name for name in ledger.get("values", {}) if f'id="{name}"' not in pages]
    assert missing == []


def test_a_value_with_a_twin_says_whether_both_print_alike(real, publication):
    """Reported and recomputed numbers stand side by side: the reader is told, not left to compare digits."""
    known = load(publication)
    for name, value in known.values.items():
        if value.agrees_with is None:
            continue
        page = (real[0] / f"data/values/{name.split('.')[0]}.html").read_text(encoding="utf-8")
        entry = page.partition(f'<article class="entry" id="{name}">')[2].partition("</article>")[0]
        assert ("the two agree to the printed" in entry) is known.agrees(name)
        assert ("the two differ to the printed" in entry) is not known.agrees(name)


@pytest.mark.parametrize("variant", ["clean", "distorted"])
def test_a_link_to_an_exhibit_shows_its_own_picture_elsewhere(real, publication, variant):
    """Social cards are read by programs that know no AVIF and trust the size they are told."""
    own = 0
    for name, exhibit in load(publication).exhibits.items():
        page = (real[0] / f"{variant}/exhibit/{name}.html").read_text(encoding="utf-8")
        said = dict(re.findall(r'<meta property="(og:image[^"]*)" content="([^"]*)">', page))
        file = real[0] / "assets" / said["og:image"].rpartition("assets/")[2]
        with Image.open(file) as image:
            assert [said["og:image:width"], said["og:image:height"]] == [str(side) for side in image.size]
            assert said["og:image:type"] == f"image/{image.format.lower()}" in ("image/jpeg", "image/webp", "image/png")
        alts = {unescape(one.alt) for one in exhibit.pictures}
        assert unescape(said["og:image:alt"])
        own += unescape(said["og:image:alt"]) in alts
        assert "citation_title" not in page, "an exhibit is not the paper"
        json.loads(page.partition('<script type="application/ld+json">')[2].partition("</script>")[0])
    shipped = [one for one in load(publication).exhibits.values() if any(picture.file for picture in one.pictures)]
    assert own >= len(shipped), "all but the pictures that cannot be shipped"


def test_every_claim_is_on_the_page_of_the_audit_in_both_variants(real):
    ledger = json.loads((real[0] / "data/ledger.json").read_text(encoding="utf-8"))
    for variant in ("clean", "distorted") if ledger.get("claims") else ():
        page = (real[0] / variant / "audit.html").read_text(encoding="utf-8")
        assert [name for name in ledger["claims"] if f'data-claim="{name}"' not in page] == []
