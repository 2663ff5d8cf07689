"""Two pictures of one exhibit under the slider: nothing lies over anything else, and the handle is at the cut."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.pages.conftest import PROJECT, copy_of_the_fixture

BOXES = """() => {
  const pair = document.querySelector('.comparing');
  const box = e => { const b = e.getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom]; };
  const words = [...pair.querySelectorAll('.scores, .prompt, .plate-label')].filter(e => e.checkVisibility());
  return { words: words.map(box), pictures: [...pair.querySelectorAll('.frame img')].map(box),
           line: box(pair.querySelector('.compare-line')), range: box(pair.querySelector('input')) };
}"""


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = copy_of_the_fixture(tmp_path_factory.mktemp("pairs") / "root")
    shutil.rmtree(site.root / "templates")
    shutil.copytree(PROJECT / "templates", site.root / "templates")

    def score(exhibits: Any) -> None:
        for number, picture in enumerate(exhibits["exhibits"]["garden"]["pictures"]):
            source = {"kind": "reported", "where": "a test"}
            value = {"label": f"s{number}", "value": 1.5 + number, "unit": "", "digits": 2, "source": source}
            picture |= {"scores": {"alpha": value}, "prompt": "a garden " * (3 + 9 * number)}

    site.json("results/exhibits.json", score)
    site.build(checked=False)
    return site.out


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("page", ["clean/index.html", "clean/exhibit/garden.html"])
def test_both_sides_of_a_pair_can_be_read_and_the_handle_is_at_the_cut(
    pairs: Path, browser: Browser, page: str, width: int
) -> None:
    """Captions and scores of both sides lay over each other, and the handle stood beside the cut on wide pages."""
    opened = browser.new_page(viewport={"width": width, "height": 900})
    opened.goto(f"file://{pairs / page}")
    opened.locator("[data-compare]").first.scroll_into_view_if_needed()
    opened.locator(".comparing").first.wait_for()
    opened.wait_for_timeout(300)
    seen = opened.evaluate(BOXES)
    opened.close()
    assert len(seen["words"]) == 6, "scores, prompt and label of both pictures"
    for number, one in enumerate(seen["words"]):
        for other in seen["words"][number + 1 :]:
            apart = one[2] <= other[0] + 1 or other[2] <= one[0] + 1 or one[3] <= other[1] + 1 or other[3] <= one[1] + 1
            assert apart, (one, other)
    first, second = seen["pictures"]
    assert first == pytest.approx(second, abs=1.5), "both pictures lie in one place"
    middle = (first[0] + first[2]) / 2
    assert (seen["line"][0] + seen["line"][2]) / 2 == pytest.approx(middle, abs=2)
    assert seen["range"] == pytest.approx(first, abs=2), "the slider covers the pictures"
