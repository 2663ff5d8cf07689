"""Published architectures at full size, without weights: how many parameters, how much memory, how many operations.

    python -m evidence.shapes           # counts everything again and writes evidence/cards/sizes.json

Configurations and their sources are data (cards/shapes.toml). Modules are built on torch's meta device, and operations
are those of torch's FlopCounterMode for one evaluation of the diffusion model at 1024 x 1024 pixels.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from torch import Tensor
from torch.fx.experimental import _config as symbolic
from torch.utils.flop_counter import FlopCounterMode

PUBLISHED = Path(__file__).parents[1] / "cards" / "shapes.toml"
BYTES = 2  # of a weight
ROOM_GIB = 3.0  # for the activations of one picture of a megapixel
FLOAT32_DECODER_GIB = 2.0  # more, where the decoder runs in float32

# A generator: its diffusion model, its text encoders, its decoder.
PARTS: dict[str, tuple[str, ...]] = {
    "flux-dev": ("flux-dev", "t5-xxl", "clip-l", "flux-vae"),
    "sdxl": ("sdxl", "clip-l", "clip-bigg", "sdxl-vae"),
    "sd35-medium": ("sd35-medium", "t5-xxl", "clip-l", "clip-bigg", "flux-vae"),
    "sd35-large": ("sd35-large", "t5-xxl", "clip-l", "clip-bigg", "flux-vae"),
    "flux2-klein-9b": ("flux2-klein-9b", "qwen3-8b", "flux2-vae"),
    "z-image": ("z-image", "qwen3-4b", "flux-vae"),
    "glm-image": ("glm-image", "glm-image-ar", "byt5-small", "flux-vae"),
    "longcat-image": ("longcat-image", "qwen25-vl-7b", "flux-vae"),
    "qwen-image": ("qwen-image", "qwen25-vl-7b", "qwen-image-vae"),
    "sana-1600m": ("sana-1600m", "gemma2-2b", "dc-ae-f32"),
}
FLOAT32_DECODERS = {"sdxl-vae"}


def read() -> dict[str, dict[str, Any]]:
    """Tables of shapes.toml by name: class, config, source and, where there is one, the published count."""
    return tomllib.loads(PUBLISHED.read_text("utf-8"))


def config(name: str) -> dict[str, Any]:
    """The configuration of a shape. KeyError for a name that is not in shapes.toml."""
    return dict(read()[name]["config"])


def build(name: str, device: str = "meta") -> Any:
    """The module at full size, untrained, on a device; KeyError for a name that is not in shapes.toml."""
    kind = read()[name]["class"]
    with torch.device(device):
        if hasattr(diffusers, kind):
            return getattr(diffusers, kind)(**config(name))
        return getattr(transformers, kind)(configuration(name))


def configuration(name: str) -> Any:
    """The configuration of a shape of transformers, as its class reads it."""
    return getattr(transformers, read()[name]["class"]).config_class(**config(name))


def parameters(name: str) -> int:
    return sum(part.numel() for part in build(name).parameters())


def _zeros(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.zeros(*shape, dtype=dtype, device="meta")


def _packed(width: int, text: int, places: int, **more: Tensor) -> dict[str, Any]:
    """Inputs of FLUX and its relatives: 4096 packed latents and 512 text tokens with their places."""
    ids = {"img_ids": _zeros(4096, places), "txt_ids": _zeros(512, places)}
    return {"hidden_states": _zeros(1, 4096, width), "encoder_hidden_states": _zeros(1, 512, text), **ids, **more}


def _glm() -> dict[str, Any]:
    """Latents of 128 x 128 with a prior token for each patch, and 64 bytes of text to be written in the picture."""
    prior = {"prior_token_id": _zeros(1, 4096, dtype=torch.long), "prior_token_drop": _zeros(1, 4096, dtype=torch.bool)}
    sizes = {"target_size": _zeros(1, 2), "crop_coords": _zeros(1, 2)}
    return {"hidden_states": _zeros(1, 16, 128, 128), "encoder_hidden_states": _zeros(1, 64, 1472), **prior, **sizes}


# What a diffusion model reads for one picture of 1024 x 1024 pixels beside the time step, by its class.
INPUTS: dict[str, Callable[[], dict[str, Any]]] = {
    "FluxTransformer2DModel": lambda: _packed(64, 4096, 3, guidance=_zeros(1), pooled_projections=_zeros(1, 768)),
    "Flux2Transformer2DModel": lambda: _packed(128, 12288, 4),
    "LongCatImageTransformer2DModel": lambda: _packed(64, 3584, 3),
    "UNet2DConditionModel": lambda: {
        "sample": _zeros(1, 4, 128, 128),
        "encoder_hidden_states": _zeros(1, 77, 2048),
        "added_cond_kwargs": {"text_embeds": _zeros(1, 1280), "time_ids": _zeros(1, 6)},
    },
    "SD3Transformer2DModel": lambda: {
        "hidden_states": _zeros(1, 16, 128, 128),
        "encoder_hidden_states": _zeros(1, 333, 4096),
        "pooled_projections": _zeros(1, 2048),
    },
    "ZImageTransformer2DModel": lambda: {"x": [_zeros(16, 1, 128, 128)], "cap_feats": [_zeros(512, 2560)]},
    "GlmImageTransformer2DModel": _glm,
    "QwenImageTransformer2DModel": lambda: {
        "hidden_states": _zeros(1, 4096, 64),
        "encoder_hidden_states": _zeros(1, 512, 3584),
        "img_shapes": [[(1, 64, 64)]],
    },
    "SanaTransformer2DModel": lambda: {
        "hidden_states": _zeros(1, 32, 32, 32),
        "encoder_hidden_states": _zeros(1, 300, 2304),
    },
}


def tflop(name: str) -> float:
    """Tera-operations of one evaluation of a diffusion model for 1024 x 1024 pixels."""
    module, kind = build(name), read()[name]["class"]
    time = "t" if kind == "ZImageTransformer2DModel" else "timestep"
    # GLM-Image picks rows by a mask
    assumed = symbolic.patch(meta_nonzero_assume_all_nonzero=True)  # type: ignore[attr-defined]
    with torch.no_grad(), assumed, FlopCounterMode(display=False) as counter:
        module(**{time: _zeros(1)}, **INPUTS[kind]())
    return float(counter.get_total_flops()) / 1e12


def sizes(name: str) -> dict[str, float]:
    """What a card of this shape takes over: parameters of all parts, memory in GiB for one picture of a megapixel
    (weights at two bytes and activations, rounded up) and tera-operations of an evaluation."""
    parts = PARTS[name]
    count = sum(map(parameters, parts))
    room = ROOM_GIB + (FLOAT32_DECODER_GIB if FLOAT32_DECODERS & set(parts) else 0.0)
    return {"parameters": count, "memory_gib": math.ceil(count * BYTES / 2**30 + room), "tflop": rounded(tflop(name))}


def rounded(number: float) -> float:
    return float(f"{number:.3g}")
