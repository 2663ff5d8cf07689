"""What a visitor can do in both copies, by keyboard alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from pages.build import build
from pages.source.init import init
from tests.browser.conftest import compare_slider

BOTH = pytest.mark.parametrize("variant", ["clean", "distorted"])
PLACE = "name => document.querySelector(name).getBoundingClientRect().top"
NEAR = f"([name, top]) => Math.abs(({PLACE})(name) - top) < 40"


@pytest.fixture(autouse=True)
def nothing_wrong(wrong: list[str]) -> Any:
    """Every test here also fails on a console error, a policy violation or a request to another host."""
    yield
    unexpected = [line for line in wrong if "favicon" not in line and "404" not in line]
    assert unexpected == []


@pytest.mark.parametrize(("start", "end"), [("clean", "distorted"), ("distorted", "clean")])
@pytest.mark.parametrize("mark", ["data-table", "data-exhibit", "id"])
def test_f_flips_in_mid_page_and_keeps_the_place(visit: Any, start: str, end: str, mark: str) -> None:
    page = visit(f"{start}/index.html")
    place = page.evaluate(
        """mark => {
             const parts = '[data-table], [data-chart], [data-exhibit]';
             const seen = one => one.checkVisibility() && !one.closest('details, .opening, .dense');
             const all = name => [...document.querySelectorAll(name)].filter(seen);
             const marked = mark === 'id' ? all('[data-section]').filter(one => !one.querySelector(parts))
               : all(`[${mark}]`).filter(one => mark !== 'data-exhibit' || !one.previousElementSibling);
             const found = marked.length ? marked : all('[data-table]');
             const one = found[Math.ceil(found.length / 2) - 1], name = marked.length ? mark : 'data-table';
             return `[${name}="${one.getAttribute(name)}"]`; }""",
        mark,
    )
    page.evaluate("name => document.querySelector(name).scrollIntoView({block: 'start'})", place)
    page.wait_for_timeout(150)
    before = page.evaluate(PLACE, place)
    with page.expect_navigation():
        page.keyboard.press("f")
    assert f"/{end}/" in page.url
    page.wait_for_timeout(500)
    page.wait_for_function(NEAR, arg=[place, before])


def test_a_flip_is_remembered_and_the_door_opens_by_itself(visit: Any) -> None:
    page = visit("clean/index.html")
    home = page.url.replace("clean/index.html", "index.html")
    with page.expect_navigation():
        page.keyboard.press("f")
    page.goto(home)
    page.wait_for_url("**/distorted/index.html")
    page.goto(home + "#door")
    page.wait_for_timeout(200)
    assert page.url.endswith("#door"), "the door can be visited all the same"


def test_a_choice_at_the_door_is_remembered(visit: Any) -> None:
    page = visit("index.html")
    home = page.url
    page.locator("[data-choose=distorted]").focus()
    with page.expect_navigation():
        page.keyboard.press("Enter")
    page.goto(home)
    page.wait_for_url("**/distorted/index.html")


@BOTH
def test_enter_on_a_number_opens_its_source_and_escape_returns_the_focus(visit: Any, variant: str) -> None:
    page = visit(f"{variant}/index.html")
    link = page.locator(".prose > p a.value").filter(has_not_text="%").first  # a share reads otherwise in its entry
    name = link.locator("data").get_attribute("data-ref")
    link.focus()
    page.keyboard.press("Enter")
    dialog = page.locator("dialog.provenance[open]")
    dialog.wait_for()
    assert name in dialog.inner_text()
    assert dialog.locator(".entry-value").inner_text().startswith(link.inner_text())
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    expect(link).to_be_focused()


@BOTH
def test_every_kind_of_number_has_a_source_to_open(read: Any, variant: str) -> None:
    """A plain value, a table's cell, an exhibit's score and a pending cell lead to an entry that is there."""
    page, _ = read(f"{variant}/index.html")
    entries = page.evaluate(
        """async () => {
          const there = new Map();
          const asked = [...document.querySelectorAll('a.value')].map(a => new URL(a.href));
          for (const page of new Set(asked.map(address => address.pathname))) {
            const text = await (await fetch(page)).text();
            const entries = new DOMParser().parseFromString(text, 'text/html').querySelectorAll('[id]');
            there.set(page, new Set([...entries].map(e => e.id)));
          }
          return asked.map(a => [a.pathname, decodeURIComponent(a.hash.slice(1))])
            .filter(([page, id]) => !there.get(page).has(id));
        }"""
    )
    assert entries == []


def test_an_address_from_when_all_numbers_stood_on_one_page_leads_on(visit: Any, site: Path) -> None:
    home = visit("data/values.html").url
    known = json.loads((site / "data/ledger.json").read_text())
    scored = [f"exhibits.{name}.{one['id']}.{score}" for name, exhibit in known["exhibits"].items()
              for one in exhibit["pictures"] for score in one.get("scores", {})]  # fmt: skip
    for name in (next(iter(known["values"])), *scored[:1]):
        page = visit(f"data/values.html#{name}")
        page.wait_for_url(home.replace("values.html", f"values/*.html#{name}"))
        expect(page.locator(f"[id='{name}']")).to_be_visible()


@BOTH
def test_a_table_sorts_by_keyboard_and_returns_to_its_order(visit: Any, variant: str) -> None:
    page = visit(f"{variant}/index.html")
    place = page.locator("[data-table]:has(> .table-filter):visible").first
    table = place.locator("table[data-sortable]")
    rows = "table => [...table.tBodies[0].rows].filter(r => !r.hidden).map(r => r.cells[0].textContent.trim())"
    printed = table.evaluate(rows)
    button = table.locator("th button.sort").nth(1)
    button.focus()
    page.keyboard.press("Enter")
    numbers = table.evaluate(
        "table => [...table.querySelectorAll('td:nth-child(2) data')].map(d => d.value).filter(v => v).map(Number)"
    )
    assert numbers == sorted(numbers)
    expect(table.locator("th").nth(1)).to_have_attribute("aria-sort", "ascending")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    assert table.evaluate(rows) == printed
    word = printed[-1].split()[0].lower()
    place.locator("input[type=search]").focus()
    page.keyboard.type(word)
    assert all(word in row.lower() for row in table.evaluate(rows))
    assert 0 < len(table.evaluate(rows)) < len(printed)


@BOTH
def test_the_compare_slider_moves_by_arrow_keys(visit: Any, variant: str) -> None:
    page = visit(f"{variant}/index.html")
    slider = compare_slider(page)
    slider.focus()
    before = slider.evaluate("one => getComputedStyle(one.parentElement).getPropertyValue('--cut')")
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    after = slider.evaluate("one => getComputedStyle(one.parentElement).getPropertyValue('--cut')")
    assert (before, after) == ("50%", "55%")
    assert slider.get_attribute("aria-label").startswith("Compare: ")


@BOTH
def test_a_severity_of_the_catalogue_becomes_the_compared_picture(visit: Any, variant: str) -> None:
    page = visit(f"{variant}/index.html")
    specimen = page.locator(".specimen:has(.strip)").first
    first = specimen.locator(".strip a").first
    first.focus()
    page.keyboard.press("Enter")
    image = specimen.locator("[data-treated] img")
    expect(image).to_have_js_property("src", first.evaluate("one => one.href"))
    page.wait_for_function("one => one.complete && one.naturalWidth > 0", arg=image.element_handle())
    expect(first).to_have_attribute("aria-current", "true")


@BOTH
def test_filters_narrow_the_gallery(visit: Any, variant: str) -> None:
    page = visit(f"{variant}/index.html")
    for place in page.locator(".exhibits[data-filter]").all():
        select = place.locator("select").first
        select.focus()
        page.keyboard.press("ArrowDown")
        value = select.input_value()
        shown = place.locator(".hangs > figure:visible").count()
        everything = place.locator(".hangs > figure").count()
        assert value and 0 < shown < everything
        expect(place.locator("output")).to_have_text(f"{shown} of {everything}", use_inner_text=True)


def test_a_filter_that_the_browser_brings_back_is_applied(visit: Any) -> None:
    """Going back restores the choice of a select: what it hides has to be hidden again."""
    page = visit("clean/exhibits/wall.html")
    page.locator(".wall select").first.select_option(index=1)
    shown = page.locator(".wall output").inner_text()
    page.locator(".bar-title a").evaluate("link => { link.href = '../../404.html'; link.click(); }")
    page.wait_for_url("**/404.html")
    page.go_back()
    page.locator(".wall [data-filter-bar]").wait_for()
    if page.locator(".wall select").first.input_value():
        expect(page.locator(".wall output")).to_have_text(shown, use_inner_text=True)


@BOTH
def test_no_stop_of_the_tab_key_is_out_of_sight(visit: Any, variant: str) -> None:
    """Of two compared pictures one is cut off: the slider is the stop, not the links below it."""
    page = visit(f"{variant}/index.html")
    page.locator(".comparing").first.wait_for()
    expect(page.locator(".comparing .frame:not([tabindex='-1'])")).to_have_count(0)


@BOTH
def test_the_contents_close_when_the_focus_leaves_them(visit: Any, variant: str) -> None:
    page = visit(f"{variant}/index.html")
    page.locator(".menu summary").first.click()
    page.locator(".flip").focus()
    expect(page.locator("[data-menu][open]")).to_have_count(0)


def test_verdicts_on_the_wall_are_letters_that_paper_and_forced_colours_keep(visit: Any) -> None:
    """Dots drawn as backgrounds vanish there, and every picture read as one in which nothing is seen."""
    page = visit("clean/index.html")
    marks = page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll('.wall-key .wall-seen')].map(one =>
             [one.dataset.seenOfAsked, getComputedStyle(one, '::before').content[1]]))"""
    )
    assert marks == {"all": "\u25cf", "some": "\u25d0", "none": "\u25cb"}


