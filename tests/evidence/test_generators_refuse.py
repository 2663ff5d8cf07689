"""What is no picture is refused; what is dark, foggy or faded because it was asked for is not."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

import effects
from evidence.generators.refuse import reason_to_refuse


def flat(colour: tuple[int, int, int], noise: float = 0.0, side: int = 128) -> Image.Image:
    grain = np.random.default_rng(0).normal(0.0, noise, (side, side, 3))
    return Image.fromarray(np.clip(np.array(colour) + grain, 0, 255).round().astype(np.uint8))


def scene(side: int = 128) -> Image.Image:
    """A sky, a ground, a sun and a house, with a little texture."""
    image = Image.linear_gradient("L").resize((side, side)).convert("RGB")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, side * 0.6, side, side), fill=(70, 110, 50))
    draw.ellipse((side * 0.7, side * 0.1, side * 0.9, side * 0.3), fill=(250, 220, 90))
    draw.rectangle((side * 0.2, side * 0.4, side * 0.5, side * 0.8), fill=(150, 60, 50))
    grain = np.random.default_rng(1).normal(0.0, 4.0, (side, side, 3))
    return Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8))


@pytest.mark.parametrize("noise", [0.0, 1.5])
def test_the_blue_of_a_failed_call_is_refused(noise: float) -> None:
    """Also after it went through a lossy format."""
    assert "blue" in reason_to_refuse(flat((0, 0, 255), noise))


@pytest.mark.parametrize(
    ("colour", "word"), [((0, 0, 0), "black"), ((255, 255, 255), "blank"), ((127, 127, 127), "blank")]
)
def test_one_colour_throughout_is_refused(colour: tuple[int, int, int], word: str) -> None:
    assert word in reason_to_refuse(flat(colour))


def test_a_deep_blue_picture_with_something_in_it_is_kept() -> None:
    night = flat((0, 0, 200), 3.0)
    assert reason_to_refuse(night) == ""
    sea = Image.fromarray((np.asarray(scene()) * np.array([0.1, 0.2, 1.0])).astype(np.uint8))
    assert reason_to_refuse(sea) == ""


@pytest.mark.parametrize("name", list(effects.TREATMENTS))
@pytest.mark.parametrize("seed", [0, 1])
def test_no_treatment_at_full_severity_is_taken_for_a_failure(name: str, seed: int) -> None:
    """Crushed blacks, fog, fade and all: these are what the evidence is about."""
    treated = effects.apply(np.asarray(scene()), name, 1.0, seed)
    assert reason_to_refuse(Image.fromarray(treated)) == ""


@pytest.mark.parametrize(
    "name", ["exposure_extremes", "atmospheric_distress", "low_contrast_oppressive", "muted_faded"]
)
def test_a_treatment_applied_twice_is_kept_too(name: str) -> None:
    """Even a dark scene darkened again, or a foggy one in more fog."""
    once = effects.apply(np.asarray(scene()), name, 1.0, 0)
    twice = effects.apply(once, name, 1.0, 0)
    assert reason_to_refuse(Image.fromarray(twice)) == ""


def test_a_few_stars_are_a_picture() -> None:
    sky = np.zeros((256, 256, 3), np.uint8)
    sky[np.random.default_rng(2).integers(0, 256, 40), np.random.default_rng(3).integers(0, 256, 40)] = 200
    assert reason_to_refuse(Image.fromarray(sky)) == ""


def test_a_handful_of_faint_stars_is_a_picture() -> None:
    """A dozen dim pixels leave the standard deviation of a whole picture below half a grey level."""
    sky = np.zeros((256, 256, 3), np.uint8)
    sky[np.arange(10, 250, 20), np.arange(10, 250, 20)] = 30
    assert sky.std() < 0.5
    assert reason_to_refuse(Image.fromarray(sky)) == ""


def test_fog_of_three_grey_levels_is_a_picture() -> None:
    """The faintest gradient that a reader could still make out on a good screen."""
    fog = np.tile(np.linspace(200, 206, 256).round().astype(np.uint8)[:, None, None], (1, 256, 3))
    assert reason_to_refuse(Image.fromarray(fog)) == ""


def test_grey_and_transparent_pictures_are_judged_by_what_they_show() -> None:
    assert reason_to_refuse(scene().convert("L")) == ""
    assert reason_to_refuse(flat((0, 0, 0)).convert("L")) != ""
