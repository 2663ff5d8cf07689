"""Small windows, no scripts, no motion, no network, paper; and two copies that carry the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.browser.conftest import LAID_OUT, PATIENCE, compare_slider

SHIFTS = """window.shift = 0;
new PerformanceObserver(list => list.getEntries().forEach(entry => { window.shift += entry.value; }))
  .observe({ type: 'layout-shift', buffered: true });"""
# Until a change is painted, and observers are told of it.
FRAMES = "async () => { for (let frame = 0; frame < 6; frame++) await new Promise(requestAnimationFrame); }"
LOOKS = ("full", "half", "plain")
BOTH = pytest.mark.parametrize("variant", ["clean", "distorted"])
PAGES = ["index.html", "404.html", "data/values.html", "data/values/{group}.html"]
PAGES += [
    variant + page
    for variant in ("clean", "distorted")
    for page in ("/index.html", "/exhibit/{here}.html", "/exhibit/{away}.html")
]


@pytest.mark.parametrize("path", PAGES)
def test_nothing_scrolls_sideways_from_320_to_2560_pixels_or_at_double_zoom(read: Any, path: str) -> None:
    page, _ = read(path)
    found = {}
    for width, height in ((320, 640), (500, 840), (640, 400), (2560, 1440), (1280, 800)):
        page.set_viewport_size({"width": width, "height": height})
        found[width] = page.evaluate("document.documentElement.scrollWidth")
    assert found == {width: width for width in found}


@BOTH
def test_no_chart_scrolls_sideways_on_a_phone_and_its_letters_can_be_read(read: Any, variant: str) -> None:
    """Of its two drawings a chart shows the one that fits: 11 px at the least, at 390 px and beside a table at 1280."""
    page, _ = read(f"{variant}/index.html")
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        charts = page.evaluate(
            """() => [...document.querySelectorAll('[data-chart]')].map(chart => {
                 const shown = [...chart.querySelectorAll('svg.chart')].filter(svg => svg.checkVisibility());
                 const zoom = shown[0].getBoundingClientRect().width / shown[0].viewBox.baseVal.width;
                 const texts = [...shown[0].querySelectorAll('text')];
                 const least = Math.min(...texts.map(text => parseFloat(getComputedStyle(text).fontSize))) * zoom;
                 const fit = chart.querySelector('.chart-fit');
                 return [chart.dataset.chart, shown.length, least, fit.scrollWidth - fit.clientWidth];
               })"""
        )
        assert charts
        assert [one for one in charts if one[1] != 1 or one[2] < 10.99 or one[3] > 0] == []
    page.set_viewport_size({"width": 1280, "height": 800})


@BOTH
def test_without_scripts_everything_reads_and_links_stand_for_dialogs(
    visit: Any, variant: str, wrong: list[str]
) -> None:
    page = visit(f"{variant}/index.html", java_script_enabled=False)
    number = page.locator(".prose > p a.value").first
    name = number.locator("data").get_attribute("data-ref")
    assert page.locator(".knob-live").first.is_hidden(), "the knob that needs scripts is not shown"
    expect(page.locator(".knob-cell img").first, "its filmstrip is").to_be_visible()
    expect(page.locator(".comparing")).to_have_count(0)
    pair = page.locator(".specimen [data-compare]").first.locator("img")
    boxes = [pair.nth(number).bounding_box() for number in range(2)]
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"], "two pictures side by side"
    number.click()
    page.wait_for_url(f"**/data/values/*.html#{name}")
    expect(page.locator(f"[id='{name}']")).to_be_visible()
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
    expect(page.locator("[data-section] .look-plain").first).to_be_visible()
    target = page.locator("[data-section] [data-untreated]").first.get_attribute("href")
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
@pytest.mark.parametrize("width", [360, 412, 1280])
def test_fonts_that_come_late_shift_nothing(browser: Any, address: str, variant: str, width: int) -> None:
    """A masthead that wrapped anew when its fonts came moved all below by 0.23 of the window."""
    context = browser.new_context(viewport={"width": width, "height": 823})
    page = context.new_page()
    page.add_init_script(SHIFTS)
    held: list[Any] = []
    page.route("**/*.woff2", lambda route: held.append(route))
    page.goto(f"{address}/{variant}/index.html", wait_until="domcontentloaded")
    page.wait_for_function("() => performance.getEntriesByName('first-contentful-paint').length")
    page.evaluate(FRAMES)
    for route in held:
        route.continue_()
    page.unroute("**/*.woff2")
    page.evaluate("document.fonts.ready.then(() => null)")
    page.wait_for_function(LAID_OUT)
    page.evaluate(FRAMES)
    shift = page.evaluate("window.shift")
    context.close()
    assert held and shift < 0.05  # half of what counts as good; one line may wrap elsewhere


@BOTH
def test_sections_far_away_are_not_laid_out_before_the_page_has_loaded(
    browser: Browser, address: str, variant: str
) -> None:
    """Else a phone lays out everything before it shows the first screen. Pictures are held back, so that the page has
    not loaded for as long as this looks."""
    held: list[Route] = []
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.set_default_timeout(PATIENCE)
    page.route(lambda url: url.endswith((".webp", ".jpg", ".png", ".avif")), lambda route: held.append(route))
    page.goto(f"{address}/{variant}/index.html", wait_until="domcontentloaded")
    skipped = """() => [...document.querySelectorAll('main > [data-section]')]
      .filter(section => !section.firstElementChild.checkVisibility({ contentVisibilityAuto: true })).length"""
    page.wait_for_function(f"() => ({skipped})() > 0")
    assert held
    page.unroute_all()  # lets them go on
    page.wait_for_function(f"() => ({skipped})() === 0")
    assert page.evaluate("!('whole' in document.documentElement.dataset)")  # a section a frame, not all at once
    page.close()


def test_a_phone_is_sent_small_pictures_of_the_title_page(browser: Browser, address: str) -> None:
    """The title page of the distorted copy is the largest thing that a phone paints first."""
    page = browser.new_page(viewport={"width": 412, "height": 823}, device_scale_factor=1.75)
    page.set_default_timeout(PATIENCE)
    page.goto(f"{address}/distorted/index.html")
    seen = ".masthead :is(.look-full, .stamp) img"
    page.wait_for_function(f"[...document.querySelectorAll('{seen}')].every(one => one.complete && one.naturalWidth)")
    addresses = page.evaluate(f"[...document.querySelectorAll('{seen}')].map(one => one.currentSrc)")
    page.close()
    assert addresses
    assert not [one for one in addresses if "-1280." in one]


@BOTH
def test_sections_far_away_are_laid_out_late_and_lack_nothing(visit: Any, variant: str) -> None:
    """Anchors, find-in-page and paper reach what is not laid out yet."""
    page = visit(f"{variant}/index.html")
    last = page.locator("main > [data-section]").last
    name = page.locator("main > [data-section] h3[id]").last.get_attribute("id")
    page.evaluate("name => { location.hash = name; }", name)
    top = "document.getElementById(name).getBoundingClientRect().top"
    in_view = f"name => {top} >= 0 && {top} < innerHeight"
    page.wait_for_function(in_view, arg=name)
    page.evaluate("scrollTo(0, 0)")
    words = page.locator(f"[id='{name}']").text_content()
    assert page.evaluate("words => window.find(words)", words), f"find-in-page does not reach '{words}'"
    page.emulate_media(media="print")
    assert last.evaluate("one => getComputedStyle(one).contentVisibility") == "visible"


@BOTH
def test_loading_pictures_and_fonts_shifts_nothing(visit: Any, variant: str) -> None:
    page = visit(f"{variant}/index.html")
    page.evaluate(SHIFTS)
    page.evaluate("""async () => {
      for (let top = 0; top < document.documentElement.scrollHeight; top += innerHeight / 2) {
        scrollTo(0, top);
        for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
      }
    }""")
    assert page.evaluate("window.shift") < 0.05


@pytest.mark.parametrize("path", PAGES)
def test_every_page_keeps_to_its_policy_and_to_its_own_host(read: Any, path: str) -> None:
    page, wrong = read(path)
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    page.wait_for_timeout(200)
    assert wrong == []


def test_a_missing_address_deep_below_shows_the_dressed_404_page(visit: Any) -> None:
    page = visit("clean/exhibit/no/such.html")
    expect(page.locator("h1")).to_have_text("Page not found", use_inner_text=True)
    assert "Newsreader" in page.evaluate("getComputedStyle(document.body).fontFamily"), "its style sheets are found"
    page.locator(".wall-why a").first.click()
    page.wait_for_url("**/project/clean/index.html")


@pytest.mark.parametrize("path", PAGES)
def test_every_picture_has_dimensions_and_every_page_one_main_and_one_title(read: Any, path: str) -> None:
    page, _ = read(path)
    assert (
        page.evaluate("[...document.images].filter(i => !i.width || !i.height || !i.hasAttribute('width')).length") == 0
    )
    expect(page.locator("main")).to_have_count(1)
    expect(page.locator("h1")).to_have_count(1)


def test_both_copies_carry_the_same_numbers_claims_exhibits_and_sections(read: Any) -> None:
    def carried(variant: str) -> dict[str, Any]:
        page, _ = read(f"{variant}/index.html")
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
    assert all(clean[kind] for kind in ("sections", "values", "claims", "exhibits", "tables", "charts"))


@BOTH
def test_charts_that_hang_side_by_side_hang_at_one_height(visit: Any, variant: str) -> None:
    """The second of three once hung below the first, which left half of the page empty."""
    page = visit(f"{variant}/index.html", viewport={"width": 1280, "height": 800})
    stairs = """() => [...document.querySelectorAll('.prose > .chart')].filter(chart => {
      const before = chart.previousElementSibling, top = part => part.getBoundingClientRect().top;
      return getComputedStyle(chart).float === 'right' && Math.abs(top(chart) - top(before)) > 2;
    }).map(chart => chart.id)"""
    assert page.evaluate(stairs) == []


def test_paper_gets_both_pictures_of_each_pair_untreated(visit: Any) -> None:
    page = visit("distorted/index.html")
    page.emulate_media(media="print")
    assert (
        page.locator(".specimen [data-compare]").first.evaluate(
            "e => getComputedStyle(e).gridTemplateColumns.split(' ').length"
        )
        == 2
    )
    for treated in page.locator(".treated").all()[:3]:
        expect(treated.locator(".look-full")).to_be_hidden()
        expect(treated.locator(".look-plain")).to_be_visible()
        expect(treated.locator(".says-plain")).to_be_visible()
    assert page.locator(".says-full >> visible=true").count() == 0, "no label says treated of what is printed plain"
    assert page.locator(".bar").is_hidden()
    shown = page.locator(".claim-because >> visible=true").first
    expect(shown, "what is folded on the screen is open on paper").to_be_visible()


@BOTH
def test_on_paper_no_picture_of_a_pair_lies_over_the_other(visit: Any, variant: str) -> None:
    page = visit(f"{variant}/index.html")
    expect(page.locator(".comparing").first).to_be_attached()
    page.emulate_media(media="print")
    over = """() => [...document.querySelectorAll('.comparing')].filter(pair => {
      const [one, other] = [...pair.querySelectorAll('.frame img')].map(image => image.getBoundingClientRect());
      return !one.width || !other.width || (one.right > other.left + 1 && one.bottom > other.top + 1);
    }).map(pair => pair.dataset.compare)"""
    assert page.evaluate(over) == []


ON_PAPER = [path for path in PAGES if path != "404.html"] + ["distorted/exhibits/index.html"]
FAINT = """() => {
  const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
  const linear = c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const behind = part => {
    for (let one = part; one; one = one.parentElement) {
      if (one.matches('[data-section]') && getComputedStyle(one, '::before').content !== 'none') return [0, 0, 0];
      const [r, g, b, alpha = 1] = numbers(getComputedStyle(one).backgroundColor);
      if (alpha > 0.5) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const texts = [...document.querySelectorAll('main *, footer *')].filter(part => part.getClientRects().length &&
    !part.closest('svg') && [...part.childNodes].some(node => node.nodeType === 3 && node.data.trim()));
  return texts.filter(part => {
    const [dark, pale] = [light(numbers(getComputedStyle(part).color)), light(behind(part))].sort((a, b) => a - b);
    return (pale + 0.05) / (dark + 0.05) < 4.5;
  }).map(part => part.textContent.trim().slice(0, 60));
}"""


@pytest.mark.parametrize("path", ON_PAPER)
def test_on_paper_every_text_stands_out_from_what_is_behind_it(visit: Any, path: str) -> None:
    """Dark sheets of the distorted copy once stayed behind text that had turned black."""
    page = visit(path)
    page.emulate_media(media="print")
    assert page.evaluate(FAINT) == []


def test_every_named_treatment_of_a_badge_is_really_worn_by_its_section(read: Any) -> None:
    """The label of a section's plate names its badge, and treated and untreated pixels differ."""
    page, _ = read("distorted/index.html")
    sections = page.locator("[data-section]:not([data-badge=none])")
    assert sections.count()
    for index in range(sections.count()):
        section = sections.nth(index)
        said = " ".join(section.locator(".inventory:not(.inventory-note)").all_text_contents())
        for name in section.get_attribute("data-badge").split():
            assert name in said
        plate = section.locator("[data-treated-plate]").first
        looks = [plate.locator(f"img.look-{look}, .look-{look} img").first.get_attribute("src") for look in LOOKS]
        assert len(set(looks)) == 3


@BOTH
def test_in_forced_colours_every_mark_can_be_told_from_the_page(visit: Any, variant: str) -> None:
    """Whatever carries meaning is drawn in the reader's own colours, and open marks stay open."""
    page = visit(f"{variant}/index.html", forced_colors="active")
    lost = page.evaluate(
        """() => {
          const system = name => {
            const probe = document.body.appendChild(document.createElement('i'));
            probe.style.setProperty('color', name);
            const colour = getComputedStyle(probe).color;
            probe.remove();
            return colour;
          };
          const canvas = system('Canvas');
          const seen = one => {
            const style = getComputedStyle(one);
            return [style.fill, style.stroke].some(colour => colour !== 'none' && colour !== canvas);
          };
          const parts = '.mark, .link, .interval, .bars, .curve, .rule, .base-line, text';
          const shown = [...document.querySelectorAll('svg.chart')].filter(svg => svg.checkVisibility());
          const open = shown.flatMap(svg => [...svg.querySelectorAll('.mark.start, .mark.beside')]);
          const filled = shown.flatMap(svg => [...svg.querySelectorAll('.mark.base')]);
          const drawn = shown.flatMap(svg => [...svg.querySelectorAll(parts)]);
          return [
            ...drawn.filter(one => !seen(one)).map(one => 'unseen: ' + one.outerHTML),
            ...open.filter(one => getComputedStyle(one).fill !== canvas).map(one => 'filled: ' + one.outerHTML),
            ...filled.filter(one => getComputedStyle(one).fill === canvas).map(one => 'hollow: ' + one.outerHTML),
            ...(shown.length ? [] : ['no charts']),
          ];
        }"""
    )
    assert lost == []
    slider = compare_slider(page)
    slider.focus()
    assert slider.evaluate("one => getComputedStyle(one).outlineStyle") != "none", "the focus is seen"
    line = page.locator(".compare-line").first
    assert line.evaluate("one => one.getBoundingClientRect().width") > 0
    course = page.locator(".knob-scores .course polyline").first
    assert course.evaluate("one => getComputedStyle(one).stroke") != "none"


@BOTH
def test_a_copy_opened_from_a_folder_works_without_a_server(browser: Any, site: Path, variant: str) -> None:
    """Unpacked and opened by a double click: the knob turns, pictures compare, a number still leads to its source."""
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.set_default_timeout(PATIENCE)
    missing: list[str] = []
    page.on("requestfailed", lambda request: missing.append(request.url))
    page.goto((site / variant / "index.html").as_uri(), wait_until="load")
    family = "Redaction 35" if variant == "distorted" else "Newsreader Display"
    assert page.evaluate("name => document.fonts.load(`20px '${name}'`).then(found => found.length)", family) == 1

    knob = page.locator("[data-knob]").first
    before = knob.locator(".knob-picture img").get_attribute("src")
    knob.locator("input[type=range]").focus()
    page.keyboard.press("End")
    after = knob.locator(".knob-picture img")
    assert after.get_attribute("src") != before
    assert after.evaluate("one => one.decode().then(() => one.naturalWidth)") > 0

    slider = compare_slider(page)
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert slider.evaluate("one => getComputedStyle(one.parentElement).getPropertyValue('--cut')") == "51%"
    early = (".woff2", ".html")  # no browser preloads a font or fetches a page from a folder: it loads and follows them
    assert [url for url in missing if not url.endswith(early)] == []

    number = page.locator(".prose > p a.value").first
    name = number.locator("data").get_attribute("data-ref")
    number.click()
    card = page.locator(f"dialog.provenance[open]:has-text('{name}'), [id='{name}']:target").first
    card.wait_for()
    page.context.close()


@BOTH
@pytest.mark.parametrize("width", [1120, 1280])
def test_text_keeps_its_measure_beside_charts_and_tables(visit: Any, variant: str, width: int) -> None:
    """Beside two floats text once ran in a column of 60 pixels."""
    page = visit(f"{variant}/index.html", viewport={"width": width, "height": 800})
    narrow = page.evaluate(
        """() => [...document.querySelectorAll('.prose > p, .prose > ul > li')].filter(one => {
          const words = document.createRange();
          words.selectNodeContents(one);
          const box = words.getBoundingClientRect();
          return one.checkVisibility() && box.height > 70 && box.width < 240;
        }).map(one => one.textContent.slice(0, 60))"""
    )
    assert narrow == []
