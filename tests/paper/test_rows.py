"""Numbers of the shipped paper against the rows that are shipped with them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import ledger
from ledger.recompute import recompute

ROOT = Path(__file__).parents[2]


def test_every_value_with_shipped_rows_recomputes_to_the_last_printed_digit() -> None:
    found = list(recompute(ledger.load(ROOT)))
    assert [str(item) for item in found if item.differences] == []
    assert sum(not item.missing for item in found) > 400


def test_the_script_of_the_docs_prints_a_shipped_value_twice() -> None:
    (script,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/numbers.md").read_text(encoding="utf-8"), re.DOTALL)
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    by_hand, stored = done.stdout.split()
    assert by_hand == stored


def test_no_value_lies_outside_its_own_interval_or_claims_certainty() -> None:
    """Rounding had put seven shares outside their own interval, and one count had the interval [0, 0]."""
    for id, value in ledger.load(ROOT).values.items():
        if value.interval is not None and value.value is not None:
            low, high = value.interval
            assert low <= value.value <= high, id
            assert low < high, id
