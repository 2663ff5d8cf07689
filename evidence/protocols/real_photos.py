"""Real photographs against clean generations: each generator draws a row's plain caption, and both pictures are scored
under the row's wide caption, which says what is unusual about the photograph. The gap is clean minus real: positive
where a scorer prefers the generation to the very photograph that was described.

A prompt set of one's own names each photograph in `image`; pixels of third parties do not ship with the project.
"""

from __future__ import annotations

from collections.abc import Iterator

from evidence import values
from evidence.jobs.plan import ConfiguredModel, PictureFile, PictureSpec, Requirements, Scoring, ledger_id, merge
from evidence.prompts import Prompt
from evidence.protocols import Experiment, seed_of
from evidence.samples.identity import reads_prompt
from evidence.samples.stored_results import StoredResults
from evidence.values import Sheet
from ledger.schema import Column, Document, Row

PROMPTS = ""


def _rows(experiment: Experiment) -> list[Prompt]:
    return [prompt for prompt in experiment.prompts.rows if prompt.image and prompt.wide]


def _both(
    experiment: Experiment, model: ConfiguredModel, prompt: Prompt, repeat: int | None
) -> tuple[PictureFile, PictureSpec]:
    real = PictureFile(experiment.prompts.folder / prompt.image)
    return real, PictureSpec(model.name, prompt.plain, "plain", seed_of(prompt, repeat))


def requirements(experiment: Experiment) -> Requirements:
    return merge(
        Requirements(scorings=tuple(Scoring(p, s, prompt.wide) for p in _both(experiment, model, prompt, repeat)))
        for model in experiment.participants.models.values()
        for repeat in experiment.seeds
        for prompt in _rows(experiment)
        for s in experiment.participants.scorers
    )


def tabulate(experiment: Experiment, stored: StoredResults) -> Document:
    sheets = [_sheet(experiment, stored, model) for model in experiment.participants.models.values()]
    return Document(
        values={key: value for sheet in sheets for key, value in sheet.values.items()},
        tables={sheet.id: sheet.table() for sheet in sheets if sheet.values},
    )


def _sheet(experiment: Experiment, stored: StoredResults, model: ConfiguredModel) -> Sheet:
    sheet = Sheet(
        f"{experiment.name}.real-photos-{model.id}",
        f"Real photographs against {model.card.label}",
        "Mean gap, clean generation minus real photograph, both under the photograph's caption, by taxonomy tag.",
    )
    for tag in ("", *dict.fromkeys(tag for prompt in _rows(experiment) for tag in prompt.tags)):
        row = Row(id=ledger_id(tag) or "all", label=tag.replace("_", " ").capitalize() or "All")
        for name, scorer in experiment.participants.scorers.items():
            if reads_prompt(scorer):
                grid = [list(_gaps(experiment, stored, model, name, tag, repeat)) for repeat in experiment.seeds]
                column = Column(id=f"gap_{ledger_id(name)}", label=f"{scorer.label} gap", note="clean - real")
                label = f"{scorer.label}: {model.card.label} minus real photograph, {row.label.lower()}"
                sheet.put(row, column, values.mean(experiment, label, grid, unit="points"))
    return sheet


def _gaps(
    experiment: Experiment, stored: StoredResults, model: ConfiguredModel, scorer: str, tag: str, repeat: int | None
) -> Iterator[float | None]:
    for prompt in _rows(experiment):
        if not tag or tag in prompt.tags:
            real, clean = (stored.number(p, scorer, prompt.wide) for p in _both(experiment, model, prompt, repeat))
            yield None if real is None or clean is None else clean - real