@BOTH
def test_the_first_screen_shows_the_claim_and_the_slider(visit: Any, variant: str) -> None:
    for width, height in ((1280, 800), (390, 844)):
        page = visit(f"{variant}/index.html", viewport={"width": width, "height": height})
        bottom = "one => one.getBoundingClientRect().bottom"
        assert page.locator(".thesis").evaluate(bottom) < height
        if page.locator(".opening .knob").count():
            assert page.locator(".opening .knob input[type=range]").evaluate(bottom) < height
            assert page.locator(".opening .knob-meanings").evaluate(bottom) < height


@BOTH
def test_the_wall_filters_by_what_was_asked(visit: Any, variant: str) -> None:
    page = visit(f"{variant}/exhibits/wall.html")
    select = page.locator("#wall-tags")
    select.focus()
    page.keyboard.press("ArrowDown")
    shown = page.locator(".wall .hangs > *:visible").count()
    everything = page.locator(".wall .hangs > *").count()
    assert 0 < shown < everything
    expect(page.locator(".wall output")).to_have_text(f"{shown} of {everything}", use_inner_text=True)
    assert page.locator(".wall-row:visible").count() <= shown, "a row without pictures is gone"


@BOTH
def test_the_knob_turns_by_arrow_keys_and_picture_and_score_move_together(visit: Any, variant: str) -> None:
    page = visit(f"{variant}/index.html")
    knob = page.locator("[data-knob]").first
    slider = knob.locator("input[type=range]")
    slider.focus()
    page.keyboard.press("End")
    mark, stops = knob.locator("[data-knob-beyond]"), knob.locator(".knob-stops span:not([data-beyond])")
    strength = expect(knob.locator(".knob-strength"), "what lies beyond is no default end")
    strength.to_have_text(stops.last.inner_text(), use_inner_text=True)
    beyond = mark.get_attribute("data-knob-beyond") if mark.count() else ""
    if mark.count():
        mark.check()
    slider.focus()
    page.keyboard.press("Home")
    seen = {(knob.locator(".knob-picture img").get_attribute("src"), knob.locator(".knob-scores").inner_text())}
    for _ in range(int(slider.get_attribute("max"))):
        page.keyboard.press("ArrowRight")
        seen.add((knob.locator(".knob-picture img").get_attribute("src"), knob.locator(".knob-scores").inner_text()))
    assert len({picture for picture, _ in seen}) > 1
    assert len({scores for _, scores in seen}) > 1
    expect(slider).to_have_attribute("aria-valuetext", knob.locator(".knob-strength").inner_text())
    assert knob.locator(".knob-strength").inner_text().endswith(beyond), "and it is marked"
    course = knob.locator(".knob-scores .course").first
    first = knob.locator(".knob-film .knob-cell").first.get_attribute("data-chosen")
    numbers = [float(data.get_attribute("value")) for data in knob.locator(".knob-film").first.locator(
        f".knob-cell[data-chosen={first}] .scores div:first-child data").all()]  # fmt: skip
    drawn = [float(place.split(",")[1]) for place in course.locator("polyline").get_attribute("points").split()]
    assert sorted(range(len(numbers)), key=numbers.__getitem__) == sorted(range(len(drawn)), key=lambda i: -drawn[i])
    assert float(course.locator("circle").get_attribute("cy")) == drawn[-1], "the mark stands where the knob does"
    assert knob.locator(".knob-said s").inner_text(), "what the judge no longer sees is struck out"
    before = knob.locator(".knob-picture img").get_attribute("src")
    knob.locator("select").focus()
    page.keyboard.press("ArrowDown")
    page.wait_for_function("src => document.querySelector('.knob-picture img').getAttribute('src') !== src", arg=before)


