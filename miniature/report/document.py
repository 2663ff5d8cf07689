"""Raw rows -> values and tables of results/miniature.json.

`gather` moves what a training folder and the runs of the evidence engine hold into the repository; `document` computes
every number from there alone. What was not measured is left out, never filled in.
"""

from __future__ import annotations

import json
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ledger.schema import Document, Run
from miniature.report import contrasts, parts, rows, sweep, tables
from miniature.report import engine as by_engine
from miniature.report.figures import Findings
from miniature.report.rows import CPU, ENGINE, GPU
from miniature.shipping import pack

STAGES = ("autoencoder", "encoder", "generator", "judge")


def gather(folder: Path, run: Path, results: Path) -> None:
    """Write raw rows and training reports below `results`, from a training folder and a run of the engine, if any."""
    samples = by_engine.samples(run)
    rows.write(results / "rows", [*rows.measured_in(folder), *by_engine.measured(samples)], rows.swept_in(folder))
    training = _training(folder)
    if samples:
        training["runs"][ENGINE] = by_engine.provenance(samples)
    text = json.dumps(training, indent=1, sort_keys=True)
    (results / "miniature" / "training.json").write_text(text + "\n")


def _training(folder: Path) -> dict[str, Any]:
    """What the stages said of themselves: losses, histories, accuracies, units, machines."""
    told: dict[str, Any] = {stage: json.loads((folder / stage / "report.json").read_text()) for stage in STAGES}
    for kind in ("rewards", "alignment"):
        told[kind] = {path.stem: json.loads(path.read_text()) for path in sorted((folder / kind).glob("*.json"))}
    told["runs"] = json.loads((folder / "runs.json").read_text()) if (folder / "runs.json").exists() else _here()
    return told


def _here() -> dict[str, Any]:
    """Provenance of a run that was trained and measured on this machine."""
    software = {name: version(name) for name in ("torch", "transformers", "diffusers", "numpy")}
    made = Run(
        title="The miniature: training and measurement",
        date=datetime.now(UTC).date().isoformat(),
        command="python build.py miniature train",
        code="",
        hardware=platform.processor() or platform.machine(),
        software=software | {"python": platform.python_version()},
        seeds=[0, 1, 2],
    )
    return {name: made.model_dump(exclude={"code"}, exclude_defaults=True) for name in (GPU, CPU)}


def document(results: Path) -> Document:
    """All values, tables and runs that the rows below `results` support."""
    measured, swept = rows.read(results / "rows")
    training = json.loads((results / "miniature" / "training.json").read_text())
    found = Findings(tuple(measured), swept, training)
    code = f"weights {pack.digest(results / 'miniature')[:16]}"
    whole = Document(runs={name: Run(**run, code=code) for name, run in training["runs"].items()})
    for part in (*tables.document(found), contrasts.document(found), *sweep.document(found), parts.document(found)):
        whole = Document(values=whole.values | part.values, tables=whole.tables | part.tables, runs=whole.runs)
    return whole


def write(results: Path) -> str:
    """Write results/miniature.json, keeping the exhibits that are in it; a line on what was written."""
    target = results / "miniature.json"
    before = Document.model_validate_json(target.read_text()) if target.exists() else Document()
    whole = document(results).model_copy(update={"exhibits": before.exhibits})
    target.write_text(whole.model_dump_json(indent=1, exclude_defaults=True) + "\n")
    return f"{target}: {len(whole.values)} values, {len(whole.tables)} tables, {len(whole.exhibits)} exhibits"
