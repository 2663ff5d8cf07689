"""Models of the published shapes with random weights, so that nothing is downloaded; and tiny ones for a CPU."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers

from evidence import shapes
from evidence.generators.flux import Flux
from evidence.generators.sdxl import Sdxl
from evidence.scorers import ScorerCard, chat, hpsv3
from tests.evidence.tiny import tokenizers

REWARD = "<|Reward|>"


def _rope(*sections: int) -> dict[str, Any]:
    return {"rope_type": "default", "rope_theta": 1e6, "mrope_section": list(sections)}


QWEN2_VL_7B: dict[str, Any] = {
    "text_config": {
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "vocab_size": 152064,
        "rope_parameters": _rope(16, 24, 24),
    },
    "vision_config": {"depth": 32, "embed_dim": 1280, "num_heads": 16, "mlp_ratio": 4, "hidden_size": 3584},
}


@dataclass(frozen=True)
class Size:
    """Real size, or one that a laptop's processor runs in seconds."""

    name: str
    side: int  # pixels
    flux: dict[str, Any]
    sdxl: dict[str, Any]
    vae: dict[str, Any]
    sdxl_vae: dict[str, Any]
    clip: dict[str, Any]
    clip_2: dict[str, Any]
    t5: dict[str, Any]
    scorer: dict[str, Any]
    steps: dict[str, int]
    window: int  # tokens of T5
    scorer_side: int  # pixels


REAL = Size(
    name="real",
    side=1024,
    flux=shapes.config("flux-dev"),
    sdxl=shapes.config("sdxl"),
    vae=shapes.config("flux-vae"),
    sdxl_vae=shapes.config("sdxl-vae"),
    clip=shapes.config("clip-l"),
    clip_2=shapes.config("clip-bigg"),
    t5=shapes.config("t5-xxl"),
    scorer=QWEN2_VL_7B,
    steps={"flux": 28, "sdxl": 30},
    window=512,
    scorer_side=448,
)

