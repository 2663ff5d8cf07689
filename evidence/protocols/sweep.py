"""Strength by strength: what VSF, NAG, a LoRA's scale or any other setting does to wide-spectrum pictures and what it
costs plain ones. Each generator of the run is one point; `--sweep vsf_scale=1,2,3` makes the points from a card.

Scores are under the prompt that made the picture (didp for the wide one, oiop for the plain one), so they do not
compare with the delta of the pair benchmark. A scorer of dimensions is averaged over them, not summed. The plain
picture is drawn under the same countermeasure as the wide one, so that its column says what the countermeasure costs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from evidence.jobs.plan import Scoring, ledger_id, names_labels
from evidence.protocols import Experiment, Observation
from evidence.protocols.pairs import known_labels, labels_seen, pairs, row_of, seen
from evidence.protocols.tables import Measuring, Sheet, document
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
    sheet = Sheet(
        f"{experiment.name}.sweep",
        "Settings, strength by strength",
        "Scores of the wide-spectrum and of the plain picture, each under the prompt that made it.",
    )
    measuring = Measuring(experiment, rows)
    for model in experiment.participants.models.values():
        row = row_of(model)
        row = row.model_copy(update={"label": f"{row.label} {row.note}".strip()})
        for scorer in experiment.participants.scorers.values():
            if not names_labels(scorer):
                cells = _scores(measuring, row.label, model.name, scorer)
            elif known_labels(experiment):
                cells = labels_seen(measuring, row.label, model.name, scorer, WAYS)
            else:
                continue
            for column, value in cells:
                sheet.put(row, column, value)
    return document([sheet])


def _scores(measuring: Measuring, generator: str, row: str, scorer: ScorerCard) -> Iterator[tuple[Column, Value]]:
    unit = "points" if reads_prompt(scorer) else "per dimension"
    for kind, word in (("wide", "requested"), ("plain", "plain")):
        said = f"{scorer.label} of the {word} picture, {generator}"
        value = measuring.value(said, "mean", measuring.of(row, scorer.id, f"own-{kind}"), unit=unit)
        yield Column(id=f"{kind}_{ledger_id(scorer.id)}", label=f"{scorer.label}, {kind}"), value
