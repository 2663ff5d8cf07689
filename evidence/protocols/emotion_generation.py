"""Does a generated face show the emotion that was asked for? A matcher scores each picture under the row's statement
about it; a judge of labels is asked for the label `emotion:NAME`, where it has one.

The published test crops the face with LLMDet first. Here the whole picture is scored: numbers compare with each other,
not with the published ones, and every value says so. Ways name the emotion that was asked for: `asked-sad`.
"""

from __future__ import annotations

from collections.abc import Iterator

from evidence.jobs.plan import PictureSpec, Scoring, ledger_id, names_labels
from evidence.protocols import Experiment, Observation, seed_of
from evidence.protocols.pairs import row_of
from evidence.protocols.tables import Measuring, Sheet, document
from evidence.samples.identity import reads_prompt
from evidence.scorers import ScorerCard
from ledger.rows import Rows
from ledger.schema import Column, Document

PROMPTS = "emotion"
UNCROPPED = "the whole picture is scored; the published test crops the face first (LLMDet): not comparable with it"


def observations(experiment: Experiment) -> Iterator[Observation]:
    for model in experiment.participants.models.values():
        for repeat in experiment.seeds:
            for prompt in experiment.prompts.rows:
                seed = seed_of(prompt, repeat)
                for emotion, text in prompt.prompts.items():
                    picture = PictureSpec(model.name, text, "plain", seed)
                    for scorer in scorers(experiment):
                        what = Scoring(picture, scorer.id, prompt.statements.get(emotion, text))
                        labels = (f"emotion:{emotion}",) if names_labels(scorer) else ()
                        yield Observation(model.name, prompt.id, seed, "plain", f"asked-{emotion}", what, labels)


def scorers(experiment: Experiment) -> list[ScorerCard]:
    """Those who read the statement, and judges of labels."""
    return [card for card in experiment.participants.scorers.values() if reads_prompt(card) or names_labels(card)]


def tabulate(experiment: Experiment, rows: Rows) -> Document:
    sheet = Sheet(
        f"{experiment.name}.emotion-generation",
        "Emotions in generated faces",
        "How well the whole picture, not a crop of the face, matches a sentence that its face shows the emotion.",
    )
    measuring = Measuring(experiment, rows)
    emotions = dict.fromkeys(emotion for prompt in experiment.prompts.rows for emotion in prompt.prompts)
    for model in experiment.participants.models.values():
        for scorer in scorers(experiment):
            for emotion in emotions:
                said = f"{scorer.label} finds the {emotion} face that {model.card.label} was asked for"
                shown = measuring.of(model.name, scorer.id, f"asked-{emotion}")
                value = measuring.value(said, "mean", shown, unit="score", caveat=UNCROPPED)
                if not names_labels(scorer) or value.n or value.failed or value.not_run:  # else it has no such label
                    name = f"{ledger_id(emotion)}_{ledger_id(scorer.id)}"
                    label = f"{emotion.capitalize()}, {scorer.label}"
                    sheet.put(row_of(model), Column(id=name, label=label, better="higher"), value)
    return document([sheet])
