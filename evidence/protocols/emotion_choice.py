"""Forced choice: under a caption that names a negative emotion, does a scorer prefer the face that shows it, or the
happy one? Chance is one half.

Faces are given (`images` of the prompt set, one file per emotion) or, where a row has none, made by each generator from
the row's `prompts`, all with one seed. A decision is right where the named emotion's picture scores strictly higher.
Ways say which face is scored, then under whose caption: `named-sad`, `happy-sad`.
"""

from __future__ import annotations

from collections.abc import Iterator

from evidence.jobs.plan import ConfiguredModel, PictureFile, PictureSpec, Scoring, Source, ledger_id
from evidence.prompts import Prompt
from evidence.protocols import Experiment, Observation, seed_of
from evidence.protocols.tables import Measuring, TableBuilder, document
from evidence.samples.identity import reads_prompt
from ledger.rows import Rows
from ledger.schema import Column, Document, Row

PROMPTS = "emotion"
HAPPY = "happy"
GIVEN = "given"  # the row of faces that no generator made


def observations(experiment: Experiment) -> Iterator[Observation]:
    for model in makers(experiment):
        row, kind = (model.name, "plain") if model else (GIVEN, GIVEN)
        for prompt in faces(experiment, model):
            for repeat in experiment.seeds if model else (None,):
                seed = seed_of(prompt, repeat)
                for emotion in negative(prompt):
                    for way, shown in ((f"named-{emotion}", emotion), (f"happy-{emotion}", HAPPY)):
                        picture = face(experiment, model, prompt, shown, seed)
                        for scorer in filter(reads_prompt, experiment.participants.scorers.values()):
                            what = Scoring(picture, scorer.id, prompt.prompts[emotion])
                            yield Observation(row, prompt.id, seed, kind, way, what)


def makers(experiment: Experiment) -> list[ConfiguredModel | None]:
    """Who made faces: nobody of the run, each of its generators, or both."""
    given = any(prompt.images for prompt in experiment.prompts.rows)
    made = not all(prompt.images for prompt in experiment.prompts.rows)
    return [*([None] if given else []), *(experiment.participants.models.values() if made else [])]


def faces(experiment: Experiment, model: ConfiguredModel | None) -> list[Prompt]:
    return [prompt for prompt in experiment.prompts.rows if (model is None) == bool(prompt.images)]


def negative(prompt: Prompt) -> list[str]:
    """The emotions that are held against the happy face."""
    return [emotion for emotion in prompt.prompts if emotion != HAPPY and HAPPY in prompt.prompts]


def face(
    experiment: Experiment, model: ConfiguredModel | None, prompt: Prompt, emotion: str, seed: int | None
) -> Source:
    """The given picture, or the one that a generator makes of it."""
    if model is None:
        return PictureFile(experiment.prompts.folder / prompt.images[emotion])
    return PictureSpec(model.name, prompt.prompts[emotion], "plain", seed)


def tabulate(experiment: Experiment, rows: Rows) -> Document:
    measuring = Measuring(experiment, rows)
    return document(_builder(measuring, model) for model in makers(experiment))


def _builder(measuring: Measuring, model: ConfiguredModel | None) -> TableBuilder:
    experiment = measuring.experiment
    whose, name = (model.card.label, model.name) if model else ("given pictures", GIVEN)
    builder = TableBuilder(
        f"{experiment.name}.emotion-choice-{ledger_id(name)}",
        f"Named negative emotion against the happy face: {whose}",
        "Share of faces on which a scorer prefers the emotion that the caption names. Chance is 0.5.",
    )
    emotions = dict.fromkeys(e for prompt in faces(experiment, model) for e in negative(prompt))
    for scorer in filter(reads_prompt, experiment.participants.scorers.values()):
        for emotion in emotions:
            column = Column(id=ledger_id(emotion), label=emotion.capitalize(), unit="share", better="higher")
            said = f"{scorer.label} prefers the {emotion} face when asked for it ({whose})"
            right = measuring.of(name, scorer.id, f"named-{emotion}", less=f"happy-{emotion}", above=0.0)
            value = measuring.value(said, "share", right, unit="share")
            builder.put(Row(id=ledger_id(scorer.id), label=scorer.label), column, value)
    return builder
