"""The plates of the refused copy are drawn alike every time, and what their labels say was done to them was done."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pages.images import headers, social_card
from pages.images.canvas import Canvas
from pages.images.jobs import GeneratedImage
from pages.images.scenes import SCENES, draw
from pages.source import load
from pages.source.settings import Scene
from tests.browser.conftest import PUBLICATIONS

ROOT = PUBLICATIONS[0]


@pytest.fixture(scope="module")
def declared() -> dict[str, GeneratedImage]:
    return {plate.name: plate for plate in headers.declare(load.load(ROOT))}


def test_a_plate_is_the_same_bytes_every_time(declared: dict[str, GeneratedImage]) -> None:
    kinds = {name.partition("-")[0]: name for name in declared}
    assert {"masthead", "head"} <= kinds.keys()
    for name in kinds.values():
        plate = declared[name]
        one, two = plate.draw(ROOT, plate.inputs), plate.draw(ROOT, plate.inputs)
        assert one.dtype == np.uint8 and one.shape[:2] == (plate.height, plate.width)
        assert np.array_equal(one, two), name


def test_every_section_with_a_badge_has_three_different_looks(declared: dict[str, GeneratedImage]) -> None:
    site = load.load(ROOT)
    for section in site.sections:
        if not section.header.badge or not section.header.drawn:
            continue
        looks = [declared[f"head-{section.id}{end}"] for end in ("", "-half", "-plain")]
        full, half, plain = (plate.draw(ROOT, plate.inputs) for plate in looks)
        assert not np.array_equal(full, plain) and not np.array_equal(half, plain), section.id
        assert [step[0] for step in looks[0].inputs["steps"]] == section.header.badge


def test_stamps_keep_the_paper_clear_around_their_ink() -> None:
    site = load.load(ROOT)
    masthead = site.page.masthead.model_copy(update={"stamp": "sample"})
    site.page = site.page.model_copy(update={"masthead": masthead})
    plate = next(plate for plate in headers.declare(site) if plate.name == "stamp-masthead")
    ink = plate.draw(ROOT, plate.inputs)
    assert ink.shape[2] == 4
    assert not ink[:20, :, 3].any() and ink[..., 3].max() > 150


def test_the_label_of_the_title_page_says_what_was_done_to_it(site: Path) -> None:
    page = re.sub(r"<wbr>", "", (site / "distorted/index.html").read_text())
    masthead = next(plate for plate in headers.declare(load.load(site.parent)) if plate.name == "masthead")
    steps = masthead.inputs["steps"]
    said = " + ".join(f"{name} {severity}" for name, severity, _ in steps)
    assert f"treated: {said}, seed {steps[0][2]}</span>" in page


LONG = "A title of fifteen words that no single line of any of these pictures can hold"


@pytest.mark.parametrize("scene", sorted(set(SCENES) - {"title_page", "dial", "far_away", "struck_out"}))
def test_a_title_of_fifteen_words_is_drawn_whole(scene: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A title that runs out of the picture is read as another title. The title page and the dial are cut on purpose;
    what is far away is small, and what is struck out has no title."""
    drawn: list[tuple[float, float, float]] = []

    def note(
        self: Canvas, at: tuple[float, float], words: str, box: tuple[float, float], *rest: Any, **more: Any
    ) -> Any:
        size = title(self, at, words, box, *rest, **more)
        name, weight = rest[0], rest[3] if len(rest) > 3 else 0
        rows = self.broken(words, box[0], name, size, weight)
        widest = max(self.width_of(row, name, size, weight) for row in rows)
        drawn.append((widest - box[0], len(rows) * size - box[1], size))
        return size

    title = Canvas.title
    monkeypatch.setattr(Canvas, "title", note)
    photograph = "content/pictures/" + next((ROOT / "content/pictures").glob("*.jpg")).name
    inputs = {"title": LONG, "kind": "Test", "number": "12", "words": LONG * 9, "values": ["1.0", "2.0"]}
    draw(ROOT, {**inputs, "photographs": [photograph], "scene": scene, "height": SCENES[scene].height, "steps": []})
    assert all(over_x <= 0 and over_y <= 0 and size > 20 for over_x, over_y, size in drawn), drawn


def test_a_scene_without_what_it_needs_is_the_opening_page(tmp_path: Path) -> None:
    """An empty frame says that something is missing; the opening page says what the section is."""
    site = load.load(ROOT)
    first = site.sections[0]
    looks = [
        first.header.model_copy(update={"scene": Scene(name=name)}) for name in ("wall", "contact_sheet", "figures")
    ]
    site.sections = [replace(first, header=look) for look in looks]
    drawn = [plate.inputs["scene"] for plate in headers.declare(site) if plate.name.startswith("head-")]
    assert set(drawn) == {"opening_page"}


def test_the_social_card_holds_a_long_title_and_many_authors() -> None:
    inputs = {"title": LONG + " " + LONG, "authors": ", ".join(["Ada Lovelace"] * 12), "place": "Test"}
    card = social_card.draw(ROOT, inputs)
    assert (card[:, -40:] == card[0, -1]).all(), "words run into the right margin"
    rule = social_card.HEIGHT - 170
    assert (card[rule - 12 : rule - 2] == card[0, 0]).all(), "the title runs into the authors"
