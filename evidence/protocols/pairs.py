"""The pair benchmark: I_o from the plain prompt, I_a from the wide-spectrum one, and four scores of every scorer.

A four-way score names the picture first, then the prompt: `diop` is the distorted (wide-spectrum) picture under the
original (plain) prompt. Both pictures of a pair have the same seed. Definitions: `delta` is diop - oiop and `after` is
diop, lower where the request was followed; `picks` is the share of pairs in which the scorer prefers the requested
picture under the wide prompt. A judge that gives one number per dimension is summed over all of them.
"""

from __future__ import annotations

from collections.abc import Iterator

from evidence import values
from evidence.answers import Answers
from evidence.plan import Ask, Comparison, Member, Scoring, Wants, ledger_id, names_labels, reads_prompt
from evidence.prompts import Prompt
from evidence.protocols import Study, seed_of
from evidence.scorers import ScorerRow
from evidence.values import Grid, Sheet
from ledger import metrics
from ledger.schema import Column, Document, Id, Row, Value

PROMPTS = "wide"
FOUND = 0.5  # probability from which a classifying judge counts a label as seen


def plain(study: Study, member: Member, prompt: Prompt, seed: int | None) -> Ask:
    return Ask(member.name, prompt.plain, "plain", seed_of(prompt, seed))


def wide(study: Study, member: Member, prompt: Prompt, seed: int | None) -> Ask:
    negative = prompt.negative if member.negative else ""
    return Ask(member.name, prompt.wide, "wide", seed_of(prompt, seed), negative)


def pairs(study: Study, member: Member) -> Iterator[list[tuple[Prompt, Ask, Ask]]]:
    """One list per seed: prompt, I_o, I_a."""
    for seed in study.seeds:
        rows = [prompt for prompt in study.prompts.rows if prompt.wide]
        yield [(p, plain(study, member, p, seed), wide(study, member, p, seed)) for p in rows]


def wants(study: Study) -> Wants:
    pictures: list[Ask] = []
    scorings: list[Scoring] = []
    comparisons: list[Comparison] = []
    for member in study.cast.members.values():
        for line in pairs(study, member):
            for prompt, original, distorted in line:
                pictures += [original, distorted]
                scorings += [
                    Scoring(picture, scorer, text)
                    for scorer in study.cast.scorers
                    for picture in (original, distorted)
                    for text in (prompt.plain, prompt.wide)
                ]
                comparisons += [Comparison(original, distorted, judge, prompt.wide) for judge in study.cast.judges]
    return Wants(tuple(pictures), tuple(scorings), tuple(comparisons))


class FourWay:
    """The scores of one generator by one scorer, as grids (seeds x prompts)."""

    def __init__(self, study: Study, answers: Answers, member: Member, scorer: str) -> None:
        def grid(picture: int, text: str) -> Grid:
            return [
                [answers.number(entry[picture], scorer, getattr(entry[0], text)) for entry in line]  # type: ignore[arg-type]
                for line in pairs(study, member)
            ]

        self.oiop, self.oidp = grid(1, "plain"), grid(1, "wide")
        self.diop, self.didp = grid(2, "plain"), grid(2, "wide")


def tabulate(study: Study, answers: Answers) -> Document:
    table = Sheet(
        f"{study.name}.pairs",
        "The pair benchmark, measured",
        "One row per generator. For each scorer: the change of its score under the plain prompt when the wide-spectrum "
        "picture stands in for the plain one, its score after that, and how often it prefers the requested picture.",
        note=f"Prompt set {study.prompts.name} ({len(study.prompts.rows)} prompts), profile {study.cast.profile}.",
    )
    ways = Sheet(
        f"{study.name}.four-way",
        "Four-way scores, measured",
        "Letters name the picture, then the prompt: o the original (plain) one, d the distorted (wide-spectrum) one.",
    )
    four = {(m.name, s): FourWay(study, answers, m, s) for m in study.cast.members.values() for s in study.cast.scorers}
    for member in study.cast.members.values():
        row = row_of(member)
        for name, scorer in study.cast.scorers.items():
            _scores(study, answers, table, ways, row, member, scorer, four[member.name, name])
        for judge in study.cast.judges:
            wins = [
                [_win(answers.verdict(Comparison(o, d, judge, p.wide))) for p, o, d in line]
                for line in pairs(study, member)
            ]
            label = f"{study.cast.judges[judge].label} picks the requested picture, {member.row.label}"
            column = Column(id=f"win_{ledger_id(judge)}", label="Judge picks", unit="share", better="higher")
            table.put(row, column, values.share(study, label, wins))
    tests = dict(_tests(study, answers, four))
    tables = {sheet.id: sheet.table() for sheet in (table, ways) if sheet.values}
    return Document(values=table.values | ways.values | tests, tables=tables)


def row_of(member: Member) -> Row:
    overrides = member.name.partition("@")[2]
    return Row(id=member.id, label=member.row.label, group=member.row.family, kind=member.row.kind, note=overrides)


