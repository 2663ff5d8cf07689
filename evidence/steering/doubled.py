"""Normalised attention guidance on FLUX as its authors release it: a batch of two halves.

The first half reads the prompt, the second the negative prompt, and each is modulated by its own pooled embedding. In
the double blocks both share one picture, whose attention outputs are guided; in the single blocks the picture is there
twice, and its attention outputs are made the same in both halves. The first half is the result. Unlike that release,
and like the publication, the norm is L1 (`evidence.steering.nag`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention as attend

from evidence.steering.nag import NormalizedAttentionGuidance
from evidence.steering.streams import flat, flux_projections, replaced

Given = dict[str, Any]


class DoubledFlux:
    """Processor of FLUX's double blocks (texts twice, pictures once) and single blocks (both twice)."""

    def __init__(self, rule: NormalizedAttentionGuidance, text: int) -> None:
        self.rule, self.text = rule, text

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        image_rotary_emb: Any = None,
    ) -> Tensor | tuple[Tensor, Tensor]:
        query, key, value = flux_projections(attn, hidden_states, encoder_hidden_states, image_rotary_emb)
        read = flat(attend(query, key, value))
        text, (wanted, unwanted) = read[:, : self.text], read[:, self.text :].chunk(2)
        image = self.rule.guide(wanted, unwanted)
        if encoder_hidden_states is None:
            return torch.cat([text, twice(image)], 1)
        return attn.to_out[1](attn.to_out[0](image)), attn.to_add_out(text)


def twice(part: Tensor) -> Tensor:
    return torch.cat([part, part])


@contextmanager
def doubled(transformer: Any, rule: NormalizedAttentionGuidance, negative: Tensor, pooled: Tensor) -> Iterator[None]:
    """Runs FLUX under the rule inside the block. `negative` (batch, tokens, width) are the text embeddings of the
    negative prompts, as many tokens as the prompts', `pooled` (batch, width) their pooled ones."""

    def texts(module: Any, args: Any, given: Given) -> tuple[Any, Given]:
        again = {"encoder_hidden_states": negative, "pooled_projections": pooled}
        joined = {name: torch.cat([given[name], part.to(given[name].dtype)]) for name, part in again.items()}
        same = {name: twice(given[name]) for name in ("timestep", "guidance") if given.get(name) is not None}
        return args, given | joined | same

    def own_half(module: Any, args: Any, given: Given) -> tuple[Any, Given]:
        return args, given | {"emb": given["emb"][: len(args[0])]}

    def pictures(module: Any, args: Any, given: Given) -> tuple[Any, Given]:
        image, text = given["hidden_states"], given["encoder_hidden_states"]
        return args, given if len(image) == len(text) else given | {"hidden_states": twice(image)}

    def first_half(module: Any, args: Any, made: tuple[Tensor]) -> tuple[Tensor]:
        return (made[0].chunk(2)[0],)

    with ExitStack() as hooks:
        before = [(transformer, texts), *((block.norm1, own_half) for block in transformer.transformer_blocks)]
        before += [(block, pictures) for block in transformer.single_transformer_blocks]
        for module, hook in before:
            hooks.callback(module.register_forward_pre_hook(hook, with_kwargs=True).remove)
        hooks.callback(transformer.register_forward_hook(first_half).remove)
        hooks.enter_context(replaced(transformer, DoubledFlux(rule, negative.shape[1])))
        yield
