"""Does a generated face show the emotion that was asked for? A matcher scores each picture under the row's statement
about it; a judge of labels is asked for the label of that name, where it has one.

The published test crops the face with LLMDet first. No package we depend on brings a face detector (OpenCV 5 has the
code of one, its weights are a download), so here the whole picture is scored: numbers compare with each other, not with
the published ones, and every value says so.
"""

from __future__ import annotations

from evidence import values
from evidence.jobs.plan import ConfiguredModel, PictureSpec, Requirements, Scoring, ledger_id, merge
from evidence.prompts import Prompt
from evidence.protocols import Experiment, seed_of
from evidence.protocols.pairs import row_of
from evidence.samples.identity import reads_prompt
from evidence.samples.stored_results import StoredResults
from evidence.scorers import ScorerCard
from evidence.values import Sheet
from ledger.schema import Column, Document

PROMPTS = "emotion"
UNCROPPED = "the whole picture is scored; the published test crops the face first (LLMDet): not comparable with it"


def _ask(model: ConfiguredModel, prompt: Prompt, emotion: str, repeat: int | None) -> PictureSpec:
    return PictureSpec(model.name, prompt.prompts[emotion], "plain", seed_of(prompt, repeat))


def requirements(experiment: Experiment) -> Requirements:
    return merge(
        Requirements(
            scorings=(Scoring(_ask(model, prompt, emotion, repeat), scorer, prompt.statements.get(emotion, text)),)
        )
        for model in experiment.participants.models.values()
        for repeat in experiment.seeds
        for prompt in experiment.prompts.rows
        for emotion, text in prompt.prompts.items()
        for scorer in experiment.participants.scorers
    )


def tabulate(experiment: Experiment, stored: StoredResults) -> Document:
    sheet = Sheet(
        f"{experiment.name}.emotion-generation",
        "Emotions in generated faces",
        "How well the whole picture, not a crop of the face, matches a sentence that its face shows the emotion.",
    )
    emotions = list(dict.fromkeys(emotion for prompt in experiment.prompts.rows for emotion in prompt.prompts))
    for model in experiment.participants.models.values():
        for name, scorer in experiment.participants.scorers.items():
            for emotion in emotions:
                grid = [
                    [
                        _shown(stored, scorer, _ask(model, prompt, emotion, repeat), prompt, emotion)
                        for prompt in experiment.prompts.rows
                        if emotion in prompt.prompts
                    ]
                    for repeat in experiment.seeds
                ]
                if not reads_prompt(scorer) and all(number is None for line in grid for number in line):
                    continue  # a judge of other labels
                column = Column(
                    id=f"{ledger_id(emotion)}_{ledger_id(name)}",
                    label=f"{emotion.capitalize()}, {scorer.label}",
                    better="higher",
                )
                label = f"{scorer.label} finds the {emotion} face that {model.card.label} was asked for"
                sheet.put(row_of(model), column, values.mean(experiment, label, grid, unit="score", caveat=UNCROPPED))
    return Document(values=sheet.values, tables={sheet.id: sheet.table()} if sheet.values else {})


def _shown(stored: StoredResults, scorer: ScorerCard, spec: PictureSpec, prompt: Prompt, emotion: str) -> float | None:
    value = stored.score(spec, scorer.id, prompt.statements.get(emotion, prompt.prompts[emotion]))
    return value.get(emotion) if isinstance(value, dict) else value
