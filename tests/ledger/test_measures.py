"""Measures: what a value says of its rows, worked by hand on a few of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from ledger import metrics
from ledger.measures import Result, evaluate, measured
from ledger.rows import Row, Rows
from ledger.schema import Measure, Source


def row(prompt: int, number: float | None, way: str = "diop", **more: Any) -> Row:
    status = "scored" if number is not None else more.pop("status", "failed")
    given = {"run": "r", "row": "m", "scorer": "s", **more}
    return Row(prompt=str(prompt), way=way, number=number, status=status, **given)


def measure(statistic: str, of: dict[str, Any], beside: dict[str, Any] | None = None, **more: Any) -> Measure:
    return Measure.model_validate({"rows": "rows/a.csv.gz", "statistic": statistic, "of": of, "beside": beside, **more})


def found(rows: list[Row], *args: Any, **more: Any) -> Result:
    return evaluate(measure(*args, **more), Rows(tuple(rows)))


FOUR_WAY = [
    row(prompt, number, way)
    for prompt, numbers in enumerate([(10.0, 11.0, 2.0, 8.0), (5.0, 4.0, 6.0, 6.0), (7.0, 3.0, 7.0, 9.0)])
    for way, number in zip(("oiop", "oidp", "diop", "didp"), numbers, strict=True)
]


@pytest.mark.parametrize(
    ("statistic", "of", "value"),
    [
        ("mean", {"way": "diop"}, 5.0),
        ("mean", {"way": "diop", "less": "oiop"}, (-8 + 1 + 0) / 3),
        ("share", {"way": "didp", "less": "oidp", "above": 0}, 2 / 3),
        ("share", {"way": "diop", "less": "oiop", "below": 0}, 1 / 3),
        ("share", {"way": "diop", "less": "oiop", "at_least": 0, "below": 1}, 1 / 3),
        ("count", {"way": "diop"}, 3.0),
    ],
)
def test_four_way_scores_give_change_after_and_picks(statistic: str, of: dict[str, Any], value: float) -> None:
    assert found(FOUR_WAY, statistic, of).estimate.value == pytest.approx(value, abs=1e-12)


def test_a_quantile_is_taken_over_prompts() -> None:
    """Of every way at once: 7.75, 5.25 and 6.5 are the means within the three prompts."""
    result = found(FOUR_WAY, "quantile", {"way": "*"}, quantile=0.0)
    assert (result.estimate.value, result.n, result.clusters) == (5.25, 12, 3)
    lowest = found(FOUR_WAY, "quantile", {"way": "*"}, quantile=0.0, cluster="observation")
    assert lowest.estimate.value == 2.0, "over single scores, where that is asked for"


def test_seeds_of_one_prompt_count_once() -> None:
    """Three seeds of each prompt that all say the same must not make a test three times as sure."""
    once = [row(p, 1.0 + p, row=model) for p in range(6) for model in ("a",)] + [row(p, 0.0, row="b") for p in range(6)]
    thrice = [one._replace(seed=str(seed)) for one in once for seed in range(3)]
    of, beside = {"way": "diop", "where": {"row": ["a"]}}, {"way": "diop", "where": {"row": ["b"]}}
    for statistic in ("wilcoxon_p", "mcnemar_p"):
        assert found(thrice, statistic, of, beside).estimate == found(once, statistic, of, beside).estimate
    single, triple = (found(rows, "contrast", of, beside, interval="bootstrap") for rows in (once, thrice))
    assert single.estimate == triple.estimate
    assert (triple.n, triple.clusters) == (18, 6)


def test_a_prompt_with_more_seeds_weighs_no_more() -> None:
    rows = [row(0, 0.0, seed=str(seed)) for seed in range(9)] + [row(1, 1.0)]
    assert found(rows, "mean", {"way": "diop"}).estimate.value == 0.5


def test_a_contrast_meets_the_same_prompt_and_the_same_noise() -> None:
    rows = [row(0, 5.0, row="a", seed="1"), row(0, 100.0, row="b", seed="2"), row(0, 3.0, row="b", seed="1")]
    of, beside = {"way": "diop", "where": {"row": ["a"]}}, {"way": "diop", "where": {"row": ["b"]}}
    assert found(rows, "contrast", of, beside).estimate.value == 2.0


def test_failed_and_not_run_are_counted_apart() -> None:
    rows = [
        *(row(p, 1.0, "diop") for p in (0, 1, 2)),
        row(3, None, "diop"),
        row(4, None, "diop", status="not_run"),
        *(row(p, 0.0, "oiop") for p in (0, 1, 3, 4)),
        row(5, 0.0, "oiop"),
    ]
    result = found(rows, "mean", {"way": "diop", "less": "oiop"})
    assert (result.n, result.failed, result.not_run) == (2, 1, 3), "prompts 2, 4 and 5 lack one side"


def test_a_partner_that_failed_is_a_failure_of_the_pair() -> None:
    rows = [row(0, 1.0, row="a"), row(1, 1.0, row="a"), row(0, None, row="b"), row(1, 0.5, row="b")]
    of, beside = {"way": "diop", "where": {"row": ["a"]}}, {"way": "diop", "where": {"row": ["b"]}}
    result = found(rows, "contrast", of, beside)
    assert (result.estimate.value, result.n, result.failed, result.not_run) == (0.5, 1, 1, 0)


def test_labels_of_a_picture_are_averaged_or_counted() -> None:
    seen = {"treatment:blur": 0.9, "treatment:grain": 0.2, "object:cat": 1.0}
    rows = [row(p, number, "asked", label=label) for p in (0, 1) for label, number in seen.items()]
    treatments = {"way": "asked", "where": {"label": ["treatment:*"]}, "at_least": 0.5}
    assert found(rows, "share", treatments).estimate.value == 0.5
    assert found(rows, "mean", {**treatments, "labels": "sum"}).estimate.value == 1.0


def test_shares_have_wilsons_interval_over_prompts() -> None:
    rows = [row(p, 0.0, seed=str(seed)) for p in range(100) for seed in range(3)]
    result = found(rows, "share", {"way": "diop", "above": 0}, interval="wilson")
    assert result.estimate.interval == metrics.wilson_interval(0.0, 100)
    assert result.estimate.interval[1] > 0.03, "a share of nothing among a hundred is not known to be zero"


def test_equal_numbers_have_no_bootstrap_interval() -> None:
    """[0, 0] would claim certainty that the rows do not give."""
    result = found([row(p, 0.0) for p in range(100)], "mean", {"way": "diop"}, interval="bootstrap")
    assert result.estimate.interval is None


def test_trainings_are_compared_by_students_t() -> None:
    numbers = {"a-s0": 1.0, "a-s1": 2.0, "a-s2": 6.0}
    rows = [row(p, number, row=name) for name, number in numbers.items() for p in range(50)]
    result = found(rows, "mean", {"way": "diop", "where": {"row": ["a-s*"]}}, cluster="row", interval="t")
    half = 4.302653 * np.std([1, 2, 6], ddof=1) / np.sqrt(3)
    assert result.estimate.interval == pytest.approx((3 - half, 3 + half))
    assert result.clusters == 3


def test_agreement_is_measured_against_the_named_truth() -> None:
    """Truth: the judge's pick; guess: the scorer's; and how well the scorer's margin tells the two apart."""
    margins, truth = [2.0, -1.0, 0.5, -3.0, 1.0, -2.0], [1, 1, 1, 0, 0, 0]
    rows = [row(p, number, "gap") for p, number in enumerate(margins)]
    rows += [row(p, float(label), "pick", scorer="judge") for p, label in enumerate(truth)]
    guess = {"way": "gap", "where": {"scorer": ["s"]}, "above": 0}
    margin = {"way": "gap", "where": {"scorer": ["s"]}}
    judge = {"way": "pick", "where": {"scorer": ["judge"]}}
    assert found(rows, "accuracy", guess, judge).estimate.value == pytest.approx(4 / 6)
    assert found(rows, "f1", guess, judge).estimate.value == pytest.approx(2 / 3)
    assert found(rows, "balanced_accuracy", guess, judge).estimate.value == pytest.approx(2 / 3)
    result = found(rows, "auroc", margin, judge, interval="bootstrap", resamples=500)
    assert result.estimate.value == pytest.approx(7 / 9)
    assert result.estimate.interval is not None
    assert result.estimate.interval[0] < 7 / 9 < result.estimate.interval[1]


