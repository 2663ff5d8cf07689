"""From raw four-way scores to recomputed values beside the reported ones.

Every change, after-score and preference of the published tables that the scores decide is derived again, with n,
spread, bootstrap interval over prompts, quantiles, and Wilcoxon tests of aligned models against their bases. The CSV
(ledger/raw_scores.py says what is refused) is not kept; results/recomputed.json is written whole or not at all.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ledger import metrics
from ledger.book import MINUS, alike, show
from ledger.files import replace_text
from ledger.metrics import Floats
from ledger.problems import InputError, Problem
from ledger.raw_scores import SCORERS, WAYS, Scorer, Scores, read_scores
from ledger.reading import read_document
from ledger.schema import Column, Document, Row, Source, Table, Value

Progress = Callable[[int, int, str], None]  # steps done, steps in all, what is being done

QUANTILES = (0, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 100)
BIN = 2  # HPSv3 points
_WHERE = "the published four-way scores, paired by prompt"
_AFTER = "the distorted picture's score under the plain prompt, diop"
_CHANGE = "distorted minus plain picture, both under the plain prompt, diop − oiop"
_PICKS = "the distorted picture above the plain one under the distorted prompt, didp > oidp"


@dataclass(frozen=True)
class Comparison:
    """A reported value and its recomputed twin."""

    reported: str
    recomputed: str
    reported_text: str
    recomputed_text: str
    exact: float
    agrees: bool


@dataclass(frozen=True)
class Report:
    """What an import read and found. `pairs` counts distinct pairs by row of the table."""

    rows: int
    repeats: int
    pairs: dict[str, int]
    comparisons: list[Comparison]
    written: Path

    def lines(self) -> Iterator[str]:
        """For people: what was read, then one line a compared number."""
        total = sum(self.pairs.values())
        yield f"{self.rows} rows, {self.repeats} of them repeats: {total} pairs of {len(self.pairs)} models"
        for item in self.comparisons:
            verdict = "agrees" if item.agrees else "DIFFERS"
            yield f"{verdict:8}{item.reported}: reported {item.reported_text}, recomputed {item.recomputed_text}"
        agreed = sum(item.agrees for item in self.comparisons)
        yield f"{agreed} of {len(self.comparisons)} reported numbers agree to the printed precision"
        yield f"wrote {self.written}"


def import_scores(csv_path: Path, root: Path, progress: Progress | None = None) -> Report:
    """Recompute everything that the scores decide and write results/recomputed.json.

    Raises `InputError` with all defects of the CSV, or of results/generators.json with which it compares; then nothing
    is written. The same CSV gives the same bytes.
    """
    tell = progress or (lambda done, total, what: None)
    scores = read_scores(csv_path)
    reported = read_document(root / "results" / "generators.json", root)
    derived = _Derivation(reported.values, _rows(reported, scores))
    rows = [row for row in derived.rows if row.id in scores.pairs]
    for done, row in enumerate(rows):
        tell(done, len(rows) + 1, row.label)
        derived.add_model(scores, row)
    tell(len(rows), len(rows) + 1, "all models")
    derived.add_pooled(scores)
    derived.add_distribution(scores, rows)
    document = derived.document()
    path = root / "results" / "recomputed.json"
    try:
        replace_text(path, document.model_dump_json(indent=1, exclude_defaults=True) + "\n")
    except OSError as error:
        raise InputError([Problem("results/recomputed.json", 0, "", f"cannot be written: {error.strerror}")]) from None
    tell(len(rows) + 1, len(rows) + 1, "written")
    pairs = {row.id: len(scores.pairs[row.id]) for row in rows}
    return Report(scores.rows, scores.rows - sum(pairs.values()), pairs, derived.comparisons(), path)


def _rows(reported: Document, scores: Scores) -> list[Row]:
    """Rows of the table of generators, which must have one for every model of the CSV."""
    name = "results/generators.json"
    if "generators" not in reported.tables:
        raise InputError([Problem(name, 0, "tables", "no table 'generators' to compare with")])
    rows = reported.tables["generators"].rows
    missing = [model for model in scores.pairs if model not in {row.id for row in rows}]
    if missing:
        raise InputError(Problem(name, 0, "tables.generators.rows", f"no row {model!r}") for model in missing)
    return rows


class _Derivation:
    """Collects the cells of the tables `four_way`, `recomputed` and `distribution`."""

    def __init__(self, reported: Mapping[str, Value], rows: list[Row]) -> None:
        self.reported = reported
        self.rows = rows
        self.values: dict[str, Value] = {}
        self.edges: list[int] = []

    def add_model(self, scores: Scores, row: Row) -> None:
        for scorer in SCORERS:
            ways = {way: scores.column(row.id, f"{scorer.prefix}_{way}") for way in WAYS}
            self._four_way(row, scorer, ways)
            self._derived(row, scorer, ways)
        base = next((other for other in self.rows if other.group == row.group and other.kind == "base"), row)
        if base.id != row.id and base.id in scores.pairs:
            for scorer in SCORERS:
                self._against_base(scores, row, base, scorer)
        count = len(scores.pairs[row.id])
        self._put(row.id, "pairs", f"Distinct pairs of {row.label}", count, "pairs", 0, f"Counted in {_WHERE}")

    def _four_way(self, row: Row, scorer: Scorer, ways: Mapping[str, Floats]) -> None:
        for way, words in WAYS.items():
            summary = metrics.summarise(ways[way], _seed(row.id, scorer.id, way))
            picture, prompt = words.split(", ")
            label = f"{scorer.label} of {row.label}'s {picture}s under the {prompt}"
            self.values[f"four_way.{row.id}.{scorer.id}_{way}"] = _value(
                label, summary.mean, scorer.unit, 3, f"Mean of {scorer.prefix}_{way}, {words}, in {_WHERE}", summary
            )

    def _derived(self, row: Row, scorer: Scorer, ways: Mapping[str, Floats]) -> None:
        change = metrics.delta(ways["diop"], ways["oiop"])
        name, model, points = scorer.label, row.label, scorer.unit
        picks = metrics.picks_requested(ways["didp"], ways["oidp"])
        measures = (
            (f"delta_{scorer.id}", f"Δ{name} of {model}", change, points, f"Mean of {_CHANGE}"),
            (
                f"{scorer.id}_after",
                f"{name} of distorted pictures by {model}",
                metrics.after(ways["diop"]),
                points,
                f"Mean of {_AFTER}",
            ),
            (
                f"delta_{scorer.id}_below_zero",
                f"Share of prompts for which {name} falls, {model}",
                metrics.below_zero(change),
                "share",
                f"Share of prompts below zero in {_CHANGE}",
            ),
            (
                f"{scorer.id}_picks_requested",
                f"Share of pairs in which {name} picks the requested picture, {model}",
                picks,
                "share",
                f"Share of pairs with {_PICKS}",
            ),
        )
        for metric, label, samples, unit, formula in measures:
            summary = metrics.summarise(samples, _seed(row.id, metric))
            where = f"{formula} ({scorer.label}) in {_WHERE}"
            self._put(row.id, metric, label, summary.mean, unit, 3, where, summary)
        if scorer.id == "hpsv3":
            for percent, number in zip(QUANTILES, np.percentile(change, QUANTILES), strict=True):
                label = f"{percent} % quantile of the change in {scorer.label} from prompt to prompt, {row.label}"
                where = f"Quantile over prompts of {_CHANGE} ({scorer.label}) in {_WHERE}"
                self._put(
                    row.id, f"delta_hpsv3_q{percent:02}", label, float(number), scorer.unit, 3, where, n=change.size
                )

    def add_distribution(self, scores: Scores, rows: list[Row]) -> None:
        """Share of prompts per bin of the change in HPSv3, on bins that all models share."""
        changes = {row.id: scores.column(row.id, "hpsv3_diop") - scores.column(row.id, "hpsv3_oiop") for row in rows}
        every = np.concatenate(list(changes.values()))
        first, last = (math.floor(edge / BIN) for edge in (every.min(), every.max()))
        self.edges = [BIN * step for step in range(first, last + 1)]
        for row in rows:
            change = changes[row.id]
            for edge in self.edges:
                share = float(((change >= edge) & (change < edge + BIN)).mean())
                span = f"{_plain(edge)} to {_plain(edge + BIN)}"
                label = f"Share of prompts for which HPSv3 of {row.label} changes by {span}"
                where = f"Share of prompts with {_CHANGE} (HPSv3) from {span} in {_WHERE}"
                id = f"distribution.{row.id}.{_bin(edge)}"
                self.values[id] = _value(label, share, "share", 3, where, n=change.size)

    def _against_base(self, scores: Scores, row: Row, base: Row, scorer: Scorer) -> None:
        """One-sided: does the aligned model's distorted picture still score higher than its base's?"""
        prompts = sorted(scores.pairs[row.id].keys() & scores.pairs[base.id].keys())
        if not prompts:
            return
        aligned, plain = (scores.column(id, f"{scorer.prefix}_diop", prompts) for id in (row.id, base.id))
        test = metrics.wilcoxon_signed_rank(aligned, plain, "greater")
        pair = f"{row.label} against {base.label}"
        where = f"Wilcoxon signed-rank, one-sided, {_AFTER} ({scorer.label}) of both models in {_WHERE}"
        effect = -test.z / math.sqrt(test.n) if test.n else 0.0
        self._put(
            row.id,
            f"{scorer.id}_base_p",
            f"Wilcoxon p on {scorer.label}, {pair}",
            test.p,
            "p-value",
            4,
            where,
            n=test.n,
        )
        self._put(
            row.id, f"{scorer.id}_base_r", f"Effect size z / √n on {scorer.label}, {pair}", effect, "effect size", 2,
            where + "; base minus aligned, as the paper signs it", n=test.n, p=test.p,
        )  # fmt: skip
        self._put(
            row.id, f"{scorer.id}_base_rank_biserial", f"Rank-biserial correlation on {scorer.label}, {pair}", test.r,
            "effect size", 2, where + "; aligned minus base", n=test.n, p=test.p,
        )  # fmt: skip

    def add_pooled(self, scores: Scores) -> None:
        """Over all models: distinct pairs, and the file as it is with its repeats."""
        copies = np.concatenate(
            [[scores.copies[row][prompt] for prompt in sorted(scores.pairs[row])] for row in scores.pairs]
        )
        self._pool(scores, "all", "distinct pairs", np.ones_like(copies))
        self._pool(scores, "as-released", "pairs and repeats", copies)
        for scorer in SCORERS:
            every = np.concatenate(
                [scores.column(row, f"{scorer.prefix}_{way}") for row in scores.pairs for way in WAYS]
            )
            for word, number in (("lowest", every.min()), ("highest", every.max())):
                label, where = (
                    f"{word.capitalize()} {scorer.label} in all scores",
                    f"The {word} of all four scores in {_WHERE}",
                )
                self._put("all", f"{scorer.id}_{word}", label, float(number), scorer.unit, 2, where)

    def _pool(self, scores: Scores, row: str, label: str, weights: NDArray[np.int64]) -> None:
        """Shares over all models; the interval draws whole prompts, since models share them."""
        total = int(weights.sum())
        self._put(row, "pairs", f"All {label}", total, "pairs", 0, f"Counted in {_WHERE}")
        for scorer in SCORERS:
            wanted, other = (
                np.concatenate([scores.column(model, f"{scorer.prefix}_{way}") for model in scores.pairs])
                for way in ("didp", "oidp")
            )
            picks = metrics.picks_requested(wanted, other)
            repeated = bool((weights > 1).any())
            self._put(
                row,
                f"{scorer.id}_picks_requested",
                f"Share of all {label} in which {scorer.label} picks the requested picture",
                float((picks * weights).sum() / total),
                "share",
                3,
                f"Share of pairs with {_PICKS} ({scorer.label}) in {_WHERE}; pairs that a judge calls ties included",
                n=total,
                interval=None if repeated else _over_prompts(scores, picks, _seed("all", scorer.id)),
            )

    def _put(
        self, row: str, metric: str, label: str, number: float, unit: str, digits: int, where: str,
        summary: metrics.Summary | None = None, *, n: int | None = None, p: float | None = None,
        interval: tuple[float, float] | None = None,
    ) -> None:  # fmt: skip
        value = _value(label, number, unit, digits, where, summary, n=n, p=p, interval=interval)
        twin = self._twin(row, metric)
        if twin:
            caveat = None if alike(self.reported[twin], value) else f"{show(self.reported[twin])} was reported."
            value = value.model_copy(update={"agrees_with": twin, "caveat": caveat})
        self.values[f"recomputed.{row}.{metric}"] = value

    def _twin(self, row: str, metric: str) -> str | None:
        """The reported value of the same quantity, if it has a number."""
        for id in (f"generators.{row}.{metric}", f"tests.{row}.{metric.replace('_base_', '_')}"):
            if id in self.reported and self.reported[id].value is not None:
                return id
        return None

    def comparisons(self) -> list[Comparison]:
        pairs = [(id, value, value.agrees_with) for id, value in self.values.items() if value.agrees_with]
        return [
            Comparison(
                twin, id, show(self.reported[twin]), show(value), value.value or 0.0, alike(self.reported[twin], value)
            )
            for id, value, twin in pairs
        ]

    def document(self) -> Document:
        return Document(tables=self._tables(), values=self.values)

    def _tables(self) -> dict[str, Table]:
        rows = [row for row in self.rows if f"recomputed.{row.id}.pairs" in self.values]
        pooled = [Row(id="all", label="All, repeats removed"), Row(id="as-released", label="All, as released")]
        cells = (id.removeprefix("recomputed.").split(".", 1)[1] for id in self.values if id.startswith("recomputed."))
        return {
            "four_way": Table(
                title="The four scores behind every change",
                caption="Mean score of the plain and of the distorted picture under the plain and under the distorted "
                "prompt, per model.",
                columns=[
                    Column(id=f"{scorer.id}_{way}", label=f"{scorer.label}: {words}", unit=scorer.unit)
                    for scorer in SCORERS
                    for way, words in WAYS.items()
                ],
                rows=rows,
            ),
            "distribution": Table(
                title="The change, prompt by prompt",
                caption="Share of prompts by how far HPSv3 moves from the plain to the distorted picture, both under "
                "the plain prompt. A column is a bin, named by its ends.",
                columns=[
                    Column(id=_bin(edge), label=f"{_plain(edge)} to {_plain(edge + BIN)}", unit="share")
                    for edge in self.edges
                ],
                rows=rows,
            ),
            "recomputed": Table(
                title="Recomputed from the published scores",
                caption="What the raw four-way scores give for each generator, with bootstrap intervals over prompts.",
                columns=[_column(metric) for metric in dict.fromkeys(cells)],
                rows=[*rows, *pooled],
            ),
        }


def _value(
    label: str, number: float, unit: str, digits: int, where: str, summary: metrics.Summary | None = None, *,
    n: int | None = None, p: float | None = None, interval: tuple[float, float] | None = None,
) -> Value:  # fmt: skip
    low_high = summary.interval if summary else interval
    return Value(
        label=label,
        value=_tidy(number),
        unit=unit,
        digits=digits,
        source=Source(kind="recomputed", where=where),
        n=summary.n if summary else n,
        sd=_tidy(summary.sd) if summary else None,
        interval=(_tidy(low_high[0]), _tidy(low_high[1])) if low_high else None,
        p=p if p is None else _tidy(p),
    )


def _tidy(number: float) -> float:
    """Seven significant digits: more than any score carries, and the same bytes on every machine."""
    return float(f"{number:.7g}")


def _column(metric: str) -> Column:
    """A column of `recomputed` from the name of its metric."""
    scorer = next((scorer for scorer in SCORERS if scorer.id in metric), None)
    name = scorer.label if scorer else ""
    rest = metric.replace(scorer.id, "").strip("_") if scorer else metric
    label, unit = {
        "pairs": ("Pairs", "pairs"),
        "delta": (f"Δ{name}", scorer.unit if scorer else ""),
        "after": (f"{name} after", scorer.unit if scorer else ""),
        "delta__below_zero": (f"Share with falling {name}", "share"),
        "picks_requested": (f"{name} picks the requested picture", "share"),
        "base_p": (f"p against base, {name}", "p-value"),
        "base_r": (f"r against base, {name}", "effect size"),
        "base_rank_biserial": (f"Rank-biserial against base, {name}", "effect size"),
        "lowest": (f"Lowest {name}", scorer.unit if scorer else ""),
        "highest": (f"Highest {name}", scorer.unit if scorer else ""),
    }.get(rest, (f"Δ{name}, {rest[-3:].strip('_q').lstrip('0') or '0'} % quantile", scorer.unit if scorer else ""))
    return Column(id=metric, label=label, unit=unit)


def _over_prompts(scores: Scores, picks: Floats, seed: int) -> tuple[float, float] | None:
    """Interval of a pooled share with whole prompts resampled; None where models lack prompts of others."""
    prompts = [sorted(mine) for mine in scores.pairs.values()]
    if any(line != prompts[0] for line in prompts):
        return None
    return metrics.bootstrap_interval(picks.reshape(len(prompts), -1).mean(axis=0), seed)


def _plain(edge: int) -> str:
    return str(edge).replace("-", MINUS)


def _bin(edge: int) -> str:
    """Column of the bin that begins at `edge`: m4, 0, p2."""
    return f"m{-edge}" if edge < 0 else f"p{edge}" if edge else "0"


def _seed(*names: str) -> int:
    return zlib.crc32("/".join(names).encode())
