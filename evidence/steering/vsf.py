"""Value sign flip: a negative prompt for models without classifier-free guidance (Guo and Du, arXiv 2508.10931).

The negative tokens stand in the sequence twice. N0 evolves as a prompt of its own (evidence.steering.streams). N1 is a
copy of N0's keys whose values are multiplied by minus `scale`; image queries alone read it:

    softmax([Q·K_img, Q·K_pos, Q·K_neg] / sqrt(d) - [0, 0, offset]) · [V_img; V_pos; -scale · V_neg]

The offset is taken from the scaled logits, as the released code does; the paper prints it before the division. A scale
of 0 means that the method is off, and is the plain pipeline to the byte. It is not the limit of small scales: there N1
still takes its share of the softmax. Refused: classifier-free guidance at the same time.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention as attend

from evidence.steering.streams import Stream, flat


@dataclass(frozen=True)
class ValueSignFlip:
    """`scale` (0 and more) strengthens, `offset` (0 and more, in logits) weakens what the image reads of N1."""

    scale: float
    offset: float = 0.0

    def __call__(self, image: Stream, positive: Stream, negative: Stream) -> Tensor:
        keys = torch.cat([positive.key, image.key, negative.key], 2)
        values = torch.cat([positive.value, image.value, -self.scale * negative.value], 2)
        return flat(attend(image.query, keys, values, attn_mask=self._bias(keys, negative)))

    def _bias(self, keys: Tensor, negative: Stream) -> Tensor | None:
        if not self.offset:
            return None
        bias = keys.new_zeros(1, 1, 1, keys.shape[2])
        bias[..., -negative.key.shape[2] :] = -self.offset
        return bias


def pooled(positive: Tensor, negative: Tensor, scale: float) -> Tensor:
    """The pooled embedding FLUX is modulated by: pushed away from the negative prompt's; 1.0 leaves it as it is."""
    return positive if scale == 1.0 else negative + scale * (positive - negative)