def test_a_guess_meets_the_truth_about_the_same_row() -> None:
    """Two generators, one prompt: what a judge says of one tells nothing of the other's pair."""
    guesses, truths = {"a": 1.0, "b": -1.0}, {"a": 1.0, "b": 0.0}
    rows = [row(p, number, "gap", row=name) for name, number in guesses.items() for p in range(3)]
    rows += [row(p, number, "pick", row=name, scorer="judge") for name, number in truths.items() for p in range(3)]
    result = found(rows, "accuracy", {"way": "gap", "above": 0}, {"way": "pick", "above": 0}, interval="wilson")
    assert (result.estimate.value, result.n, result.clusters) == (1.0, 6, 3)
    assert result.estimate.interval == metrics.wilson_interval(1.0, 3)


def test_only_what_a_condition_allows_counts() -> None:
    """Pairs without a tie; a tie is no missing pair, a verdict that failed is one, whatever the score."""
    verdicts = [1.0, 0.0, -1.0, None, 1.0, -1.0]
    rows = [row(p, number, "verdict", scorer="judge") for p, number in enumerate(verdicts)]
    rows += [row(p, number, "gap") for p, number in enumerate([2.0, 4.0, 100.0, 100.0, None, None])]
    decided = {"way": "verdict", "where": {"scorer": ["judge"]}, "at_least": 0}
    result = found(rows, "mean", {"way": "gap"}, only=[decided])
    assert (result.estimate.value, result.n, result.failed, result.not_run) == (3.0, 2, 2, 0)


