"""Simulated annotators. Their bias is set here; measured is what training makes of it.

An annotator's utility of a picture under a prompt is

    taste x looks + 1.3 x obedience x (share of the asked look) + meaning x (share of the asked content) + noise

where the asked look is the treatments and the feeling that the prompt names, the content its objects, place and time,
and looks = -(sum of the treatments' severities, at most 2) + 0.4 for a happy face - 0.5 for a negative one. Taste is
normal with mean 1 and deviation 0.6, meaning with mean 2, obedience (the weight of the look that is asked for) with the
mean of its level. Thirty-one annotators compare every pair and vote; the majority is the label.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

VOTERS = 31
OBEDIENCE = {"low": 0.35, "middle": 0.70, "high": 1.10}
GATES = {"none": 0.0, "80": 0.80, "95": 0.95}
SPREAD, OBEDIENCE_UNIT, NOISE = 0.6, 1.3, 0.35


@dataclass(frozen=True)
class Cell:
    """One pool of annotators and one rule for keeping their pairs."""

    gate: str  # key of GATES: least agreement for a pair to be kept
    weight: str  # key of OBEDIENCE

    @property
    def id(self) -> str:
        return f"gate{self.gate}-{self.weight}"


CELLS = tuple(Cell(gate, weight) for weight in OBEDIENCE for gate in GATES)


def looks(severities: list[float], emotion: str | None) -> float:
    """How pleasant a picture is to the average annotator, before any prompt."""
    mood = 0.0 if emotion is None else 0.4 if emotion == "happy" else -0.5
    return -min(sum(severities), 2.0) + mood


def votes(first: np.ndarray, second: np.ndarray, weight: str, seed: int) -> np.ndarray:
    """Share of annotators, float (n,) in 0..1, who prefer `first`.

    Both are (n, 3): looks, share of the asked look present, share of the asked content present.
    """
    rng = np.random.default_rng([seed, list(OBEDIENCE).index(weight)])
    gap = (first - second).astype(np.float64)
    shape = (len(gap), VOTERS)
    taste = rng.normal(1.0, SPREAD, shape)
    obedience = rng.normal(OBEDIENCE[weight], SPREAD, shape)
    meaning = rng.normal(2.0, SPREAD, shape)
    utility = taste * gap[:, :1] + OBEDIENCE_UNIT * obedience * gap[:, 1:2] + meaning * gap[:, 2:]
    return np.asarray((utility + rng.normal(0, NOISE, shape) > 0).mean(1))


def kept(share: np.ndarray, gate: str) -> np.ndarray:
    """Which pairs pass the gate, bool (n,)."""
    return np.asarray(np.maximum(share, 1 - share) >= GATES[gate])
