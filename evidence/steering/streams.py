"""Three streams in one stock transformer: the prompt, a negative prompt, the image.

The negative tokens are appended to the prompt's. They evolve as a prompt of their own: they read themselves and the
image, never the positive tokens; the positive tokens and the image do not read them as they are. What image queries
make of them is a `Rule` (evidence.steering.vsf, evidence.steering.nag). Each stream attends over keys of its own, so
there is no mask to get wrong. Text tokens of FLUX all have the rotary position 0, and so have the negative ones.
Processors are put in for one sampling and taken out again; without negative tokens they are not put in at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention as attend


@dataclass(frozen=True)
class Stream:
    """Queries, keys and values of some tokens: each (batch, heads, tokens, head width)."""

    query: Tensor
    key: Tensor
    value: Tensor

    def part(self, start: int, stop: int | None = None) -> Stream:
        return Stream(self.query[:, :, start:stop], self.key[:, :, start:stop], self.value[:, :, start:stop])


class Rule(Protocol):
    """What image queries read. Returns (batch, image tokens, heads * head width)."""

    def __call__(self, image: Stream, positive: Stream, negative: Stream) -> Tensor: ...


@dataclass(frozen=True)
class Tokens:
    """How many tokens of the text sequence are the prompt's, and how many, after them, the negative prompt's."""

    positive: int
    negative: int


def flat(heads: Tensor) -> Tensor:
    """(batch, heads, tokens, width) as (batch, tokens, heads * width)."""
    return heads.transpose(1, 2).flatten(2)


def read(reader: Stream, *sources: Stream) -> Tensor:
    """Plain attention of the reader's queries over the tokens of all sources; heads flattened."""
    keys, values = torch.cat([s.key for s in sources], 2), torch.cat([s.value for s in sources], 2)
    return flat(attend(reader.query, keys, values))


def streams(image: Stream, positive: Stream, negative: Stream, rule: Rule) -> tuple[Tensor, Tensor, Tensor]:
    """Attention outputs of image, positive and negative tokens."""
    return rule(image, positive, negative), read(positive, positive, image), read(negative, negative, image)


class FluxStreams:
    """Processor of FLUX's double and single blocks; the sequence is [positive, negative, image]."""

    def __init__(self, rule: Rule, tokens: Tokens) -> None:
        self.rule, self.tokens = rule, tokens

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        image_rotary_emb: Any = None,
    ) -> Tensor | tuple[Tensor, Tensor]:
        whole = Stream(*flux_projections(attn, hidden_states, encoder_hidden_states, image_rotary_emb))
        text, end = self.tokens.positive, self.tokens.positive + self.tokens.negative
        image, positive, negative = streams(whole.part(end), whole.part(0, text), whole.part(text, end), self.rule)
        if encoder_hidden_states is None:
            return torch.cat([positive, negative, image], 1)
        return attn.to_out[1](attn.to_out[0](image)), attn.to_add_out(torch.cat([positive, negative], 1))


def flux_projections(attn: Any, image: Tensor, text: Tensor | None, rotary: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values, each (batch, heads, tokens, head width), of [text, image]; in single blocks, where
    `text` is None, `image` holds both. A picture that is there once is read by every text of a batch."""
    from diffusers.models.embeddings import apply_rotary_emb
    from diffusers.models.transformers.transformer_flux import _get_qkv_projections

    projected = [
        part.unflatten(-1, (-1, attn.head_dim)) for part in _get_qkv_projections(attn, image, text) if part is not None
    ]
    query, key, value = attn.norm_q(projected[0]), attn.norm_k(projected[1]), projected[2]
    if text is not None:
        added = attn.norm_added_q(projected[3]), attn.norm_added_k(projected[4]), projected[5]
        times = len(text) // len(image)
        query, key, value = (
            torch.cat([said, seen.repeat(times, 1, 1, 1)], 1)
            for said, seen in zip(added, (query, key, value), strict=True)
        )
    query, key = (apply_rotary_emb(part, rotary, sequence_dim=1) for part in (query, key))
    return query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2)


class JointStreams:
    """Processor of Stable Diffusion 3's joint attention; the sequence is [image, positive, negative], not rotated."""

    def __init__(self, rule: Rule, tokens: Tokens) -> None:
        self.rule, self.tokens = rule, tokens

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        *_: Any,
        **__: Any,
    ) -> tuple[Tensor, Tensor]:
        image = _project(attn, hidden_states, attn.to_q, attn.to_k, attn.to_v, attn.norm_q, attn.norm_k)
        added = attn.add_q_proj, attn.add_k_proj, attn.add_v_proj, attn.norm_added_q, attn.norm_added_k
        text = _project(attn, encoder_hidden_states, *added)
        count = self.tokens.positive
        seen, positive, negative = streams(image, text.part(0, count), text.part(count), self.rule)
        answer = torch.cat([positive, negative], 1)
        return attn.to_out[1](attn.to_out[0](seen)), answer if attn.context_pre_only else attn.to_add_out(answer)


def _project(attn: Any, states: Tensor, to_q: Any, to_k: Any, to_v: Any, norm_q: Any, norm_k: Any) -> Stream:
    query, key, value = (to(states).unflatten(-1, (attn.heads, -1)).transpose(1, 2) for to in (to_q, to_k, to_v))
    return Stream(norm_q(query) if norm_q else query, norm_k(key) if norm_k else key, value)


def installed(transformer: Any, rule: Rule, tokens: Tokens) -> AbstractContextManager[None]:
    """All attention layers that see text run under `rule` inside the block."""
    kind = FluxStreams if type(transformer).__name__.startswith("Flux") else JointStreams
    return replaced(transformer, kind(rule, tokens))


@contextmanager
def replaced(transformer: Any, processor: Any) -> Iterator[None]:
    """All attention layers that see text run in `processor` inside the block; the stock ones return after it."""
    stock = {name: part.processor for name, part in _text_attention(transformer)}
    try:
        for _, part in _text_attention(transformer):
            part.processor = processor
        yield
    finally:
        for name, part in _text_attention(transformer):
            part.processor = stock[name]


def _text_attention(transformer: Any) -> list[tuple[str, Any]]:
    """Attention layers of all blocks; not SD3.5's second attention, which is among image tokens alone."""
    return [(name, part) for name, part in transformer.named_modules() if name.split(".")[-1] == "attn"]
