"""How figures are made of rows: the unit of strength, and comparisons at equal reward."""

from __future__ import annotations

import numpy as np
import pytest

from miniature import calibration
from miniature.figures import contrasts

GOOD = {"recall": 0.88, "artifacts": 0.06}  # exactly at both margins
BLIND, DIRTY = {"recall": 0.879, "artifacts": 0.01}, {"recall": 0.9, "artifacts": 0.061}


@pytest.mark.parametrize(
    ("seen", "unit", "looked_at"),
    [
        ({1.0: GOOD, 1.5: GOOD, 2.0: BLIND}, 1.5, {1.0, 1.5, 2.0}),
        ({1.0: DIRTY, 0.75: BLIND, 0.5: GOOD}, 0.5, {1.0, 0.75, 0.5}),
        ({1.0: BLIND, 0.75: BLIND, 0.5: DIRTY, 0.25: BLIND}, None, {1.0, 0.75, 0.5, 0.25}),
    ],
)
def test_the_unit_is_the_largest_multiple_up_to_which_all_pass(
    seen: dict[float, dict[str, float]], unit: float | None, looked_at: set[float]
) -> None:
    """Beyond a multiple at which plain pictures break, a lucky one must not become strength 1."""
    found, ladder = calibration.climb({"recall": 0.9, "artifacts": 0.01}, seen.__getitem__)
    assert found == unit and set(ladder) == looked_at


def test_equal_reward_compares_where_both_earn_the_same() -> None:
    """At equal strength a weaker variant looks gentler; the comparison has to be at the same reward."""
    ladder = np.array([0.0, 0.1, 0.2])
    rewards = np.vstack([[0.15] * 4, *([x] * 4 for x in ladder)])
    found = np.vstack([[0.7] * 4, *([x] * 4 for x in (0.9, 0.8, 0.6))])
    (difference,) = contrasts.difference(rewards, found, np.arange(4)[None])
    assert difference == pytest.approx(0.7 - 0.7)
