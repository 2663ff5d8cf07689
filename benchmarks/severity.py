"""Tables of the example publication: how much each treatment changes a picture, and how long it takes.

`python benchmarks/severity.py` measures severity and writes the rows, tables and values of
examples/treatments/results/. The effect is the metric that each treatment declares (effects/measures.py),
averaged over pictures and seeds. It is divided by its value at full severity, because every metric has a unit of its
own. Speed is taken from benchmarks/results/effects.md.
"""

from __future__ import annotations

import csv
import re
import sys
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

PROJECT = Path(__file__).parents[1]
sys.path.insert(0, str(PROJECT))

import effects  # noqa: E402 - the project is not installed
from ledger.measures import measured  # noqa: E402
from ledger.rows import Row, Rows  # noqa: E402
from ledger.rows import write as write_rows  # noqa: E402
from ledger.schema import Document, Measure, Selection, Source, Value  # noqa: E402

RESULTS = PROJECT / "examples/treatments/results"
PICTURES = PROJECT / "examples/treatments/content/pictures"
SEVERITIES = (0.25, 0.5, 0.75, 1.0)
SEEDS = range(4)
SIDE = 256  # pixels; the shorter side of a measured picture
SPEED = re.compile(r"^\| (\w+)(?: \(([^)]+)\))? \| ([\d.]+) \| (\d+) \| [\d.]+ \| ([\d.]+) \|")


@cache
def pictures() -> dict[str, effects.Image]:
    """The photographs of the example by name, as RGB arrays with a shorter side of `SIDE`."""
    found = {}
    for path in sorted(PICTURES.iterdir()):
        pixels = np.asarray(Image.open(path).convert("RGB"))
        scale = SIDE / min(pixels.shape[:2])
        size = (round(pixels.shape[1] * scale), round(pixels.shape[0] * scale))
        found[path.stem] = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    return found


def observations() -> list[Row]:
    """One row a treatment, picture, seed and severity: how much of its effect there is."""
    return [
        Row(
            run="severity",
            row=name,
            prompt=picture,
            scorer="effect",
            way=f"at_{round(100 * severity)}",
            seed=str(seed),
            number=round(effects.measure(name, before, effects.apply(before, name, severity, seed)), 4),
        )
        for name in effects.TREATMENTS
        for picture, before in pictures().items()
        for seed in SEEDS
        for severity in SEVERITIES
    ]


def growth(rows: list[Row]) -> dict[str, list[float]]:
    """Mean effect of every treatment at each severity."""
    found: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        found.setdefault(row.row, {}).setdefault(row.way, []).append(row.number or 0.0)
    return {name: [float(np.mean(numbers)) for numbers in ways.values()] for name, ways in found.items()}


def values(rows: list[Row]) -> dict[str, Value]:
    """Effect of every treatment at full severity, with its spread over the seeds, as values with their measure."""
    found = {}
    for name, one in effects.TREATMENTS.items():
        measure = Measure(
            rows="rows/severity.csv.gz",
            statistic="mean",
            of=Selection(where={"row": (name,)}, way="at_100"),
            cluster="seed",
            interval="t",
        )
        label, _, unit = one.metric_label.rpartition(", ")
        source = Source(kind="measured", where="severity")
        found[f"effect.{name}"] = measured(
            f"{one.label}: {label or unit}", measure, Rows(tuple(rows)), unit=unit, digits=1, source=source
        )
    return found


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
    with (RESULTS / f"tables/{name}.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    print(f"{name}.csv: {len(rows) - 1} rows")


if __name__ == "__main__":
    rows = sorted(observations(), key=lambda row: row.identity)
    write_rows(RESULTS / "rows/severity.csv.gz", rows)
    document = Document(values=values(rows)).model_dump_json(indent=1, exclude_defaults=True)
    (RESULTS / "effect.json").write_text(document + "\n", encoding="utf-8")
    write("severity", severity_table(growth(rows)))
    write("growth", growth_table(growth(rows)))
    write("speed", speed_table())
