"""One run on a fresh machine with a GPU and no network: what is missing is installed from wheels that came along, the
shipped weights become a training folder, and rewards, arms and measurements follow, each until its share of the time.

    python build.py miniature job --out out --wheels wheels --seconds 700

Whatever was reached is left in `out`, in at most eight files below 16 MB: rows, int8 arms, reports, logs. The stages of
training that take a GPU for longer (generator, encoder, autoencoder, judge) are the shipped ones, the judge with
thresholds set anew.
"""

from __future__ import annotations

import importlib.util
import io
import json
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterable
from pathlib import Path

from safetensors.numpy import save_file

from ledger import rows
from ledger.problems import InputError
from miniature.nets.shapes import FULL, TINY
from miniature.shipping import pack
from miniature.training import plan, renders
from miniature.world.splits import Counts

# Of the time, by end.
SHARES = {"thresholds": 0.16, "rewards": 0.24, "alignment": 0.64, "calibrate": 0.76, "measure": 0.96}
# Beyond what a page needs, by the name under which each is imported.
LIBRARIES = (
    "torch", "diffusers", "transformers", "huggingface_hub", "peft", "accelerate", "psutil", "safetensors", "filelock",
    "ftfy", "wcwidth",
)  # fmt: skip
MOST_FILES, MOST_BYTES = 8, 16_000_000


def install(wheels: Path | None) -> None:
    """Install the libraries that are missing here from `wheels`, without asking an index."""
    missing = [name for name in LIBRARIES if importlib.util.find_spec(name) is None]
    if missing and wheels is not None:
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--find-links", str(wheels)]
        subprocess.run([*command, *missing], check=True)


def run(folder: Path, out: Path, seconds: float, size: str, processes: int, source: Path = pack.SHIPPED) -> list[Path]:
    """Everything below `folder`, results below `out`; returns the files there."""
    began = time.monotonic()
    if not (folder / "generator").exists():
        pack.resume(folder, source)
        for path in (folder / "alignment").iterdir():  # the shipped arms are not trained again, nor measured
            path.unlink()
    counts, sizes = (plan.TINY_COUNTS, TINY) if size == "tiny" else (plan.FULL_COUNTS, FULL)
    renders.render(folder / "data", Counts(0, *counts[1:]), sizes.image, processes)  # no stage learns from the main set
    for stage, share in SHARES.items():
        left = share * seconds - (time.monotonic() - began)
        if left > 0:
            try:
                plan.run(folder, (stage,), size, seconds / 60, processes, lease=left / 60)
            except (SystemExit, InputError) as end:  # its time is over, it failed, or lacks what an earlier one owes it
                print(end, flush=True)  # the next stage makes do with what there is
        print(f"[job] {stage}: until {time.monotonic() - began:.0f} s", flush=True)
    return leave(folder, out)


def leave(folder: Path, out: Path) -> list[Path]:
    """Rows, int8 arms, reports and logs as few files; refuses to leave more than the machine gives back."""
    out.mkdir(parents=True, exist_ok=True)
    measured = [row for path in sorted((folder / "measured").glob("*.csv.gz")) for row in rows.read(path).all]
    if measured:
        rows.write(out / "miniature-job.csv.gz", measured)
    for kind in ("rewards", "alignment"):
        factors = pack.factors(folder / kind)
        if factors:
            save_file(pack.quantise(factors), out / f"{kind}.safetensors")
    told = {
        str(path.relative_to(folder)): json.loads(path.read_text())
        for kind in ("judge", "rewards", "alignment")
        for path in sorted((folder / kind).glob("*.json"))
    }
    (out / "reports.json").write_text(json.dumps(told))
    _tar(out / "logs.tar.gz", folder, sorted((folder / "logs").glob("*.log")))
    left = sorted(path for path in out.iterdir() if path.is_file())
    if len(left) > MOST_FILES or any(path.stat().st_size >= MOST_BYTES for path in left):
        raise RuntimeError(f"too much to take back: {[(path.name, path.stat().st_size) for path in left]}")
    return left


def _tar(target: Path, root: Path, paths: Iterable[Path]) -> None:
    with tarfile.open(target, "w:gz") as archive:
        for path in paths:
            content = path.read_bytes()[-1_000_000:]
            entry = tarfile.TarInfo(str(path.relative_to(root)))
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
