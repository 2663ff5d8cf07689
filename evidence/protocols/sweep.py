"""Strength by strength: what VSF, NAG, a LoRA's scale or any other setting does to wide-spectrum pictures and what it
costs plain ones. Each generator of the run is one point; `--sweep vsf_scale=1,2,3` makes the points from a row.

Scores are under the prompt that made the picture (didp for the wide one, oiop for the plain one), so they do not
compare with the delta of the pair benchmark. A judge with one number per dimension is averaged over them, not summed.
"""

from __future__ import annotations

from evidence import values
from evidence.answers import Answers
from evidence.plan import Ask, Scoring, Wants, ledger_id, merge, names_labels, reads_prompt
from evidence.protocols import Study
from evidence.protocols.pairs import count_found, pairs, row_of, share_found
from evidence.values import Sheet
from ledger.schema import Column, Document

PROMPTS = "wide"


def wants(study: Study) -> Wants:
    return merge(
        Wants(scorings=(Scoring(original, scorer, prompt.plain), Scoring(distorted, scorer, prompt.wide)))
        for member in study.cast.members.values()
        for line in pairs(study, member)
        for prompt, original, distorted in line
        for scorer in study.cast.scorers
    )


def tabulate(study: Study, answers: Answers) -> Document:
    sheet = Sheet(
        f"{study.name}.sweep",
        "Settings, strength by strength",
        "Scores of the wide-spectrum and of the plain picture, each under the prompt that made it.",
    )
    known = {tag for prompt in study.prompts.rows for tag in prompt.tags}
    for member in study.cast.members.values():
        lines = list(pairs(study, member))
        row = row_of(member)
        row = row.model_copy(update={"label": f"{row.label} {row.note}".strip()})
        for name, scorer in study.cast.scorers.items():
            id_ = ledger_id(name)
            if not names_labels(scorer):
                unit = "points" if reads_prompt(scorer) else "per dimension"
                wide = [[_one(answers, d, name, p.wide) for p, _, d in line] for line in lines]
                plain = [[_one(answers, o, name, p.plain) for p, o, _ in line] for line in lines]
                label = f"{scorer.label} of the requested picture, {row.label}"
                column = Column(id=f"wide_{id_}", label=f"{scorer.label}, wide", note="didp")
                sheet.put(row, column, values.mean(study, label, wide, unit=unit))
                column = Column(id=f"plain_{id_}", label=f"{scorer.label}, plain", note="oiop")
                label = f"{scorer.label} of the plain picture, {row.label}"
                sheet.put(row, column, values.mean(study, label, plain, unit=unit))
            else:
                follow = [[share_found(p.tags, answers.score(d, name, "")) for p, _, d in line] for line in lines]
                unasked = [[count_found(known, answers.score(o, name, "")) for _, o, _ in line] for line in lines]
                if any(number is not None for line in follow for number in line):
                    column = Column(id=f"follow_{id_}", label="Follows", unit="share", better="higher")
                    sheet.put(row, column, values.share(study, f"Requested effects seen, {row.label}", follow))
                    column = Column(id=f"unasked_{id_}", label="Unasked effects", better="lower")
                    label = f"Effects that nobody asked for, {row.label}"
                    sheet.put(row, column, values.mean(study, label, unasked, unit="per picture"))
    return Document(values=sheet.values, tables={sheet.id: sheet.table()} if sheet.values else {})


def _one(answers: Answers, picture: Ask, scorer: str, prompt: str) -> float | None:
    value = answers.score(picture, scorer, prompt)
    return sum(value.values()) / len(value) if isinstance(value, dict) else value
