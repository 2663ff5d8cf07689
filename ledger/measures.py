"""From rows to values: a measure is data (`ledger.schema.Measure`), and this module evaluates it.

1. *Observations.* `of` selects rows. Rows of one run, row, profile, prompt, seed and scorer with the way `way` give one
   observation each: the number, or with `less` the number minus that of the other way, or 1 and 0 by `above`,
   `at_least`, `below`. Several labels of one picture are averaged or summed. Where a row that is needed failed the
   observation failed; where it is missing or not run it was not run; both are counted and take no part.
2. *Pairs.* `beside` gives observations likewise. Each observation of `of` meets the mean of those with its prompt and
   seed: the same prompt and the same noise. A guess meets a truth about the same row alone. (`auroc_between`, `rank`
   and `place` leave the two sides unpaired.) `only` names conditions: an observation counts where each holds of the
   same row, prompt and seed, by all its labels; where a condition does not hold it is left out, where it is missing so
   is the observation.
3. *Clusters.* Seeds, trainings and scorers are no independent samples. Observations are averaged within a prompt, and
   prompts within a cluster, which is the prompt itself unless the measure says otherwise; with `observation` nothing is
   averaged, and there is no interval. Statistics of a truth and a guess keep the single pairs, and draw them cluster by
   cluster. Clusters stand in order of first appearance.
4. *Interval.* Wilson's with n = clusters; Student's t over clusters; or the percentile bootstrap: resample b draws
   clusters floor(u * clusters), u the outputs of mulberry32 from the measure's seed, one stream for all resamples,
   and quantiles are interpolated linearly. Resamples in which the statistic is undefined are left out. Numbers that are
   all equal have neither of the last two.

All formulas live in `ledger.metrics`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal, NamedTuple

import numpy as np

from ledger import metrics
from ledger.metrics import Floats
from ledger.rows import Row, Rows
from ledger.schema import Measure, Selection, Source, Value

_AGREEMENT = {"auroc", "accuracy", "balanced_accuracy", "f1", "kappa"}
_UNPAIRED = {"auroc_between", "rank", "place"}

Missing = Literal["failed", "not_run"]
Outcome = float | Missing


class Unit(NamedTuple):
    """One picture, or pair of pictures, as one scorer saw it."""

    run: str
    row: str
    profile: str
    prompt_set: str
    prompt: str
    seed: str
    scorer: str
    way: str  # empty where two ways are subtracted

    @property
    def noise(self) -> tuple[str, str, str]:
        """What an observation shares with the one it is compared with."""
        return self.prompt_set, self.prompt, self.seed

    @property
    def picture(self) -> tuple[str, ...]:
        """What an observation shares with others of the same picture, or pair of pictures."""
        return self.row, self.profile, *self.noise


class Pair(NamedTuple):
    """An observation with what it is compared with: one side is None where the sides are not paired."""

    unit: Unit
    first: float | None
    second: float | None


class Estimate(NamedTuple):
    """What a statistic gives. `value` is None where nothing, or not enough, was scored; `why` says so."""

    value: float | None
    interval: tuple[float, float] | None = None
    sd: float | None = None  # of the clusters' numbers
    p: float | None = None
    why: str = ""


@dataclass(frozen=True)
class Result:
    """An estimate and how many observations it rests on: `n` counted ones in `clusters`, and those without a number."""

    estimate: Estimate
    n: int
    clusters: int
    failed: int
    not_run: int


def evaluate(measure: Measure, rows: Rows) -> Result:
    """The value of a measure with its interval and counts."""
    pairs, missing = _pairs(measure, rows)
    clusters = _clustered(pairs, measure)
    failed, not_run = missing.count("failed"), missing.count("not_run")
    return Result(_estimate(measure, clusters, missing), len(pairs), len(clusters), failed, not_run)


def _estimate(measure: Measure, clusters: Sequence[Cluster], missing: Sequence[Missing]) -> Estimate:
    if not clusters and measure.statistic != "count":
        lost = f"{missing.count('failed')} failed, {missing.count('not_run')} not run"
        unfit = "no row fits the measure" + (" and its conditions" if measure.only else "")
        return Estimate(None, why=f"nothing was scored: {lost}" if missing else unfit)
    try:
        return _AVERAGED.get(measure.statistic, _of_pairs)(measure, clusters)
    except ValueError as error:
        return Estimate(None, why=str(error))


def measured(
    label: str, measure: Measure, rows: Rows, *, unit: str, digits: int, source: Source, caveat: str | None = None
) -> Value:
    """The ledger's value of a measure; pending, with the reason, where the rows give none."""
    found = evaluate(measure, rows)
    number = found.estimate
    if number.value is None:
        source = Source(kind="pending", where=number.why)
    return Value(
        label=label, value=number.value, unit=unit, digits=digits, source=source, caveat=caveat, measure=measure,
        n=None if measure.statistic == "count" else found.n, clusters=found.clusters,
        failed=found.failed, not_run=found.not_run, sd=number.sd, interval=number.interval, p=number.p,
    )  # fmt: skip


