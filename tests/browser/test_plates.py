"""The plates of the refused copy are drawn alike every time, and what their labels say was done to them was done."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pages.images import headers
from pages.images.jobs import GeneratedImage
from pages.source import load

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def declared() -> dict[str, GeneratedImage]:
    return {plate.name: plate for plate in headers.declare(load.load(ROOT))}


def test_a_plate_is_the_same_bytes_every_time(declared: dict[str, GeneratedImage]) -> None:
    for name in ("masthead", "head-numbers", "stamp-refused"):
        plate = declared[name]
        one, two = plate.draw(ROOT, plate.inputs), plate.draw(ROOT, plate.inputs)
        assert one.dtype == np.uint8 and one.shape[:2] == (plate.height, plate.width)
        assert np.array_equal(one, two), name


def test_every_section_with_a_badge_has_three_different_looks(declared: dict[str, GeneratedImage]) -> None:
    site = load.load(ROOT)
    for section in site.sections:
        if not section.badge or section.id == "risks":  # the risks wear their badge on six photographs
            continue
        looks = [declared[f"head-{section.id}{end}"] for end in ("", "-half", "-plain")]
        full, half, plain = (plate.draw(ROOT, plate.inputs) for plate in looks)
        assert not np.array_equal(full, plain) and not np.array_equal(half, plain), section.id
        assert [step[0] for step in looks[0].inputs["steps"]] == list(section.badge)


def test_stamps_keep_the_paper_clear_around_their_ink(declared: dict[str, GeneratedImage]) -> None:
    plate = declared["stamp-refused"]
    ink = plate.draw(ROOT, plate.inputs)
    assert ink.shape[2] == 4
    assert not ink[:20, :, 3].any() and ink[..., 3].max() > 150


def test_the_label_of_the_title_page_says_what_was_done_to_it(declared: dict[str, GeneratedImage]) -> None:
    said = (ROOT / "templates/distorted/index.html").read_text()
    steps = declared["masthead"].inputs["steps"]
    names = ", ".join(f'"{name}"' for name, _, _ in steps)
    assert f"treatments = [{names}], severity = {steps[0][1]}, seed = {steps[0][2]}" in said
    assert len({(severity, seed) for _, severity, seed in steps}) == 1
