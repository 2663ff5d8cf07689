"""Does a generated face show the emotion that was asked for? A matcher scores each picture under the row's statement
about it; a judge of labels is asked for the label `emotion:NAME`, where it has one.

The published test crops the face with LLMDet first, as a matcher of faces does (`--scorers blip-l-face`): a picture in
which none is found has no score, and every value says how many those are. Other scorers see the whole picture: their
numbers compare with each other, not with the published ones, and every value says so. Ways name the emotion that was
asked for: `asked-sad`.
"""

from __future__ import annotations

from collections.abc import Iterator

from evidence.jobs.plan import ConfiguredModel, PictureSpec, Scoring, ledger_id, names_labels
from evidence.protocols import Experiment, Observation, seed_of
from evidence.protocols.pairs import row_of
from evidence.protocols.tables import Measuring, TableBuilder, document
from evidence.samples.identity import reads_prompt
from evidence.scorers import ScorerCard
from ledger.rows import Rows
from ledger.schema import Column, Document, Value

PROMPTS = "emotion"
FACES = True  # scorers of faces may take part
FOUND, MATCH = "face", "match"  # their labels
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
                        way, labels = f"asked-{emotion}", labels_of(scorer, emotion)
                        yield Observation(model.name, prompt.id, seed, "plain", way, what, labels)


def labels_of(scorer: ScorerCard, emotion: str) -> tuple[str, ...]:
    if scorer.role == "face-matcher":
        return FOUND, MATCH
    return (f"emotion:{emotion}",) if names_labels(scorer) else ()


def scorers(experiment: Experiment) -> list[ScorerCard]:
    """Those who read the statement, and judges of labels."""
    return [card for card in experiment.participants.scorers.values() if reads_prompt(card) or names_labels(card)]


def tabulate(experiment: Experiment, rows: Rows) -> Document:
    builder = TableBuilder(
        f"{experiment.name}.emotion-generation",
        "Emotions in generated faces",
        "How well a picture, or the face in it, matches a sentence that its face shows the emotion.",
    )
    measuring = Measuring(experiment, rows)
    for model in experiment.participants.models.values():
        for scorer in scorers(experiment):
            for column, value in _shown(measuring, model, scorer):
                builder.put(row_of(model), column, value)
    return document([builder])


def _shown(measuring: Measuring, model: ConfiguredModel, scorer: ScorerCard) -> Iterator[tuple[Column, Value]]:
    """The mean over pictures asked for each emotion; nothing where a judge of labels does not know it."""
    prompts, name = measuring.experiment.prompts.rows, ledger_id(scorer.id)
    for emotion in dict.fromkeys(emotion for prompt in prompts for emotion in prompt.prompts):
        said = f"{scorer.label} finds the {emotion} face that {model.card.label} was asked for"
        column = Column(
            id=f"{ledger_id(emotion)}_{name}", label=f"{emotion.capitalize()}, {scorer.label}", better="higher"
        )
        way = f"asked-{emotion}"
        if scorer.role == "face-matcher":
            match = measuring.of(model.name, scorer.id, way, label=MATCH)
            caveat = _cropped(measuring, model, scorer, way)
            yield column, measuring.value(said, "mean", match, unit="score", caveat=caveat)
            continue
        value = measuring.value(said, "mean", measuring.of(model.name, scorer.id, way), unit="score", caveat=UNCROPPED)
        if not names_labels(scorer) or value.n or value.failed or value.not_run:
            yield column, value
    if scorer.role == "face-matcher":
        found = measuring.of(model.name, scorer.id, "*", label=FOUND, above=0.0)
        column = Column(id=f"faces_{name}", label=f"Faces found, {scorer.label}", unit="share")
        said = f"Share of pictures by {model.card.label} in which {scorer.label} finds a face"
        yield column, measuring.value(said, "share", found, unit="share")


def _cropped(measuring: Measuring, model: ConfiguredModel, scorer: ScorerCard, way: str) -> str:
    """How many pictures have no face, and so no score."""
    whole = measuring.of(model.name, scorer.id, way, label=FOUND)
    found = measuring.value("faces", "mean", whole)
    lost = measuring.value("no face", "count", whole, only=(whole.model_copy(update={"below": 1.0}),))
    return f"of the face that a detector finds; in {lost.value or 0:g} of {found.n} pictures it finds none"