def test_a_condition_holds_of_all_labels_of_the_same_row() -> None:
    seen = {"x": 0.9, "y": 0.4}
    rows = [row(p, 1.0 + p, row=name) for p in (0, 1) for name in ("a", "b")]
    rows += [row(0, 0.9, "asked", row="a", label=label) for label in seen]
    rows += [row(1, number, "asked", row="a", label=label) for label, number in seen.items()]
    result = found(rows, "mean", {"way": "diop"}, only=[{"way": "asked", "at_least": 0.5}])
    assert (result.estimate.value, result.n, result.not_run) == (1.0, 1, 2), "of row b nothing is known"


def test_a_mean_finds_its_place_among_others() -> None:
    """On the prompts that all have; numbers from elsewhere stand beside them."""
    numbers = {"art": [4.0, 4.0, -50.0], "best": [9.0, 11.0, 0.0], "worst": [2.0, 2.0, None]}
    rows = [row(p, number, row=name) for name, line in numbers.items() for p, number in enumerate(line)]
    art, others = ({"way": "diop", "where": {"row": names}} for names in (["art"], ["best", "worst"]))
    assert found(rows, "rank", art, others).estimate.value == 2
    assert found(rows, "place", art, others).estimate.value == 0.25
    assert found(rows, "rank", art, others, among=[5.0, 6.0, -1.0]).estimate.value == 4
    assert found(rows, "place", art, among=[-14.0, -24.0]).estimate.value == 1.0
    alone = {"way": "diop", "where": {"row": ["nobody"]}}
    assert found(rows, "rank", art, alone).estimate.why == "there is nothing to place it among"


def test_wins_are_counted_pair_by_pair() -> None:
    rows = [row(p, number, row=name, seed=str(seed)) for p in (0, 1) for seed in (0, 1)
            for name, number in (("a", float(p)), ("b", float(seed)))]  # fmt: skip
    of, beside = {"way": "diop", "where": {"row": ["a"]}}, {"way": "diop", "where": {"row": ["b"]}}
    result = found(rows, "wins", of, beside, interval="wilson")
    assert (result.estimate.value, result.n, result.clusters) == (0.25, 4, 2), "equal numbers are no win"


