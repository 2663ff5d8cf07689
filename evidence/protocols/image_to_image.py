"""Image-to-image: a wide-spectrum picture by one generator is edited by the others under the very prompt that asked for
it, at the strength of their profile (0.5 where it says nothing). What changes is what the edit cleans up.

The first generator of the run makes the input (option `source` names another); every other one edits it, and itself
where it is the only one. Deltas are edited minus input, under the plain prompt; a judge of labels needs no prompt.
"""

from __future__ import annotations

from collections.abc import Iterator

from evidence import values
from evidence.jobs.plan import ConfiguredModel, PictureSpec, Requirements, Scoring, ledger_id, merge, names_labels
from evidence.prompts import Prompt
from evidence.protocols import Experiment, seed_of
from evidence.protocols.pairs import FOUND, row_of, wide
from evidence.samples.stored_results import StoredResults
from evidence.values import Sheet
from ledger.problems import InputError, Problem, did_you_mean
from ledger.schema import Column, Document

PROMPTS = "wide"


def source(experiment: Experiment) -> ConfiguredModel:
    models = experiment.participants.models
    name = experiment.options.get("source", next(iter(models), ""))
    if name not in models:
        raise InputError([Problem("--set", 0, "source", f"'{name}' is not in --models{did_you_mean(name, models)}")])
    return models[name]


def edits(experiment: Experiment, model: ConfiguredModel) -> Iterator[list[tuple[Prompt, PictureSpec, PictureSpec]]]:
    """One list per seed: prompt, input, edited picture."""
    first = source(experiment)
    for repeat in experiment.seeds:
        rows = [prompt for prompt in experiment.prompts.rows if prompt.wide]
        inputs = [wide(first, prompt, repeat) for prompt in rows]
        yield [
            (
                p,
                given,
                PictureSpec(
                    model.name, p.wide, "wide", seed_of(p, repeat), p.negative if model.negative else "", given
                ),
            )
            for p, given in zip(rows, inputs, strict=True)
        ]


def editors(experiment: Experiment) -> list[ConfiguredModel]:
    first = source(experiment)
    return [model for model in experiment.participants.models.values() if model is not first] or [first]


def requirements(experiment: Experiment) -> Requirements:
    return merge(
        Requirements(scorings=(Scoring(given, scorer, prompt.plain), Scoring(edited, scorer, prompt.plain)))
        for model in editors(experiment)
        for line in edits(experiment, model)
        for prompt, given, edited in line
        for scorer in experiment.participants.scorers
    )


def tabulate(experiment: Experiment, stored: StoredResults) -> Document:
    first = source(experiment)
    sheet = Sheet(
        f"{experiment.name}.image-to-image",
        f"Edits of {first.card.label}'s wide-spectrum pictures",
        "Score of the edited picture minus that of the input, both under the plain prompt; higher is more cleaned up.",
    )
    for model in editors(experiment):
        lines = list(edits(experiment, model))
        for name, scorer in experiment.participants.scorers.items():
            if not names_labels(scorer):
                after = [[stored.number(edited, name, p.plain) for p, _, edited in line] for line in lines]
                before = [[stored.number(given, name, p.plain) for p, given, _ in line] for line in lines]
                column = Column(id=f"delta_{ledger_id(name)}", label=f"Δ {scorer.label}", note="edited - input")
                label = f"{scorer.label}: edit by {model.card.label} minus its input"
                sheet.put(
                    row_of(model),
                    column,
                    values.mean(experiment, label, values.difference(after, before), unit="points"),
                )
            else:
                left = [[_left(stored, name, p, given, edited) for p, given, edited in line] for line in lines]
                if any(number is not None for line in left for number in line):
                    column = Column(id=f"left_{ledger_id(name)}", label="Effects left", unit="share", better="higher")
                    caveat = "inputs that show no requested effect do not count; they are among the missing"
                    label = f"Requested effects of the input that are left after the edit by {model.card.label}"
                    sheet.put(row_of(model), column, values.share(experiment, label, left, caveat=caveat))
    return Document(values=sheet.values, tables={sheet.id: sheet.table()} if sheet.values else {})


def _left(stored: StoredResults, scorer: str, prompt: Prompt, given: PictureSpec, edited: PictureSpec) -> float | None:
    before, after = stored.score(given, scorer, ""), stored.score(edited, scorer, "")
    if not isinstance(before, dict) or not isinstance(after, dict):
        return None
    shown = [tag for tag in prompt.labels if before.get(tag, 0.0) >= FOUND]
    return sum(float(after[tag]) >= FOUND for tag in shown) / len(shown) if shown else None
