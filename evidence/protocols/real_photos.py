"""Real photographs against clean generations: each generator draws a row's plain caption, and both pictures are scored
under the row's wide caption, which says what is unusual about the photograph. The gap is clean minus real: positive
where a scorer prefers the generation to the very photograph that was described.

A prompt set of one's own names each photograph in `image`; pixels of third parties do not ship with the project.
"""

from __future__ import annotations

from collections.abc import Iterator

from evidence import values
from evidence.answers import Answers
from evidence.plan import Ask, Given, Member, Scoring, Wants, ledger_id, merge, reads_prompt
from evidence.prompts import Prompt
from evidence.protocols import Study, seed_of
from evidence.values import Sheet
from ledger.schema import Column, Document, Row

PROMPTS = ""


def _rows(study: Study) -> list[Prompt]:
    return [prompt for prompt in study.prompts.rows if prompt.image and prompt.wide]


def _both(study: Study, member: Member, prompt: Prompt, repeat: int | None) -> tuple[Given, Ask]:
    real = Given(study.prompts.folder / prompt.image)
    return real, Ask(member.name, prompt.plain, "plain", seed_of(prompt, repeat))


def wants(study: Study) -> Wants:
    return merge(
        Wants(scorings=tuple(Scoring(p, s, prompt.wide) for p in _both(study, member, prompt, repeat)))
        for member in study.cast.members.values()
        for repeat in study.seeds
        for prompt in _rows(study)
        for s in study.cast.scorers
    )


def tabulate(study: Study, answers: Answers) -> Document:
    sheets = [_sheet(study, answers, member) for member in study.cast.members.values()]
    return Document(
        values={key: value for sheet in sheets for key, value in sheet.values.items()},
        tables={sheet.id: sheet.table() for sheet in sheets if sheet.values},
    )


def _sheet(study: Study, answers: Answers, member: Member) -> Sheet:
    sheet = Sheet(
        f"{study.name}.real-photos-{member.id}",
        f"Real photographs against {member.row.label}",
        "Mean gap, clean generation minus real photograph, both under the photograph's caption, by taxonomy tag.",
    )
    for tag in ("", *dict.fromkeys(tag for prompt in _rows(study) for tag in prompt.tags)):
        row = Row(id=ledger_id(tag) or "all", label=tag.replace("_", " ").capitalize() or "All")
        for name, scorer in study.cast.scorers.items():
            if reads_prompt(scorer):
                grid = [list(_gaps(study, answers, member, name, tag, repeat)) for repeat in study.seeds]
                column = Column(id=f"gap_{ledger_id(name)}", label=f"{scorer.label} gap", note="clean - real")
                label = f"{scorer.label}: {member.row.label} minus real photograph, {row.label.lower()}"
                sheet.put(row, column, values.mean(study, label, grid, unit="points"))
    return sheet


def _gaps(
    study: Study, answers: Answers, member: Member, scorer: str, tag: str, repeat: int | None
) -> Iterator[float | None]:
    for prompt in _rows(study):
        if not tag or tag in prompt.tags:
            real, clean = (answers.number(p, scorer, prompt.wide) for p in _both(study, member, prompt, repeat))
            yield None if real is None or clean is None else clean - real
