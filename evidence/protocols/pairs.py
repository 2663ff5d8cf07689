"""The pair benchmark: I_o from the plain prompt, I_a from the wide-spectrum one, and four scores of every scorer.

A four-way score names the picture first, then the prompt: `diop` is the distorted (wide-spectrum) picture under the
original (plain) prompt. Both pictures of a pair have the same seed. Definitions: `delta` is diop - oiop and `after` is
diop, lower where the request was followed; `picks` is the share of pairs in which the scorer prefers the requested
picture under the wide prompt. A scorer that rates dimensions is summed over all of them; one that names what it sees is
asked about the labels of the prompt.
"""

from __future__ import annotations

from collections.abc import Iterator

from evidence.cards.models import ModelCard
from evidence.jobs.plan import Comparison, ConfiguredModel, PictureSpec, Scoring, ledger_id, names_labels
from evidence.prompts import Prompt
from evidence.protocols import Experiment, Observation, seed_of
from evidence.protocols.tables import Measuring, TableBuilder, document
from evidence.samples.identity import reads_prompt
from evidence.scorers import ScorerCard
from ledger.rows import Rows
from ledger.schema import Column, Document, Row, Value

PROMPTS = "wide"
FOUND = 0.5  # probability from which an annotator counts a label as seen


def plain(model: ConfiguredModel, prompt: Prompt, repeat: int | None) -> PictureSpec:
    return PictureSpec(model.name, prompt.plain, "plain", seed_of(prompt, repeat))


def wide(model: ConfiguredModel, prompt: Prompt, repeat: int | None) -> PictureSpec:
    negative = prompt.negative if model.negative else ""
    return PictureSpec(model.name, prompt.wide, "wide", seed_of(prompt, repeat), negative)


def pairs(experiment: Experiment, model: ConfiguredModel) -> Iterator[list[tuple[Prompt, PictureSpec, PictureSpec]]]:
    """One list per seed: prompt, I_o, I_a."""
    for repeat in experiment.seeds:
        rows = [prompt for prompt in experiment.prompts.rows if prompt.wide]
        yield [(p, plain(model, p, repeat), wide(model, p, repeat)) for p in rows]


def pictures(experiment: Experiment) -> Iterator[PictureSpec]:
    """All of them, also those that nobody scores."""
    for model in experiment.participants.models.values():
        for line in pairs(experiment, model):
            for _, original, distorted in line:
                yield from (original, distorted)


def observations(experiment: Experiment) -> Iterator[Observation]:
    known = known_labels(experiment)
    for model in experiment.participants.models.values():
        for line in pairs(experiment, model):
            for prompt, original, distorted in line:
                for scorer in experiment.participants.scorers.values():
                    yield from scored(model.name, prompt, original, distorted, scorer, known)
                for judge in experiment.participants.judges:
                    what = Comparison(original, distorted, judge, prompt.wide)
                    yield Observation(model.name, prompt.id, distorted.seed, "pair", "verdict", what)


def scored(
    row: str, prompt: Prompt, original: PictureSpec, distorted: PictureSpec, scorer: ScorerCard, known: tuple[str, ...]
) -> Iterator[Observation]:
    """What one scorer says of one pair."""
    if names_labels(scorer):
        yield from seen(row, prompt, original, distorted, scorer, known)
        return
    for side, picture in (("oi", original), ("di", distorted)):
        for way, text in (("op", prompt.plain), ("dp", prompt.wide)):
            what = Scoring(picture, scorer.id, text)
            yield Observation(row, prompt.id, picture.seed, picture.kind, side + way, what)
        if not reads_prompt(scorer) and prompt.dimensions:
            what = Scoring(picture, scorer.id, "")
            way = f"{side}-selected"
            yield Observation(row, prompt.id, picture.seed, picture.kind, way, what, tuple(prompt.dimensions))


def seen(
    row: str,
    prompt: Prompt,
    original: PictureSpec,
    distorted: PictureSpec,
    scorer: ScorerCard,
    known: tuple[str, ...],
    ways: tuple[str, str] = ("asked", "plain-unasked"),
) -> Iterator[Observation]:
    """What an annotator sees: the effects asked for, in the wide picture; effects nobody asked for, in the plain
    one."""
    if prompt.labels:
        what = Scoring(distorted, scorer.id, "")
        yield Observation(row, prompt.id, distorted.seed, "wide", ways[0], what, prompt.labels)
    what = Scoring(original, scorer.id, "")
    yield Observation(row, prompt.id, original.seed, "plain", ways[1], what, known)


