"""The pair benchmark: I_o from the plain prompt, I_a from the wide-spectrum one, and four scores of every scorer.

A four-way score names the picture first, then the prompt: `diop` is the distorted (wide-spectrum) picture under the
original (plain) prompt. Both pictures of a pair have the same seed. Definitions: `delta` is diop - oiop and `after` is
diop, lower where the request was followed; `picks` is the share of pairs in which the scorer prefers the requested
picture under the wide prompt. A judge that gives one number per dimension is summed over all of them.
"""

from __future__ import annotations

from collections.abc import Iterator

from evidence import values
from evidence.jobs.plan import (
    Comparison,
    ConfiguredModel,
    PictureSpec,
    Requirements,
    Scoring,
    ledger_id,
    names_labels,
    reads_prompt,
)
from evidence.prompts import Prompt
from evidence.protocols import Experiment, seed_of
from evidence.samples.stored_results import StoredResults
from evidence.scorers import ScorerCard
from evidence.values import Grid, Sheet
from ledger import metrics
from ledger.schema import Column, Document, Id, Row, Value

PROMPTS = "wide"
FOUND = 0.5  # probability from which a classifying judge counts a label as seen


def plain(experiment: Experiment, model: ConfiguredModel, prompt: Prompt, seed: int | None) -> PictureSpec:
    return PictureSpec(model.name, prompt.plain, "plain", seed_of(prompt, seed))


def wide(experiment: Experiment, model: ConfiguredModel, prompt: Prompt, seed: int | None) -> PictureSpec:
    negative = prompt.negative if model.negative else ""
    return PictureSpec(model.name, prompt.wide, "wide", seed_of(prompt, seed), negative)


def pairs(experiment: Experiment, model: ConfiguredModel) -> Iterator[list[tuple[Prompt, PictureSpec, PictureSpec]]]:
    """One list per seed: prompt, I_o, I_a."""
    for seed in experiment.seeds:
        rows = [prompt for prompt in experiment.prompts.rows if prompt.wide]
        yield [(p, plain(experiment, model, p, seed), wide(experiment, model, p, seed)) for p in rows]


def requirements(experiment: Experiment) -> Requirements:
    pictures: list[PictureSpec] = []
    scorings: list[Scoring] = []
    comparisons: list[Comparison] = []
    for model in experiment.participants.models.values():
        for line in pairs(experiment, model):
            for prompt, original, distorted in line:
                pictures += [original, distorted]
                scorings += [
                    Scoring(picture, scorer, text)
                    for scorer in experiment.participants.scorers
                    for picture in (original, distorted)
                    for text in (prompt.plain, prompt.wide)
                ]
                comparisons += [
                    Comparison(original, distorted, judge, prompt.wide) for judge in experiment.participants.judges
                ]
    return Requirements(tuple(pictures), tuple(scorings), tuple(comparisons))


class FourWay:
    """The scores of one generator by one scorer, as grids (seeds x prompts)."""

    def __init__(self, experiment: Experiment, stored: StoredResults, model: ConfiguredModel, scorer: str) -> None:
        def grid(picture: int, text: str) -> Grid:
            return [
                [stored.number(entry[picture], scorer, getattr(entry[0], text)) for entry in line]  # type: ignore[arg-type]
                for line in pairs(experiment, model)
            ]

        self.oiop, self.oidp = grid(1, "plain"), grid(1, "wide")
        self.diop, self.didp = grid(2, "plain"), grid(2, "wide")


