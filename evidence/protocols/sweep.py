"""Strength by strength: what VSF, NAG, a LoRA's scale or any other setting does to wide-spectrum pictures and what it
costs plain ones. Each generator of the run is one point; `--sweep vsf_scale=1,2,3` makes the points from a card.

Scores are under the prompt that made the picture (didp for the wide one, oiop for the plain one), so they do not
compare with the delta of the pair benchmark. A scorer of dimensions is averaged over them, not summed. The plain
picture is drawn under the same countermeasure as the wide one: its score minus that of the named base, on the same
prompts and noise, is what the countermeasure costs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from evidence.jobs.plan import ConfiguredModel, Scoring, ledger_id, names_labels
from evidence.protocols import Experiment, Observation
from evidence.protocols.pairs import FOUND, base_of, known_labels, labels_seen, pairs, row_of, seen
from evidence.protocols.tables import Measuring, TableBuilder, document
from evidence.samples.identity import reads_prompt
from evidence.scorers import ScorerCard
from ledger.rows import Rows
from ledger.schema import Column, Document, Value

PROMPTS = "wide"
WAYS = "own-asked", "own-unasked"


def observations(experiment: Experiment) -> Iterator[Observation]:
    known = known_labels(experiment)
    for model in experiment.participants.models.values():
        for line in pairs(experiment, model):
            for prompt, stock, wide in line:
                plain = replace(stock, negative=wide.negative)
                for name, scorer in experiment.participants.scorers.items():
                    if names_labels(scorer):
                        yield from seen(model.name, prompt, plain, wide, scorer, known, WAYS)
                        continue
                    for picture, text in ((plain, prompt.plain), (wide, prompt.wide)):
                        what = Scoring(picture, name, text)
                        yield Observation(
                            model.name, prompt.id, picture.seed, picture.kind, f"own-{picture.kind}", what
                        )


def tabulate(experiment: Experiment, rows: Rows) -> Document:
    builder = TableBuilder(
        f"{experiment.name}.sweep",
        "Settings, strength by strength",
        "Scores of the wide-spectrum and of the plain picture, each under the prompt that made it.",
    )
    measuring = Measuring(experiment, rows)
    models = list(experiment.participants.models.values())
    for model in models:
        row, base = row_of(model), base_of(model, models)
        row = row.model_copy(update={"label": f"{row.label} {row.note}".strip()})
        for scorer in experiment.participants.scorers.values():
            if names_labels(scorer) and not known_labels(experiment):
                continue
            seen = labels_seen(measuring, row.label, model.name, scorer, WAYS) if names_labels(scorer) else ()
            for column, value in seen or _scores(measuring, row.label, model.name, scorer):
                builder.put(row, column, value)
            if base is not None:
                builder.put(row, *_cost(measuring, row.label, model, base, scorer))
    return document([builder])


def _cost(
    measuring: Measuring, label: str, model: ConfiguredModel, base: ConfiguredModel, scorer: ScorerCard
) -> tuple[Column, Value]:
    """What the setting does to plain pictures, which nobody asked to change."""
    told: dict[str, Any] = {"at_least": FOUND, "summed": True} if names_labels(scorer) else {}
    way = WAYS[1] if names_labels(scorer) else "own-plain"
    unit = "per picture" if names_labels(scorer) else _unit(scorer)
    own, reference = (measuring.of(one.name, scorer.id, way, **told) for one in (model, base))
    what = "unasked effects" if names_labels(scorer) else scorer.label
    column = Column(id=f"cost_{ledger_id(scorer.id)}", label=f"Δ {what}, plain", note="minus the base")
    said = f"Plain pictures, {label} minus {base.card.label}: {what}"
    return column, measuring.value(said, "contrast", own, reference, unit=unit)


def _scores(measuring: Measuring, generator: str, row: str, scorer: ScorerCard) -> Iterator[tuple[Column, Value]]:
    for kind, word in (("wide", "requested"), ("plain", "plain")):
        said = f"{scorer.label} of the {word} picture, {generator}"
        value = measuring.value(said, "mean", measuring.of(row, scorer.id, f"own-{kind}"), unit=_unit(scorer))
        yield Column(id=f"{kind}_{ledger_id(scorer.id)}", label=f"{scorer.label}, {kind}"), value


def _unit(scorer: ScorerCard) -> str:
    return "points" if reads_prompt(scorer) else "per dimension"