def known_labels(experiment: Experiment) -> tuple[str, ...]:
    return tuple(sorted({label for prompt in experiment.prompts.rows for label in prompt.labels}))


def tabulate(experiment: Experiment, rows: Rows) -> Document:
    measuring = Measuring(experiment, rows)
    table = TableBuilder(
        f"{experiment.name}.pairs",
        "The pair benchmark, measured",
        "One row per generator. For each scorer: the change of its score under the plain prompt when the wide-spectrum "
        "picture stands in for the plain one, its score after that, and how often it prefers the requested picture.",
        note=f"Prompt set {experiment.prompts.name} ({len(experiment.prompts.rows)} prompts), "
        f"profile {experiment.participants.profile}.",
    )
    ways = TableBuilder(
        f"{experiment.name}.four-way",
        "Four-way scores, measured",
        "Letters name the picture, then the prompt: o the original (plain) one, d the distorted (wide-spectrum) one.",
    )
    for model in experiment.participants.models.values():
        row = row_of(model)
        for scorer in experiment.participants.scorers.values():
            if not names_labels(scorer):
                _scores(measuring, table, ways, row, model, scorer)
            elif known_labels(experiment):
                for column, value in labels_seen(measuring, model.card.label, model.name, scorer):
                    table.put(row, column, value)
        for judge, card in experiment.participants.judges.items():
            column = Column(id=f"win_{ledger_id(judge)}", label=f"{card.label} picks", unit="share", better="higher")
            label = f"{card.label} picks the requested picture, {model.card.label}"
            won = measuring.of(model.name, judge, "verdict", above=0.0)
            table.put(row, column, measuring.value(label, "share", won, unit="share", caveat="a tie is no win"))
    return document([table, ways], dict(_tests(measuring)))


def row_of(model: ConfiguredModel) -> Row:
    overrides = model.name.partition("@")[2]
    return Row(id=model.id, label=model.card.label, group=model.card.family, kind=model.card.alignment, note=overrides)


def _scores(
    measuring: Measuring, table: TableBuilder, ways: TableBuilder, row: Row, model: ConfiguredModel, scorer: ScorerCard
) -> None:
    name, label, generator = ledger_id(scorer.id), scorer.label, model.card.label
    summed = "" if reads_prompt(scorer) else "; summed over all dimensions"

    delta = measuring.of(model.name, scorer.id, "diop", less="oiop", summed=not reads_prompt(scorer))
    after = measuring.of(model.name, scorer.id, "diop", summed=not reads_prompt(scorer))
    column = Column(id=f"delta_{name}", label=f"Δ {label}", better="lower", note=f"diop - oiop{summed}")
    table.put(row, column, measuring.value(f"Δ{label} of {generator}", "mean", delta, unit="points"))
    column = Column(id=f"after_{name}", label=f"{label} after", better="lower", note=f"diop{summed}")
    table.put(row, column, measuring.value(f"{label} of {generator}'s requested picture", "mean", after, unit="points"))
    if not reads_prompt(scorer):
        _dimensions(measuring, table, row, model, scorer)
        return
    picks = measuring.of(model.name, scorer.id, "didp", less="oidp", above=0.0)
    column = Column(id=f"picks_{name}", label=f"{label} picks", unit="share", better="higher", note="didp > oidp")
    said = f"{label} prefers the requested picture, {generator}"
    table.put(row, column, measuring.value(said, "share", picks, unit="share"))
    for way in ("oiop", "oidp", "didp"):
        column = Column(id=f"{way}_{name}", label=f"{label} {way}")
        chosen = measuring.of(model.name, scorer.id, way)
        ways.put(row, column, measuring.value(f"{label} {way} of {generator}", "mean", chosen, unit="points"))
    falls = measuring.of(model.name, scorer.id, "diop", less="oiop", below=0.0)
    column = Column(id=f"falls_{name}", label=f"Δ {label} < 0", unit="share")
    said = f"Share of pairs of {generator} with a negative Δ{label}"
    ways.put(row, column, measuring.value(said, "share", falls, unit="share"))


