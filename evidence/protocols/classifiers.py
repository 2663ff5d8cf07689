"""Reward models as classifiers: does a scorer, under the wide-spectrum prompt, prefer the picture that fits it?

The published table can be read in two ways, and no single test set gives all of its numbers, so both are computed and
named in each value:

- `non-tie`: every pair on which a pairwise judge did not say tie; the label is whether it picked I_a;
- `success-only`: only pairs on which it picked I_a, so that every label is 1, and F1 is 2a/(1+a).

AUROC likewise: `per-pair` ranks pairs by the difference of scores (it needs both labels), `flattened` ranks single
pictures, two per pair. Equal scores count as a vote for I_o. Option `reading` chooses one of the two; option `confirm`
names a judge of labels that stands in for the pairwise judge: a pair is a success where it sees every requested effect
in I_a and none of them in I_o, and is left out elsewhere. Intervals are over pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evidence import values
from evidence.jobs.plan import Comparison, ConfiguredModel, PictureSpec, Requirements, Scoring, ledger_id, merge
from evidence.prompts import Prompt
from evidence.protocols import Experiment
from evidence.protocols.pairs import FOUND, pairs
from evidence.samples.identity import reads_prompt
from evidence.samples.stored_results import StoredResults
from evidence.values import SEED, Sheet
from ledger import metrics
from ledger.problems import InputError, Problem, did_you_mean
from ledger.schema import Column, Document, Row, Value

PROMPTS = "wide"
READINGS = ("non-tie", "success-only")


class Cases(NamedTuple):
    """Scores under the wide prompt and labels (1: I_a is right) of the pairs that count, each (n,)."""

    original: NDArray[np.float64]
    distorted: NDArray[np.float64]
    labels: NDArray[np.float64]


Labelled = tuple[Prompt, PictureSpec, PictureSpec, int | None]


def readings(experiment: Experiment) -> tuple[str, ...]:
    chosen = experiment.options.get("reading")
    if chosen is not None and chosen not in READINGS:
        raise InputError([Problem("--set", 0, "reading", f"'{chosen}' is none of {', '.join(READINGS)}")])
    return (chosen,) if chosen else READINGS


def requirements(experiment: Experiment) -> Requirements:
    confirm = experiment.options.get("confirm")
    if not experiment.participants.judges and not confirm:
        told = "needs a pairwise judge (--judges) or a judge of labels (--set confirm=SCORER)"
        raise InputError([Problem("--protocol", 0, "classifiers", told)])
    if confirm and confirm not in experiment.participants.scorers:
        hint = did_you_mean(confirm, experiment.participants.scorers)
        raise InputError([Problem("--set", 0, "confirm", f"'{confirm}' is none of the scorers of this run{hint}")])
    readings(experiment)
    return merge(
        Requirements(
            (original, distorted),
            tuple(
                Scoring(p, scorer, prompt.wide)
                for scorer in experiment.participants.scorers
                for p in (original, distorted)
            ),
            tuple(Comparison(original, distorted, judge, prompt.wide) for judge in experiment.participants.judges),
        )
        for model in experiment.participants.models.values()
        for line in pairs(experiment, model)
        for prompt, original, distorted in line
    )


def tabulate(experiment: Experiment, stored: StoredResults) -> Document:
    sheets: list[Sheet] = []
    for reading in readings(experiment):
        sheet = Sheet(
            f"{experiment.name}.classifiers-{reading}",
            f"Scorers as classifiers, reading “{reading}”",
            "Does a scorer prefer the picture that a judge found to fit the wide-spectrum prompt?",
            note="AUROC per pair ranks pairs by the difference of scores; flattened, single pictures, two per pair.",
        )
        sheets.append(sheet)
        for name, scorer in experiment.participants.scorers.items():
            if reads_prompt(scorer):
                found, missing = gather(experiment, stored, name, reading)
                row = Row(id=ledger_id(name), label=scorer.label, kind=_kind(scorer.aligned))
                for column, value in _row(experiment, scorer.label, reading, found, missing):
                    sheet.put(row, column, value)
    return Document(
        values={key: value for sheet in sheets for key, value in sheet.values.items()},
        tables={sheet.id: sheet.table() for sheet in sheets if sheet.values},
    )


def _kind(aligned: bool | None) -> str:
    return {True: "aligned", False: "base", None: ""}[aligned]


def gather(experiment: Experiment, stored: StoredResults, scorer: str, reading: str) -> tuple[Cases, int]:
    """The pairs of all generators that count under a reading, and how many of them lack a score or a verdict."""
    found: list[tuple[float, float, float]] = []
    missing = 0
    for model in experiment.participants.models.values():
        for prompt, original, distorted, label in _labelled(experiment, stored, model):
            if label == -1 or (label == 0 and reading == "success-only"):
                continue
            o, d = (stored.number(picture, scorer, prompt.wide) for picture in (original, distorted))
            if o is None or d is None or label is None:
                missing += 1
            else:
                found.append((o, d, float(label)))
    columns = np.asarray(found, dtype=np.float64).reshape(-1, 3).T
    return Cases(columns[0], columns[1], columns[2]), missing


def _labelled(experiment: Experiment, stored: StoredResults, model: ConfiguredModel) -> Iterator[Labelled]:
    """Prompt, I_o, I_a, label: 1 or 0, -1 where the pair does not count, None where the verdict is missing."""
    for line in pairs(experiment, model):
        for prompt, original, distorted in line:
            for judge in experiment.participants.judges:
                verdict = stored.verdict(Comparison(original, distorted, judge, prompt.wide))
                yield prompt, original, distorted, verdict
            if confirm := experiment.options.get("confirm"):
                seen = [stored.score(picture, confirm, "") for picture in (original, distorted)]
                yield prompt, original, distorted, _confirmed(prompt, *seen)


def _confirmed(prompt: Prompt, original: object, distorted: object) -> int | None:
    if not isinstance(original, dict) or not isinstance(distorted, dict):
        return None
    asked = [tag for tag in prompt.labels if tag in distorted]
    there = all(distorted[tag] >= FOUND for tag in asked)
    absent = all(original[tag] < FOUND for tag in asked)
    return 1 if asked and there and absent else -1


def _row(
    experiment: Experiment, label: str, reading: str, cases: Cases, missing: int
) -> Iterator[tuple[Column, Value]]:
    told = f"reading: {reading}"
    if missing:
        told += f"; {missing} pairs lack a score or a verdict"
    n = len(cases.labels)
    guesses = (cases.distorted > cases.original).astype(np.float64)
    correct = [[float(g == t) for g, t in zip(guesses, cases.labels, strict=True)]]
    accuracy = Column(id="accuracy", label="Accuracy", unit="share", better="higher")
    yield accuracy, values.share(experiment, f"Accuracy of {label}", correct, caveat=told)
    columns = {
        "f1": ("F1", "F1 of the class “I_a is right”"),
        "balanced": ("Balanced accuracy", "mean recall of both classes"),
        "auroc": ("AUROC per pair", "pairs ranked by the difference of scores"),
        "auroc_flat": ("AUROC flattened", "single pictures, two per pair"),
        "negatives": ("Negatives", "share of pairs on which I_o is right"),
    }
    for key, (short, meaning) in columns.items():
        column = Column(id=key, label=short, better="none" if key == "negatives" else "higher", note=meaning)
        name = f"{short} of {label}"
        try:
            value = _statistic(key, cases, guesses) if n else None
            why = "no pair counts" if value is None else ""
        except ValueError as error:
            value, why = None, str(error)
        if value is None:
            yield column, values.pending(experiment, name, "share", 3, f"{why} ({told})")
        else:
            yield column, values.number(experiment, name, value, unit="share", n=n, caveat=told)
    if n > 1:
        yield _flat_interval(experiment, label, cases, told)


def _statistic(key: str, cases: Cases, guesses: NDArray[np.float64]) -> float | None:
    match key:
        case "f1":
            return metrics.f1(cases.labels, guesses)
        case "balanced":
            return metrics.balanced_accuracy(cases.labels, guesses)
        case "auroc":
            return metrics.auroc(cases.labels, cases.distorted - cases.original)
        case "auroc_flat":
            truth = np.concatenate([cases.labels, 1 - cases.labels])
            return metrics.auroc(truth, np.concatenate([cases.distorted, cases.original]))
        case _:
            return float((cases.labels == 0).mean())


def _flat_interval(experiment: Experiment, label: str, cases: Cases, told: str) -> tuple[Column, Value]:
    """The margin by which the right picture wins, with an interval: what accuracy leaves out."""
    sign = 2 * cases.labels - 1
    margins = sign * (cases.distorted - cases.original)
    column = Column(id="margin", label="Margin", better="higher", note="score of the right picture minus the other's")
    value = values.number(
        experiment, f"Margin of {label}", float(margins.mean()), unit="points", n=len(margins), caveat=told
    )
    return column, value.model_copy(update={"interval": metrics.mean_interval(margins, SEED)})
