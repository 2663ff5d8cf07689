"""Adding low-rank differences to weights without torch; the counterpart of `lowrank.merge`."""

from __future__ import annotations

import numpy as np


def merge(state: dict[str, np.ndarray], factors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """`state` with B A added to the weight of every layer that has factors; float32."""
    merged = dict(state)
    for key, down in factors.items():
        if ".lora_A." in key:
            layer = key.removesuffix(".lora_A.weight")
            merged[f"{layer}.weight"] = state[f"{layer}.weight"] + factors[f"{layer}.lora_B.weight"] @ down
    return merged
