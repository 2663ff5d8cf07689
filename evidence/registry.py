"""The adapters of generators by name, and which settings each one reads.

A setting that an adapter does not read is an error in `models.toml`, not a silent no-op: that is how a negative prompt,
a guidance scale or a prompt rewriter spoils evidence. Data only: modules below `evidence.generators` are imported when
a card is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Setting = str | int | float | bool | None
PictureKind = Literal["plain", "wide"]

REQUIRED: Any = ...


@dataclass(frozen=True)
class Adapter:
    """`settings` maps what the adapter reads to its default; REQUIRED ones must stand in the profile."""

    module: str
    name: str
    settings: Mapping[str, Any]
    remote: bool = False
    packages: tuple[str, ...] = ("torch", "diffusers", "transformers")
    key: str = ""  # environment variable with the key of a remote service
    second_branch: str = ""  # setting that, above 1, has every step evaluated twice: classifier-free guidance


_PICTURE = {"width": REQUIRED, "height": REQUIRED}
_DIFFUSION = {**_PICTURE, "dtype": REQUIRED, "steps": REQUIRED, "guidance": REQUIRED, "batch": 1, "compile": False}
_STEERED = {
    "method": "none",  # "vsf" or "nag": steering by a negative prompt inside attention
    "vsf_scale": 0.0,
    "vsf_offset": 0.0,
    "pooled_scale": 1.0,
    "nag_scale": 1.0,
    "nag_tau": 2.5,
    "nag_alpha": 0.25,
}

ADAPTERS: dict[str, Adapter] = {
    "flux": Adapter(
        "flux",
        "Flux",
        {
            **_DIFFUSION,
            **_STEERED,
            "true_cfg_scale": 1.0,
            "negative_prompt": "",
            "max_sequence_length": 512,
            "strength": 0.5,
        },
        second_branch="true_cfg_scale",
    ),
    "sdxl": Adapter(
        "sdxl",
        "Sdxl",
        {**_DIFFUSION, "negative_prompt": "", "long_prompts": "chunked", "variant": ""},
        second_branch="guidance",
    ),
    "sd3": Adapter(
        "sd3",
        "Sd3",
        {**_DIFFUSION, **_STEERED, "negative_prompt": "", "max_sequence_length": 256},
        second_branch="guidance",
    ),
    "flux2-klein": Adapter("flux2_klein", "Flux2Klein", {**_DIFFUSION, "max_sequence_length": 512}),
    "z-image": Adapter("z_image", "ZImage", {**_DIFFUSION, "negative_prompt": "", "max_sequence_length": 512}),
    "glm-image": Adapter("glm_image", "GlmImage", {k: v for k, v in _DIFFUSION.items() if k != "batch"}),
    "longcat": Adapter("longcat", "LongCat", {**_DIFFUSION, "negative_prompt": "", "cfg_renorm": True}),
    "qwen-image": Adapter(
        "qwen_image",
        "QwenImage",
        {
            **{k: v for k, v in _DIFFUSION.items() if k != "guidance"},
            "true_cfg_scale": REQUIRED,
            "negative_prompt": " ",
            "max_sequence_length": 512,
        },
    ),
    "openrouter-chat": Adapter(
        "openrouter_chat",
        "OpenRouterChat",
        {"instruction": REQUIRED, "timeout": 180.0},
        remote=True,
        packages=("openai",),
        key="OPENROUTER_API_KEY",
    ),
    "openai-images": Adapter(
        "openai_images",
        "OpenAIImages",
        {**_PICTURE, "quality": REQUIRED, "timeout": 300.0},
        remote=True,
        packages=("openai",),
        key="OPENAI_API_KEY",
    ),
    "replicate": Adapter(
        "replicate_api",
        "Replicate",
        {
            "width": None,
            "height": None,
            "steps": None,
            "guidance": None,
            "aspect_ratio": None,
            "image_size": None,
            "fast": None,
            "enhance_prompt": None,
            "sequential": None,
            "pictures": None,
            "format": None,
            "seeded": False,
            "timeout": 300.0,
        },
        remote=True,
        packages=("replicate",),
        key="REPLICATE_API_TOKEN",
    ),
}