# -- observations -----------------------------------------------------------------------------------------------------


def _pairs(measure: Measure, rows: Rows) -> tuple[list[Pair], list[Missing]]:
    """Everything that counts, and the outcomes of what does not."""
    whole, lost = list[Pair](), list[Missing]()
    conditions = [_by(_picture, observations(one, rows)) for one in measure.only]
    for unit, *sides in _sides(measure, rows):
        held = [condition.get(unit.picture, "not_run") for condition in conditions]
        if any(not isinstance(one, str) and one < 1 for one in held):
            continue
        if missing := [side for side in (*held, *sides) if isinstance(side, str)]:
            lost.append(_worst(missing))
        else:
            first, second = (None if isinstance(side, str) else side for side in sides)
            whole.append(Pair(unit, first, second))
    return whole, lost


def _sides(measure: Measure, rows: Rows) -> Iterator[tuple[Unit, Outcome | None, Outcome | None]]:
    first = observations(measure.of, rows)
    second = observations(measure.beside, rows) if measure.beside else {}
    paired = measure.beside is not None and measure.statistic not in _UNPAIRED
    shared = _picture if measure.statistic in _AGREEMENT else _noise
    partners = _by(shared, second) if paired else {}
    for unit, outcome in first.items():
        yield unit, outcome, partners.get(shared(unit), "not_run") if paired else None
    if not paired:
        yield from ((unit, None, outcome) for unit, outcome in second.items())


def observations(chosen: Selection, rows: Rows) -> dict[Unit, Outcome]:
    """One outcome for each picture, or pair of pictures, that the selection names."""
    ways: dict[tuple[Unit, str], dict[str, Outcome]] = {}
    sides = [chosen.way, chosen.less] if chosen.less else [chosen.way]
    for row in rows.where(chosen.where, sides):
        if row.way in sides or chosen.way == "*":
            unit = _unit(row, way="" if chosen.less else row.way)
            outcomes = ways.setdefault((unit, row.label), {})
            outcomes["less" if row.way == chosen.less else "way"] = row.status if row.number is None else row.number  # type: ignore[assignment]
    pictures: dict[Unit, list[Outcome]] = {}
    for (unit, _), outcomes in ways.items():
        pictures.setdefault(unit, []).append(_observed(chosen, outcomes))
    return {unit: _one_number(chosen, outcomes) for unit, outcomes in pictures.items()}


def _unit(row: Row, way: str) -> Unit:
    return Unit(row.run, row.row, row.profile, row.prompt_set, row.prompt, row.seed, row.scorer, way)


def _observed(chosen: Selection, outcomes: dict[str, Outcome]) -> Outcome:
    needed = [outcomes.get(side, "not_run") for side in (("way", "less") if chosen.less else ("way",))]
    if missing := [outcome for outcome in needed if isinstance(outcome, str)]:
        return _worst(missing)
    number = float(needed[0]) - float(needed[1]) if chosen.less else float(needed[0])
    return float(_in_range(number, chosen)) if chosen.is_share else number


def _in_range(number: float, chosen: Selection) -> bool:
    return (
        (chosen.above is None or number > chosen.above)
        and (chosen.at_least is None or number >= chosen.at_least)
        and (chosen.below is None or number < chosen.below)
    )


def _one_number(chosen: Selection, outcomes: Sequence[Outcome]) -> Outcome:
    """The labels of one picture as one number, missing where one of them is."""
    if len(outcomes) == 1:
        return outcomes[0]
    if missing := [outcome for outcome in outcomes if isinstance(outcome, str)]:
        return _worst(missing)
    total = math.fsum(outcome for outcome in outcomes if not isinstance(outcome, str))
    return total if chosen.labels == "sum" else total / len(outcomes)


def _worst(missing: Sequence[Missing]) -> Missing:
    """`failed` before `not_run`."""
    return min(missing)


def _noise(unit: Unit) -> tuple[str, ...]:
    return unit.noise


