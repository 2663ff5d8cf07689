"""BLIP scorers: image-text matching of BLIP-L, and ImageReward, which puts an MLP on the same pair of towers.

ImageReward's checkpoint keeps Salesforce's BLIP names; renamed into the stock classes it gives the official scores
(tests/evidence/golden). It reads 35 tokens: what a long prompt asks for at its end is not seen. The positive class of
the matching head is index 1; the head sees pictures of its own size (384 pixels for BLIP-L).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from PIL.Image import Image
from torch import Tensor, nn
from transformers import (
    AutoTokenizer,
    BlipForImageTextRetrieval,
    BlipImageProcessorPil,
    BlipTextConfig,
    BlipVisionConfig,
    BlipVisionModel,
)
from transformers.models.blip.modeling_blip_text import BlipTextModel

from evidence.interfaces import Score
from evidence.scorers.base import (
    LocalScorer,
    State,
    base_of,
    build,
    complain,
    file_of,
    fit,
    open_model,
    read_state,
    rename,
    weights_of,
    without_control,
)
from evidence.scorers.blip_card import ImageRewardCard, MatcherCard
from evidence.scorers.framing import cropped


def crossed(text_encoder: Any, tokens: Mapping[str, Tensor], picture: Tensor) -> Tensor:
    """State of the first text token (pairs, width) after it has read the picture's tokens (pairs, n, width)."""
    hidden = text_encoder(
        input_ids=tokens["input_ids"],
        attention_mask=tokens["attention_mask"],
        encoder_hidden_states=picture,
        encoder_attention_mask=torch.ones(picture.shape[:2], dtype=torch.long, device=picture.device),
        is_decoder=False,
    ).last_hidden_state
    first: Tensor = hidden[:, 0]
    return first


class ItmScorer(LocalScorer):
    """Probability 0..1 that picture and prompt match, or the raw logit of a match."""

    def __init__(self, card: MatcherCard, device: str = "cpu") -> None:
        super().__init__(card, device)
        folder, base = weights_of(card), base_of(card)
        self.model = self.place(open_model(BlipForImageTextRetrieval, folder))
        self.processor = BlipImageProcessorPil.from_pretrained(base)
        self.tokenizer = AutoTokenizer.from_pretrained(base, trust_remote_code=False)
        places = self.model.config.text_config.max_position_embeddings
        self.text_window = min(places, self.tokenizer.model_max_length)
        self.raw = card.logits

    def logits(self, images: Sequence[Image], prompts: Sequence[str]) -> Tensor:
        """(pairs, 2) float32: index 0 mismatch, index 1 match."""
        pixels = self.processor(images=list(images), return_tensors="pt").pixel_values
        tokens = self.tokenizer(
            without_control(prompts, self.tokenizer),
            padding=True,
            truncation=True,
            max_length=self.text_window,
            return_tensors="pt",
        ).to(self.device)
        picture = self.model.vision_model(pixel_values=self.send(pixels)).last_hidden_state
        found: Tensor = self.model.itm_head(crossed(self.model.text_encoder, tokens, picture)).float()
        return found

    def matches(self, images: Sequence[Image], prompts: Sequence[str]) -> list[float]:
        logits = self.logits(images, prompts)
        return [float(match) for match in (logits if self.raw else logits.softmax(-1))[:, 1]]

    def values(self, images: Sequence[Image], prompts: Sequence[str]) -> list[Score]:
        return [*self.matches(images, prompts)]

    def token_count(self, prompt: str) -> int:
        return len(self.tokenizer(prompt, verbose=False).input_ids)


WINDOW = 35  # tokens of ImageReward, start and end included


class ImageReward(nn.Module):
    """Two BLIP towers and five linear layers without activations between them."""

    def __init__(self, vision: BlipVisionConfig, text: BlipTextConfig) -> None:
        super().__init__()
        self.vision = BlipVisionModel(vision)
        self.text = BlipTextModel(text, add_pooling_layer=False)
        widths = (text.hidden_size, 1024, 128, 64, 16, 1)
        self.mlp = nn.ModuleList([nn.Linear(a, b) for a, b in pairwise(widths)])

    def forward(self, pixels: Tensor, tokens: Mapping[str, Tensor]) -> Tensor:
        """Raw rewards (pairs,), float32."""
        x = crossed(self.text, tokens, self.vision(pixel_values=pixels).last_hidden_state)
        for layer in self.mlp:
            x = layer(x)
        return x[:, 0].float()


