"""Devices: the one to use, its memory, and how many pictures of a batch fit."""

from __future__ import annotations

import os
from collections.abc import Mapping

from evidence.cards.models import ModelCard
from ledger.problems import InputError, Problem

USABLE = 0.9  # of a device's memory, by generator, batch and scorers together
ACTIVATIONS_GIB = 3.0  # of one more picture of a megapixel in a batch
MEGAPIXELS = 4.0  # in a batch at most: larger ones fill the card no better


def device_here(asked: str = "") -> str:
    """`asked`, if torch sees it; else the accelerator if there is one, else the processor. EVIDENCE_DEVICE overrides
    the default. InputError for a device that is not there."""
    asked = asked or os.environ.get("EVIDENCE_DEVICE", "")
    import torch

    there = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    kind, _, number = asked.partition(":")
    if kind == "cuda" and (there != "cuda" or int(number or 0) >= torch.cuda.device_count()):
        seen = f"{torch.cuda.device_count()} CUDA devices" if there == "cuda" else f"no CUDA device, only {there}"
        raise InputError([Problem("--device", 0, asked, f"torch sees {seen} here")])
    return asked or there


def memory_gib(device: str) -> float:
    """Memory of the device in GiB."""
    if device.startswith("cuda"):
        import torch

        return float(torch.cuda.get_device_properties(device).total_memory) / 2**30
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def fitting(card: ModelCard, settings: Mapping[str, object], gpu_gib: float | None) -> int:
    """How many pictures a batch may hold on a GPU of this memory; one without a GPU, or where the need is unknown.
    Scorers stay loaded in what is left (`engines.local.residents`)."""
    if not gpu_gib or card.memory_gib is None:
        return 1
    room = gpu_gib * USABLE - card.memory_gib
    return max(
        1, min(int(1 + room / (ACTIVATIONS_GIB * _megapixels(settings))), int(MEGAPIXELS / _megapixels(settings)))
    )


def activations_gib(settings: Mapping[str, object]) -> float:
    """Of all pictures of a batch but the first, which is in `memory_gib` of the card."""
    return ACTIVATIONS_GIB * _megapixels(settings) * (int(str(settings.get("batch") or 1)) - 1)


def _megapixels(settings: Mapping[str, object]) -> float:
    return int(str(settings["width"])) * int(str(settings["height"])) / 2**20
