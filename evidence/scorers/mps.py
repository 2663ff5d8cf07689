"""MPS, the multi-dimensional preference score: CLIP ViT-H/14 whose picture attends to the words a condition selects.

A phrase of keywords (the condition) is compared with every token of the prompt; tokens below a share of the largest
similarity are masked; four layers of cross-attention let the 257 picture tokens read the rest; token 0 is the picture.
The published code has two thresholds, 0.3 in its evaluation scripts and 0.01 in the class: the card chooses. The
largest similarity is taken per pair, as in the published one-by-one scoring, so that batch mates do not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL.Image import Image
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel

from evidence.interfaces import Score
from evidence.scorers.base import LocalScorer, State, base_of, build, file_of, fit
from evidence.scorers.clip import TextWindow
from evidence.scorers.mps_card import MpsCard
from evidence.scorers.pickles import module_state

HEAD = 64  # width of an attention head, as published


class CrossLayer(nn.Module):
    """Queries from the picture, one shared key and value head from the text, a gated feed-forward beside it (PaLM)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, heads * HEAD, bias=False)
        self.key_value = nn.Linear(width, 2 * HEAD, bias=False)
        self.out = nn.Linear(heads * HEAD, width, bias=False)
        self.widen = nn.Linear(width, 8 * width, bias=False)
        self.narrow = nn.Linear(4 * width, width, bias=False)

    def forward(self, picture: Tensor, text: Tensor, mask: Tensor) -> Tensor:
        """picture (b, n, width), text (b, m, width), mask (b, 1, 1, m) of 0 and -inf."""
        x = self.norm(picture)
        key, value = self.key_value(text).chunk(2, dim=-1)
        seen = attend(split_heads(self.query(x), self.heads), key, value, mask)
        after: Tensor = picture + self.out(seen) + self.narrow(gated(self.widen(x)))
        return after


class SelfLayer(nn.Module):
    """The picture attends to itself: rotary positions, one shared key and value head, feed-forward in parallel."""

    frequencies: Tensor

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.parts = (heads * HEAD, HEAD, HEAD, 8 * width)
        self.norm = nn.LayerNorm(width)
        self.fused = nn.Linear(width, sum(self.parts), bias=False)
        self.out = nn.Linear(heads * HEAD, width, bias=False)
        self.narrow = nn.Linear(4 * width, width, bias=False)
        self.register_buffer("frequencies", 1.0 / (10000 ** (torch.arange(0, HEAD, 2).float() / HEAD)))

    def forward(self, picture: Tensor) -> Tensor:
        query, key, value, wide = self.fused(self.norm(picture)).split(self.parts, dim=-1)
        places = torch.arange(picture.shape[1], device=picture.device, dtype=torch.float32)
        angles = torch.outer(places, self.frequencies.float()).repeat(1, 2)
        turned = rotated(split_heads(query, self.heads), angles)
        seen = attend(turned, rotated(key, angles), value, None)
        after: Tensor = picture + self.out(seen) + self.narrow(gated(wide))
        return after


def split_heads(x: Tensor, heads: int) -> Tensor:
    return x.view(*x.shape[:-1], heads, HEAD).transpose(1, 2)


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    """query (b, heads, n, HEAD) against one key and value head (b, m, HEAD), back to (b, n, heads * HEAD)."""
    heads = query.shape[1]
    key, value = key[:, None].expand(-1, heads, -1, -1), value[:, None].expand(-1, heads, -1, -1)
    return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask).transpose(1, 2).flatten(2)


def gated(x: Tensor) -> Tensor:
    content, gate = x.chunk(2, dim=-1)
    return functional.silu(gate) * content


def rotated(x: Tensor, angles: Tensor) -> Tensor:
    first, second = x.float().chunk(2, dim=-1)
    return (x.float() * angles.cos() + torch.cat((-second, first), dim=-1) * angles.sin()).to(x.dtype)


