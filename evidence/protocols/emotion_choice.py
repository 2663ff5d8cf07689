"""Forced choice: under a caption that names a negative emotion, does a scorer prefer the face that shows it, or the
happy one? Chance is one half.

Faces are given (`images` of the prompt set, one file per emotion) or, where a row has none, made by each generator from
the row's `prompts`, all with one seed. A decision is right where the named emotion's picture scores strictly higher.
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
from evidence.samples.identity import reads_prompt
from evidence.samples.stored_results import StoredResults
from evidence.values import Sheet
from ledger.schema import Column, Document, Row

PROMPTS = "emotion"
HAPPY = "happy"


def face(
    experiment: Experiment, model: ConfiguredModel | None, prompt: Prompt, emotion: str, repeat: int | None
) -> Source:
    """The given picture, or the one that a generator makes of it."""
    if model is None:
        return PictureFile(experiment.prompts.folder / prompt.images[emotion])
    return PictureSpec(model.name, prompt.prompts[emotion], "plain", seed_of(prompt, repeat))


def cases(experiment: Experiment, model: ConfiguredModel | None) -> Iterator[list[tuple[str, str, Source, Source]]]:
    """One list per seed: emotion, its caption, its picture, the happy picture."""
    rows = [prompt for prompt in experiment.prompts.rows if (model is None) == bool(prompt.images)]
    for repeat in experiment.seeds if model else (0,):
        yield [
            (emotion, text, face(experiment, model, p, emotion, repeat), face(experiment, model, p, HAPPY, repeat))
            for p in rows
            for emotion, text in p.prompts.items()
            if emotion != HAPPY and HAPPY in p.prompts
        ]


def _makers(experiment: Experiment) -> list[ConfiguredModel | None]:
    given = any(prompt.images for prompt in experiment.prompts.rows)
    made = not all(prompt.images for prompt in experiment.prompts.rows)
    return [*([None] if given else []), *(experiment.participants.models.values() if made else [])]


def requirements(experiment: Experiment) -> Requirements:
    return merge(
        Requirements(scorings=(Scoring(sad, scorer, text), Scoring(happy, scorer, text)))
        for model in _makers(experiment)
        for line in cases(experiment, model)
        for _, text, sad, happy in line
        for scorer in experiment.participants.scorers
    )


def tabulate(experiment: Experiment, stored: StoredResults) -> Document:
    sheets = []
    for model in _makers(experiment):
        whose = model.card.label if model else "given pictures"
        sheet = Sheet(
            f"{experiment.name}.emotion-choice-{model.id if model else 'given'}",
            f"Named negative emotion against the happy face: {whose}",
            "Share of faces on which a scorer prefers the emotion that the caption names. Chance is 0.5.",
        )
        lines = list(cases(experiment, model))
        emotions = list(dict.fromkeys(emotion for line in lines for emotion, *_ in line))
        for name, scorer in experiment.participants.scorers.items():
            if not reads_prompt(scorer):
                continue
            row = Row(id=ledger_id(name), label=scorer.label)
            for emotion in emotions:
                right = [[_right(stored, name, text, a, b) for e, text, a, b in line if e == emotion] for line in lines]
                column = Column(id=ledger_id(emotion), label=emotion.capitalize(), unit="share", better="higher")
                label = f"{scorer.label} prefers the {emotion} face when asked for it ({whose})"
                sheet.put(row, column, values.share(experiment, label, right))
        sheets.append(sheet)
    return Document(
        values={key: value for sheet in sheets for key, value in sheet.values.items()},
        tables={sheet.id: sheet.table() for sheet in sheets if sheet.values},
    )


def _right(stored: StoredResults, scorer: str, text: str, named: Source, happy: Source) -> float | None:
    a, b = stored.number(named, scorer, text), stored.number(happy, scorer, text)
    return None if a is None or b is None else float(a > b)