def _dimensions(
    measuring: Measuring, table: TableBuilder, row: Row, model: ConfiguredModel, scorer: ScorerCard
) -> None:
    """The delta over the dimensions that each prompt asks to depart from, beside the one over all of them: the two are
    different quantities, and publications have printed one under the name of the other."""
    if not any(prompt.dimensions for prompt in measuring.experiment.prompts.rows):
        return
    chosen = measuring.of(model.name, scorer.id, "di-selected", less="oi-selected", summed=True)
    note = "diop - oiop, summed over the prompt's own dimensions only"
    column = Column(
        id=f"selected_{ledger_id(scorer.id)}", label=f"Δ {scorer.label}, selected", better="lower", note=note
    )
    said = f"Δ{scorer.label} of {model.card.label} over the dimensions that each prompt names"
    table.put(row, column, measuring.value(said, "mean", chosen, unit="points"))


def labels_seen(
    measuring: Measuring,
    generator: str,
    row: str,
    scorer: ScorerCard,
    ways: tuple[str, str] = ("asked", "plain-unasked"),
) -> Iterator[tuple[Column, Value]]:
    """The share of requested effects that is seen, and how many are seen that nobody asked for."""
    name = ledger_id(scorer.id)
    asked = measuring.of(row, scorer.id, ways[0], at_least=FOUND)
    unasked = measuring.of(row, scorer.id, ways[1], at_least=FOUND, summed=True)
    said = f"Share of requested effects that {scorer.label} sees, {generator}"
    column = Column(id=f"follow_{name}", label="Follows", unit="share", better="higher", note="requested effects seen")
    yield column, measuring.value(said, "mean", asked, unit="share")
    said = f"Effects that nobody asked for, {generator}"
    column = Column(id=f"unasked_{name}", label="Unasked effects", better="lower", note="seen in the plain picture")
    yield column, measuring.value(said, "mean", unasked, unit="per picture")


def _tests(measuring: Measuring) -> Iterator[tuple[str, Value]]:
    """Each generator against the base of its family: Wilcoxon on `diop`, McNemar on the judge's picks."""
    experiment = measuring.experiment
    models = list(experiment.participants.models.values())
    for model in models:
        base = base_of(model, models)
        if base is None:
            continue
        against = f"{model.card.label} above {base.card.label}"
        for name, scorer in experiment.participants.scorers.items():
            if names_labels(scorer):
                continue
            first, second = (measuring.of(m.name, name, "diop", summed=not reads_prompt(scorer)) for m in (model, base))
            said = f"{scorer.label} of the requested picture: {against}, rank-biserial r"
            told = "one-sided Wilcoxon signed-rank test over prompts"
            value = measuring.value(said, "rank_biserial", first, second, digits=2, caveat=told, alternative="greater")
            yield f"{experiment.name}.tests.{model.id}.{ledger_id(name)}", value
        for judge, card in experiment.participants.judges.items():
            first, second = (measuring.of(m.name, judge, "verdict", above=0.0) for m in (model, base))
            said = f"{card.label} picks the requested picture: {against}, exact McNemar test"
            yield (
                f"{experiment.name}.tests.{model.id}.{ledger_id(judge)}",
                measuring.value(said, "mcnemar_p", first, second, caveat="two-sided, over prompts"),
            )


def base_of(model: ConfiguredModel, models: list[ConfiguredModel]) -> ConfiguredModel | None:
    """What a generator is tested against, whatever the order they are named in: the card that its card names, else the
    base of its family; its own card where it is a base under overrides. Overrides are never a base."""
    named = model.card.base or _family_base(model.card, models)
    return next((m for m in models if m.name == named != model.name), None)


def _family_base(card: ModelCard, models: list[ConfiguredModel]) -> str:
    """The family's base; empty where it has none in the run, or several, of which none is the card itself."""
    bases = [m.name for m in models if _is_base(m.card, card.family) and "@" not in m.name]
    return card.id if card.id in bases else bases[0] if len(bases) == 1 else ""


def _is_base(card: ModelCard, family: str) -> bool:
    return bool(family) and card.family == family and card.alignment == "base" and not card.base
