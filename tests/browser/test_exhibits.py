"""The index of exhibits: searched, filtered, sorted and compared, with its state in the address."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

PAGE = "clean/exhibits/index.html"


@pytest.fixture(scope="module")
def index(site: Path) -> Any:
    return json.loads((site / "data/exhibits.json").read_text(encoding="utf-8"))


def _scored(index: Any) -> tuple[str, list[Any]]:
    """A score that several pictures have, and those pictures."""
    counts = {name: [one for one in index["pictures"] if name in one.get("scores", {})] for name in index["scores"]}
    return max(counts.items(), key=lambda item: len(item[1]))


def test_search_filters_by_every_word(visit, index, wrong):
    page = visit(PAGE)
    titled = max(index["pictures"], key=lambda one: len(one["title"].split()))
    words = titled["title"].lower().split()[:2]
    page.fill("#browser-q", " ".join(reversed(words)))
    texts = [f"{one['title']} {one['label']} {one.get('prompt', '')}".lower() for one in index["pictures"]]
    found = sum(all(word in text for word in words) for text in texts)
    expect(page.locator("[data-browser-count]")).to_have_text(f"{found} of {len(texts)} pictures")
    assert page.locator(".browser-card").count() == min(found, 60)
    assert wrong == []


def test_a_facet_and_a_sort_live_in_the_address(visit, index):
    page = visit(PAGE)
    score, scored = _scored(index)
    page.select_option("#browser-sort", f"-{score}")
    assert f"sort=-{score}" in page.url
    first = page.locator(".browser-card > a").first.get_attribute("href")
    best = max(scored, key=lambda one: one["scores"][score]["value"])
    assert first is not None and first.endswith(f"{best['exhibit']}.html")
    facet = page.locator("[data-facet]").first
    value = facet.locator("option").nth(1).get_attribute("value")
    facet.select_option(value)
    text = page.locator("[data-browser-count]").text_content()
    again = visit(f"{PAGE}{re.sub('^[^#]*', '', page.url)}")
    expect(again.locator("[data-browser-count]")).to_have_text(text)
    expect(again.locator("#browser-sort")).to_have_value(f"-{score}")
    again.get_by_role("button", name="Clear").click()
    expect(again.locator("[data-browser-count]")).to_have_text(
        f"{len(index['pictures'])} of {len(index['pictures'])} pictures"
    )
    assert "#" not in again.url


def test_two_pictures_stand_side_by_side_and_the_address_says_which(visit):
    page = visit(PAGE)
    boxes = page.locator("[data-compare]")
    boxes.nth(0).check()
    boxes.nth(2).check()
    expect(page.locator("#browser-pair-title")).to_have_text("Side by side")
    expect(page.locator(".browser-sides figure")).to_have_count(2)
    assert "compare=" in page.url
    again = visit(f"{PAGE}{re.sub('^[^#]*', '', page.url)}")
    expect(again.locator(".browser-sides figure")).to_have_count(2)


def test_flipping_keeps_the_filters(visit, address):
    page = visit(f"{PAGE}#q=a")
    page.locator("[data-flip]").click()
    page.wait_for_url(f"{address}/distorted/exhibits/index.html#q=a")
    expect(page.locator("#browser-q")).to_have_value("a")


def test_arrow_keys_go_from_card_to_card(visit):
    page = visit(PAGE)
    expect(page.locator(".browser-tools").first).to_be_visible()
    links = page.locator(".browser-card > a")
    links.nth(0).focus()
    page.keyboard.press("ArrowRight")
    expect(links.nth(1)).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".browser-card > a:focus")).to_have_count(1)


def test_only_what_is_near_the_window_is_loaded(visit, index):
    page = visit(PAGE)
    expect(page.locator(".browser-tools").first).to_be_visible()
    loaded = page.evaluate(
        "performance.getEntriesByType('resource').filter((one) => one.initiatorType === 'img').length"
    )
    assert loaded < min(len(index["pictures"]), 120)


def test_without_scripts_every_exhibit_is_listed(browser: Browser, address: str, index: Any) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/{PAGE}")
    expect(page.locator(".browser-card")).to_have_count(len({one["exhibit"] for one in index["pictures"]}))
    expect(page.locator("[data-browser-form]")).to_be_hidden()
    context.close()
