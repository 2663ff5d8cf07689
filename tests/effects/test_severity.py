"""More severity is measurably more effect, by the metric that the treatment itself declares."""

from __future__ import annotations

import numpy as np
import pytest

import effects
from tests.effects.pictures import PICTURES, landscape, still_life

STEPS = (0.0, 0.25, 0.5, 0.75, 1.0)


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES.keys())
@pytest.mark.parametrize("name", effects.TREATMENTS)
def test_the_metric_grows_with_severity(name: str, picture: object) -> None:
    before = picture()  # type: ignore[operator]
    for seed in range(4):
        grown = [effects.measure(name, before, effects.apply(before, name, severity, seed)) for severity in STEPS]
        assert grown[0] == 0
        assert all(np.diff(grown) > 0), f"seed {seed}: {grown}"


@pytest.mark.parametrize("name", effects.TREATMENTS)
def test_the_effect_is_plain_to_see_at_a_severity_of_six_tenths(name: str) -> None:
    """A treatment nobody notices is no treatment: 5 code values on average, in some place 40."""
    before = still_life(256)
    for seed in range(4):
        changed = np.abs(effects.apply(before, name, 0.6, seed).astype(int) - before)
        assert changed.mean() > 5 or np.percentile(changed.max(-1), 98) > 40


@pytest.mark.parametrize("name", effects.TREATMENTS)
def test_a_little_severity_does_a_little(name: str) -> None:
    """No jump at the start: a hundredth of severity moves the picture less than a quarter does."""
    before = landscape(192)
    for seed in range(3):
        slight, clear = (np.abs(effects.apply(before, name, s, seed).astype(int) - before).mean() for s in (0.01, 0.25))
        assert slight < 0.6 * clear


def test_every_treatment_declares_what_it_is_measured_by_and_where_it_comes_from() -> None:
    for treatment in effects.TREATMENTS.values():
        assert treatment.metric_label and treatment.source.endswith(".") and treatment.function.__doc__
