"""axe finds nothing on any kind of page: both copies, light and dark, every intensity, narrow and wide."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

AXE = Path(__file__).parent / "node_modules/axe-core/axe.min.js"
RUN = """async within => {
  const found = await axe.run(within, { resultTypes: ['violations'], rules: { 'target-size': { enabled: true } } });
  const said = n => n.target.join(' ') + ' - ' + (n.any[0]?.message || n.failureSummary);
  return found.violations.map(v => v.id + ': ' + v.nodes.slice(0, 4).map(said).join(' | '));
}"""
# One page of every kind, in every dress that changes its colours; "half" only straightens what "full" tilts.
PAGES = [
    ("index.html", "light"),
    ("404.html", "dark"),
    ("data/values.html", "light"),
    ("data/values/{group}.html", "dark"),
    ("clean/index.html", "light"),
    ("clean/index.html", "dark"),
    ("clean/exhibit/{here}.html", "dark"),
    ("clean/exhibit/{away}.html", "light"),
    ("clean/exhibits/index.html", "light"),
    ("clean/exhibits/knob.html", "dark"),
    ("distorted/exhibits/index.html", "full"),
    ("distorted/exhibits/wall.html", "full"),
    ("distorted/tables/{table}.html", "full"),
    ("clean/audit.html", "light"),
    ("distorted/audit.html", "full"),
    ("clean/{draw}", "dark"),
    ("distorted/{draw}", "full"),
    ("distorted/index.html", "full"),
    ("distorted/index.html", "off"),
    ("distorted/exhibit/{here}.html", "half"),
    ("distorted/exhibit/{away}.html", "full"),
]
# What the page repeats, so that a look at a few settles it: rows of long tables, filmstrips, rows of the wall.
REPEATED = (
    "tbody tr:nth-child(n+9), .knob-film ~ .knob-film, .browser-card:nth-child(n+9), "
    ".wall-rows .wall-row:nth-child(n+4)"
)


def violations(page: Any, within: str = "html") -> list[str]:
    if not AXE.exists():
        pytest.fail("axe-core is missing: run `npm ci --prefix tests/browser`")
    page.evaluate("names => document.querySelectorAll(names).forEach(one => one.remove())", REPEATED)
    page.add_script_tag(path=str(AXE))
    found: list[str] = page.evaluate(RUN, within)
    return found


@pytest.mark.parametrize(("path", "dress"), PAGES)
def test_axe_finds_nothing(visit: Any, path: str, dress: str) -> None:
    scheme = dress if dress in ("light", "dark") else "no-preference"
    page = visit(path, color_scheme=scheme, bypass_csp=True)
    if scheme == "no-preference":
        page.evaluate("value => document.getElementById('intensity-' + value).click()", dress)
    assert violations(page) == []


@pytest.mark.parametrize("variant", ["clean", "distorted"])
def test_axe_finds_nothing_on_a_phone_with_the_menu_and_a_source_open(visit: Any, variant: str) -> None:
    page = visit(f"{variant}/index.html", viewport={"width": 360, "height": 740}, bypass_csp=True)
    page.locator(".menu summary").first.click()
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.locator(".prose > p a.value").first.click()
    page.locator("dialog.provenance[open]").wait_for()
    assert violations(page, "dialog.provenance") == []
