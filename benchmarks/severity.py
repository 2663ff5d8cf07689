"""Tables of the example publication: how much each treatment changes a picture, and how long it takes.

`python benchmarks/severity.py` measures severity and writes severity.csv, growth.csv and speed.csv to
examples/treatments/results/tables/. The effect is the metric that each treatment declares (effects/measures.py),
averaged over pictures and seeds. It is divided by its value at full severity, because every metric has a unit of its
own. Speed is taken from benchmarks/results/effects.md.
"""

from __future__ import annotations

import csv
import re
import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

PROJECT = Path(__file__).parents[1]
sys.path.insert(0, str(PROJECT))

import effects  # noqa: E402 - the project is not installed

TABLES = PROJECT / "examples/treatments/results/tables"
PICTURES = PROJECT / "examples/treatments/content/pictures"
SEVERITIES = (0.25, 0.5, 0.75, 1.0)
SEEDS = range(4)
SIDE = 256  # pixels; the shorter side of a measured picture
SPEED = re.compile(r"^\| (\w+)(?: \(([^)]+)\))? \| ([\d.]+) \| (\d+) \| [\d.]+ \| ([\d.]+) \|")


def pictures() -> list[effects.Image]:
    """The photographs of the example as RGB arrays with a shorter side of `SIDE`."""
    found = []
    for path in sorted(PICTURES.iterdir()):
        pixels = np.asarray(Image.open(path).convert("RGB"))
        scale = SIDE / min(pixels.shape[:2])
        size = (round(pixels.shape[1] * scale), round(pixels.shape[0] * scale))
        found.append(np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8))
    return found


def effect(name: str, severity: float, before: list[effects.Image]) -> float:
    """Mean of the treatment's metric over all pictures and seeds."""
    measured = [
        effects.measure(name, picture, effects.apply(picture, name, severity, seed))
        for picture in before
        for seed in SEEDS
    ]
    return float(np.mean(measured))


def growth() -> dict[str, list[float]]:
    """Effect of every treatment at each severity."""
    before = pictures()
    return {name: [effect(name, severity, before) for severity in SEVERITIES] for name in effects.TREATMENTS}


def severity_table(grown: dict[str, list[float]]) -> list[list[object]]:
    """One row a treatment: its effect at full severity, and the share of it at each severity."""
    rows: list[list[object]] = [
        ["treatment", "category", "metric", "full", *(f"at_{round(100 * s)}" for s in SEVERITIES)]
    ]
    for name, one in effects.TREATMENTS.items():
        shares = [f"{value / grown[name][-1]:.4f}" for value in grown[name]]
        rows.append([one.label, category(one), one.metric_label, f"{grown[name][-1]:.4f}", *shares])
    return rows


def growth_table(grown: dict[str, list[float]]) -> list[list[object]]:
    """One row a category and severity: the mean share of the full effect over its treatments."""
    rows: list[list[object]] = [["row", "category", "severity", "share"]]
    for name in dict.fromkeys(category(one) for one in effects.TREATMENTS.values()):
        members = [grown[id] for id, one in effects.TREATMENTS.items() if category(one) == name]
        for number, severity in enumerate(SEVERITIES):
            share = np.mean([values[number] / values[-1] for values in members])
            rows.append([f"{name} at {severity:g}", name, severity, f"{share:.4f}"])
    return rows


def category(treatment: effects.Treatment) -> str:
    return treatment.category.replace("_", " ")


def speed_table() -> list[list[object]]:
    rows: list[list[object]] = [["treatment", "category", "milliseconds", "throughput", "overhead"]]
    for line in (PROJECT / "benchmarks/results/effects.md").read_text(encoding="utf-8").splitlines():
        if match := SPEED.match(line):
            one = effects.TREATMENTS[match[1]]
            label = f"{one.label} ({match[2]})" if match[2] else one.label
            rows.append([label, category(one), match[3], match[4], match[5]])
    return rows


def write(name: str, rows: list[list[object]]) -> None:
    with (TABLES / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    print(f"{name}.csv: {len(rows) - 1} rows")


if __name__ == "__main__":
    measured = growth()
    write("severity", severity_table(measured))
    write("growth", growth_table(measured))
    write("speed", speed_table())
