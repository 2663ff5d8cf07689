"""Published architectures at full size, built on the meta device: no weights, no memory.

They show that the installed classes are those of the published checkpoints, and serve benchmarks with random weights.
For Z-Image, LongCat-Image and Qwen-Image the library's defaults stand in, with no published count to compare. Not here,
since no configuration is at hand: FLUX.2 Klein 9B, GLM-Image (the defaults give 2.9 B, its card says 7 B), and the text
encoders of those five.
"""

from __future__ import annotations

from typing import Any

import diffusers
import torch
import transformers

_VAE = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
}
_SD3 = {"sample_size": 128, "joint_attention_dim": 4096, "pooled_projection_dim": 2048}

# name -> (class, configuration)
SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    "flux-dev": ("FluxTransformer2DModel", {"guidance_embeds": True}),
    "sdxl": (
        "UNet2DConditionModel",
        {
            "sample_size": 128,
            "block_out_channels": (320, 640, 1280),
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            "attention_head_dim": (5, 10, 20),
            "use_linear_projection": True,
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 256,
            "transformer_layers_per_block": (1, 2, 10),
            "projection_class_embeddings_input_dim": 2816,
            "cross_attention_dim": 2048,
        },
    ),
    "sd3-medium": (
        "SD3Transformer2DModel",
        _SD3 | {"num_layers": 24, "num_attention_heads": 24, "caption_projection_dim": 1536, "pos_embed_max_size": 192},
    ),
    "sd35-medium": (
        "SD3Transformer2DModel",
        _SD3
        | {
            "num_layers": 24,
            "num_attention_heads": 24,
            "caption_projection_dim": 1536,
            "pos_embed_max_size": 384,
            "dual_attention_layers": tuple(range(13)),
            "qk_norm": "rms_norm",
        },
    ),
    "sd35-large": (
        "SD3Transformer2DModel",
        _SD3
        | {
            "num_layers": 38,
            "num_attention_heads": 38,
            "caption_projection_dim": 2432,
            "pos_embed_max_size": 192,
            "qk_norm": "rms_norm",
        },
    ),
    "z-image": ("ZImageTransformer2DModel", {}),
    "longcat-image": ("LongCatImageTransformer2DModel", {}),
    "qwen-image": ("QwenImageTransformer2DModel", {}),
    "flux-vae": (
        "AutoencoderKL",
        _VAE | {"latent_channels": 16, "use_quant_conv": False, "use_post_quant_conv": False},
    ),
    "sdxl-vae": ("AutoencoderKL", _VAE | {"latent_channels": 4}),
    "t5-xxl": (
        "T5EncoderModel",
        {
            "vocab_size": 32128,
            "d_model": 4096,
            "d_kv": 64,
            "d_ff": 10240,
            "num_layers": 24,
            "num_heads": 64,
            "feed_forward_proj": "gated-gelu",
        },
    ),
    "clip-l": (
        "CLIPTextModel",
        {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12},
    ),
    "clip-bigg": (
        "CLIPTextModelWithProjection",
        {
            "hidden_size": 1280,
            "intermediate_size": 5120,
            "num_hidden_layers": 32,
            "num_attention_heads": 20,
            "projection_dim": 1280,
        },
    ),
}

# The parts of a card, where all of them are known: diffusion model, text encoders, decoder.
PARTS: dict[str, tuple[str, ...]] = {
    "flux-dev": ("flux-dev", "t5-xxl", "clip-l", "flux-vae"),
    "sdxl": ("sdxl", "clip-l", "clip-bigg", "sdxl-vae"),
    "sd35m": ("sd35-medium", "t5-xxl", "clip-l", "clip-bigg", "flux-vae"),
    "alchemist": ("sd35-large", "t5-xxl", "clip-l", "clip-bigg", "flux-vae"),
}


def build(name: str, device: str = "meta") -> Any:
    """The module at full size, untrained, on a device; KeyError for a name that is not in SHAPES."""
    kind, config = SHAPES[name]
    with torch.device(device):
        if hasattr(diffusers, kind):
            return getattr(diffusers, kind)(**config)
        made = getattr(transformers, kind)
        return made(made.config_class(**config))


def parameters(name: str) -> int:
    return sum(part.numel() for part in build(name).parameters())
