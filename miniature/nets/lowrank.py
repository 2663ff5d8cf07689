"""Low-rank differences of linear layers: how rewards differ from their encoder and aligned variants from their base.

y = W x + scale * B A x. The factors of a transformer are saved in the format that diffusers' `load_lora_weights` reads.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

REWARD_LAYERS = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2", "visual_projection", "text_projection")
FLUX_LAYERS = (
    "attn.to_q", "attn.to_k", "attn.to_v", "attn.to_out.0", "attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj",
    "attn.to_add_out", "ff.net.0.proj", "ff.net.2", "ff_context.net.0.proj", "ff_context.net.2", "proj_mlp",
    "proj_out",
)  # fmt: skip


class LowRank(nn.Module):
    """A frozen linear layer with a trainable difference; `scale` 0 is the layer itself."""

    def __init__(self, base: nn.Linear, rank: int, chance: torch.Generator) -> None:
        super().__init__()
        self.base, self.scale = base, 1.0
        down = torch.randn(rank, base.in_features, generator=chance).to(base.weight.device)
        self.down = nn.Parameter(down / math.sqrt(base.in_features))
        self.up = nn.Parameter(torch.zeros(base.out_features, rank, device=base.weight.device))

    def forward(self, x: Tensor) -> Tensor:
        plain: Tensor = self.base(x)
        if self.scale == 0:
            return plain
        return plain + self.scale * nn.functional.linear(nn.functional.linear(x, self.down), self.up).to(plain.dtype)


def attach(model: nn.Module, layers: Iterable[str], rank: int, seed: int) -> dict[str, LowRank]:
    """Freeze `model`, give each linear layer whose name ends in one of `layers` a difference; these by name."""
    endings = tuple(layers)
    model.requires_grad_(False)
    found = [
        (name, part) for name, part in model.named_modules() if isinstance(part, nn.Linear) and name.endswith(endings)
    ]
    found = [(name, part) for name, part in found if name != "proj_out"]  # the transformer's own last layer stays
    chance = torch.Generator().manual_seed(seed)
    attached = {}
    for name, part in found:
        owner, _, leaf = name.rpartition(".")
        attached[name] = LowRank(part, rank, chance)
        setattr(model.get_submodule(owner), leaf, attached[name])
    return attached


def detach(model: nn.Module, attached: dict[str, LowRank]) -> None:
    """Take the differences off again."""
    for name, part in attached.items():
        owner, _, leaf = name.rpartition(".")
        setattr(model.get_submodule(owner), leaf, part.base)


def set_scale(attached: dict[str, LowRank], scale: float) -> None:
    for part in attached.values():
        part.scale = scale


def weights(attached: dict[str, LowRank]) -> list[nn.Parameter]:
    return [weight for part in attached.values() for weight in (part.down, part.up)]


def arrays(attached: dict[str, LowRank]) -> dict[str, NDArray[np.float32]]:
    """The factors as `{layer}.lora_A.weight` (rank, in) and `{layer}.lora_B.weight` (out, rank), float32."""
    return {
        f"{name}.lora_{side}.weight": value.detach().float().cpu().numpy()
        for name, part in attached.items()
        for side, value in (("A", part.down), ("B", part.up))
    }


def install(attached: dict[str, LowRank], stored: dict[str, Tensor]) -> None:
    """Copy saved factors into attached differences; KeyError when one is missing."""
    for name, part in attached.items():
        part.down.data.copy_(stored[f"{name}.lora_A.weight"])
        part.up.data.copy_(stored[f"{name}.lora_B.weight"])


def rank_of(stored: dict[str, Tensor]) -> int:
    return int(next(value for key, value in stored.items() if ".lora_A." in key).shape[0])


def placebo(stored: dict[str, Tensor], seed: int) -> dict[str, Tensor]:
    """Factors of the same norm that mean nothing: the rows of every B in another order.

    What an aligned variant does and its placebo does too is the effect of any difference of that size.
    """
    chance = torch.Generator().manual_seed(seed)
    return {
        key: value[torch.randperm(len(value), generator=chance)].contiguous() if ".lora_B." in key else value
        for key, value in sorted(stored.items())
    }