def _picture(unit: Unit) -> tuple[str, ...]:
    return unit.picture


def _by(shared: Callable[[Unit], tuple[str, ...]], outcomes: dict[Unit, Outcome]) -> dict[tuple[str, ...], Outcome]:
    """The mean over all that share something, as the prompt and the noise; missing where none was scored."""
    groups: dict[tuple[str, ...], list[Outcome]] = {}
    for unit, outcome in outcomes.items():
        groups.setdefault(shared(unit), []).append(outcome)
    return {key: _mean_or_missing(found) for key, found in groups.items()}


def _mean_or_missing(outcomes: Sequence[Outcome]) -> Outcome:
    if len(outcomes) == 1:
        return outcomes[0]
    numbers = [outcome for outcome in outcomes if not isinstance(outcome, str)]
    if not numbers:
        return _worst([outcome for outcome in outcomes if isinstance(outcome, str)])
    return math.fsum(numbers) / len(numbers)


# -- clusters ---------------------------------------------------------------------------------------------------------

Cluster = list[list[Pair]]  # prompts of a cluster, each with its pairs


def _clustered(pairs: Sequence[Pair], measure: Measure) -> list[Cluster]:
    clusters: dict[tuple[str, ...], dict[tuple[str, str], list[Pair]]] = {}
    for pair in pairs:
        prompt = (pair.unit.prompt_set, pair.unit.prompt)
        clusters.setdefault(_cluster(pair.unit, measure), {}).setdefault(prompt, []).append(pair)
    return [list(prompts.values()) for prompts in clusters.values()]


def _cluster(unit: Unit, measure: Measure) -> tuple[str, ...]:
    match measure.cluster:
        case "prompt":
            return unit.prompt_set, unit.prompt
        case "observation":
            return unit
        case column:
            return (getattr(unit, column),)


def _line(clusters: Sequence[Cluster], number: Callable[[Pair], float]) -> Floats:
    """One number per cluster: mean over prompts of the mean within the prompt; (clusters,)."""
    return np.array(
        [
            math.fsum(math.fsum(map(number, prompt)) / len(prompt) for prompt in prompts) / len(prompts)
            for prompts in clusters
        ]
    )


def _first(pair: Pair) -> float:
    assert pair.first is not None
    return pair.first


def _second(pair: Pair) -> float:
    assert pair.second is not None
    return pair.second


# -- statistics of one number per cluster -----------------------------------------------------------------------------

Statistic = Callable[[Measure, Sequence[Cluster]], Estimate]


def _mean(number: Callable[[Pair], float]) -> Statistic:
    def statistic(measure: Measure, clusters: Sequence[Cluster]) -> Estimate:
        line = _line(clusters, number)
        return Estimate(float(line.mean()), _interval_of_mean(measure, line), float(line.std()))

    return statistic


def _interval_of_mean(measure: Measure, line: Floats) -> tuple[float, float] | None:
    match measure.interval:
        case "wilson":
            return metrics.wilson_interval(float(line.mean()), line.size)
        case "t":
            return metrics.t_interval(line)
        case "bootstrap":
            return metrics.mean_interval(line, measure.seed, measure.resamples)
        case "none":
            return None


def _count(measure: Measure, clusters: Sequence[Cluster]) -> Estimate:
    return Estimate(float(sum(len(prompt) for prompts in clusters for prompt in prompts)))


def _quantile(measure: Measure, clusters: Sequence[Cluster]) -> Estimate:
    assert measure.quantile is not None
    return Estimate(float(np.quantile(_line(clusters, _first), measure.quantile)))


def _signed_rank(field: str) -> Statistic:
    def statistic(measure: Measure, clusters: Sequence[Cluster]) -> Estimate:
        differences = _line(clusters, lambda pair: _first(pair) - _second(pair))
        test = metrics.wilcoxon_signed_rank(differences, np.zeros_like(differences), measure.alternative)
        effect = test.z / math.sqrt(test.n) if test.n else 0.0
        return Estimate({"p": test.p, "r": test.r, "z": effect}[field], p=None if field == "p" else test.p)

    return statistic


def _mcnemar(measure: Measure, clusters: Sequence[Cluster]) -> Estimate:
    return Estimate(metrics.sign_test(_line(clusters, lambda pair: _first(pair) - _second(pair))))


def _placed(number: Callable[[float, Sequence[float]], float]) -> Statistic:
    def statistic(measure: Measure, clusters: Sequence[Cluster]) -> Estimate:
        own, others = _means(clusters)
        if not (among := [*others, *measure.among]):
            raise ValueError("there is nothing to place it among")
        return Estimate(number(own, among))

    return statistic


