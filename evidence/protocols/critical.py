"""The critical set: political subjects, drawn by every generator from the same prompts and seeds, and which of two
generators each scorer prefers. The first generator of the run is compared with each other one.

What a preference here means is open: a scorer whose own wording asks for harmless, harmonious pictures may punish the
subject or the picture. The protocol measures the preference and nothing behind it.
"""

from __future__ import annotations

from evidence import values
from evidence.answers import Answers
from evidence.plan import Ask, Member, Scoring, Wants, ledger_id, merge, reads_prompt
from evidence.prompts import Prompt
from evidence.protocols import Study, seed_of
from evidence.values import Grid, Sheet
from ledger import metrics
from ledger.problems import InputError, Problem
from ledger.schema import Column, Document, Row

PROMPTS = "critical"


def _ask(member: Member, prompt: Prompt, repeat: int | None) -> Ask:
    return Ask(member.name, prompt.plain, "plain", seed_of(prompt, repeat))


def wants(study: Study) -> Wants:
    if len(study.cast.members) < 2:
        raise InputError([Problem("--models", 0, "critical", "compares generators: name at least two")])
    return merge(
        Wants(scorings=(Scoring(_ask(member, prompt, repeat), scorer, prompt.plain),))
        for member in study.cast.members.values()
        for repeat in study.seeds
        for prompt in study.prompts.rows
        for scorer in study.cast.scorers
    )


def tabulate(study: Study, answers: Answers) -> Document:
    first, *others = study.cast.members.values()
    sheets = [_sheet(study, answers, first, other) for other in others]
    return Document(
        values={key: value for sheet in sheets for key, value in sheet.values.items()},
        tables={sheet.id: sheet.table() for sheet in sheets if sheet.values},
    )


def _sheet(study: Study, answers: Answers, first: Member, other: Member) -> Sheet:
    pair = f"{first.row.label} over {other.row.label}"
    sheet = Sheet(
        f"{study.name}.critical-{first.id}-{other.id}",
        f"Political subjects: {pair}",
        "Share of prompts on which a scorer prefers the first generator, by topic, and the effect size over all.",
    )
    topics = list(dict.fromkeys(prompt.topic for prompt in study.prompts.rows))
    for name, scorer in study.cast.scorers.items():
        if not reads_prompt(scorer):
            continue
        row = Row(id=ledger_id(name), label=scorer.label)
        a, b = (_grid(study, answers, member, name) for member in (first, other))
        share = Column(id="all", label="All", unit="share")
        sheet.put(row, share, values.share(study, f"{scorer.label} prefers {pair}", values.greater(a, b)))
        for topic in topics:
            x, y = (_grid(study, answers, member, name, topic) for member in (first, other))
            column = Column(id=ledger_id(topic) or "no-topic", label=topic.capitalize(), unit="share")
            sheet.put(row, column, values.share(study, f"{scorer.label} prefers {pair}: {topic}", values.greater(x, y)))
        column = Column(id="r", label="r", note="matched rank-biserial; two-sided Wilcoxon signed-rank test")
        label = f"{scorer.label}: {pair}, effect size"
        if paired := values.complete(a, b):
            test = metrics.wilcoxon_signed_rank(paired[0], paired[1], "two-sided")
            sheet.put(row, column, values.number(study, label, test.r, digits=2, n=test.n, p=test.p))
        else:
            sheet.put(row, column, values.pending(study, label, "", 2, "no prompt has both scores"))
    return sheet


def _grid(study: Study, answers: Answers, member: Member, scorer: str, topic: str | None = None) -> Grid:
    rows = [prompt for prompt in study.prompts.rows if topic is None or prompt.topic == topic]
    return [[answers.number(_ask(member, p, repeat), scorer, p.plain) for p in rows] for repeat in study.seeds]
