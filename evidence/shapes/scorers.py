"""The scorers at full size, without weights: parameters, memory, and the operations of one score.

Modules stand on torch's meta device. Towers are called one by one, because a mask or a grid would ask for numbers that
are not there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from evidence import shapes
from evidence.scorers import aesthetic, hpsv3, mps
from evidence.scorers.blip import WINDOW, ImageReward

HPSV3_TOKENS = 950  # of picture, instruction and a prompt of usual length
QUESTIONS, QUESTION_TOKENS = 11, 350  # of J, each with the picture


@dataclass(frozen=True)
class ScorerShape:
    """`twice` is the part of a module that the meta device holds twice and a computer once, `wide` the part at four
    bytes; without `score` the operations are unknown."""

    build: Callable[[], nn.Module]
    score: Callable[[Any], object] | None = None
    twice: Callable[[Any], nn.Module] | None = None
    wide: Callable[[Any], nn.Module] | None = None


def _zeros(*shape: int) -> Tensor:
    return torch.zeros(*shape, device="meta")


def _ids(count: int) -> Tensor:
    return torch.zeros(1, count, dtype=torch.long, device="meta")


def _clip(model: Any) -> None:
    model(pixel_values=_zeros(1, 3, 224, 224), input_ids=_ids(77))


def _mps(model: Any) -> None:
    model(_zeros(1, 3, 224, 224), _ids(77), _ids(77), 0.3)


def _blip(vision: Any, text: Any) -> None:
    side = vision.config.image_size
    seen = vision(pixel_values=_zeros(1, 3, side, side)).last_hidden_state
    text(input_ids=_ids(WINDOW), encoder_hidden_states=seen, is_decoder=False)


def _aesthetic(model: Any) -> None:
    side = model[0].config.image_size
    state = model[0](pixel_values=_zeros(1, 3, side, side)).pooler_output
    for layer in model[1:]:
        state = layer(state)


def _qwen(model: Any, tokens: int) -> None:
    """Language and vision of a Qwen-VL for one picture of 1024 patches."""
    vision, width = model.visual, model.language_model.config.hidden_size
    patch, count = vision.patch_embed.patch_size, 1024
    placed = {
        "interp_indices": torch.zeros(count, 4, dtype=torch.long, device="meta"),
        "interp_weights": _zeros(count, 4),
    }
    told = placed if hasattr(vision, "pos_embed") else {}
    vision(
        _zeros(count, 3 * 2 * patch * patch),
        grid_thw=None,
        position_ids=torch.zeros(count, 2, dtype=torch.long, device="meta"),
        cu_seqlens=torch.tensor([0, count], dtype=torch.int32),
        max_seqlen=count,
        **told,
    )
    places = torch.zeros(3, 1, tokens, dtype=torch.long, device="meta")
    model.language_model(inputs_embeds=_zeros(1, tokens, width), position_ids=places, use_cache=False)


def _questions(model: Any) -> None:
    for _ in range(QUESTIONS):
        _qwen(model.model, QUESTION_TOKENS)


def _mps_module() -> nn.Module:
    return mps.Mps(shapes.configuration("clip-vit-h-14"), 4, 16)


def _image_reward() -> nn.Module:
    config = shapes.configuration("blip-large")
    return ImageReward(config.vision_config, config.text_config)


def _aesthetic_module() -> nn.Module:
    encoder = shapes.build("siglip-so400m-384")
    widths = (encoder.config.hidden_size, *aesthetic.WIDTHS)
    return nn.ModuleList([encoder, *(nn.Linear(*pair) for pair in pairwise(widths))])


def _faces() -> nn.Module:
    return nn.ModuleList([shapes.build("blip-large-384"), shapes.build("llmdet-large")])


SCORERS = {
    "clip-vit-l-14": ScorerShape(lambda: shapes.build("clip-vit-l-14"), _clip),
    "clip-vit-h-14": ScorerShape(lambda: shapes.build("clip-vit-h-14"), _clip),
    "mps": ScorerShape(_mps_module, _mps),
    "imagereward": ScorerShape(_image_reward, lambda model: _blip(model.vision, model.text)),
    "blip-large-384": ScorerShape(
        lambda: shapes.build("blip-large-384"), lambda model: _blip(model.vision_model, model.text_encoder)
    ),
    "blip-large-face": ScorerShape(_faces, wide=lambda parts: parts[1]),
    "siglip-aesthetic": ScorerShape(_aesthetic_module, _aesthetic),
    "hpsv3": ScorerShape(
        lambda: hpsv3.Hpsv3(shapes.configuration("qwen2-vl-7b")), lambda model: _qwen(model.backbone, HPSV3_TOKENS)
    ),
    "qwen3-vl-4b": ScorerShape(  # its output head is its embedding
        lambda: shapes.build("qwen3-vl-4b"), _questions, twice=lambda model: model.lm_head
    ),
}


def build(name: str) -> nn.Module:
    """The module at full size on the meta device."""
    with torch.device("meta"):
        return SCORERS[name].build()


def _count(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def sizes(name: str) -> dict[str, float]:
    """What a card of this shape takes over: parameters, GiB of its weights and, where they can be counted, the
    tera-operations of one score."""
    shape, module = SCORERS[name], build(name)
    count = _count(module) - (_count(shape.twice(module)) if shape.twice else 0)
    wide = _count(shape.wide(module)) if shape.wide else 0
    found = {"parameters": count, "memory_gib": round(2 * (count + wide) / 2**30, 2)}
    if shape.score is not None:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            shape.score(module)
        found["tflop"] = shapes.rounded(counter.get_total_flops() / 1e12)
    return found