def test_see_as_filed_shows_the_untreated_picture_and_back(visit: Any) -> None:
    page = visit("distorted/index.html")
    plate = page.locator("[data-section] [data-treated-plate]").first
    link = plate.locator("[data-untreated]")
    link.focus()
    page.keyboard.press("Enter")
    expect(plate.locator(".look-plain")).to_be_visible()
    expect(plate.locator(".look-full")).to_be_hidden()
    page.keyboard.press("Enter")
    expect(plate.locator(".look-full")).to_be_visible()
    expect(plate.locator(".look-plain")).to_be_hidden()


def test_the_intensity_control_changes_the_pictures_and_is_remembered(visit: Any) -> None:
    page = visit("distorted/index.html")
    page.locator(".menu-display summary").focus()
    page.keyboard.press("Enter")
    page.locator("#intensity-full").focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator("[data-section] .look-half").first).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(page.locator("[data-section] .look-plain").first).to_be_visible()
    page.reload()
    expect(page.locator("[data-section] .look-plain").first).to_be_visible()


@BOTH
def test_question_mark_lists_the_keys_and_arrows_go_between_exhibits(visit: Any, variant: str) -> None:
    page = visit(f"{variant}/index.html")
    page.keyboard.press("?")
    page.locator("#keys-dialog[open]").wait_for()
    page.keyboard.press("Escape")
    page.locator("#keys-dialog").wait_for(state="hidden")
    page.keyboard.press("ArrowRight")
    first = _focused_exhibit(page, "")
    page.keyboard.press("ArrowRight")
    second = _focused_exhibit(page, first)
    page.keyboard.press("ArrowLeft")
    assert _focused_exhibit(page, second) == first