class Mps(nn.Module):
    """CLIP and the cross-attention above it."""

    def __init__(self, config: CLIPConfig, layers: int, heads: int) -> None:
        super().__init__()
        width = config.projection_dim
        self.clip = CLIPModel(config)
        self.cross = nn.ModuleList([CrossLayer(width, heads) for _ in range(layers)])
        self.own = nn.ModuleList([SelfLayer(width, heads) for _ in range(layers)])

    def forward(self, pixels: Tensor, ids: Tensor, condition: Tensor, threshold: float) -> Tensor:
        """Scores (pairs,): exp(scale) times the cosine of the prompt and the conditioned picture."""
        words = self.clip.text_model(input_ids=ids)
        text = self.clip.text_projection(words.last_hidden_state)
        asked = self.clip.text_projection(self.clip.text_model(input_ids=condition).last_hidden_state)
        alike = torch.einsum("bid,xjd->bji", text, asked).amax(dim=1)
        alike = alike / alike.amax(dim=1, keepdim=True)
        mask = torch.zeros_like(alike).masked_fill(~(alike > threshold), float("-inf"))[:, None, None]
        picture = self.clip.visual_projection(self.clip.vision_model(pixel_values=pixels).last_hidden_state)
        for cross, own in zip(self.cross, self.own, strict=True):
            picture = own(cross(picture, text, mask))
        prompt = self.clip.text_projection(words.pooler_output)
        scale: Tensor = self.clip.logit_scale.float().exp()
        return torch.cosine_similarity(picture[:, 0].float(), prompt.float()) * scale


_KEYS = (
    ("0.fn.norm.weight", "cross.{}.norm.weight"),
    ("0.fn.norm.bias", "cross.{}.norm.bias"),
    ("0.fn.to_q.weight", "cross.{}.query.weight"),
    ("0.fn.to_kv.weight", "cross.{}.key_value.weight"),
    ("0.fn.to_out.weight", "cross.{}.out.weight"),
    ("0.fn.ff.0.weight", "cross.{}.widen.weight"),
    ("0.fn.ff.2.weight", "cross.{}.narrow.weight"),
    ("1.fn.norm.weight", "own.{}.norm.weight"),
    ("1.fn.norm.bias", "own.{}.norm.bias"),
    ("1.fn.rotary_emb.inv_freq", "own.{}.frequencies"),
    ("1.fn.fused_attn_ff_proj.weight", "own.{}.fused.weight"),
    ("1.fn.attn_out.weight", "own.{}.out.weight"),
    ("1.fn.ff_out.1.weight", "own.{}.narrow.weight"),
)


def stock_state(published: State) -> tuple[State, dict[str, str], int]:
    """Tensors under our keys, the published key of each, and how many cross-attention layers there are."""
    state: State = {}
    origin: dict[str, str] = {}
    layers = {key.split(".")[2] for key in published if key.startswith("cross_model.layers.")}
    for key, tensor in published.items():
        if key.endswith("embeddings.position_ids"):  # 0, 1, 2, ...: a buffer in old releases, made anew by the class
            continue
        name = key.replace("model.", "clip.", 1) if key.startswith("model.") else key
        if key.startswith("cross_model.layers."):
            _, _, number, rest = key.split(".", 3)
            name = dict(_KEYS).get(rest, key).format(number)
        state[name], origin[name] = tensor, key
    return state, origin, len(layers)


class MpsScorer(LocalScorer):
    """Scores of about 6 to 18 with the published weights."""

    def __init__(self, card: MpsCard, device: str = "cpu") -> None:
        super().__init__(card, device)
        base = base_of(card)
        self.model = self.place(open_mps(file_of(card, card.checkpoint), base, card.cross_heads))
        self.processor = CLIPImageProcessorPil.from_pretrained(base)
        self.text_window = self.model.clip.config.text_config.max_position_embeddings
        self.text = TextWindow(base, self.text_window)
        self.condition = self.text.ids([card.condition]).to(self.device)
        self.threshold = card.threshold

    def values(self, images: Sequence[Image], prompts: Sequence[str]) -> list[Score]:
        pixels = self.processor(images=list(images), return_tensors="pt").pixel_values
        ids = self.text.ids(prompts).to(self.device)
        scores = self.model(self.send(pixels), ids, self.condition, self.threshold)
        return [float(score) for score in scores]

    def token_count(self, prompt: str) -> int:
        return self.text.count(prompt)


def open_mps(path: Path, base: Path, heads: int) -> Mps:
    """The module pickled in `path`, its architecture from the CLIP configuration in `base`."""
    state, origin, layers = stock_state(module_state(path))
    state = {name: tensor.float() for name, tensor in state.items()}
    config = CLIPConfig.from_pretrained(base)
    return fit(build(lambda: Mps(config, layers, heads)), state, path, origin)
