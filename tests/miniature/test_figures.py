"""How figures are made of rows: the unit of strength, and comparisons at equal reward."""

from __future__ import annotations

import numpy as np
import pytest

from miniature import calibration
from miniature.figures import contrasts


def test_the_unit_is_the_largest_multiple_that_passes_with_all_smaller_ones() -> None:
    base = {"recall": 0.9, "artifacts": 0.01}
    good, blind = {"recall": 0.88, "artifacts": 0.06}, {"recall": 0.879, "artifacts": 0.01}
    dirty = {"recall": 0.9, "artifacts": 0.061}
    assert calibration.unit(base, {0.25: good, 0.5: good, 1.0: blind}) == 0.5
    assert calibration.unit(base, {0.25: good, 0.5: dirty, 1.0: good}) == 0.25
    assert calibration.unit(base, {0.25: blind, 0.5: good}) is None


def test_equal_reward_compares_where_both_earn_the_same() -> None:
    """At equal strength a weaker variant looks gentler; the comparison has to be at the same reward."""
    ladder = np.array([0.0, 0.1, 0.2])
    rewards = np.vstack([[0.15] * 4, *([x] * 4 for x in ladder)])
    found = np.vstack([[0.7] * 4, *([x] * 4 for x in (0.9, 0.8, 0.6))])
    (difference,) = contrasts.difference(rewards, found, np.arange(4)[None])
    assert difference == pytest.approx(0.7 - 0.7)