def _scores(
    study: Study,
    answers: Answers,
    table: Sheet,
    ways: Sheet,
    row: Row,
    member: Member,
    scorer: ScorerRow,
    four: FourWay,
) -> None:
    if names_labels(scorer):
        _labels(study, answers, table, row, member, scorer)
        return
    name, generator = ledger_id(scorer.id), member.row.label
    delta = values.difference(four.diop, four.oiop)
    table.put(
        row,
        Column(
            id=f"delta_{name}",
            label=f"Δ {scorer.label}",
            better="lower",
            note="diop - oiop; a judge is summed over all dimensions",
        ),
        values.mean(study, f"Δ{scorer.label} of {generator}", delta, unit="points"),
    )
    table.put(
        row,
        Column(id=f"after_{name}", label=f"{scorer.label} after", better="lower", note="diop"),
        values.mean(study, f"{scorer.label} of {generator}'s requested picture", four.diop, unit="points"),
    )
    if not reads_prompt(scorer):
        _dimensions(study, answers, table, row, member, scorer)
        return
    column = Column(
        id=f"picks_{name}", label=f"{scorer.label} picks", unit="share", better="higher", note="didp > oidp"
    )
    label = f"{scorer.label} prefers the requested picture, {generator}"
    table.put(row, column, values.share(study, label, values.greater(four.didp, four.oidp)))
    for way in ("oiop", "oidp", "didp"):
        label = f"{scorer.label} {way} of {generator}"
        column = Column(id=f"{way}_{name}", label=f"{scorer.label} {way}")
        ways.put(row, column, values.mean(study, label, getattr(four, way), unit="points"))
    label = f"Share of pairs of {generator} with a negative Δ{scorer.label}"
    falls = [[None if n is None else float(n < 0) for n in line] for line in delta]
    column = Column(id=f"falls_{name}", label=f"Δ {scorer.label} < 0", unit="share")
    ways.put(row, column, values.share(study, label, falls))


def _dimensions(study: Study, answers: Answers, table: Sheet, row: Row, member: Member, scorer: ScorerRow) -> None:
    """The delta over the dimensions that each prompt asks to depart from, beside the one over all of them: the two are
    different quantities, and publications have printed one under the name of the other."""
    grid = [[_selected(answers, scorer.id, entry) for entry in line] for line in pairs(study, member)]
    if any(number is not None for line in grid for number in line):
        note = "diop - oiop, summed over the prompt's own dimensions only"
        column = Column(
            id=f"selected_{ledger_id(scorer.id)}", label=f"Δ {scorer.label}, selected", better="lower", note=note
        )
        label = f"Δ{scorer.label} of {member.row.label} over the dimensions that each prompt names"
        table.put(row, column, values.mean(study, label, grid, unit="points"))


def _selected(answers: Answers, scorer: str, entry: tuple[Prompt, Ask, Ask]) -> float | None:
    prompt, original, distorted = entry
    before, after = answers.score(original, scorer, ""), answers.score(distorted, scorer, "")
    if not isinstance(before, dict) or not isinstance(after, dict):
        return None
    chosen = [dimension for dimension in prompt.dimensions if dimension in after and dimension in before]
    return sum(after[d] - before[d] for d in chosen) if chosen else None


def _labels(study: Study, answers: Answers, table: Sheet, row: Row, member: Member, scorer: ScorerRow) -> None:
    """What a judge of labels sees of the tags that each prompt asks for."""
    followed: list[list[float | None]] = []
    unasked: list[list[float | None]] = []
    known = {tag for prompt in study.prompts.rows for tag in prompt.tags}
    for line in pairs(study, member):
        seen = [(p, answers.score(o, scorer.id, ""), answers.score(d, scorer.id, "")) for p, o, d in line]
        followed.append([share_found(p.tags, d) for p, _, d in seen])
        unasked.append([count_found(known, o) for _, o, _ in seen])
    if all(number is None for line in followed for number in line):
        return
    name, generator = ledger_id(scorer.id), member.row.label
    table.put(
        row,
        Column(id=f"follow_{name}", label="Follows", unit="share", better="higher", note="requested effects seen"),
        values.share(study, f"Share of requested effects that {scorer.label} sees, {generator}", followed),
    )
    table.put(
        row,
        Column(id=f"unasked_{name}", label="Unasked effects", better="lower", note="seen in the plain picture"),
        values.mean(study, f"Effects that nobody asked for, {generator}", unasked, unit="per picture"),
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


def _tests(study: Study, answers: Answers, four: dict[tuple[str, str], FourWay]) -> Iterator[tuple[str, Value]]:
    """Each generator against the base of its family: Wilcoxon on `diop`, McNemar on the judge's picks."""
    members = list(study.cast.members.values())
    for member in members:
        family = member.row.family
        base = next((m for m in members if family and m.row.family == family and m.row.kind == "base"), None)
        if base is None or base is member or member.row.kind == "base":
            continue
        for name, scorer in study.cast.scorers.items():
            if names_labels(scorer):
                continue
            paired = values.complete(four[member.name, name].diop, four[base.name, name].diop)
            if not paired:
                continue
            test = metrics.wilcoxon_signed_rank(paired[0], paired[1], "greater")
            label = (
                f"{scorer.label} of the requested picture: {member.row.label} above {base.row.label}, rank-biserial r"
            )
            caveat = "one-sided Wilcoxon signed-rank test, paired by prompt and seed"
            key = f"{study.name}.tests.{member.id}.{ledger_id(name)}"
            yield key, values.number(study, label, test.r, digits=2, n=test.n, p=test.p, caveat=caveat)
        for judge in study.cast.judges:
            wins = [
                [
                    [_win(answers.verdict(Comparison(o, d, judge, p.wide))) for p, o, d in line]
                    for line in pairs(study, m)
                ]
                for m in (member, base)
            ]
            if paired := values.complete(*wins):
                label = f"Judge picks the requested picture: {member.row.label} minus {base.row.label}"
                key = f"{study.name}.tests.{member.id}.{ledger_id(judge)}"
                gap = float(paired[0].mean() - paired[1].mean())
                p = metrics.mcnemar(*paired)
                caveat = "exact McNemar test, two-sided, paired by prompt and seed"
                yield key, values.number(study, label, gap, unit="share", n=len(paired[0]), p=p, caveat=caveat)