_SMALL = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
_SMALL_VAE = {
    "block_out_channels": (32, 32, 32, 32),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 1,
    "latent_channels": 4,
}
TINY = Size(
    name="tiny",
    side=64,
    flux={
        "patch_size": 1,
        "in_channels": 16,
        "num_layers": 2,
        "num_single_layers": 2,
        "attention_head_dim": 16,
        "num_attention_heads": 2,
        "joint_attention_dim": 32,
        "pooled_projection_dim": 32,
        "axes_dims_rope": (4, 6, 6),
        "guidance_embeds": True,
    },
    sdxl={
        "block_out_channels": (32, 64),
        "layers_per_block": 1,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "attention_head_dim": 8,
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 8,
        "transformer_layers_per_block": 1,
        "projection_class_embeddings_input_dim": 80,
        "cross_attention_dim": 64,
    },
    vae=_SMALL_VAE | {"use_quant_conv": False, "use_post_quant_conv": False},
    sdxl_vae=_SMALL_VAE,
    clip=_SMALL,
    clip_2=_SMALL | {"projection_dim": 32},
    t5={"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4, "feed_forward_proj": "gated-gelu"},
    scorer={
        "text_config": _SMALL | {"num_key_value_heads": 2, "rope_parameters": _rope(1, 1, 2)},
        "vision_config": {"depth": 2, "embed_dim": 32, "num_heads": 2, "mlp_ratio": 2, "hidden_size": 32},
    },
    steps={"flux": 2, "sdxl": 2},
    window=128,
    scorer_side=448,
)


def randomised(make: Callable[[], Any], device: str, dtype: torch.dtype, seed: int = 0) -> Any:
    """A module with random weights drawn on the device: matrices at 1/sqrt(fan in), norms at one, biases at zero."""
    from accelerate import init_empty_weights

    with init_empty_weights(include_buffers=False):
        module = make()
    noise = torch.Generator(device).manual_seed(seed)
    for name, part in list(module.named_parameters()):
        owner = module.get_submodule(name.rpartition(".")[0])
        fresh = torch.empty(part.shape, dtype=dtype, device=device)
        if part.ndim > 1:
            fresh.normal_(0, part[0].numel() ** -0.5, generator=noise)
        else:
            fresh.fill_(1.0 if name.endswith("weight") else 0.0)
        setattr(owner, name.rpartition(".")[2], torch.nn.Parameter(fresh, requires_grad=False))
    if hasattr(module, "tie_weights"):
        module.tie_weights()
    for name, buffer in list(module.named_buffers()):
        owner = module.get_submodule(name.rpartition(".")[0])
        owner._buffers[name.rpartition(".")[2]] = buffer.to(device)
    return module.eval()


def clip_text(config: dict[str, Any], device: str, dtype: torch.dtype, projection: bool = False) -> Any:
    marks = {"bos_token_id": 512, "eos_token_id": 513, "pad_token_id": 513}
    made = transformers.CLIPTextModelWithProjection if projection else transformers.CLIPTextModel
    told = transformers.CLIPTextConfig(**(config | marks))
    return randomised(lambda: made(told), device, dtype)


class RandomFlux(Flux):
    """The adapter of FLUX rows over random weights; `size` is set before it is loaded."""

    size: Size = TINY

    def _load(self, settings: dict[str, Any]) -> Any:
        device, dtype, size = self.device, getattr(torch, str(settings["dtype"])), self.size
        t5 = transformers.T5Config(**size.t5)
        scaling = {"scaling_factor": 0.3611, "shift_factor": 0.1159}
        return diffusers.FluxPipeline(
            scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
            vae=randomised(lambda: diffusers.AutoencoderKL(**(size.vae | scaling)), device, dtype),
            text_encoder=clip_text(size.clip, device, dtype),
            tokenizer=tokenizers.clip(),
            text_encoder_2=randomised(lambda: transformers.T5EncoderModel(t5), device, dtype),
            tokenizer_2=tokenizers.t5(),
            transformer=randomised(lambda: diffusers.FluxTransformer2DModel(**size.flux), device, dtype),
        )


class RandomSdxl(Sdxl):
    size: Size = TINY

    def _load(self, settings: dict[str, Any]) -> Any:
        device, dtype, size = self.device, getattr(torch, str(settings["dtype"])), self.size
        vae = size.sdxl_vae | {"scaling_factor": 0.13025}
        return diffusers.StableDiffusionXLPipeline(
            scheduler=diffusers.EulerDiscreteScheduler(
                beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012
            ),
            vae=randomised(lambda: diffusers.AutoencoderKL(**vae), device, dtype),
            text_encoder=clip_text(size.clip, device, dtype),
            tokenizer=tokenizers.clip(),
            text_encoder_2=clip_text(size.clip_2, device, dtype, projection=True),
            tokenizer_2=tokenizers.clip(),
            unet=randomised(lambda: diffusers.UNet2DConditionModel(**size.sdxl), device, dtype),
            add_watermarker=False,
        )


class RandomHpsv3(hpsv3.Hpsv3Scorer):
    """HPSv3's shape: Qwen2-VL-7B over 448 x 448 pixels, and its head. Each letter is a token here, so the instruction
    is as much shorter as the shipped prompts are longer than they would be: about 950 tokens on average in all."""

    def __init__(self, card: ScorerCard, device: str, size: Size, folder: Path) -> None:
        self.card, self.device = card, torch.device(device)
        self.dtype = torch.bfloat16 if device.startswith("cuda") else torch.float32
        self.batch, self.revision = 1, "random"
        self.template = "rate this picture " * 26 + "{text_prompt} " + REWARD
        self.chat = chat.ChatInput(qwen_folder(folder), [REWARD])
        self.reward_token, self.reward = REWARD, self.chat.token(REWARD)
        config = transformers.Qwen2VLConfig(**size.scorer)
        config.vision_config.patch_size, config.image_token_id = 14, self.chat.placeholder
        config._attn_implementation = config.text_config._attn_implementation = "sdpa"
        config.vision_config._attn_implementation = "sdpa"
        self.model = randomised(lambda: hpsv3.Hpsv3(config), device, self.dtype)
        self.model.head.float()
        self.text_window, self.pixels = 32768, size.scorer_side**2


def qwen_folder(folder: Path) -> Path:
    """Tokenizer and patch cutter of a Qwen2-VL directory."""
    tokenizers.qwen(("<|vision_start|>", "<|vision_end|>", "<|image_pad|>")).save_pretrained(folder)
    cutter = {"image_processor_type": "Qwen2VLImageProcessor", "patch_size": 14, "temporal_patch_size": 2}
    (folder / "preprocessor_config.json").write_text(json.dumps(cutter | {"merge_size": 2}))
    return folder
