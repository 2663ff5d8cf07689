"""Real art on a leaderboard: every work is scored under its caption, every generator draws the same captions, and the
mean of the works is placed among the generators' means.

`rank` counts from the best, the works included; `relative` is where the works stand between the lowest and the highest
generator. Both are taken on the captions that all have. Captions of works are usually a model's; longer captions score
higher, so only numbers on the same captions compare. Where the authors of a scorer publish a board of their own
(`leaderboard.toml`), the works are placed on it as well, and its entries stand beside our means: those are of other
captions.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from evidence.jobs.plan import ConfiguredModel, PictureFile, PictureSpec, Scoring, Source, ledger_id
from evidence.prompts import Prompt
from evidence.protocols import Experiment, Observation, seed_of
from evidence.protocols.pairs import row_of
from evidence.protocols.tables import Measuring, TableBuilder, document
from evidence.samples.identity import reads_prompt
from evidence.scorers import ScorerCard
from ledger import schema
from ledger.rows import Rows
from ledger.schema import Column, Document, Row, Strict, Value, Web

PROMPTS = ""
WORKS = Row(id="real-art", label="Real art", kind="human")
WAY = "caption"
OTHER_CAPTIONS = "the board scores pictures of its own prompts, the works are scored under their captions"


class Entry(Strict):
    label: str
    mean: float


class Board(Strict):
    """Means of generators as the authors of a scorer publish them."""

    where: str
    url: Web
    date: str
    entries: dict[schema.Id, Entry]


@lru_cache
def boards() -> dict[str, Board]:
    """The published boards by the id of their scorer."""
    text = Path(__file__).with_suffix(".toml").read_text("utf-8")
    return {scorer: Board.model_validate(told) for scorer, told in tomllib.loads(text).items()}


def observations(experiment: Experiment) -> Iterator[Observation]:
    for row, model in competitors(experiment):
        for repeat in experiment.seeds if model else (None,):
            for prompt in works(experiment):
                seed = seed_of(prompt, repeat)
                picture = _picture(experiment, model, prompt, seed)
                for scorer in filter(reads_prompt, experiment.participants.scorers.values()):
                    what = Scoring(picture, scorer.id, prompt.plain)
                    name, kind = (model.name, "plain") if model else (row.id, "work")
                    yield Observation(name, prompt.id, seed, kind, WAY, what)


def works(experiment: Experiment) -> list[Prompt]:
    return [prompt for prompt in experiment.prompts.rows if prompt.image]


def competitors(experiment: Experiment) -> Iterator[tuple[Row, ConfiguredModel | None]]:
    yield WORKS, None
    for model in experiment.participants.models.values():
        yield row_of(model), model


def _picture(experiment: Experiment, model: ConfiguredModel | None, prompt: Prompt, seed: int | None) -> Source:
    if model is None:
        return PictureFile(experiment.prompts.folder / prompt.image)
    return PictureSpec(model.name, prompt.plain, "plain", seed)


def tabulate(experiment: Experiment, rows: Rows) -> Document:
    builder = TableBuilder(
        f"{experiment.name}.leaderboard",
        "Real art among the generators",
        "Mean score under the works' own captions; every generator drew the same captions.",
    )
    measuring = Measuring(experiment, rows)
    for scorer in filter(reads_prompt, experiment.participants.scorers.values()):
        column = Column(id=f"mean_{ledger_id(scorer.id)}", label=scorer.label, better="higher")
        for row, model in competitors(experiment):
            label = f"{scorer.label} of {row.label} under the captions of works"
            chosen = measuring.of(model.name if model else row.id, scorer.id, WAY)
            builder.put(row, column, measuring.value(label, "mean", chosen, unit="points"))
        generators = measuring.of(list(experiment.participants.models), scorer.id, WAY)
        count = len(experiment.participants.models)
        _place(measuring, builder, scorer, "", f"{count} generators of this run", count, beside=generators)
        if board := boards().get(scorer.id):
            _published(measuring, builder, scorer, board)
    return document([builder])


def _published(measuring: Measuring, builder: TableBuilder, scorer: ScorerCard, board: Board) -> None:
    name = ledger_id(scorer.id)
    column = Column(id=f"published_{name}", label=f"{scorer.label}, published", better="higher", note=board.where)
    source = schema.Source(kind="reported", where=f"{board.where}, {board.date}", url=board.url)
    for id_, entry in board.entries.items():
        label = f"{scorer.label} of {entry.label} on the published leaderboard"
        value = Value(label=label, value=entry.mean, unit="points", digits=2, source=source, caveat=OTHER_CAPTIONS)
        builder.put(Row(id=id_, label=entry.label), column, value)
    means = [entry.mean for entry in board.entries.values()]
    among = f"the {len(means)} of the published leaderboard"
    _place(measuring, builder, scorer, "published_", among, len(means), among=means, caveat=OTHER_CAPTIONS)


def _place(
    measuring: Measuring, builder: TableBuilder, scorer: ScorerCard, prefix: str, whom: str, count: int, **told: Any
) -> None:
    """Rank and relative place of the works among others."""
    own = measuring.of(WORKS.id, scorer.id, WAY)
    name, caveat = ledger_id(scorer.id), told.pop("caveat", "")
    said = f"{scorer.label}: place of real art among {whom}"
    rank = Column(id=f"{prefix}rank_{name}", label=f"Rank by {scorer.label}", better="lower", note=f"among {whom}")
    relative = Column(
        id=f"{prefix}relative_{name}", label=f"Relative, {scorer.label}", better="higher", note=f"among {whom}"
    )
    of = "; ".join(filter(None, (f"of {count + 1}", caveat)))
    builder.put(WORKS, rank, measuring.value(said, "rank", own, digits=0, caveat=of, **told))
    builder.put(WORKS, relative, measuring.value(said, "place", own, unit="share", caveat=caveat, **told))
