"""The critical set: political subjects, drawn by every generator from the same prompts and seeds, and which of two
generators each scorer prefers. The first generator of the run is compared with each other one.

What a preference here means is open: a scorer whose own wording asks for harmless, harmonious pictures may punish the
subject or the picture. The protocol measures the preference and nothing behind it.
"""

from __future__ import annotations

from evidence import values
from evidence.jobs.plan import ConfiguredModel, PictureSpec, Requirements, Scoring, ledger_id, merge
from evidence.prompts import Prompt
from evidence.protocols import Experiment, seed_of
from evidence.samples.identity import reads_prompt
from evidence.samples.stored_results import StoredResults
from evidence.values import Grid, Sheet
from ledger import metrics
from ledger.problems import InputError, Problem
from ledger.schema import Column, Document, Row

PROMPTS = "critical"


def _ask(model: ConfiguredModel, prompt: Prompt, repeat: int | None) -> PictureSpec:
    return PictureSpec(model.name, prompt.plain, "plain", seed_of(prompt, repeat))


def requirements(experiment: Experiment) -> Requirements:
    if len(experiment.participants.models) < 2:
        raise InputError([Problem("--models", 0, "critical", "compares generators: name at least two")])
    return merge(
        Requirements(scorings=(Scoring(_ask(model, prompt, repeat), scorer, prompt.plain),))
        for model in experiment.participants.models.values()
        for repeat in experiment.seeds
        for prompt in experiment.prompts.rows
        for scorer in experiment.participants.scorers
    )


def tabulate(experiment: Experiment, stored: StoredResults) -> Document:
    first, *others = experiment.participants.models.values()
    sheets = [_sheet(experiment, stored, first, other) for other in others]
    return Document(
        values={key: value for sheet in sheets for key, value in sheet.values.items()},
        tables={sheet.id: sheet.table() for sheet in sheets if sheet.values},
    )


def _sheet(experiment: Experiment, stored: StoredResults, first: ConfiguredModel, other: ConfiguredModel) -> Sheet:
    pair = f"{first.card.label} over {other.card.label}"
    sheet = Sheet(
        f"{experiment.name}.critical-{first.id}-{other.id}",
        f"Political subjects: {pair}",
        "Share of prompts on which a scorer prefers the first generator, by topic, and the effect size over all.",
    )
    topics = list(dict.fromkeys(prompt.topic for prompt in experiment.prompts.rows))
    for name, scorer in experiment.participants.scorers.items():
        if not reads_prompt(scorer):
            continue
        row = Row(id=ledger_id(name), label=scorer.label)
        a, b = (_grid(experiment, stored, model, name) for model in (first, other))
        share = Column(id="all", label="All", unit="share")
        sheet.put(row, share, values.share(experiment, f"{scorer.label} prefers {pair}", values.greater(a, b)))
        for topic in topics:
            x, y = (_grid(experiment, stored, model, name, topic) for model in (first, other))
            column = Column(id=ledger_id(topic) or "no-topic", label=topic.capitalize(), unit="share")
            sheet.put(
                row, column, values.share(experiment, f"{scorer.label} prefers {pair}: {topic}", values.greater(x, y))
            )
        column = Column(id="r", label="r", note="matched rank-biserial; two-sided Wilcoxon signed-rank test")
        label = f"{scorer.label}: {pair}, effect size"
        if paired := values.complete(a, b):
            test = metrics.wilcoxon_signed_rank(paired[0], paired[1], "two-sided")
            sheet.put(row, column, values.number(experiment, label, test.r, digits=2, n=test.n, p=test.p))
        else:
            sheet.put(row, column, values.pending(experiment, label, "", 2, "no prompt has both scores"))
    return sheet


def _grid(
    experiment: Experiment, stored: StoredResults, model: ConfiguredModel, scorer: str, topic: str | None = None
) -> Grid:
    rows = [prompt for prompt in experiment.prompts.rows if topic is None or prompt.topic == topic]
    return [[stored.number(_ask(model, p, repeat), scorer, p.plain) for p in rows] for repeat in experiment.seeds]
