"""A number with rows is computed again in the reader's browser, from the rows that the site publishes."""

from __future__ import annotations

import functools
import http.server
import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from pages.serve import Server
from tests.browser.conftest import PATIENCE

ROOT = Path(__file__).parents[2]


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The example publication, built and served. One of its numbers is published wrong."""
    from pages.build import build

    root = tmp_path_factory.mktemp("example")
    for name in ("content", "results"):
        shutil.copytree(ROOT / "examples/treatments" / name, root / name)
    file = root / "results/effect.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    document["values"]["effect.decay_and_degradation"]["value"] += 1
    file.write_text(json.dumps(document), encoding="utf-8")
    build(root, root / "site", jobs=1)
    handler = functools.partial(_Quiet, directory=str(root / "site"))
    server = Server(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture
def page(browser: Browser, example: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE)
    yield context.new_page()
    context.close()


def test_a_right_number_agrees_and_shows_its_rows(page: Page, example: str) -> None:
    page.goto(f"{example}/data/values/effect.html")
    entry = page.locator('[id="effect.intentional_blur"]')
    entry.locator("[data-recompute]").click()
    expect(entry.locator("output")).to_contain_text("from 8 observations in 4 independent ones")
    expect(entry.locator("output")).to_contain_text("agrees with the published number")
    entry.locator("details summary").click()
    expect(entry.locator("tbody tr")).to_have_count(8)


def test_a_wrong_number_is_told(page: Page, example: str) -> None:
    page.goto(f"{example}/data/values/effect.html")
    entry = page.locator('[id="effect.decay_and_degradation"]')
    entry.locator("[data-recompute]").click()
    expect(entry.locator("output")).to_contain_text("differs from the published number")


def test_the_card_of_a_number_recomputes_it_too(page: Page, example: str) -> None:
    page.goto(f"{example}/clean/index.html")
    page.locator('data[data-ref="effect.intentional_blur"]').first.click()
    card = page.locator("#provenance")
    card.locator("[data-recompute]").click()
    expect(card.locator("output")).to_contain_text("agrees with the published number")


def test_rows_that_cannot_be_had_are_told(page: Page, example: str) -> None:
    page.route("**/*.csv.gz", lambda route: route.fulfill(status=404))
    page.goto(f"{example}/data/values/effect.html")
    entry = page.locator('[id="effect.film_artifacts"]')
    entry.locator("[data-recompute]").click()
    expect(entry.locator("output")).to_have_text("Not recomputed: the rows could not be loaded (404).")


def test_without_scripts_the_rows_and_the_command_are_there(browser: Browser, example: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{example}/data/values/effect.html")
    entry = page.locator('[id="effect.film_artifacts"]')
    expect(entry.locator("[data-recompute]")).to_be_hidden()
    expect(entry.locator(".recompute code")).to_have_text("python build.py recompute effect.film_artifacts")
    expect(entry.locator(".recompute a")).to_have_attribute("href", "../rows/severity.csv.gz")
    context.close()
