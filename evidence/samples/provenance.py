"""Where and with what something was made: hardware, libraries and our own commit, for every sample and every run."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = ("torch", "diffusers", "transformers", "peft", "pillow", "numpy", "openai", "replicate")


@lru_cache(maxsize=1)
def software() -> dict[str, str]:
    """Versions of Python and of what makes, encodes and scores pictures."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


@lru_cache(maxsize=8)
def hardware(device: str) -> str:
    """The accelerator's own name, or the processor's and its number of cores."""
    if device.startswith("cuda"):
        import torch

        return str(torch.cuda.get_device_name(device))
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    model = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine()
    )
    return f"{model}, {len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()} cores"


@lru_cache(maxsize=1)
def commit() -> str:
    """Commit of the working tree, with `+changes` where files differ from it; `unversioned` without git."""
    try:
        told = subprocess.run(
            ["git", "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=+changes"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return "unversioned"
    return told.stdout.strip()


def made_here(device: str) -> dict[str, Any]:
    """What goes beside a sample; no part of its key. `gpus`: which of the machine's this process was given."""
    where = device if device == "remote" else hardware(device)
    given = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    told = {"device": device, "hardware": where, "software": software(), "commit": commit()}
    return told | ({"gpus": given} if given else {})
