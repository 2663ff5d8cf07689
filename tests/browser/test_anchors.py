"""Every heading, chart, table, exhibit and claim can be linked to, and a link to it shows it."""

from __future__ import annotations

from typing import Any

import pytest

BOTH = pytest.mark.parametrize("variant", ["clean", "distorted"])
WITHOUT_LINK = """() => [...document.querySelectorAll(
  '[data-section] h2, [data-section] h3, figure.chart, table[data-sortable], figure.exhibit:not(.knob *, .wall *)')]
  .filter(one => {
    const link = one.querySelector('a.self');
    const target = link && document.getElementById(decodeURIComponent(link.hash.slice(1)));
    return !target || !(target.contains(one) || one.contains(target));
  }).map(one => one.outerHTML.slice(0, 120))"""


@BOTH
def test_every_heading_chart_table_and_exhibit_offers_a_link_to_itself(read: Any, variant: str) -> None:
    page, _ = read(f"{variant}/index.html")
    assert page.evaluate(WITHOUT_LINK) == []


@BOTH
def test_the_link_of_a_heading_shows_itself_to_a_keyboard_and_marks_its_target(visit: Any, variant: str) -> None:
    page = visit(f"{variant}/index.html")
    link = page.locator("[data-section] figure.chart a.self, [data-section] .exhibit:not(.knob *) a.self").first
    sign = "link => getComputedStyle(link, '::after').opacity"
    assert link.evaluate(sign) == "0"
    link.focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    assert link.evaluate(sign) == "1"
    page.keyboard.press("Enter")
    assert page.evaluate("getComputedStyle(document.querySelector(':target')).outlineStyle") == "solid"


@BOTH
def test_a_link_to_a_claim_opens_the_fold_and_the_claim(visit: Any, variant: str) -> None:
    page = visit(f"{variant}/audit.html")
    claims = page.locator(".audit li[id^='claim-']")
    first, last = (claims.nth(at).get_attribute("id") for at in (0, claims.count() - 1))
    arrived = visit(f"{variant}/audit.html#{last}")
    reason = arrived.locator(f"[id='{last}'] .claim-because")
    reason.wait_for()
    top = reason.evaluate("one => one.getBoundingClientRect().top")
    assert 0 < top < 800, "it is in view"
    arrived.evaluate("name => { location.hash = name; }", first)
    arrived.locator(f"[id='{first}'] .claim-because").wait_for()


@BOTH
def test_an_address_from_when_claims_stood_on_the_page_of_the_paper_leads_on(visit: Any, variant: str) -> None:
    claim = visit(f"{variant}/audit.html").locator(".audit li[id^='claim-']").first.get_attribute("id")
    page = visit(f"{variant}/index.html#{claim}")
    page.wait_for_url(f"**/{variant}/audit.html#{claim}")
    page.locator(f"[id='{claim}'] .claim-because").wait_for()
