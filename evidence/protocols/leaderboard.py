"""Real art on a leaderboard: every work is scored under its caption, every generator draws the same captions, and the
mean of the works is placed among the generators' means.

`relative` is (mean - lowest) / (highest - lowest) over the generators, `rank` counts from the best, the works included.
Captions of works are usually a model's; longer captions score higher, so only numbers on the same captions compare.
"""

from __future__ import annotations

from collections.abc import Iterator

from evidence import values
from evidence.jobs.plan import (
    ConfiguredModel,
    PictureFile,
    PictureSpec,
    Requirements,
    Scoring,
    Source,
    ledger_id,
    merge,
)
from evidence.prompts import Prompt
from evidence.protocols import Experiment, seed_of
from evidence.protocols.pairs import row_of
from evidence.samples.identity import reads_prompt
from evidence.samples.stored_results import StoredResults
from evidence.scorers import ScorerCard
from evidence.values import Grid, Sheet
from ledger.schema import Column, Document, Row, Value

PROMPTS = ""
WORKS = Row(id="real-art", label="Real art", kind="human")


def _rows(experiment: Experiment) -> list[Prompt]:
    return [prompt for prompt in experiment.prompts.rows if prompt.image]


def _picture(experiment: Experiment, model: ConfiguredModel | None, prompt: Prompt, repeat: int | None) -> Source:
    if model is None:
        return PictureFile(experiment.prompts.folder / prompt.image)
    return PictureSpec(model.name, prompt.plain, "plain", seed_of(prompt, repeat))


def _competitors(experiment: Experiment) -> Iterator[tuple[Row, ConfiguredModel | None]]:
    yield WORKS, None
    for model in experiment.participants.models.values():
        yield row_of(model), model


def requirements(experiment: Experiment) -> Requirements:
    return merge(
        Requirements(scorings=(Scoring(_picture(experiment, model, prompt, repeat), scorer, prompt.plain),))
        for _, model in _competitors(experiment)
        for repeat in (experiment.seeds if model else experiment.seeds[:1])
        for prompt in _rows(experiment)
        for scorer in experiment.participants.scorers
    )


def tabulate(experiment: Experiment, stored: StoredResults) -> Document:
    sheet = Sheet(
        f"{experiment.name}.leaderboard",
        "Real art among the generators",
        "Mean score under the works' own captions; every generator drew the same captions.",
    )
    for name, scorer in experiment.participants.scorers.items():
        if reads_prompt(scorer):
            column = Column(id=f"mean_{ledger_id(name)}", label=scorer.label, better="higher")
            for row, model in _competitors(experiment):
                label = f"{scorer.label} of {row.label} under the captions of works"
                value = values.mean(experiment, label, _grid(experiment, stored, model, name), unit="points")
                sheet.put(row, column, value)
            for key, value in _place(experiment, sheet, column, scorer):
                sheet.put(WORKS, key, value)
    return Document(values=sheet.values, tables={sheet.id: sheet.table()} if sheet.values else {})


def _grid(experiment: Experiment, stored: StoredResults, model: ConfiguredModel | None, scorer: str) -> Grid:
    return [
        [stored.number(_picture(experiment, model, p, repeat), scorer, p.plain) for p in _rows(experiment)]
        for repeat in (experiment.seeds if model else experiment.seeds[:1])
    ]


def _place(experiment: Experiment, sheet: Sheet, column: Column, scorer: ScorerCard) -> Iterator[tuple[Column, Value]]:
    cells = {row: sheet.values[f"{sheet.id}.{row}.{column.id}"] for row in sheet.rows}
    works = cells.pop(WORKS.id)
    others = [cell.value for cell in cells.values() if cell.value is not None]
    rank = Column(id=f"rank_{ledger_id(scorer.id)}", label=f"Rank by {scorer.label}", better="lower")
    relative = Column(id=f"relative_{ledger_id(scorer.id)}", label=f"Relative, {scorer.label}", better="higher")
    label = f"{scorer.label}: place of real art among {len(others)} generators"
    if works.value is None or len(others) < 2 or max(others) == min(others):
        why = "needs the works and two generators with different means"
        yield rank, values.pending(experiment, label, "", 0, why)
        yield relative, values.pending(experiment, label, "share", 3, why)
        return
    place = 1 + sum(other > works.value for other in others)
    share = (works.value - min(others)) / (max(others) - min(others))
    n = works.n or 0
    yield rank, values.number(experiment, label, place, digits=0, n=n, caveat=f"of {len(others) + 1}")
    yield relative, values.number(experiment, label, share, unit="share", n=n)