def _focused_exhibit(page: Page, last: str) -> str:
    """The exhibit that has the focus, once it is another than `last`."""
    focused = "last => { const now = document.activeElement.dataset.exhibit; return now !== last && now; }"
    return str(page.wait_for_function(focused, arg=last).json_value())


def test_an_arrow_that_follows_at_once_on_the_closed_list_of_keys_counts(visit: Any) -> None:
    """Until the next frame a browser keeps the focus in a dialog that has just closed."""
    page = visit("clean/index.html")
    page.keyboard.press("?")
    page.locator("#keys-dialog[open]").wait_for()
    page.evaluate(
        """() => {
             const dialog = document.getElementById('keys-dialog'), pressed = { key: 'ArrowRight', bubbles: true };
             dialog.close();
             dialog.querySelector('button').dispatchEvent(new KeyboardEvent('keydown', pressed)); }"""
    )
    _focused_exhibit(page, "")


def test_arrows_turn_the_pages_of_single_exhibits_and_f_flips_them(visit: Any) -> None:
    page = visit("clean/exhibit/{here}.html")
    there = page.url.replace("/clean/", "/distorted/")
    with page.expect_navigation():
        page.keyboard.press("f")
    assert page.url == there
    with page.expect_navigation():
        page.keyboard.press("ArrowRight")
    assert "/distorted/exhibit/" in page.url and page.url != there


def test_the_skip_link_is_the_first_stop_and_leads_to_the_text(visit: Any) -> None:
    page = visit("clean/index.html")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


