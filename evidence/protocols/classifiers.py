"""Reward models as classifiers: does a scorer, under the wide-spectrum prompt, prefer the picture that fits it?

Option `truth` names who says which picture fits: a pairwise judge, or a judge of labels, to whom a pair counts where it
sees every requested effect in I_a and none of them in I_o. It may be left out where one pairwise judge takes part. The
other pairwise judges are rows like the scorers: their ties, and equal scores, count as a vote for I_o. Pairs that the
truth calls a tie are left out; Cohen's κ of two judges leaves out those that either calls one.

The published table can be read in two ways, and no single test set gives all of its numbers, so there is a table of
each; option `reading` chooses one:

- `non-tie`: the label of a pair is whether the truth picked I_a; AUROC ranks pairs by the difference of scores;
- `success-only`: only pairs on which it picked I_a, so that every label is 1 and F1 is 2a/(1+a) of accuracy a; AUROC
  ranks single pictures, two per pair. A judge of labels gives this reading alone.

Pairs of one prompt are no independent samples: intervals resample prompts, Wilson's has n = prompts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from evidence.jobs.plan import Comparison, PictureSpec, Scoring, ledger_id, names_labels
from evidence.prompts import Prompt
from evidence.protocols import Experiment, Observation
from evidence.protocols.pairs import FOUND, pairs
from evidence.protocols.tables import Measuring, TableBuilder, document
from evidence.samples.identity import reads_prompt
from evidence.scorers import ScorerCard
from ledger.problems import InputError, Problem, did_you_mean
from ledger.rows import Rows
from ledger.schema import Column, Document, Row, Selection, Value

PROMPTS = "wide"
OPTIONS = ("truth", "reading")
NON_TIE, SUCCESS_ONLY = READINGS = ("non-tie", "success-only")
RESAMPLES = 2_000  # of F1, balanced accuracy and AUROC, which take longer than means
COLUMNS = {
    "accuracy": Column(id="accuracy", label="Accuracy", unit="share", better="higher"),
    "f1": Column(id="f1", label="F1", better="higher", note="of the class “I_a fits”"),
    "balanced_accuracy": Column(id="balanced", label="Balanced accuracy", better="higher", note="mean recall of both"),
    "auroc": Column(id="auroc", label="AUROC", better="higher", note="pairs ranked by the difference of scores"),
    "kappa": Column(id="kappa", label="κ", better="higher", note="of two judges, over pairs that neither calls a tie"),
    "auroc_between": Column(
        id="auroc", label="AUROC, flattened", better="higher", note="single pictures, two per pair"
    ),
}
ALWAYS = Row(id="always-requested", label="Always the requested picture", note="a constant answer")


class Truth(NamedTuple):
    """Who says which picture fits: the label of a pair, and which pairs count."""

    label: Selection
    only: tuple[Selection, ...]


def truth(experiment: Experiment) -> ScorerCard:
    """The judge whose word is the truth."""
    judges = experiment.participants.judges
    known = {**judges} | {name: card for name, card in experiment.participants.scorers.items() if names_labels(card)}
    name = experiment.options.get("truth", next(iter(judges)) if len(judges) == 1 else "")
    if not name:
        told = "needs a truth: a pairwise judge (--judges), of several one by --set truth=NAME, or a judge of labels"
        raise InputError([Problem("--set", 0, "truth", told)])
    if name not in known:
        told = f"'{name}' is no judge of this run{did_you_mean(name, known)}"
        raise InputError([Problem("--set", 0, "truth", told)])
    return known[name]


def settled(experiment: Experiment) -> dict[str, str]:
    return {"truth": truth(experiment).id}


def readings(experiment: Experiment) -> tuple[str, ...]:
    possible = (SUCCESS_ONLY,) if names_labels(truth(experiment)) else READINGS
    chosen = experiment.options.get("reading")
    if chosen is not None and chosen not in possible:
        raise InputError([Problem("--set", 0, "reading", f"'{chosen}' is none of {', '.join(possible)}")])
    return (chosen,) if chosen else possible


def observations(experiment: Experiment) -> Iterator[Observation]:
    readings(experiment)
    for model in experiment.participants.models.values():
        for line in pairs(experiment, model):
            for prompt, original, distorted in line:
                yield from _judged(experiment, model.name, prompt, original, distorted)


def _judged(
    experiment: Experiment, row: str, prompt: Prompt, original: PictureSpec, distorted: PictureSpec
) -> Iterator[Observation]:
    seed, judge_card = distorted.seed, truth(experiment)
    if names_labels(judge_card) and not prompt.labels:
        return
    for judge in experiment.participants.judges:
        yield Observation(row, prompt.id, seed, "pair", "verdict", Comparison(original, distorted, judge, prompt.wide))
    for scorer in scorers(experiment):
        for way, picture in (("oidp", original), ("didp", distorted)):
            what = Scoring(picture, scorer.id, prompt.wide)
            yield Observation(row, prompt.id, seed, picture.kind, way, what)
    if names_labels(judge_card):
        for way, picture in (("plain-asked", original), ("asked", distorted)):
            what = Scoring(picture, judge_card.id, "")
            yield Observation(row, prompt.id, seed, picture.kind, way, what, prompt.labels)


def scorers(experiment: Experiment) -> list[ScorerCard]:
    return [card for card in experiment.participants.scorers.values() if reads_prompt(card)]


def tabulate(experiment: Experiment, rows: Rows) -> Document:
    measuring = Measuring(experiment, rows)
    return document(_builder(measuring, reading) for reading in readings(experiment))


def _builder(measuring: Measuring, reading: str) -> TableBuilder:
    experiment, judge = measuring.experiment, truth(measuring.experiment)
    builder = TableBuilder(
        f"{experiment.name}.classifiers-{reading}",
        f"Scorers as classifiers, reading “{reading}”",
        f"Does a scorer prefer the picture that {judge.label} found to fit the wide-spectrum prompt?",
    )
    said = _truth(measuring, judge, reading)
    if reading == NON_TIE:
        constant = said.label.model_copy(update={"above": None, "at_least": -1.0})
        for column, value in _agreement(measuring, ALWAYS.label, constant, said, reading):
            builder.put(ALWAYS, column, value)
    for scorer in scorers(experiment):
        row = Row(id=ledger_id(scorer.id), label=scorer.label, kind=_kind(scorer.aligned))
        guess = _of(measuring, scorer, "didp", less="oidp", above=0.0)
        cells = [*_agreement(measuring, scorer.label, guess, said, reading), _area(measuring, scorer, said, reading)]
        for column, value in cells:
            builder.put(row, column, value)
    for other in experiment.participants.judges.values():
        if other.id != judge.id:
            row = Row(id=ledger_id(other.id), label=other.label, kind="judge", note="its ties count as I_o")
            guess = _of(measuring, other, "verdict", above=0.0)
            for column, value in _agreement(measuring, other.label, guess, said, reading):
                builder.put(row, column, value)
            if reading == NON_TIE:
                decided = said._replace(only=(*said.only, _of(measuring, other, "verdict", at_least=0.0)))
                label = f"Cohen's κ of {other.label} and {judge.label}"
                value = _value(measuring, label, "kappa", guess, said.label, decided, reading)
                builder.put(row, COLUMNS["kappa"], value.model_copy(update={"unit": "kappa"}))
    return builder


def _kind(aligned: bool | None) -> str:
    return {True: "aligned", False: "base", None: ""}[aligned]


def _of(measuring: Measuring, card: ScorerCard, way: str, **told: Any) -> Selection:
    """Of the pairs of all generators together."""
    return measuring.of(list(measuring.experiment.participants.models), card.id, way, **told)


def _truth(measuring: Measuring, judge: ScorerCard, reading: str) -> Truth:
    if names_labels(judge):
        label = _of(measuring, judge, "asked", at_least=FOUND)
        return Truth(label, (label, _of(measuring, judge, "plain-asked", below=FOUND)))
    label = _of(measuring, judge, "verdict", above=0.0)
    return Truth(label, (_of(measuring, judge, "verdict", at_least=0.0) if reading == NON_TIE else label,))


def _agreement(
    measuring: Measuring, whose: str, guess: Selection, said: Truth, reading: str
) -> Iterator[tuple[Column, Value]]:
    """How well guesses, 1 for I_a, agree with the truth. With labels of one class balanced accuracy says nothing."""
    for statistic in ("accuracy", "f1", "balanced_accuracy") if reading == NON_TIE else ("accuracy", "f1"):
        column = COLUMNS[statistic]
        yield column, _value(measuring, f"{column.label} of {whose}", statistic, guess, said.label, said, reading)


def _area(measuring: Measuring, scorer: ScorerCard, said: Truth, reading: str) -> tuple[Column, Value]:
    requested = _of(measuring, scorer, "didp")
    if reading == NON_TIE:
        statistic, of, beside = "auroc", requested.model_copy(update={"less": "oidp"}), said.label
    else:
        statistic, of, beside = "auroc_between", requested, _of(measuring, scorer, "oidp")
    column = COLUMNS[statistic]
    return column, _value(measuring, f"{column.label} of {scorer.label}", statistic, of, beside, said, reading)


def _value(
    measuring: Measuring, label: str, statistic: str, of: Selection, beside: Selection, said: Truth, reading: str
) -> Value:
    interval = "wilson" if statistic == "accuracy" else "bootstrap"
    told: dict[str, Any] = {"only": said.only, "interval": interval, "resamples": RESAMPLES}
    return measuring.value(label, statistic, of, beside, unit="share", caveat=f"reading: {reading}", **told)
