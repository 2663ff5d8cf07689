"""Real art on a leaderboard: every work is scored under its caption, every generator draws the same captions, and the
mean of the works is placed among the generators' means.

`relative` is (mean - lowest) / (highest - lowest) over the generators, `rank` counts from the best, the works included.
Captions of works are usually a model's; longer captions score higher, so only numbers on the same captions compare.
"""

from __future__ import annotations

from collections.abc import Iterator

from evidence import values
from evidence.answers import Answers
from evidence.plan import Ask, Given, Member, Scoring, Source, Wants, ledger_id, merge, reads_prompt
from evidence.prompts import Prompt
from evidence.protocols import Study, seed_of
from evidence.protocols.pairs import row_of
from evidence.scorers import ScorerRow
from evidence.values import Grid, Sheet
from ledger.schema import Column, Document, Row, Value

PROMPTS = ""
WORKS = Row(id="real-art", label="Real art", kind="human")


def _rows(study: Study) -> list[Prompt]:
    return [prompt for prompt in study.prompts.rows if prompt.image]


def _picture(study: Study, member: Member | None, prompt: Prompt, repeat: int | None) -> Source:
    if member is None:
        return Given(study.prompts.folder / prompt.image)
    return Ask(member.name, prompt.plain, "plain", seed_of(prompt, repeat))


def _competitors(study: Study) -> Iterator[tuple[Row, Member | None]]:
    yield WORKS, None
    for member in study.cast.members.values():
        yield row_of(member), member


def wants(study: Study) -> Wants:
    return merge(
        Wants(scorings=(Scoring(_picture(study, member, prompt, repeat), scorer, prompt.plain),))
        for _, member in _competitors(study)
        for repeat in (study.seeds if member else study.seeds[:1])
        for prompt in _rows(study)
        for scorer in study.cast.scorers
    )


def tabulate(study: Study, answers: Answers) -> Document:
    sheet = Sheet(
        f"{study.name}.leaderboard",
        "Real art among the generators",
        "Mean score under the works' own captions; every generator drew the same captions.",
    )
    for name, scorer in study.cast.scorers.items():
        if reads_prompt(scorer):
            column = Column(id=f"mean_{ledger_id(name)}", label=scorer.label, better="higher")
            for row, member in _competitors(study):
                label = f"{scorer.label} of {row.label} under the captions of works"
                value = values.mean(study, label, _grid(study, answers, member, name), unit="points")
                sheet.put(row, column, value)
            for key, value in _place(study, sheet, column, scorer):
                sheet.put(WORKS, key, value)
    return Document(values=sheet.values, tables={sheet.id: sheet.table()} if sheet.values else {})


def _grid(study: Study, answers: Answers, member: Member | None, scorer: str) -> Grid:
    return [
        [answers.number(_picture(study, member, p, repeat), scorer, p.plain) for p in _rows(study)]
        for repeat in (study.seeds if member else study.seeds[:1])
    ]


def _place(study: Study, sheet: Sheet, column: Column, scorer: ScorerRow) -> Iterator[tuple[Column, Value]]:
    cells = {row: sheet.values[f"{sheet.id}.{row}.{column.id}"] for row in sheet.rows}
    works = cells.pop(WORKS.id)
    others = [cell.value for cell in cells.values() if cell.value is not None]
    rank = Column(id=f"rank_{ledger_id(scorer.id)}", label=f"Rank by {scorer.label}", better="lower")
    relative = Column(id=f"relative_{ledger_id(scorer.id)}", label=f"Relative, {scorer.label}", better="higher")
    label = f"{scorer.label}: place of real art among {len(others)} generators"
    if works.value is None or len(others) < 2 or max(others) == min(others):
        why = "needs the works and two generators with different means"
        yield rank, values.pending(study, label, "", 0, why)
        yield relative, values.pending(study, label, "share", 3, why)
        return
    place = 1 + sum(other > works.value for other in others)
    share = (works.value - min(others)) / (max(others) - min(others))
    n = works.n or 0
    yield rank, values.number(study, label, place, digits=0, n=n, caveat=f"of {len(others) + 1}")
    yield relative, values.number(study, label, share, unit="share", n=n)
