"""Small windows, no scripts, no motion, no network, paper; and two copies that carry the same."""

from __future__ import annotations

from typing import Any

import pytest

BOTH = pytest.mark.parametrize("variant", ["clean", "distorted"])
PAGES = ["index.html", "404.html", "data/values.html", "data/values/recomputed.html"]
PAGES += [
    f"{variant}/{page}"
    for variant in ("clean", "distorted")
    for page in ("index.html", "exhibit/photo-cat.html", "exhibit/scream.html")
]


@pytest.mark.parametrize("path", PAGES)
def test_nothing_scrolls_sideways_at_320_pixels(visit: Any, path: str) -> None:
    page = visit(path, viewport={"width": 320, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") == 320


@BOTH
def test_nothing_scrolls_sideways_at_2560_pixels_or_at_double_zoom(visit: Any, variant: str) -> None:
    for viewport in ({"width": 2560, "height": 1440}, {"width": 640, "height": 400}):
        page = visit(f"{variant}/index.html", viewport=viewport)
        assert page.evaluate("document.documentElement.scrollWidth") == viewport["width"]


@BOTH
def test_without_scripts_everything_reads_and_links_stand_for_dialogs(
    visit: Any, variant: str, wrong: list[str]
) -> None:
    page = visit(f"{variant}/index.html", java_script_enabled=False)
    number = page.locator("#numbers .prose > p a.value").first
    name = number.locator("data").get_attribute("data-ref")
    assert page.locator(".knob-live").first.is_hidden(), "the knob that needs scripts is not shown"
    assert page.locator(".knob-cell img").first.is_visible(), "its filmstrip is"
    assert page.locator(".comparing").count() == 0
    pair = page.locator("#catalogue .specimen [data-compare]").first.locator("img")
    boxes = [pair.nth(number).bounding_box() for number in range(2)]
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"], "two pictures side by side"
    number.click()
    page.wait_for_url(f"**/data/values/*.html#{name}")
    assert page.locator(f"[id='{name}']").is_visible()
    assert wrong == []


def test_without_scripts_the_door_and_the_flip_are_links(visit: Any) -> None:
    page = visit("index.html", java_script_enabled=False)
    page.locator("[data-choose=distorted]").click()
    page.wait_for_url("**/distorted/index.html")
    page.locator("[data-flip]").click()
    page.wait_for_url("**/clean/index.html")


def test_without_scripts_see_as_filed_leads_to_the_picture_and_intensity_still_works(visit: Any) -> None:
    page = visit("distorted/index.html", java_script_enabled=False)
    page.locator(".menu-display summary").click()
    page.locator("#intensity-off").check()
    assert page.locator("#numbers .look-plain").first.is_visible()
    target = page.locator("#numbers [data-untreated]").first.get_attribute("href")
    assert page.request.get(page.url.rsplit("/", 1)[0] + "/" + target).ok


@BOTH
def test_nothing_moves_when_the_reader_wants_no_motion(visit: Any, variant: str) -> None:
    page = visit(f"{variant}/index.html", reduced_motion="reduce")
    moving = page.evaluate(
        """() => [...document.querySelectorAll('*')].filter(e => {
             const s = getComputedStyle(e);
             return s.animationName !== 'none' || s.transitionDuration.split(',').some(d => parseFloat(d) > 0);
           }).map(e => e.className)"""
    )
    assert moving == []


@BOTH
def test_loading_pictures_and_fonts_shifts_nothing(visit: Any, variant: str) -> None:
    page = visit(f"{variant}/index.html")
    page.evaluate(
        "window.shift = 0;"
        "new PerformanceObserver(list => list.getEntries().forEach(e => { window.shift += e.value; }))"
        ".observe({type: 'layout-shift', buffered: true})"
    )
    for part in range(8):
        page.evaluate("part => scrollTo(0, document.documentElement.scrollHeight * part / 8)", part)
        page.wait_for_timeout(120)
    assert page.evaluate("window.shift") < 0.05


@pytest.mark.parametrize("path", PAGES)
def test_every_page_keeps_to_its_policy_and_to_its_own_host(visit: Any, wrong: list[str], path: str) -> None:
    page = visit(path)
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    page.wait_for_timeout(200)
    assert wrong == []


def test_a_missing_address_deep_below_shows_the_dressed_404_page(visit: Any) -> None:
    page = visit("clean/exhibit/no/such.html")
    assert page.locator("h1").inner_text() == "Nothing hangs here"
    assert "Newsreader" in page.evaluate("getComputedStyle(document.body).fontFamily"), "its style sheets are found"
    page.locator(".wall-why a").first.click()
    page.wait_for_url("**/project/clean/index.html")


@pytest.mark.parametrize("path", PAGES)
def test_every_picture_has_dimensions_and_every_page_one_main_and_one_title(visit: Any, path: str) -> None:
    page = visit(path)
    assert (
        page.evaluate("[...document.images].filter(i => !i.width || !i.height || !i.hasAttribute('width')).length") == 0
    )
    assert page.locator("main").count() == 1
    assert page.locator("h1").count() == 1


def test_both_copies_carry_the_same_numbers_claims_exhibits_and_sections(visit: Any) -> None:
    def carried(variant: str) -> dict[str, Any]:
        page = visit(f"{variant}/index.html")
        found: dict[str, Any] = page.evaluate(
            """() => {
              const all = (name, of) => [...document.querySelectorAll(name)].map(of).sort();
              const prose = [...document.querySelectorAll('[data-section]')].map(e => e.id);
              return { sections: prose,
                values: [...new Set(all('data[data-ref]', e => e.dataset.ref + '=' + e.value + '=' + e.textContent))],
                claims: all('[data-claim]', e => e.dataset.claim + ':' + e.dataset.verdict),
                exhibits: all('figure[data-exhibit]', e => e.dataset.exhibit),
                tables: all('[data-table]', e => e.dataset.table), charts: all('[data-chart]', e => e.dataset.chart) };
            }"""
        )
        return found

    clean, distorted = carried("clean"), carried("distorted")
    assert clean == distorted
    assert len(clean["sections"]) == 18 and len(clean["values"]) > 100 and len(clean["claims"]) > 30


def test_paper_gets_both_pictures_of_each_pair_untreated(visit: Any) -> None:
    page = visit("distorted/index.html")
    page.emulate_media(media="print")
    assert (
        page.locator("#catalogue [data-compare]").first.evaluate(
            "e => getComputedStyle(e).gridTemplateColumns.split(' ').length"
        )
        == 2
    )
    assert page.locator("#gallery .look-full").first.is_hidden()
    assert page.locator("#gallery .treated .look-plain").first.is_visible()
    assert page.locator(".bar").is_hidden()
    assert page.locator(".claim-because").first.is_visible(), "what is folded on the screen is open on paper"


def test_every_named_treatment_of_a_badge_is_really_worn_by_its_section(visit: Any) -> None:
    """The label of a section's plate names its badge, and treated and untreated pixels differ."""
    page = visit("distorted/index.html")
    sections = page.locator("[data-section]:not([data-badge=none])")
    assert sections.count() >= 10
    for index in range(sections.count()):
        section = sections.nth(index)
        said = " ".join(section.locator(".inventory-what").all_inner_texts())
        for name in section.get_attribute("data-badge").split():
            assert name in said
        plate = section.locator("[data-treated-plate]").first
        looks = [plate.locator(f".look-{look} img").first.get_attribute("src") for look in ("full", "half", "plain")]
        assert len(set(looks)) == 3