def tabulate(experiment: Experiment, stored: StoredResults) -> Document:
    table = Sheet(
        f"{experiment.name}.pairs",
        "The pair benchmark, measured",
        "One row per generator. For each scorer: the change of its score under the plain prompt when the wide-spectrum "
        "picture stands in for the plain one, its score after that, and how often it prefers the requested picture.",
        note=f"Prompt set {experiment.prompts.name} ({len(experiment.prompts.rows)} prompts), "
        f"profile {experiment.participants.profile}.",
    )
    ways = Sheet(
        f"{experiment.name}.four-way",
        "Four-way scores, measured",
        "Letters name the picture, then the prompt: o the original (plain) one, d the distorted (wide-spectrum) one.",
    )
    four = {
        (m.name, s): FourWay(experiment, stored, m, s)
        for m in experiment.participants.models.values()
        for s in experiment.participants.scorers
    }
    for model in experiment.participants.models.values():
        row = row_of(model)
        for name, scorer in experiment.participants.scorers.items():
            _scores(experiment, stored, table, ways, row, model, scorer, four[model.name, name])
        for judge in experiment.participants.judges:
            wins = [
                [_win(stored.verdict(Comparison(o, d, judge, p.wide))) for p, o, d in line]
                for line in pairs(experiment, model)
            ]
            label = f"{experiment.participants.judges[judge].label} picks the requested picture, {model.card.label}"
            column = Column(id=f"win_{ledger_id(judge)}", label="Judge picks", unit="share", better="higher")
            table.put(row, column, values.share(experiment, label, wins))
    tests = dict(_tests(experiment, stored, four))
    tables = {sheet.id: sheet.table() for sheet in (table, ways) if sheet.values}
    return Document(values=table.values | ways.values | tests, tables=tables)


def row_of(model: ConfiguredModel) -> Row:
    overrides = model.name.partition("@")[2]
    return Row(id=model.id, label=model.card.label, group=model.card.family, kind=model.card.alignment, note=overrides)


def _scores(
    experiment: Experiment,
    stored: StoredResults,
    table: Sheet,
    ways: Sheet,
    row: Row,
    model: ConfiguredModel,
    scorer: ScorerCard,
    four: FourWay,
) -> None:
    if names_labels(scorer):
        _labels(experiment, stored, table, row, model, scorer)
        return
    name, generator = ledger_id(scorer.id), model.card.label
    delta = values.difference(four.diop, four.oiop)
    table.put(
        row,
        Column(
            id=f"delta_{name}",
            label=f"Δ {scorer.label}",
            better="lower",
            note="diop - oiop; a judge is summed over all dimensions",
        ),
        values.mean(experiment, f"Δ{scorer.label} of {generator}", delta, unit="points"),
    )
    table.put(
        row,
        Column(id=f"after_{name}", label=f"{scorer.label} after", better="lower", note="diop"),
        values.mean(experiment, f"{scorer.label} of {generator}'s requested picture", four.diop, unit="points"),
    )
    if not reads_prompt(scorer):
        _dimensions(experiment, stored, table, row, model, scorer)
        return
    column = Column(
        id=f"picks_{name}", label=f"{scorer.label} picks", unit="share", better="higher", note="didp > oidp"
    )
    label = f"{scorer.label} prefers the requested picture, {generator}"
    table.put(row, column, values.share(experiment, label, values.greater(four.didp, four.oidp)))
    for way in ("oiop", "oidp", "didp"):
        label = f"{scorer.label} {way} of {generator}"
        column = Column(id=f"{way}_{name}", label=f"{scorer.label} {way}")
        ways.put(row, column, values.mean(experiment, label, getattr(four, way), unit="points"))
    label = f"Share of pairs of {generator} with a negative Δ{scorer.label}"
    falls = [[None if n is None else float(n < 0) for n in line] for line in delta]
    column = Column(id=f"falls_{name}", label=f"Δ {scorer.label} < 0", unit="share")
    ways.put(row, column, values.share(experiment, label, falls))


def _dimensions(
    experiment: Experiment, stored: StoredResults, table: Sheet, row: Row, model: ConfiguredModel, scorer: ScorerCard
) -> None:
    """The delta over the dimensions that each prompt asks to depart from, beside the one over all of them: the two are
    different quantities, and publications have printed one under the name of the other."""
    grid = [[_selected(stored, scorer.id, entry) for entry in line] for line in pairs(experiment, model)]
    if any(number is not None for line in grid for number in line):
        note = "diop - oiop, summed over the prompt's own dimensions only"
        column = Column(
            id=f"selected_{ledger_id(scorer.id)}", label=f"Δ {scorer.label}, selected", better="lower", note=note
        )
        label = f"Δ{scorer.label} of {model.card.label} over the dimensions that each prompt names"
        table.put(row, column, values.mean(experiment, label, grid, unit="points"))


