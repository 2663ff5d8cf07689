"""The benchmark that speed is claimed from still runs and still prints what it promises."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_benchmark_prints_a_row_for_each_treatment_with_its_ratios() -> None:
    command = [sys.executable, "benchmarks/effects.py", "--side", "64", "--seconds", "0.01"]
    chosen = ["--only", "muted_faded,surrealism"]
    done = subprocess.run([*command, *chosen], cwd=ROOT, capture_output=True, text=True, check=True)
    table = [line.split(" | ") for line in done.stdout.splitlines() if line.startswith("| ")]
    assert [row[0] for row in table[1:]] == ["| muted_faded", "| surrealism (Droste)", "| surrealism (melting)"]
    for row in table[1:]:
        milliseconds, rate, bare, ratio = map(float, row[1:5])
        assert abs(64 * 64 / 1e3 / milliseconds / rate - 1) < 0.3 and ratio > 0.3 and bare > 0
    assert "by cv2.LUT" in done.stdout
    assert "OpenCV" in done.stdout and "one thread" in done.stdout
