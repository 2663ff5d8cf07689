"""Samples -> rows: what the store holds of the observations of an experiment, in the one format of all evidence.

A row is one score, one label of a scorer that gives several, or one verdict (1 for the requested picture, 0 for the
other, -1 for a tie). What failed and what was not run are rows as well, so that every n can tell them apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from evidence.interfaces import Score
from evidence.jobs.plan import Comparison, PictureSpec, Scoring
from evidence.jobs.stored_results import Outcome, StoredResults
from evidence.protocols import Experiment, Observation
from ledger.rows import Row

WINDOW = "text-window"  # stands in the column of scorers for whether a text window cut a prompt


def rows(experiment: Experiment, stored: StoredResults, observations: Iterable[Observation]) -> Iterator[Row]:
    """The rows of some observations, in their order."""
    for one in observations:
        outcome = stored.outcome(one.what)
        blank = Row(
            run=experiment.run,
            row=one.row,
            prompt=one.prompt,
            scorer=one.what.judge if isinstance(one.what, Comparison) else one.what.scorer,
            way=one.way,
            profile=experiment.participants.profile,
            prompt_set=experiment.prompt_set,
            seed="" if one.seed is None else str(one.seed),
            kind=one.kind,
            status=outcome.status,
            sample=outcome.sample,
        )
        for label, number in numbers(one, outcome):
            yield blank._replace(label=label, number=number)


def numbers(one: Observation, outcome: Outcome) -> Iterator[tuple[str, float | None]]:
    """Label and number of every row of an observation; without a score, one line for each label it is about."""
    score: Score | None = outcome.score
    if isinstance(score, dict):
        yield from ((label, score[label]) for label in one.labels or score if label in score)
    elif score is None and one.labels:
        yield from ((label, None) for label in one.labels)
    else:
        yield "", score


def windows(experiment: Experiment, stored: StoredResults, observations: Iterable[Observation]) -> Iterator[Row]:
    """For every prompt whether a text window cut it: that of the generator, of which the picture's record knows, and
    that of the scorer."""
    texts = {(prompt.id, text): kind for prompt in experiment.prompts.rows for kind, text in prompt.texts()}
    told: set[tuple[str, str, str, str]] = set()
    for one in observations:
        if not isinstance(one.what, Scoring):
            continue
        picture, kind = one.what.picture, texts.get((one.prompt, one.what.prompt), "")
        record = stored.record(picture) if isinstance(picture, PictureSpec) else None
        found = [(one.row, one.kind, record.made.get("truncated") if record else None)]
        found.append((one.what.scorer, kind, stored.cut(one.what) if kind else None))
        for row, of, cut in found:
            if cut is None or (key := (row, one.prompt, of, str(one.seed) if row == one.row else "")) in told:
                continue
            told.add(key)
            yield Row(
                experiment.run, row, one.prompt, WINDOW, "cut", experiment.participants.profile,
                experiment.prompt_set, key[3], of, number=float(bool(cut)),
            )  # fmt: skip


def union(parts: Iterable[Row]) -> list[Row]:
    """Each observation once: two orders that ask for the same one file it once, and what is scored wins."""
    known: dict[tuple[str, ...], Row] = {}
    for row in parts:
        before = known.get(row.identity)
        if before is None or before.status != "scored":
            known[row.identity] = row
    return list(known.values())