def _means(clusters: Sequence[Cluster]) -> tuple[float, list[float]]:
    """Mean of the first side and of each row of the second, over the clusters in which all of them have a number."""
    rows = list(dict.fromkeys(_competitor(pair) for cluster in clusters for prompt in cluster for pair in prompt))
    parts = [{row: _of_row(row, cluster) for row in rows} for cluster in clusters]
    whole = [part for part in parts if all(part.values())]
    if "" not in rows or not whole:
        raise ValueError("no prompt has a number of every row")
    means = {row: float(_line([part[row] for part in whole], _either).mean()) for row in rows}
    return means.pop(""), list(means.values())


def _competitor(pair: Pair) -> str:
    """The row of the second side; empty for the first."""
    return "" if pair.second is None else pair.unit.row


def _of_row(row: str, cluster: Cluster) -> Cluster:
    chosen = ([pair for pair in prompt if _competitor(pair) == row] for prompt in cluster)
    return [prompt for prompt in chosen if prompt]


def _either(pair: Pair) -> float:
    return _first(pair) if pair.second is None else pair.second


_AVERAGED: dict[str, Statistic] = {
    "count": _count,
    "mean": _mean(_first),
    "share": _mean(_first),
    "contrast": _mean(lambda pair: _first(pair) - _second(pair)),
    "average": _mean(lambda pair: (_first(pair) + _second(pair)) / 2),
    "wins": _mean(lambda pair: float(_first(pair) > _second(pair))),
    "rank": _placed(metrics.rank),
    "place": _placed(metrics.place),
    "quantile": _quantile,
    "wilcoxon_p": _signed_rank("p"),
    "rank_biserial": _signed_rank("r"),
    "wilcoxon_r": _signed_rank("z"),
    "mcnemar_p": _mcnemar,
}


# -- statistics of pairs ----------------------------------------------------------------------------------------------

Case = tuple[Floats, Floats]  # first and second numbers of one cluster
_ON_CASES: dict[str, Callable[[Floats, Floats], float]] = {
    "correlation": metrics.correlation,
    "rank_correlation": metrics.rank_correlation,
    "auroc": lambda scores, truth: metrics.auroc(truth, scores),
    "auroc_between": lambda high, low: metrics.auroc(
        np.repeat((1, 0), (high.size, low.size)), np.concatenate((high, low))
    ),
    "accuracy": lambda guess, truth: float((guess == truth).mean()),
    "balanced_accuracy": lambda guess, truth: metrics.balanced_accuracy(truth, guess),
    "f1": lambda guess, truth: metrics.f1(truth, guess),
    "kappa": metrics.quadratic_kappa,
}


def _of_pairs(measure: Measure, clusters: Sequence[Cluster]) -> Estimate:
    """A statistic of truths and guesses, or of two quantities, with clusters drawn whole."""
    cases = [_case(measure, cluster) for cluster in clusters]
    number = _of_cases(measure, cases)
    if measure.interval == "wilson":
        return Estimate(number, metrics.wilson_interval(number, len(cases)))
    if measure.interval == "none":
        return Estimate(number)
    replicates = list(_replicates(measure, cases))
    spread = replicates and min(replicates) < max(replicates)
    return Estimate(number, metrics.percentile_interval(replicates) if spread else None)


def _case(measure: Measure, cluster: Cluster) -> Case:
    if measure.statistic in ("correlation", "rank_correlation"):
        return _line([cluster], _first), _line([cluster], _second)
    pairs = list(chain.from_iterable(cluster))
    return (
        np.array([pair.first for pair in pairs if pair.first is not None], dtype=np.float64),
        np.array([pair.second for pair in pairs if pair.second is not None], dtype=np.float64),
    )


def _of_cases(measure: Measure, cases: Sequence[Case]) -> float:
    first, second = (np.concatenate([case[side] for case in cases]) for side in (0, 1))
    if not first.size or not second.size:
        raise ValueError("one of the two sides has no scored observation")
    return _ON_CASES[measure.statistic](first, second)


def _replicates(measure: Measure, cases: Sequence[Case]) -> Iterator[float]:
    for drawn in metrics.resampled(measure.seed, measure.resamples, len(cases)):
        for picked in drawn.tolist():
            try:
                yield _of_cases(measure, [cases[index] for index in picked])
            except ValueError:  # one class only, or numbers that do not differ
                continue