def _selected(stored: StoredResults, scorer: str, entry: tuple[Prompt, PictureSpec, PictureSpec]) -> float | None:
    prompt, original, distorted = entry
    before, after = stored.score(original, scorer, ""), stored.score(distorted, scorer, "")
    if not isinstance(before, dict) or not isinstance(after, dict):
        return None
    chosen = [dimension for dimension in prompt.dimensions if dimension in after and dimension in before]
    return sum(after[d] - before[d] for d in chosen) if chosen else None


def _labels(
    experiment: Experiment, stored: StoredResults, table: Sheet, row: Row, model: ConfiguredModel, scorer: ScorerCard
) -> None:
    """What a judge of labels sees of the tags that each prompt asks for."""
    followed: list[list[float | None]] = []
    unasked: list[list[float | None]] = []
    known = {tag for prompt in experiment.prompts.rows for tag in prompt.tags}
    for line in pairs(experiment, model):
        seen = [(p, stored.score(o, scorer.id, ""), stored.score(d, scorer.id, "")) for p, o, d in line]
        followed.append([share_found(p.tags, d) for p, _, d in seen])
        unasked.append([count_found(known, o) for _, o, _ in seen])
    if all(number is None for line in followed for number in line):
        return
    name, generator = ledger_id(scorer.id), model.card.label
    table.put(
        row,
        Column(id=f"follow_{name}", label="Follows", unit="share", better="higher", note="requested effects seen"),
        values.share(experiment, f"Share of requested effects that {scorer.label} sees, {generator}", followed),
    )
    table.put(
        row,
        Column(id=f"unasked_{name}", label="Unasked effects", better="lower", note="seen in the plain picture"),
        values.mean(experiment, f"Effects that nobody asked for, {generator}", unasked, unit="per picture"),
    )


def share_found(tags: list[Id], labels: object) -> float | None:
    if not isinstance(labels, dict) or not (asked := [tag for tag in tags if tag in labels]):
        return None
    return sum(float(labels[tag]) >= FOUND for tag in asked) / len(asked)


def count_found(known: set[str], labels: object) -> float | None:
    return float(sum(labels[tag] >= FOUND for tag in known & labels.keys())) if isinstance(labels, dict) else None


def _win(verdict: int | None) -> float | None:
    """Strict success: a tie is no win."""
    return None if verdict is None else float(verdict == 1)


def _tests(
    experiment: Experiment, stored: StoredResults, four: dict[tuple[str, str], FourWay]
) -> Iterator[tuple[str, Value]]:
    """Each generator against the base of its family: Wilcoxon on `diop`, McNemar on the judge's picks."""
    models = list(experiment.participants.models.values())
    for model in models:
        family = model.card.family
        base = next((m for m in models if family and m.card.family == family and m.card.alignment == "base"), None)
        if base is None or base is model or model.card.alignment == "base":
            continue
        for name, scorer in experiment.participants.scorers.items():
            if names_labels(scorer):
                continue
            paired = values.complete(four[model.name, name].diop, four[base.name, name].diop)
            if not paired:
                continue
            test = metrics.wilcoxon_signed_rank(paired[0], paired[1], "greater")
            label = (
                f"{scorer.label} of the requested picture: {model.card.label} above {base.card.label}, rank-biserial r"
            )
            caveat = "one-sided Wilcoxon signed-rank test, paired by prompt and seed"
            key = f"{experiment.name}.tests.{model.id}.{ledger_id(name)}"
            yield key, values.number(experiment, label, test.r, digits=2, n=test.n, p=test.p, caveat=caveat)
        for judge in experiment.participants.judges:
            wins = [
                [
                    [_win(stored.verdict(Comparison(o, d, judge, p.wide))) for p, o, d in line]
                    for line in pairs(experiment, m)
                ]
                for m in (model, base)
            ]
            if paired := values.complete(*wins):
                label = f"Judge picks the requested picture: {model.card.label} minus {base.card.label}"
                key = f"{experiment.name}.tests.{model.id}.{ledger_id(judge)}"
                gap = float(paired[0].mean() - paired[1].mean())
                p = metrics.mcnemar(*paired)
                caveat = "exact McNemar test, two-sided, paired by prompt and seed"
                yield key, values.number(experiment, label, gap, unit="share", n=len(paired[0]), p=p, caveat=caveat)
