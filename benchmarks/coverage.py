"""How often 95 % intervals of a difference between arms hold the truth, with few trainings: simulated once.

    python benchmarks/coverage.py

A difference is measured on the same prompts in a few trainings. It varies from training to training and from prompt to
prompt; how much of each is taken from the miniature's rows (strength 2 minus base). Compared are the percentile
bootstrap over prompts and trainings together, and Student's t over trainings, which the ledger uses.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from ledger import metrics  # noqa: E402

PROMPTS, RUNS, RESAMPLES = 300, 1000, 400
# Standard deviations between trainings and, within one, between prompts, as the rows of the miniature have them.
CASES = {
    "requests followed": (0.025, 0.39),
    "reward of plain pictures": (0.007, 0.042),
    "picks of rewards, 95 % gate minus no gate": (0.19, 0.5),
}


def simulated(rng: np.random.Generator, trainings: int, between: float, within: float) -> np.ndarray:
    """Differences (trainings, prompts) around a true one of 0."""
    return rng.normal(0, between, (trainings, 1)) + rng.normal(0, within, (trainings, PROMPTS))


def bootstrap(rng: np.random.Generator, found: np.ndarray) -> tuple[float, float]:
    trainings, prompts = found.shape
    means = []
    for _ in range(RESAMPLES):
        rows = found[rng.integers(trainings, size=trainings)]
        means.append(rows[:, rng.integers(prompts, size=prompts)].mean())
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def coverage(trainings: int, between: float, within: float) -> tuple[float, float]:
    """Share of simulated measurements whose interval holds 0: bootstrap, t."""
    rng = np.random.default_rng([trainings, round(1e6 * between)])
    hits = np.zeros(2)
    for _ in range(RUNS):
        found = simulated(rng, trainings, between, within)
        for at, interval in enumerate((bootstrap(rng, found), metrics.t_interval(found.mean(1)))):
            assert interval is not None
            hits[at] += interval[0] <= 0 <= interval[1]
    return tuple(hits / RUNS)  # type: ignore[return-value]


def main() -> None:
    lines = [
        "# Coverage of 95 % intervals with few trainings",
        "",
        f"`python benchmarks/coverage.py`: {RUNS} simulated measurements of {PROMPTS} prompts each; share of intervals",
        "that hold the true difference. The last digit of each share is uncertain by one or two.",
        "",
        "| what varies as in | trainings | bootstrap over prompts and trainings | t over trainings |",
        "|---|---|---|---|",
    ]
    for name, (between, within) in CASES.items():
        for trainings in (2, 3):
            shares = coverage(trainings, between, within)
            lines.append(f"| {name} | {trainings} | {shares[0]:.3f} | {shares[1]:.3f} |")
    (ROOT / "benchmarks" / "results" / "coverage.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
