"""The reader's browser and Python evaluate a measure alike: same rows, same number, same interval."""

from __future__ import annotations

import json
import math
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ledger import measures
from ledger.rows import COLUMNS, Row, Rows
from ledger.schema import Measure

SCRIPT = Path(__file__).parents[2] / "templates/static/js/measures.js"
RUN = """
const fs = require("node:fs");
eval(fs.readFileSync(process.argv[1], "utf8"));
const { csv, measures: asked } = JSON.parse(fs.readFileSync(0, "utf8"));
const rows = globalThis.measures.parse(csv);
console.log(JSON.stringify(asked.map((one) => globalThis.measures.evaluate(one, rows))));
"""
WORDS = {"statistic": "mean", "rows": "rows/x.csv.gz", "interval": "bootstrap", "resamples": 400, "seed": 7}
FIRST, SECOND = ({"where": {"row": [row], "label": ["x"]}, "way": "a"} for row in ("tuned", "base*"))
FOUND = {**FIRST, "above": 0.4}
SAME = {"where": {"row": ["tuned", "base-0"], "label": ["x"]}, "way": "a"}
TRUE = {"where": {"label": ["y"]}, "way": "b", "at_least": 0.3}
PLACES = ("rank", "place")
MEASURES: list[dict[str, Any]] = [
    {"of": {"way": "a"}},
    {"of": {"way": "a", "less": "b"}},
    {"of": {"way": "a", "less": "b", "labels": "sum"}},
    {"of": FOUND, "statistic": "share"},
    {"of": FOUND, "statistic": "share", "interval": "wilson"},
    {"of": {**FIRST, "at_least": 0.2, "below": 0.9}, "statistic": "share", "interval": "none"},
    {"of": FIRST, "statistic": "mean", "cluster": "run", "interval": "t"},
    {"of": FIRST, "beside": SECOND, "statistic": "contrast"},
    {"of": FIRST, "beside": SECOND, "statistic": "average", "cluster": "seed"},
    {"of": FIRST, "statistic": "quantile", "quantile": 0.3, "interval": "none"},
    {"of": FIRST, "statistic": "quantile", "quantile": 1, "cluster": "observation", "interval": "none"},
    {"of": FIRST, "statistic": "count", "interval": "none"},
    {"of": FIRST, "beside": SECOND, "statistic": "correlation"},
    {"of": FIRST, "beside": SECOND, "statistic": "rank_correlation"},
    {"of": FIRST, "beside": {**SECOND, "above": 0.5}, "statistic": "auroc"},
    {"of": FIRST, "beside": SECOND, "statistic": "auroc_between"},
    *(
        {"of": FOUND, "beside": {**SECOND, "above": 0.5}, "statistic": name}
        for name in ("accuracy", "balanced_accuracy", "f1", "kappa")
    ),
    *(
        {"of": {**SAME, "above": 0.4}, "beside": {**SAME, "way": "b", "above": 0.5}, "only": [TRUE], "statistic": name}
        for name in ("accuracy", "f1")
    ),
    {"of": SAME, "beside": {**SAME, "way": "b", "above": 0.5}, "statistic": "auroc"},
    {"of": SAME, "beside": {**SAME, "way": "b"}, "only": [TRUE], "statistic": "auroc_between"},
    {"of": FIRST, "only": [TRUE, {**TRUE, "labels": "mean", "above": 0.1}]},
    {"of": FIRST, "only": [{**FIRST, "above": 2}]},
    {"of": FIRST, "beside": SECOND, "statistic": "wins", "interval": "wilson"},
    *({"of": FIRST, "beside": SECOND, "among": [0.1, 0.9], "statistic": name, "interval": "none"} for name in PLACES),
    *({"of": FIRST, "among": [0.1, 0.9], "statistic": name, "interval": "none"} for name in PLACES),
    {"of": FIRST, "beside": SECOND, "statistic": "place", "interval": "none"},
    {"of": {"where": {"row": ["nobody"]}, "way": "a"}},
]


def _rows() -> list[Row]:
    """Three runs, two rows, 23 prompts, some failed or not run, one prompt with a comma and a quote."""
    draw = random.Random(5)
    found = []
    for run in ("r1", "r2", "r3"):
        for row in ("tuned", "base-0"):
            for prompt in range(23):
                for label in ("x", "y"):
                    for way in ("a", "b"):
                        status = draw.choices(("scored", "failed", "not_run"), (0.94, 0.03, 0.03))[0]
                        number = round(draw.random(), 1) if status == "scored" else None
                        name = f'p{prompt}, "so"' if prompt == 3 else f"p{prompt}"
                        found.append(
                            Row(run, row, name, "judge", way, seed=run[1], label=label, number=number, status=status)
                        )  # type: ignore[arg-type]
    return sorted(found, key=lambda one: one.identity)


def _csv(rows: list[Row]) -> str:
    import csv
    import io

    sheet = io.StringIO()
    writer = csv.writer(sheet, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(["" if cell is None else cell for cell in row] for row in rows)
    return sheet.getvalue()


@pytest.fixture(scope="module")
def answers() -> list[dict[str, Any]]:
    node = shutil.which("node")
    assert node, "node is installed with npm, which `make browser` needs"
    given = json.dumps({"csv": _csv(_rows()), "measures": [{**WORDS, **one} for one in MEASURES]})
    run = subprocess.run([node, "-e", RUN, str(SCRIPT)], input=given, capture_output=True, text=True, check=True)
    found: list[dict[str, Any]] = json.loads(run.stdout)
    return found


@pytest.mark.parametrize("number", range(len(MEASURES)), ids=lambda n: f"{n}-{MEASURES[n].get('statistic', 'mean')}")
def test_the_browser_gives_what_python_gives(answers, number):
    ours = measures.evaluate(Measure.model_validate({**WORDS, **MEASURES[number]}), Rows(tuple(_rows())))
    theirs = answers[number]
    assert (theirs["n"], theirs["clusters"]) == (ours.n, ours.clusters)
    assert (theirs["failed"], theirs["not_run"]) == (ours.failed, ours.not_run)
    if ours.estimate.value is None:
        assert theirs["value"] is None
        return
    assert math.isclose(theirs["value"], ours.estimate.value, rel_tol=1e-9, abs_tol=1e-12)
    assert (theirs["interval"] is None) == (ours.estimate.interval is None)
    for mine, its in zip(ours.estimate.interval or (), theirs["interval"] or (), strict=True):
        assert math.isclose(mine, its, rel_tol=1e-9, abs_tol=1e-12)


def test_the_measures_cover_every_statistic_that_the_browser_supports():
    text = SCRIPT.read_text(encoding="utf-8")
    statistics = {one.get("statistic", "mean") for one in MEASURES}
    assert all(name in text for name in statistics)
    assert statistics >= {
        "count",
        "mean",
        "share",
        "contrast",
        "average",
        "quantile",
        "kappa",
        "f1",
        "auroc",
        "wins",
        *PLACES,
    }
