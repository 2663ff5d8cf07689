"""Image-to-image: a wide-spectrum picture by one generator is edited by the others under the very prompt that asked for
it, at the strength of their profile (0.5 where it says nothing; FLUX.2 Klein takes the picture as a reference, without
one). What changes is what the edit cleans up.

Option `source` names the generator of the inputs; it may be left out where the run has one alone, which then edits its
own. Deltas are edited minus input, under the plain prompt; a judge of labels needs no prompt. The publication edits
only what follows the request: inputs that HPSv3 scores below 10 under the plain prompt. Option `select` names another
such condition, SCORER<NUMBER. What it selects has a table of its own beside the one of all inputs. The score of an
input is filed under the row of each editor, and the kind of both names the source.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from evidence.jobs.plan import ConfiguredModel, PictureSpec, Scoring, ledger_id, names_labels
from evidence.protocols import Experiment, Observation, seed_of
from evidence.protocols.pairs import FOUND, row_of, wide
from evidence.protocols.tables import Measuring, TableBuilder, document
from evidence.registry import GENERATORS
from evidence.scorers import ScorerCard
from ledger.problems import InputError, Problem, did_you_mean
from ledger.rows import Rows
from ledger.schema import Column, Document, Selection, Value

PROMPTS = "wide"
OPTIONS = ("source", "select")
SELECTION = "hpsv3<10"  # of the publication
INPUT, EDITED = "input", "edited"


def source(experiment: Experiment) -> ConfiguredModel:
    """The generator of the inputs."""
    models = experiment.participants.models
    name = experiment.options.get("source", next(iter(models)) if len(models) == 1 else "")
    if not name:
        told = "say whose pictures are edited: --set source=NAME, one of --models"
        raise InputError([Problem("--set", 0, "source", told)])
    if name not in models:
        raise InputError([Problem("--set", 0, "source", f"'{name}' is not in --models{did_you_mean(name, models)}")])
    return models[name]


def settled(experiment: Experiment) -> dict[str, str]:
    return {"source": source(experiment).name}


def editors(experiment: Experiment) -> list[ConfiguredModel]:
    """All others, or the source itself where it is alone. InputError for those whose pipeline takes no picture."""
    first = source(experiment)
    found = [model for model in experiment.participants.models.values() if model is not first] or [first]
    unable = [model.name for model in found if not takes_pictures(model)]
    if unable:
        able = ", ".join(name for name, adapter in GENERATORS.items() if adapter.settings.takes_pictures)
        told = f"its pipeline takes no picture as input; adapters that do: {able}"
        raise InputError([Problem("--models", 0, name, told) for name in unable])
    return found


def takes_pictures(model: ConfiguredModel) -> bool:
    return GENERATORS[model.card.adapter].settings.takes_pictures


def observations(experiment: Experiment) -> Iterator[Observation]:
    first, kind = source(experiment), kind_of(experiment)
    selection(experiment)
    for model in editors(experiment):
        for repeat in experiment.seeds:
            for prompt in filter(lambda prompt: prompt.wide, experiment.prompts.rows):
                given, seed = wide(first, prompt, repeat), seed_of(prompt, repeat)
                negative = prompt.negative if model.negative else ""
                edited = PictureSpec(model.name, prompt.wide, "wide", seed, negative, given)
                for scorer in experiment.participants.scorers.values():
                    if names_labels(scorer) and not prompt.labels:
                        continue
                    labels = prompt.labels if names_labels(scorer) else ()
                    for way, picture in ((INPUT, given), (EDITED, edited)):
                        what = Scoring(picture, scorer.id, prompt.plain)
                        yield Observation(model.name, prompt.id, seed, kind, way, what, labels)


def kind_of(experiment: Experiment) -> str:
    return f"from {source(experiment).name}"


def selection(experiment: Experiment) -> tuple[str, float] | None:
    """Scorer and bound of the inputs that are selected; None where nobody named one and the publication's scorer takes
    no part."""
    text = experiment.options.get("select", SELECTION)
    scorer, _, bound = text.partition("<")
    known = experiment.participants.scorers
    if scorer in known and not names_labels(known[scorer]):
        try:
            return scorer, float(bound)
        except ValueError:
            raise InputError([Problem("--set", 0, "select", f"'{text}' is not SCORER<NUMBER")]) from None
    if "select" in experiment.options:
        hint = did_you_mean(scorer, known)
        raise InputError(
            [Problem("--set", 0, "select", f"'{scorer}' is no scorer of this run that gives a number{hint}")]
        )
    return None


def tabulate(experiment: Experiment, rows: Rows) -> Document:
    label, chosen = source(experiment).card.label, selection(experiment)
    every = TableBuilder(
        f"{experiment.name}.image-to-image",
        f"Edits of {label}'s wide-spectrum pictures",
        "Score of the edited picture minus that of the input, both under the plain prompt; higher is more cleaned up.",
        note=""
        if chosen
        else f"The selection of the publication, {SELECTION}, needs its scorer: it takes no part here.",
    )
    measuring = Measuring(experiment, rows)
    _fill(measuring, every)
    if not chosen:
        return document([every])
    scorer, bound = experiment.participants.scorers[chosen[0]], chosen[1]
    selected = TableBuilder(
        f"{experiment.name}.image-to-image-selected",
        f"{every.title}, {scorer.label} below {bound:g}",
        f"{every.caption} Only of inputs that {scorer.label} scores below {bound:g} under the plain prompt.",
    )
    _fill(measuring, selected, (scorer, bound))
    return document([every, selected])


def _fill(measuring: Measuring, builder: TableBuilder, chosen: tuple[ScorerCard, float] | None = None) -> None:
    experiment = measuring.experiment
    for model in editors(experiment):
        for scorer in experiment.participants.scorers.values():
            if names_labels(scorer) and not any(prompt.labels for prompt in experiment.prompts.rows):
                continue
            column, value = _change(measuring, model, scorer, chosen)
            builder.put(row_of(model), column, value)


def _change(
    measuring: Measuring, model: ConfiguredModel, scorer: ScorerCard, chosen: tuple[ScorerCard, float] | None
) -> tuple[Column, Value]:
    def of(way: str, by: ScorerCard = scorer, **told: Any) -> Selection:
        return measuring.of(model.name, by.id, way, kind=kind_of(measuring.experiment), **told)

    name = ledger_id(scorer.id)
    caveat = _strength(measuring.experiment, model)
    only = (of(INPUT, chosen[0], summed=True, below=chosen[1]),) if chosen else ()
    if names_labels(scorer):
        said = f"Share of requested effects that {scorer.label} sees in the edit by {model.card.label} minus its input"
        column = Column(id=f"seen_{name}", label="Δ effects seen", better="higher", note="edited - input")
        before, after = (of(way, at_least=FOUND) for way in (INPUT, EDITED))
        return column, measuring.value(said, "contrast", after, before, unit="share", only=only, caveat=caveat)
    said = f"{scorer.label}: edit by {model.card.label} minus its input"
    column = Column(id=f"delta_{name}", label=f"Δ {scorer.label}", note="edited - input")
    change = of(EDITED, less=INPUT, summed=True)
    return column, measuring.value(said, "mean", change, unit="points", only=only, caveat=caveat)


def _strength(experiment: Experiment, model: ConfiguredModel) -> str:
    strength = experiment.participants.settings(model.name, "wide").get("strength")
    return "the picture is a reference: there is no strength" if strength is None else f"at strength {strength:g}"
