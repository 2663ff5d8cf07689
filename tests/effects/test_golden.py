"""A treatment changes only when somebody means it: what each made of one picture is committed."""

from __future__ import annotations

import json

import numpy as np
import pytest

import effects
from tests.effects import golden

KNOWN = json.loads(golden.FILE.read_text())


def test_every_treatment_has_golden_numbers() -> None:
    assert {name.split()[0] for name in KNOWN} == set(effects.TREATMENTS)


@pytest.mark.parametrize("case", golden.CASES, ids=lambda case: golden.key(*case))
def test_a_treatment_makes_what_it_made(case: tuple[str, float, int]) -> None:
    """Where the difference is meant: `python -m tests.effects.golden`, and look at the pictures."""
    expected = np.frombuffer(bytes.fromhex(KNOWN[golden.key(*case)]), np.uint8).astype(int)
    assert np.abs(golden.told(*case).ravel() - expected).max() <= golden.SLACK
