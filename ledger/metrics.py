"""The statistics of the page, as pure functions on arrays; numpy only.

`ledger.measures` applies them to rows, and the page's script repeats them. Arrays that are empty, ragged, unequal in
length or not finite are refused with a `ValueError`; no function holds random state of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from statistics import NormalDist
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Alternative = Literal["two-sided", "greater", "less"]

_NORMAL = NormalDist()
_EXACT_UP_TO = 50  # signed pairs whose null distribution is enumerated
_CHUNK = 1 << 20  # resampled numbers held at once
_KEPT = 1 << 23  # numbers of draws that are kept for the next interval


class SignedRank(NamedTuple):
    """`statistic` is the rank sum of the positive differences, `r` the matched rank-biserial correlation in [-1, 1],
    `n` the number of pairs left after zero differences were dropped, `z` the statistic in standard deviations from its
    mean: z / sqrt(n) is the other effect size called r."""

    statistic: float
    p: float
    r: float
    n: int
    z: float


def mulberry32(seed: int, start: int, count: int) -> NDArray[np.uint32]:
    """Outputs `start` to `start + count` of the mulberry32 generator (T. Ettinger, public domain), uint32 (count,).

    It hashes a counter that grows by 0x6D2B79F5 from `seed`, so any stretch comes at once and a page can draw the same
    in a few lines of JavaScript.
    """
    with np.errstate(over="ignore"):
        steps = np.arange(start + 1, start + count + 1, dtype=np.uint64) * np.uint64(0x6D2B79F5) + np.uint64(seed)
        a = steps.astype(np.uint32)
        t = (a ^ (a >> np.uint32(15))) * (a | np.uint32(1))
        t ^= t + (t ^ (t >> np.uint32(7))) * (t | np.uint32(61))
        return np.asarray(t ^ (t >> np.uint32(14)), dtype=np.uint32)


def resampled(seed: int, resamples: int, size: int) -> Iterator[NDArray[np.int64]]:
    """Indices of bootstrap samples with replacement, (some resamples, size) at a time.

    Item j of resample b is floor(u / 2^32 * size), u being output b * size + j of mulberry32.
    """
    rows = max(1, _CHUNK // size)
    for start in range(0, resamples, rows):
        count = min(rows, resamples - start)
        outputs = mulberry32(seed, start * size, count * size)
        yield (outputs / 2**32 * size).astype(np.int64).reshape(count, size)


@lru_cache(maxsize=4)
def _weights(seed: int, resamples: int, size: int) -> Floats:
    """How often each item is drawn in each resample, divided by their number: (resamples, size)."""
    parts = []
    for drawn in resampled(seed, resamples, size):
        flat = drawn + np.arange(len(drawn))[:, None] * size
        parts.append(np.bincount(flat.ravel(), minlength=drawn.size).reshape(drawn.shape) / size)
    return np.concatenate(parts)


def percentile_interval(replicates: ArrayLike, level: float = 0.95) -> tuple[float, float]:
    """The quantiles of bootstrap replicates that leave (1 - level) / 2 on each side, interpolated linearly."""
    low, high = np.quantile(_line(replicates), ((1 - level) / 2, (1 + level) / 2))
    return float(low), float(high)


def mean_interval(samples: ArrayLike, seed: int, resamples: int = 10_000) -> tuple[float, float] | None:
    """95 % bootstrap interval of the mean; None for equal numbers, of whose spread nothing is known."""
    line = _line(samples)
    if (line == line[0]).all():
        return None
    if resamples * line.size <= _KEPT:
        return percentile_interval(_weights(seed, resamples, line.size) @ line)
    return percentile_interval(np.concatenate([line[drawn].mean(1) for drawn in resampled(seed, resamples, line.size)]))


T_975 = (
    12.7062047362, 4.3026527297, 3.1824463053, 2.7764451052, 2.5705818356,
    2.4469118511, 2.3646242516, 2.3060041352, 2.2621571628,
)  # fmt: skip
"""97.5 % quantiles of Student's t with 1 to 9 degrees of freedom."""


def t_interval(samples: ArrayLike) -> tuple[float, float] | None:
    """95 % interval of the mean of two to ten numbers by Student's t, as for a few trainings.

    None for a single number and for equal ones, of whose spread nothing is known.
    """
    line = _line(samples)
    if (line == line[0]).all():
        return None
    if line.size > len(T_975) + 1:
        raise ValueError(f"the t interval is for at most {len(T_975) + 1} numbers; resample {line.size} instead")
    half = T_975[line.size - 2] * float(line.std(ddof=1)) / math.sqrt(line.size)
    return float(line.mean()) - half, float(line.mean()) + half