class ImageRewardScorer(LocalScorer):
    """Standardised reward, about -2.3 to 2.0 with the published weights."""

    text_window = WINDOW

    def __init__(self, card: ImageRewardCard, device: str = "cpu") -> None:
        super().__init__(card, device)
        self.tokenizer = AutoTokenizer.from_pretrained(base_of(card), trust_remote_code=False)
        self.tokenizer.add_special_tokens({"bos_token": "[DEC]", "additional_special_tokens": ["[ENC]"]})
        checkpoint, text = file_of(card, card.checkpoint), file_of(card, card.text_config)
        self.model = self.place(open_image_reward(checkpoint, text, card.vision_heads))
        self.side = self.model.vision.config.image_size
        self.mean, self.deviation = card.mean, card.deviation

    def values(self, images: Sequence[Image], prompts: Sequence[str]) -> list[Score]:
        pixels = self.send(torch.stack([cropped(image, self.side) for image in images]))
        tokens = self.tokenizer(
            without_control(prompts, self.tokenizer),
            padding="max_length",
            truncation=True,
            max_length=WINDOW,
            return_tensors="pt",
        ).to(self.device)
        return [(float(raw) - self.mean) / self.deviation for raw in self.model(pixels, tokens)]

    def token_count(self, prompt: str) -> int:
        return len(self.tokenizer(prompt, verbose=False).input_ids)


_VISION = (
    ("blip.visual_encoder.", "vision."),
    ("patch_embed.proj.", "embeddings.patch_embedding."),
    ("vision.cls_token", "vision.embeddings.class_embedding"),
    ("vision.pos_embed", "vision.embeddings.position_embedding"),
    ("vision.blocks.", "vision.encoder.layers."),
    (".attn.qkv.", ".self_attn.qkv."),
    (".attn.proj.", ".self_attn.projection."),
    (".norm1.", ".layer_norm1."),
    (".norm2.", ".layer_norm2."),
    ("vision.norm.", "vision.post_layernorm."),
)
_MLP = tuple((f"mlp.layers.{old}.", f"mlp.{new}.") for new, old in enumerate((0, 2, 4, 6, 7)))
_RULES = (*_VISION, ("blip.text_encoder.", "text."), *_MLP)
_UNUSED = ("blip.vision_proj.", "blip.text_proj.", "blip.text_encoder.embeddings.position_ids")  # not of the score


def open_image_reward(path: Path, text_config: Path, vision_heads: int) -> ImageReward:
    """Both towers from one file; the picture's architecture from its tensors, the text's from med_config.json."""
    published = {key: tensor for key, tensor in read_state(path).items() if not key.startswith(_UNUSED)}
    vision, text = towers(published, path, json.loads(text_config.read_text("utf-8")), vision_heads)
    origin = {new: old for old in published for new in rename({old: published[old]}, _RULES)}
    state: State = rename(published, _RULES)
    return fit(build(lambda: ImageReward(vision, text)), state, path, origin)


_TEXT = (  # what med_config.json says of the architecture
    "hidden_act",
    "hidden_size",
    "intermediate_size",
    "layer_norm_eps",
    "max_position_embeddings",
    "num_attention_heads",
    "num_hidden_layers",
    "pad_token_id",
    "vocab_size",
)


def towers(
    published: Mapping[str, Tensor], path: Path, text: Mapping[str, Any], heads: int
) -> tuple[BlipVisionConfig, BlipTextConfig]:
    prefix = "blip.visual_encoder."
    telling = (prefix + "patch_embed.proj.weight", prefix + "pos_embed", prefix + "blocks.0.mlp.fc1.weight")
    complain(path, [(key, "is missing") for key in telling if key not in published])
    patches, places, hidden = (published[key].shape for key in telling)
    blocks = {key.split(".")[3] for key in published if key.startswith(prefix + "blocks.")}
    vision = BlipVisionConfig(
        hidden_size=patches[0],
        intermediate_size=hidden[0],
        num_hidden_layers=len(blocks),
        num_attention_heads=heads,
        image_size=round((places[1] - 1) ** 0.5) * patches[-1],
        patch_size=patches[-1],
        layer_norm_eps=1e-6,
    )
    settings = {key: text[key] for key in _TEXT if key in text}
    return vision, BlipTextConfig(**settings, encoder_hidden_size=patches[0], is_decoder=True)