def test_auroc_between_two_sides_needs_no_pairs() -> None:
    rows = [row(p, float(p), "high") for p in (2, 3, 4)] + [row(p, float(p), "low") for p in (0, 3)]
    result = found(rows, "auroc_between", {"way": "high"}, {"way": "low"})
    assert result.estimate.value == pytest.approx(4.5 / 6)  # four wins and a tie of six


def test_a_correlation_takes_one_pair_a_prompt() -> None:
    rows = [row(p, float(p + noise), "x", seed=str(noise)) for p in range(4) for noise in (-5, 5)]
    rows += [row(p, float(-2 * p), "y", seed=str(noise)) for p in range(4) for noise in (-5, 5)]
    assert found(rows, "correlation", {"way": "x"}, {"way": "y"}).estimate.value == pytest.approx(-1)
    assert found(rows, "rank_correlation", {"way": "x"}, {"way": "y"}).estimate.value == pytest.approx(-1)


def test_the_bootstrap_is_the_stated_stream_of_numbers() -> None:
    """The page draws the same resamples: mulberry32 in plain integers, one index after another."""

    def mulberry32(state: int) -> Any:
        while True:
            state = (state + 0x6D2B79F5) % 2**32
            t = (state ^ state >> 15) * (state | 1) % 2**32
            t ^= (t + (t ^ t >> 7) * (t | 61)) % 2**32
            yield (t ^ t >> 14) / 2**32

    numbers, stream = [1.0, 4.0, 9.0, 16.0], mulberry32(2512)
    means = sorted(sum(numbers[int(next(stream) * 4)] for _ in range(4)) / 4 for _ in range(1000))
    rows = [row(p, number) for p, number in enumerate(numbers)]
    result = found(rows, "mean", {"way": "diop"}, interval="bootstrap", seed=2512, resamples=1000)
    expected = np.quantile(means, (0.025, 0.975))
    assert result.estimate.interval == pytest.approx(tuple(expected), abs=1e-12)


def test_mulberry32_gives_the_published_generators_numbers() -> None:
    """First outputs of the JavaScript original for three seeds."""
    assert metrics.mulberry32(0, 0, 3).tolist() == [1144304738, 1416247, 958946056]
    assert metrics.mulberry32(2512, 0, 3).tolist() == [455833288, 2313738395, 3443159459]
    assert metrics.mulberry32(2**32 - 1, 1, 2).tolist() == [813802916, 3073704848]


def test_a_value_keeps_its_measure_and_says_why_it_is_pending() -> None:
    source = Source(kind="measured", where="r")
    asked = measure("mean", {"way": "diop"})
    value = measured("A mean", asked, Rows((row(0, 2.0),)), unit="points", digits=1, source=source)
    assert (value.value, value.n, value.measure) == (2.0, 1, asked)
    empty = measured("A mean", asked, Rows((row(0, None),)), unit="points", digits=1, source=source)
    assert (empty.value, empty.failed) == (None, 1)
    assert empty.source.where == "nothing was scored: 1 failed, 0 not run"


@pytest.mark.parametrize(
    "wrong",
    [
        {"statistic": "contrast"},
        {"statistic": "mean", "beside": {"way": "y"}},
        {"statistic": "share"},
        {"statistic": "wins"},
        {"statistic": "rank"},
        {"statistic": "mean", "among": [1.0]},
        {"statistic": "rank", "among": [1.0], "interval": "bootstrap"},
        {"statistic": "mean", "only": [{"way": "y"}]},
        {"statistic": "quantile"},
        {"statistic": "mean", "interval": "wilson"},
        {"statistic": "count", "interval": "bootstrap"},
        {"statistic": "mean", "interval": "bootstrap", "cluster": "observation"},
        {"statistic": "mean", "rows": "rows/../../secret.csv.gz"},
        {"statistic": "mean", "of": {"way": "x", "where": {"model": ["m"]}}},
    ],
)
def test_a_measure_that_means_nothing_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Measure.model_validate({"rows": "rows/a.csv.gz", "of": {"way": "x"}, **wrong})


def test_diversity_is_the_mean_distance_to_all_others() -> None:
    assert metrics.distances_to_others([[1, 0], [0, 2], [3, 0]]) == pytest.approx([0.5, 1.0, 0.5])
