"""Real photographs against clean generations: each generator draws a row's plain caption, and both pictures are scored
under the row's wide caption, which says what is unusual about the photograph. The gap is clean minus real: positive
where a scorer prefers the generation to the very photograph that was described.

A prompt set of one's own names each photograph in `image`; pixels of third parties do not ship with the project. The
score of a photograph is filed beside each generation that it is compared with, under its row and seed.
"""

from __future__ import annotations

from collections.abc import Iterator

from evidence.jobs.plan import ConfiguredModel, PictureFile, PictureSpec, Scoring, ledger_id
from evidence.prompts import Prompt
from evidence.protocols import Experiment, Observation, seed_of
from evidence.protocols.tables import Measuring, TableBuilder, document
from evidence.samples.identity import reads_prompt
from ledger.rows import Rows
from ledger.schema import Column, Document, Row

PROMPTS = ""
CLEAN, REAL = "clean", "real"


def _photographs(experiment: Experiment) -> list[Prompt]:
    return [prompt for prompt in experiment.prompts.rows if prompt.image and prompt.wide]


def observations(experiment: Experiment) -> Iterator[Observation]:
    for model in experiment.participants.models.values():
        for repeat in experiment.seeds:
            for prompt in _photographs(experiment):
                seed = seed_of(prompt, repeat)
                real = PictureFile(experiment.prompts.folder / prompt.image)
                clean = PictureSpec(model.name, prompt.plain, "plain", seed)
                for scorer in filter(reads_prompt, experiment.participants.scorers.values()):
                    for way, picture in ((CLEAN, clean), (REAL, real)):
                        what = Scoring(picture, scorer.id, prompt.wide)
                        yield Observation(model.name, prompt.id, seed, way, way, what)


def tabulate(experiment: Experiment, rows: Rows) -> Document:
    measuring = Measuring(experiment, rows)
    return document(_builder(measuring, model) for model in experiment.participants.models.values())


def _builder(measuring: Measuring, model: ConfiguredModel) -> TableBuilder:
    experiment = measuring.experiment
    builder = TableBuilder(
        f"{experiment.name}.real-photos-{model.id}",
        f"Real photographs against {model.card.label}",
        "Mean gap, clean generation minus real photograph, both under the photograph's caption, by taxonomy tag.",
    )
    tagged: dict[str, list[str]] = {"": []}  # all of them
    for prompt in _photographs(experiment):
        for tag in prompt.tags:
            tagged.setdefault(tag, []).append(prompt.id)
    for tag, prompts in tagged.items():
        row = Row(id=ledger_id(tag) or "all", label=tag.replace("_", " ").capitalize() or "All")
        for scorer in filter(reads_prompt, experiment.participants.scorers.values()):
            column = Column(id=f"gap_{ledger_id(scorer.id)}", label=f"{scorer.label} gap", note="clean - real")
            said = f"{scorer.label}: {model.card.label} minus real photograph, {row.label.lower()}"
            gap = measuring.of(model.name, scorer.id, CLEAN, less=REAL, prompts=prompts)
            builder.put(row, column, measuring.value(said, "mean", gap, unit="points"))
    return builder
