"""Figures: each follows from the raw rows, carries its interval, and stands beside what it has to be compared with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ledger import measures
from ledger.schema import Document
from miniature import calibration
from miniature.figures import contrasts, core
from miniature.shipping import pack

RESULTS = Path(__file__).parents[2] / "results"


@pytest.fixture(scope="module")
def made() -> Document:
    return core.document(RESULTS)


@pytest.fixture(scope="module")
def figures() -> core.Figures:
    return core.Figures(RESULTS)


def test_every_number_of_the_ledger_comes_out_of_the_rows_in_the_repository(made: Document) -> None:
    committed = Document.model_validate_json((RESULTS / "miniature.json").read_text())
    assert made.values == committed.values and made.tables == committed.tables and made.runs == committed.runs
    assert {value.rows for value in made.values.values() if value.rows} == {core.DRAWN, core.SWEPT}


def test_every_contrast_has_an_interval_a_measure_of_its_rows_and_a_note(made: Document, figures: core.Figures) -> None:
    """A difference without its uncertainty would be read as a fact."""
    found = {name: value for name, value in made.values.items() if name.startswith("miniature.contrast.")}
    assert len(found) > 60
    for name, value in found.items():
        assert value.caveat and value.rows, name
        assert value.interval or "no spread" in value.caveat or "share distances" in value.caveat, name
        if value.measure:
            again = measures.evaluate(value.measure, figures.rows[value.measure.rows]).estimate
            assert again.value == value.value, name


def test_strength_one_is_the_most_that_leaves_plain_pictures_whole(figures: core.Figures) -> None:
    """The page calls what lies above over-optimised; the rows have to say so, training by training."""
    for training in ("draft-s0", "draft-s1", "draft-s2"):
        assert pack.units()[training] == 0.5
        for row in sorted(figures.have):
            if not row.startswith(f"{training}@") or "+" in row:
                continue
            arm = core.Arm(row, (row,))
            lost, gained = (-figures.contrast(arm, core.BASE, what).value for what in ("objects", "artifacts"))  # type: ignore[operator]
            passes = lost <= calibration.RECALL_LOST and -gained <= calibration.ARTIFACTS
            assert passes == (float(row.split("@")[1]) <= 1), row


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


def test_diffusion_dpo_fails_its_manipulation_check(made: Document) -> None:
    """An arm whose own reward does not rise is no aligned arm; the page says so of this one."""
    value = made.values["miniature.contrast.dpo_minus_base_reward"]
    assert value.interval and value.interval[0] < 0 < value.interval[1]
    assert made.values["miniature.contrast.aligned_minus_base_reward"].interval[0] > 0  # type: ignore[index]
