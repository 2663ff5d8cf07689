"""Image-to-image: a wide-spectrum picture by one generator is edited by the others under the very prompt that asked for
it, at the strength of their profile (0.5 where it says nothing). What changes is what the edit cleans up.

The first generator of the run makes the input (option `source` names another); every other one edits it, and itself
where it is the only one. Deltas are edited minus input, under the plain prompt; a judge of labels needs no prompt.
"""

from __future__ import annotations

from collections.abc import Iterator

from evidence import values
from evidence.answers import Answers
from evidence.plan import Ask, Member, Scoring, Wants, ledger_id, merge, names_labels
from evidence.prompts import Prompt
from evidence.protocols import Study, seed_of
from evidence.protocols.pairs import FOUND, row_of, wide
from evidence.values import Sheet
from ledger.problems import InputError, Problem, did_you_mean
from ledger.schema import Column, Document

PROMPTS = "wide"


def source(study: Study) -> Member:
    members = study.cast.members
    name = study.options.get("source", next(iter(members), ""))
    if name not in members:
        raise InputError([Problem("--set", 0, "source", f"'{name}' is not in --models{did_you_mean(name, members)}")])
    return members[name]


def edits(study: Study, member: Member) -> Iterator[list[tuple[Prompt, Ask, Ask]]]:
    """One list per seed: prompt, input, edited picture."""
    first = source(study)
    for repeat in study.seeds:
        rows = [prompt for prompt in study.prompts.rows if prompt.wide]
        inputs = [wide(study, first, prompt, repeat) for prompt in rows]
        yield [
            (
                p,
                given,
                Ask(member.name, p.wide, "wide", seed_of(p, repeat), p.negative if member.negative else "", given),
            )
            for p, given in zip(rows, inputs, strict=True)
        ]


def editors(study: Study) -> list[Member]:
    first = source(study)
    return [member for member in study.cast.members.values() if member is not first] or [first]


def wants(study: Study) -> Wants:
    return merge(
        Wants(scorings=(Scoring(given, scorer, prompt.plain), Scoring(edited, scorer, prompt.plain)))
        for member in editors(study)
        for line in edits(study, member)
        for prompt, given, edited in line
        for scorer in study.cast.scorers
    )


def tabulate(study: Study, answers: Answers) -> Document:
    first = source(study)
    sheet = Sheet(
        f"{study.name}.image-to-image",
        f"Edits of {first.row.label}'s wide-spectrum pictures",
        "Score of the edited picture minus that of the input, both under the plain prompt; higher is more cleaned up.",
    )
    for member in editors(study):
        lines = list(edits(study, member))
        for name, scorer in study.cast.scorers.items():
            if not names_labels(scorer):
                after = [[answers.number(edited, name, p.plain) for p, _, edited in line] for line in lines]
                before = [[answers.number(given, name, p.plain) for p, given, _ in line] for line in lines]
                column = Column(id=f"delta_{ledger_id(name)}", label=f"Δ {scorer.label}", note="edited - input")
                label = f"{scorer.label}: edit by {member.row.label} minus its input"
                sheet.put(
                    row_of(member), column, values.mean(study, label, values.difference(after, before), unit="points")
                )
            else:
                left = [[_left(answers, name, p, given, edited) for p, given, edited in line] for line in lines]
                if any(number is not None for line in left for number in line):
                    column = Column(id=f"left_{ledger_id(name)}", label="Effects left", unit="share", better="higher")
                    caveat = "inputs that show no requested effect do not count; they are among the missing"
                    label = f"Requested effects of the input that are left after the edit by {member.row.label}"
                    sheet.put(row_of(member), column, values.share(study, label, left, caveat=caveat))
    return Document(values=sheet.values, tables={sheet.id: sheet.table()} if sheet.values else {})


def _left(answers: Answers, scorer: str, prompt: Prompt, given: Ask, edited: Ask) -> float | None:
    before, after = answers.score(given, scorer, ""), answers.score(edited, scorer, "")
    if not isinstance(before, dict) or not isinstance(after, dict):
        return None
    shown = [tag for tag in prompt.tags if before.get(tag, 0.0) >= FOUND]
    return sum(float(after[tag]) >= FOUND for tag in shown) / len(shown) if shown else None
