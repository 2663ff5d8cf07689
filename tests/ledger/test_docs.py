"""docs/numbers.md: its script recomputes a value without our code, and it names every field, statistic and rule."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from pydantic import BaseModel

from ledger import rows
from ledger.claims.read import ClaimRow
from ledger.claims.rules import RULES
from ledger.import_scores import Plan, Template
from ledger.measures import measured
from ledger.rows import Row, Rows
from ledger.schema import Measure, Selection, Source, Statistic, Value

TEXT = (Path(__file__).parents[2] / "docs" / "numbers.md").read_text(encoding="utf-8")
SCRIPT = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
NAMED = set(re.findall(r"\w+", TEXT))


def test_the_script_of_the_docs_finds_what_a_measure_finds(tmp_path: Path) -> None:
    """Ten lines of pandas that know nothing of this project: had both one fault, they would agree by chance only."""
    rng = np.random.default_rng(5)
    made = [
        Row("run", "base", str(prompt), scorer, way, prompt_set=pairs, number=float(rng.normal()))
        for prompt in range(40)
        for scorer in ("gatenone-low-s0", "gatenone-low-s1", "gatenone-high-s0", "encoder")
        for pairs in ("generated", "rendered")
        for way in ("oiop", "oidp", "diop", "didp")
    ]
    file = "rows/miniature-rewards.csv.gz"
    rows.write(tmp_path / "results" / file, made)
    where = {"scorer": ["gatenone-low-s*"], "prompt_set": ["generated"]}
    picks = {"where": where, "way": "didp", "less": "oidp", "above": 0}
    asked = Measure.model_validate({"rows": file, "statistic": "share", "of": picks})
    source = Source(kind="measured", where="run")
    value = measured("Picks", asked, Rows(tuple(made)), unit="share", digits=3, source=source)
    document = {"values": {"miniature_sweep.gatenone-low.picks": value.model_dump(mode="json")}}
    (tmp_path / "results" / "miniature.json").write_text(json.dumps(document), encoding="utf-8")
    (script,) = SCRIPT
    assert len(script.strip().splitlines()) <= 10
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    by_hand, by_measure = done.stdout.split()
    assert by_hand == by_measure == str(round(value.value or 0, 3))


@pytest.mark.parametrize("model", [Value, Measure, Selection, ClaimRow, Template, Plan])
def test_every_field_is_explained(model: type[BaseModel]) -> None:
    assert set(model.model_fields) - NAMED == set()


def test_every_column_statistic_and_rule_is_explained() -> None:
    assert {*rows.COLUMNS, *get_args(Statistic)} - NAMED == set()
    for name, rule in RULES.items():
        (line,) = re.findall(rf"^\| `{name}` \|.*$", TEXT, re.MULTILINE)
        assert all(f"`{option}`" in line for option in rule.options), name