def wilson_interval(share: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """Score interval of a proportion `share` in [0, 1] seen in `n` trials (Wilson 1927)."""
    if n < 1 or not 0 <= share <= 1:
        raise ValueError(f"a share in [0, 1] of at least one trial is needed, got {share} of {n}")
    z = _NORMAL.inv_cdf((1 + level) / 2)
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    low, high = min(share, centre - half), max(share, centre + half)  # rounding may not exclude the share itself
    return max(0.0, low), min(1.0, high)


def wilcoxon_signed_rank(aligned: ArrayLike, base: ArrayLike, alternative: Alternative = "two-sided") -> SignedRank:
    """Wilcoxon signed-rank test of `aligned - base` (n,); "greater" means that aligned scores higher.

    Zero differences are dropped, tied magnitudes share their mean rank. Up to 50 pairs the null distribution of those
    very ranks is enumerated, ties included; above, the normal approximation with tie and continuity correction. r is
    (W+ - W-) / (W+ + W-) (Kerby 2014). Without any difference p is 1 and r is 0.
    """
    first, second = _pair(aligned, base)
    differences = first - second
    differences = differences[differences != 0]
    if differences.size == 0:
        return SignedRank(0.0, 1.0, 0.0, 0, 0.0)
    ranks = _ranks(np.abs(differences))
    positive, total = float(ranks[differences > 0].sum()), float(ranks.sum())
    tail = _exact_tails if differences.size <= _EXACT_UP_TO else _normal_tails
    less, greater = tail(ranks, positive)
    p = {"less": less, "greater": greater, "two-sided": min(1.0, 2 * min(less, greater))}.get(alternative)
    if p is None:
        raise ValueError(f"unknown alternative {alternative!r}")
    z = (positive - total / 2) / math.sqrt(float((ranks**2).sum()) / 4)
    return SignedRank(positive, p, (2 * positive - total) / total, differences.size, z)


def _exact_tails(ranks: Floats, positive: float) -> tuple[float, float]:
    """P(W+ <= positive) and P(W+ >= positive) over all signs; mean ranks are doubled to become whole."""
    whole = np.rint(2 * ranks).astype(int)
    chance = np.zeros(int(whole.sum()) + 1)
    chance[0] = 1.0
    for rank in whole:
        shifted = np.zeros_like(chance)
        shifted[rank:] = chance[: chance.size - rank]
        chance = (chance + shifted) / 2
    at = round(2 * positive)
    return min(1.0, float(chance[: at + 1].sum())), min(1.0, float(chance[at:].sum()))


def _normal_tails(ranks: Floats, positive: float) -> tuple[float, float]:
    """The same by the normal approximation; the variance from the squared ranks carries the tie correction."""
    mean, sd = float(ranks.sum()) / 2, math.sqrt(float((ranks**2).sum()) / 4)
    return _upper((mean - positive - 0.5) / sd), _upper((positive - mean - 0.5) / sd)


def _upper(z: float) -> float:
    return math.erfc(z / math.sqrt(2)) / 2


def mcnemar(first: ArrayLike, second: ArrayLike) -> float:
    """Two-sided exact McNemar p of paired successes (n,), each true or false: do the two succeed equally often?"""
    a, b = _truths(first), _truths(second)
    _same_length(a, b)
    only_first, only_second = int((a & ~b).sum()), int((~a & b).sum())
    trials, fewer = only_first + only_second, min(only_first, only_second)
    if trials == 0:
        return 1.0
    log_chances = [
        math.lgamma(trials + 1) - math.lgamma(k + 1) - math.lgamma(trials - k + 1) - trials * math.log(2)
        for k in range(fewer + 1)
    ]
    return min(1.0, 2 * math.fsum(map(math.exp, log_chances)))


def sign_test(differences: ArrayLike) -> float:
    """McNemar's exact test on one difference per prompt: are positive ones as frequent as negative ones?

    With one pair of successes per prompt it is McNemar's test; with several the prompt's mean difference counts once.
    """
    line = _line(differences)
    return mcnemar(line > 0, line < 0)


def correlation(first: ArrayLike, second: ArrayLike) -> float:
    """Pearson's correlation; needs two numbers that differ in each list."""
    a, b = _pair(first, second)
    a, b = a - a.mean(), b - b.mean()
    scale = math.sqrt(float((a**2).sum()) * float((b**2).sum()))
    if not scale:
        raise ValueError("a correlation needs numbers that differ")
    return float((a * b).sum()) / scale


def rank_correlation(first: ArrayLike, second: ArrayLike) -> float:
    """Spearman's correlation, tied numbers sharing their mean rank."""
    a, b = _pair(first, second)
    return correlation(_ranks(a), _ranks(b))


def distances_to_others(embeddings: ArrayLike) -> Floats:
    """Mean cosine distance of each of two or more vectors (n, d) to all others, (n,): diversity, picture by picture."""
    grid = np.asarray(embeddings, dtype=np.float64)
    if grid.ndim != 2 or len(grid) < 2:
        raise ValueError(f"expected at least two vectors (n, d), got shape {grid.shape}")
    unit = grid / np.linalg.norm(grid, axis=1, keepdims=True)
    _line(unit.ravel())
    return np.asarray(1 - (unit @ unit.sum(axis=0) - 1) / (len(unit) - 1), dtype=np.float64)


def auroc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Chance that a positive outscores a negative, ties counting half; in [0, 1]. Needs both classes."""
    truth, line = _truths(labels), _line(scores)
    _same_length(truth, line)
    positives = int(truth.sum())
    negatives = truth.size - positives
    if not positives or not negatives:
        raise ValueError("AUROC needs positives and negatives")
    high, low = np.sort(line[truth]), np.sort(line[~truth])
    outscored = sum(float(low.searchsorted(high, side).sum()) for side in ("left", "right"))
    return outscored / 2 / (positives * negatives)


def balanced_accuracy(labels: ArrayLike, predictions: ArrayLike) -> float:
    """Mean of the recalls of the two classes; with one class present, the recall of that class."""
    truth, guess = _truths(labels), _truths(predictions)
    _same_length(truth, guess)
    recalls = [float((guess[truth == kind] == kind).mean()) for kind in (False, True) if (truth == kind).any()]
    return sum(recalls) / len(recalls)


def f1(labels: ArrayLike, predictions: ArrayLike) -> float:
    """Binary F1 of the positive class; 0 where it is neither present nor predicted."""
    truth, guess = _truths(labels), _truths(predictions)
    _same_length(truth, guess)
    hits, errors = int((truth & guess).sum()), int((truth != guess).sum())
    return 2 * hits / (2 * hits + errors) if hits or errors else 0.0


def rank(number: float, others: Sequence[float]) -> float:
    """Place of a number from the best, 1, down: one more than how many of the others are above it."""
    return 1.0 + sum(other > number for other in others)


def place(number: float, others: Sequence[float]) -> float:
    """Where a number stands between the least, 0, and the greatest, 1, of others; outside of them beyond that."""
    low, high = min(others), max(others)
    if low == high:
        raise ValueError("a place between extremes needs others that differ")
    return (number - low) / (high - low)


def quadratic_kappa(first: ArrayLike, second: ArrayLike) -> float:
    """Cohen's kappa of two raters' ordinal numbers (n,), disagreement weighed by its square (Cohen 1968).

    With squared weights it needs no list of classes: 1 - mean squared difference / that expected by chance. Two raters
    who give one and the same constant agree perfectly: 1.0.
    """
    a, b = _pair(first, second)
    expected = float(a.var() + b.var() + (a.mean() - b.mean()) ** 2)
    return 1 - float(((a - b) ** 2).mean()) / expected if expected else 1.0


def _ranks(line: Floats) -> Floats:
    """Ranks from 1, tied numbers sharing their mean rank."""
    _, where, counts = np.unique(line, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[where], dtype=np.float64)


def _line(samples: ArrayLike) -> Floats:
    line = np.asarray(samples, dtype=np.float64)
    if line.ndim != 1 or line.size == 0:
        raise ValueError(f"expected a non-empty list of numbers, got shape {line.shape}")
    if not np.isfinite(line).all():
        raise ValueError(f"number {int(np.flatnonzero(~np.isfinite(line))[0])} of {line.size} is not finite")
    return line


def _pair(first: ArrayLike, second: ArrayLike) -> tuple[Floats, Floats]:
    a, b = _line(first), _line(second)
    _same_length(a, b)
    return a, b


def _truths(labels: ArrayLike) -> NDArray[np.bool_]:
    line = _line(labels)
    if not ((line == 0) | (line == 1)).all():
        raise ValueError("labels must be true or false, 1 or 0")
    return np.asarray(line == 1)


def _same_length(first: NDArray[np.generic], second: NDArray[np.generic]) -> None:
    if first.shape != second.shape:
        raise ValueError(f"paired lists must be equally long, got {first.size} and {second.size}")
