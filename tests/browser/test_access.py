"""axe finds nothing on any kind of page: both copies, light and dark, every intensity, narrow and wide."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

AXE = Path(__file__).parent / "node_modules/axe-core/axe.min.js"
RUN = """async () => {
  const found = await axe.run(document, { resultTypes: ['violations'] });
  const said = n => n.target.join(' ') + ' - ' + (n.any[0]?.message || n.failureSummary);
  return found.violations.map(v => v.id + ': ' + v.nodes.slice(0, 4).map(said).join(' | '));
}"""
PLAIN = [
    "index.html",
    "404.html",
    "data/values.html",
    "data/values/generators.html",
    "clean/index.html",
    "clean/exhibit/photo-cat.html",
    "clean/exhibit/scream.html",
]
REFUSED = ["distorted/index.html", "distorted/exhibit/photo-cat.html", "distorted/exhibit/scream.html"]


def violations(page: Any) -> list[str]:
    if not AXE.exists():
        pytest.fail("axe-core is missing: run `npm ci --prefix tests/browser`")
    page.add_script_tag(path=str(AXE))
    found: list[str] = page.evaluate(RUN)
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PLAIN)
def test_axe_finds_nothing_on_clean_pages(visit: Any, path: str, scheme: str) -> None:
    assert violations(visit(path, color_scheme=scheme, bypass_csp=True)) == []


@pytest.mark.parametrize("path", REFUSED)
@pytest.mark.parametrize("intensity", ["full", "half", "off"])
def test_axe_finds_nothing_on_refused_pages(visit: Any, path: str, intensity: str) -> None:
    page = visit(path, bypass_csp=True)
    page.evaluate("value => document.getElementById('intensity-' + value).click()", intensity)
    assert violations(page) == []


@pytest.mark.parametrize("variant", ["clean", "distorted"])
def test_axe_finds_nothing_on_a_phone_with_the_menu_and_a_source_open(visit: Any, variant: str) -> None:
    page = visit(f"{variant}/index.html", viewport={"width": 360, "height": 740}, bypass_csp=True)
    page.locator(".menu summary").first.click()
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.locator("#numbers .prose > p a.value").first.click()
    page.locator("dialog.provenance[open]").wait_for()
    assert violations(page) == []
