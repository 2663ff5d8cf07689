"""Forced choice: under a caption that names a negative emotion, does a scorer prefer the face that shows it, or the
happy one? Chance is one half.

Faces are given (`images` of the prompt set, one file per emotion) or, where a row has none, made by each generator from
the row's `prompts`, all with one seed. A decision is right where the named emotion's picture scores strictly higher.
"""

from __future__ import annotations

from collections.abc import Iterator

from evidence import values
from evidence.answers import Answers
from evidence.plan import Ask, Given, Member, Scoring, Source, Wants, ledger_id, merge, reads_prompt
from evidence.prompts import Prompt
from evidence.protocols import Study, seed_of
from evidence.values import Sheet
from ledger.schema import Column, Document, Row

PROMPTS = "emotion"
HAPPY = "happy"


def face(study: Study, member: Member | None, prompt: Prompt, emotion: str, repeat: int | None) -> Source:
    """The given picture, or the one that a generator makes of it."""
    if member is None:
        return Given(study.prompts.folder / prompt.images[emotion])
    return Ask(member.name, prompt.prompts[emotion], "plain", seed_of(prompt, repeat))


def cases(study: Study, member: Member | None) -> Iterator[list[tuple[str, str, Source, Source]]]:
    """One list per seed: emotion, its caption, its picture, the happy picture."""
    rows = [prompt for prompt in study.prompts.rows if (member is None) == bool(prompt.images)]
    for repeat in study.seeds if member else (0,):
        yield [
            (emotion, text, face(study, member, p, emotion, repeat), face(study, member, p, HAPPY, repeat))
            for p in rows
            for emotion, text in p.prompts.items()
            if emotion != HAPPY and HAPPY in p.prompts
        ]


def _makers(study: Study) -> list[Member | None]:
    given = any(prompt.images for prompt in study.prompts.rows)
    made = not all(prompt.images for prompt in study.prompts.rows)
    return [*([None] if given else []), *(study.cast.members.values() if made else [])]


def wants(study: Study) -> Wants:
    return merge(
        Wants(scorings=(Scoring(sad, scorer, text), Scoring(happy, scorer, text)))
        for member in _makers(study)
        for line in cases(study, member)
        for _, text, sad, happy in line
        for scorer in study.cast.scorers
    )


def tabulate(study: Study, answers: Answers) -> Document:
    sheets = []
    for member in _makers(study):
        whose = member.row.label if member else "given pictures"
        sheet = Sheet(
            f"{study.name}.emotion-choice-{member.id if member else 'given'}",
            f"Named negative emotion against the happy face: {whose}",
            "Share of faces on which a scorer prefers the emotion that the caption names. Chance is 0.5.",
        )
        lines = list(cases(study, member))
        emotions = list(dict.fromkeys(emotion for line in lines for emotion, *_ in line))
        for name, scorer in study.cast.scorers.items():
            if not reads_prompt(scorer):
                continue
            row = Row(id=ledger_id(name), label=scorer.label)
            for emotion in emotions:
                right = [
                    [_right(answers, name, text, a, b) for e, text, a, b in line if e == emotion] for line in lines
                ]
                column = Column(id=ledger_id(emotion), label=emotion.capitalize(), unit="share", better="higher")
                label = f"{scorer.label} prefers the {emotion} face when asked for it ({whose})"
                sheet.put(row, column, values.share(study, label, right))
        sheets.append(sheet)
    return Document(
        values={key: value for sheet in sheets for key, value in sheet.values.items()},
        tables={sheet.id: sheet.table() for sheet in sheets if sheet.values},
    )


def _right(answers: Answers, scorer: str, text: str, named: Source, happy: Source) -> float | None:
    a, b = answers.number(named, scorer, text), answers.number(happy, scorer, text)
    return None if a is None or b is None else float(a > b)
