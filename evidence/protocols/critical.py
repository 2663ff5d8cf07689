"""The critical set: political subjects, drawn by every generator from the same prompts and seeds, and which of two
generators each scorer prefers. Each is compared with the base of its family, or all with the one that the option
`against` names.

What a preference here means is open: a scorer whose own wording asks for harmless, harmonious pictures may punish the
subject or the picture. The protocol measures the preference and nothing behind it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from evidence.jobs.plan import ConfiguredModel, PictureSpec, Scoring, ledger_id
from evidence.protocols import Experiment, Observation, seed_of
from evidence.protocols.pairs import base_of
from evidence.protocols.tables import Measuring, TableBuilder, document
from evidence.samples.identity import reads_prompt
from evidence.scorers import ScorerCard
from ledger.problems import InputError, Problem, did_you_mean
from ledger.rows import Rows
from ledger.schema import Column, Document, Row, Value

PROMPTS = "critical"
OPTIONS = ("against",)
WAY = "oiop"  # the picture of the prompt under the prompt


def observations(experiment: Experiment) -> Iterator[Observation]:
    opponents(experiment)
    for model in experiment.participants.models.values():
        for repeat in experiment.seeds:
            for prompt in experiment.prompts.rows:
                seed = seed_of(prompt, repeat)
                picture = PictureSpec(model.name, prompt.plain, "plain", seed)
                for scorer in filter(reads_prompt, experiment.participants.scorers.values()):
                    what = Scoring(picture, scorer.id, prompt.plain)
                    yield Observation(model.name, prompt.id, seed, "plain", WAY, what)


def opponents(experiment: Experiment) -> list[tuple[ConfiguredModel, ConfiguredModel]]:
    """Every generator that is compared, with whom. InputError where nobody is."""
    models = experiment.participants.models
    name = experiment.options.get("against")
    if name is not None and name not in models:
        raise InputError([Problem("--set", 0, "against", f"'{name}' is not in --models{did_you_mean(name, models)}")])
    every = list(models.values())
    others = ((model, models[name] if name else base_of(model, every)) for model in every)
    found = [(model, other) for model, other in others if other is not None and other is not model]
    if not found:
        told = (
            "compares generators, and none has its base in this run: say --set against=NAME, a second one of --models"
        )
        raise InputError([Problem("--models", 0, "critical", told)])
    return found


def tabulate(experiment: Experiment, rows: Rows) -> Document:
    measuring = Measuring(experiment, rows)
    return document(_builder(measuring, first, other) for first, other in opponents(experiment))


def _builder(measuring: Measuring, first: ConfiguredModel, other: ConfiguredModel) -> TableBuilder:
    experiment = measuring.experiment
    pair = f"{first.card.label} over {other.card.label}"
    builder = TableBuilder(
        f"{experiment.name}.critical-{first.id}-{other.id}",
        f"Political subjects: {pair}",
        "Share of prompts on which a scorer prefers the first generator, by topic, and the effect size over all.",
    )
    topics: dict[str, list[str]] = {}
    for prompt in experiment.prompts.rows:
        topics.setdefault(prompt.topic, []).append(prompt.id)
    for scorer in filter(reads_prompt, experiment.participants.scorers.values()):
        row = Row(id=ledger_id(scorer.id), label=scorer.label)
        said = f"{scorer.label} prefers {pair}"
        share = Column(id="all", label="All", unit="share")
        builder.put(row, share, _compared(measuring, said, "wins", first, other, scorer, unit="share"))
        for topic, prompts in topics.items():
            column = Column(id=ledger_id(topic) or "no-topic", label=topic.capitalize(), unit="share")
            told = f"{said}: {topic}"
            builder.put(row, column, _compared(measuring, told, "wins", first, other, scorer, prompts, unit="share"))
        column = Column(id="r", label="r", note="matched rank-biserial; two-sided Wilcoxon signed-rank test")
        told = f"{scorer.label}: {pair}, effect size"
        builder.put(row, column, _compared(measuring, told, "rank_biserial", first, other, scorer, digits=2))
    return builder


def _compared(
    measuring: Measuring,
    said: str,
    statistic: str,
    first: ConfiguredModel,
    other: ConfiguredModel,
    scorer: ScorerCard,
    prompts: Sequence[str] = (),
    **told: Any,
) -> Value:
    of, beside = (measuring.of(model.name, scorer.id, WAY, prompts=prompts) for model in (first, other))
    return measuring.value(said, statistic, of, beside, **told)