def test_the_dark_gallery_can_be_chosen_without_the_systems_help(visit: Any) -> None:
    page = visit("clean/index.html", color_scheme="light")
    paper = "getComputedStyle(document.body).backgroundColor"
    day = page.evaluate(paper)
    page.locator(".menu-display summary").focus()
    page.keyboard.press("Enter")
    page.locator("#theme-dark").focus()
    page.keyboard.press("Space")
    assert page.evaluate(paper) != day


@BOTH
def test_the_knob_fetches_other_prompts_and_its_state_can_be_sent(visit: Any, variant: str) -> None:
    page = visit(f"{variant}/index.html")
    knob = page.locator("[data-knob]").first
    before = knob.locator(".knob-picture img").get_attribute("src")
    knob.locator("select").select_option(index=1)
    page.wait_for_function(
        "before => document.querySelector('.knob-picture img').getAttribute('src') !== before", arg=before
    )
    slider = knob.locator("input[type=range]")
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => location.hash.startsWith('#knob=')")
    state = page.evaluate("location.hash")
    again = visit(f"{variant}/index.html{state}")
    again.wait_for_function("state => document.querySelector('.knob-live select').selectedIndex === 1", arg=state)
    expect(again.locator("[data-knob] input[type=range]").first).to_have_value(slider.input_value())


@BOTH
def test_a_folded_table_opens_in_place_and_sorts(visit: Any, variant: str) -> None:
    page = visit(f"{variant}/index.html")
    folds = page.locator("details.folded[data-folded]")
    folds.first.locator("summary").click()
    table = folds.first.locator("table")
    table.wait_for()
    table.locator("button.sort").first.click()
    expect(table.locator("[aria-sort=ascending]")).to_have_count(1)
    name = folds.first.get_attribute("data-folded")
    again = visit(f"{variant}/index.html#table-{name}")
    again.locator(f"[id='table-{name}'] table").wait_for()


def test_the_page_of_a_picture_of_the_wall_lays_it_over_the_base_model(visit: Any, site: Path) -> None:
    exhibits = json.loads((site / "data/ledger.json").read_text())["exhibits"]
    name = next(name for name, one in exhibits.items() if "wall" in one["sets"])
    page = visit(f"clean/exhibit/{name}.html")
    pair = page.locator(".contrast .comparing")
    expect(pair.locator("img")).to_have_count(2)
    sources = pair.locator("img").evaluate_all("all => all.map(one => one.currentSrc || one.src)")
    assert sources[0] != sources[1]
    pair.locator("input[type=range]").focus()
    page.keyboard.press("Home")
    assert pair.evaluate("one => one.style.getPropertyValue('--cut')") == "0%"


def test_a_knob_turns_where_nobody_scored_and_nobody_judged(browser: Browser, tmp_path: Path) -> None:
    """Its script stumbled over the first picture, and the page spoke of a judge that the paper does not have."""
    root = tmp_path / "begun"
    init(root, None, 2026)
    file = root / "results/teaser.json"
    exhibit = json.loads(file.read_text(encoding="utf-8"))["exhibits"]["teaser"]
    for strength, picture in enumerate(exhibit["pictures"]):
        picture["axes"] = {"strength": strength}
    file.write_text(json.dumps({"exhibits": {"teaser": {**exhibit, "sets": ["teaser", "knob"]}}}), encoding="utf-8")
    page_toml, text = root / "content/page.toml", root / "content/sections/01-abstract/clean.md"
    page_toml.write_text(page_toml.read_text(encoding="utf-8") + '\n[axes.strength]\nlabel = "Strength"\n')
    text.write_text(text.read_text(encoding="utf-8") + "\n{{ knob() }}\n", encoding="utf-8")
    assert not build(root, tmp_path / "site", jobs=1).problems
    page, errors = browser.new_page(), list[str]()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((tmp_path / "site/clean/index.html").as_uri())
    expect(page.locator(".knob")).not_to_contain_text("The judge")
    page.locator("#knob-range").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".knob-strength")).to_have_text("1")
    expect(page.locator(".knob-picture img")).to_have_attribute("alt", exhibit["pictures"][1]["alt"])
    assert errors == []
    page.close()
