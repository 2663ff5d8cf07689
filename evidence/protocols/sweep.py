"""Strength by strength: what VSF, NAG, a LoRA's scale or any other setting does to wide-spectrum pictures and what it
costs plain ones. Each generator of the run is one point; `--sweep vsf_scale=1,2,3` makes the points from a row.

Scores are under the prompt that made the picture (didp for the wide one, oiop for the plain one), so they do not
compare with the delta of the pair benchmark. A judge with one number per dimension is averaged over them, not summed.
"""

from __future__ import annotations

from evidence import values
from evidence.jobs.plan import PictureSpec, Requirements, Scoring, ledger_id, merge, names_labels, reads_prompt
from evidence.protocols import Experiment
from evidence.protocols.pairs import count_found, pairs, row_of, share_found
from evidence.samples.stored_results import StoredResults
from evidence.values import Sheet
from ledger.schema import Column, Document

PROMPTS = "wide"


def requirements(experiment: Experiment) -> Requirements:
    return merge(
        Requirements(scorings=(Scoring(original, scorer, prompt.plain), Scoring(distorted, scorer, prompt.wide)))
        for model in experiment.participants.models.values()
        for line in pairs(experiment, model)
        for prompt, original, distorted in line
        for scorer in experiment.participants.scorers
    )


def tabulate(experiment: Experiment, stored: StoredResults) -> Document:
    sheet = Sheet(
        f"{experiment.name}.sweep",
        "Settings, strength by strength",
        "Scores of the wide-spectrum and of the plain picture, each under the prompt that made it.",
    )
    known = {tag for prompt in experiment.prompts.rows for tag in prompt.tags}
    for model in experiment.participants.models.values():
        lines = list(pairs(experiment, model))
        row = row_of(model)
        row = row.model_copy(update={"label": f"{row.label} {row.note}".strip()})
        for name, scorer in experiment.participants.scorers.items():
            id_ = ledger_id(name)
            if not names_labels(scorer):
                unit = "points" if reads_prompt(scorer) else "per dimension"
                wide = [[_one(stored, d, name, p.wide) for p, _, d in line] for line in lines]
                plain = [[_one(stored, o, name, p.plain) for p, o, _ in line] for line in lines]
                label = f"{scorer.label} of the requested picture, {row.label}"
                column = Column(id=f"wide_{id_}", label=f"{scorer.label}, wide", note="didp")
                sheet.put(row, column, values.mean(experiment, label, wide, unit=unit))
                column = Column(id=f"plain_{id_}", label=f"{scorer.label}, plain", note="oiop")
                label = f"{scorer.label} of the plain picture, {row.label}"
                sheet.put(row, column, values.mean(experiment, label, plain, unit=unit))
            else:
                follow = [[share_found(p.tags, stored.score(d, name, "")) for p, _, d in line] for line in lines]
                unasked = [[count_found(known, stored.score(o, name, "")) for _, o, _ in line] for line in lines]
                if any(number is not None for line in follow for number in line):
                    column = Column(id=f"follow_{id_}", label="Follows", unit="share", better="higher")
                    sheet.put(row, column, values.share(experiment, f"Requested effects seen, {row.label}", follow))
                    column = Column(id=f"unasked_{id_}", label="Unasked effects", better="lower")
                    label = f"Effects that nobody asked for, {row.label}"
                    sheet.put(row, column, values.mean(experiment, label, unasked, unit="per picture"))
    return Document(values=sheet.values, tables={sheet.id: sheet.table()} if sheet.values else {})


def _one(stored: StoredResults, picture: PictureSpec, scorer: str, prompt: str) -> float | None:
    value = stored.score(picture, scorer, prompt)
    return sum(value.values()) / len(value) if isinstance(value, dict) else value
