"""The statistics against scipy and against cases worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ledger import metrics


@pytest.mark.parametrize("bad", [[], [float("nan")], [float("inf")], [[1.0, 2.0]]])
def test_unusable_numbers_are_refused(bad: list[object]) -> None:
    """A NaN that slips into a mean silently erases a row of the table."""
    with pytest.raises(ValueError, match=r"finite|non-empty"):
        metrics.mean_interval(bad, seed=0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "call",
    [
        lambda: metrics.correlation([1.0], [1.0, 2.0]),
        lambda: metrics.auroc([1, 0], [1.0]),
        lambda: metrics.f1([1], [1, 0]),
        lambda: metrics.wilcoxon_signed_rank([1.0, 2.0], [1.0]),
    ],
)
def test_unpaired_lists_are_refused(call: object) -> None:
    with pytest.raises(ValueError, match="equally long"):
        call()  # type: ignore[operator]


# -- intervals ------------------------------------------------------------------------------------------------------


def test_the_bootstrap_matches_scipy() -> None:
    """Two generators draw otherwise: a twentieth of the standard error is what 10,000 resamples leave between them."""
    sample = np.random.default_rng(3).gamma(2.0, size=80)
    theirs = stats.bootstrap(
        (sample,), np.mean, n_resamples=10_000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    tolerance = 0.05 * stats.sem(sample)
    assert metrics.mean_interval(sample, 7) == pytest.approx((theirs.low, theirs.high), abs=tolerance)


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    sample = np.random.default_rng(0).normal(size=40)
    assert metrics.mean_interval(sample, 5) == metrics.mean_interval(sample, 5)
    assert metrics.mean_interval(sample, 5) != metrics.mean_interval(sample, 6)


@pytest.mark.parametrize(("share", "n"), [(0.19, 100), (0.5, 7), (0.0, 20), (1.0, 20)])
def test_the_interval_of_a_share_matches_scipy(share: float, n: int) -> None:
    theirs = stats.binomtest(round(share * n), n).proportion_ci(method="wilson")
    assert metrics.wilson_interval(round(share * n) / n, n) == pytest.approx(
        (theirs.low, theirs.high), rel=1e-12, abs=1e-15
    )


def test_no_share_lies_outside_its_own_interval() -> None:
    """Rounding used to put 1 above an upper end of 0.9999999999999999: without tolerance, for every count."""
    for n in range(1, 120):
        for hits in range(n + 1):
            low, high = metrics.wilson_interval(hits / n, n)
            assert 0 <= low <= hits / n <= high <= 1, (hits, n)


def test_a_few_trainings_have_students_interval() -> None:
    for size in range(2, 11):
        sample = np.random.default_rng(size).normal(size=size)
        theirs = stats.t.interval(0.95, size - 1, loc=sample.mean(), scale=stats.sem(sample))
        assert metrics.t_interval(sample) == pytest.approx(theirs, rel=1e-8)
    assert metrics.t_interval([1.0]) is None, "one training says nothing of others"
    assert metrics.t_interval([1.0, 1.0]) is None, "nor do two that happen to agree"
    with pytest.raises(ValueError, match="at most 10"):
        metrics.t_interval(np.arange(11))


def test_the_interval_of_a_mean_is_the_same_with_and_without_a_table_of_draws() -> None:
    """The kept table of draws is for speed only: a sample too large for it is drawn anew."""
    sample = np.random.default_rng(2).gamma(2.0, size=900)
    drawn = np.concatenate([sample[picked].mean(1) for picked in metrics.resampled(3, 10_000, 900)])
    assert metrics.mean_interval(sample, 3) == pytest.approx(metrics.percentile_interval(drawn), rel=1e-12)
    small = sample[:30]
    drawn = np.concatenate([small[picked].mean(1) for picked in metrics.resampled(3, 10_000, 30)])
    assert metrics.mean_interval(small, 3) == pytest.approx(metrics.percentile_interval(drawn), rel=1e-12)


def test_every_item_is_drawn_equally_often() -> None:
    drawn = np.concatenate(list(metrics.resampled(1, 20_000, 7)))
    assert drawn.shape == (20_000, 7)
    assert np.bincount(drawn.ravel(), minlength=7) == pytest.approx(np.full(7, 20_000), rel=0.02)


# -- tests of difference --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
@pytest.mark.parametrize("n", [3, 12, 50])
def test_small_signed_rank_tests_are_exact(alternative: str, n: int) -> None:
    rng = np.random.default_rng(n)
    aligned, base = rng.normal(0.3, 1, n), rng.normal(size=n)
    ours = metrics.wilcoxon_signed_rank(aligned, base, alternative)  # type: ignore[arg-type]
    assert ours.p == pytest.approx(stats.wilcoxon(aligned, base, alternative=alternative, method="exact").pvalue)


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_large_signed_rank_tests_with_ties_match_the_corrected_approximation(alternative: str) -> None:
    rng = np.random.default_rng(9)
    aligned, base = rng.integers(0, 6, 400), rng.integers(0, 5, 400)
    theirs = stats.wilcoxon(aligned, base, alternative=alternative, method="asymptotic", correction=True)
    ours = metrics.wilcoxon_signed_rank(aligned, base, alternative)  # type: ignore[arg-type]
    assert ours.p == pytest.approx(theirs.pvalue)


def test_tied_ranks_in_a_small_test_follow_the_permutation_distribution() -> None:
    aligned, base = np.array([1.0, 2, 2, 3, 5, 5, 1, 4]), np.zeros(8)
    aligned[[1, 6]] *= -1
    theirs = stats.wilcoxon(
        aligned, base, alternative="greater", method=stats.PermutationMethod(n_resamples=np.inf)
    ).pvalue
    assert metrics.wilcoxon_signed_rank(aligned, base, "greater").p == pytest.approx(theirs)


def test_the_rank_correlation_has_the_sign_of_aligned_minus_base() -> None:
    assert metrics.wilcoxon_signed_rank([2.0, 3, 4], [1.0, 1, 1]).r == 1.0
    assert metrics.wilcoxon_signed_rank([1.0, 1, 1], [2.0, 3, 4]).r == -1.0


def test_identical_arms_differ_with_p_one() -> None:
    assert metrics.wilcoxon_signed_rank([1.0, 2], [1.0, 2]) == (0.0, 1.0, 0.0, 0, 0.0)


def test_an_unknown_alternative_is_refused() -> None:
    with pytest.raises(ValueError, match="alternative"):
        metrics.wilcoxon_signed_rank([1.0], [0.0], "more")  # type: ignore[arg-type]


def test_the_sign_test_counts_a_prompt_once_whatever_its_seeds() -> None:
    differences = [1.0, 0.5, 1 / 3, 0.0, -0.2, 1.0]
    assert metrics.sign_test(differences) == pytest.approx(stats.binomtest(4, 5).pvalue)


def test_correlations_match_scipy() -> None:
    rng = np.random.default_rng(8)
    first = rng.integers(0, 6, 60).astype(float)
    second = first + rng.normal(0, 3, 60)
    assert metrics.correlation(first, second) == pytest.approx(stats.pearsonr(first, second).statistic, rel=1e-12)
    assert metrics.rank_correlation(first, second) == pytest.approx(stats.spearmanr(first, second).statistic, rel=1e-12)
    with pytest.raises(ValueError, match="differ"):
        metrics.correlation([1.0, 1.0], [1.0, 2.0])


def test_mcnemar_is_the_exact_binomial_of_the_discordant_pairs() -> None:
    first = [1] * 14 + [0] * 5 + [1] * 30
    second = [0] * 14 + [1] * 5 + [1] * 30
    assert metrics.mcnemar(first, second) == pytest.approx(stats.binomtest(5, 19).pvalue)
    assert metrics.mcnemar([1, 0], [1, 0]) == 1.0


# -- classifiers ----------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=4, max_size=40))
@settings(max_examples=60)
def test_auroc_is_the_share_of_won_comparisons_with_ties_as_halves(pairs: list[tuple[bool, int]]) -> None:
    labels, scores = [a for a, _ in pairs], [float(b) for _, b in pairs]
    positives = [s for label, s in zip(labels, scores, strict=True) if label]
    negatives = [s for label, s in zip(labels, scores, strict=True) if not label]
    if not positives or not negatives:
        with pytest.raises(ValueError, match="positives and negatives"):
            metrics.auroc(labels, scores)
        return
    wins = stats.mannwhitneyu(positives, negatives).statistic
    assert metrics.auroc(labels, scores) == pytest.approx(wins / len(positives) / len(negatives))


def test_a_constant_guess_is_worth_half_in_balanced_accuracy_however_rare_the_other_class() -> None:
    labels = [1] * 97 + [0] * 3
    assert metrics.balanced_accuracy(labels, [1] * 100) == 0.5
    assert metrics.f1(labels, [1] * 100) == pytest.approx(2 * 0.97 / 1.97)


def test_labels_other_than_true_and_false_are_refused() -> None:
    with pytest.raises(ValueError, match="true or false"):
        metrics.f1([1, -1], [1, 0])


def test_quadratic_kappa_of_a_worked_confusion_matrix() -> None:
    """Weights by squared distance over the classes 0, 1, 2: one mistake by two steps costs four of one step."""
    first, second = np.array([0, 0, 1, 1, 2, 2, 2, 0]), np.array([0, 1, 1, 1, 2, 1, 2, 2])
    observed = np.zeros((3, 3))
    np.add.at(observed, (first, second), 1 / 8)
    weights = (np.arange(3)[:, None] - np.arange(3)) ** 2
    by_chance = observed.sum(1)[:, None] * observed.sum(0)
    expected = 1 - (weights * observed).sum() / (weights * by_chance).sum()
    assert metrics.quadratic_kappa(first, second) == pytest.approx(expected)
    assert metrics.quadratic_kappa([1, 1], [1, 1]) == 1.0
