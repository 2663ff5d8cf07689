"""Normalised attention guidance (Chen et al., arXiv 2505.21179): what value sign flip is compared with.

Image queries read the prompt and, apart from it, the negative prompt; the two results are extrapolated, held to `tau`
times the L1 norm of the first, and blended with it:

    Z = scale · Z+ - (scale - 1) · Z-;   Z' = Z · min(|Z| / |Z+|, tau) / (|Z| / |Z+|);   alpha · Z' + (1 - alpha) · Z+

`scale` 1 is the plain pipeline. Norms run over all heads of a token. On FLUX the two texts are halves of a batch
(evidence.steering.doubled); on Stable Diffusion 3, whose authors' release modulates both alike, they are streams of one
sequence (evidence.steering.streams).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from evidence.steering.streams import Stream, read


@dataclass(frozen=True)
class NormalizedAttentionGuidance:
    """`scale` (1 and more) extrapolates, `tau` bounds the growth, `alpha` (0 to 1) blends."""

    scale: float
    tau: float = 2.5
    alpha: float = 0.25

    def __call__(self, image: Stream, positive: Stream, negative: Stream) -> Tensor:
        wanted, unwanted = read(image, positive, image), read(image, negative, image)
        return self.guide(wanted, unwanted)

    def guide(self, wanted: Tensor, unwanted: Tensor) -> Tensor:
        """Both (..., width); no element of the result's L1 norm exceeds tau times that of `wanted` when alpha is 1.
        Computed in float32: the sum of a token's 3,072 magnitudes overflows half precision."""
        dtype, wanted, unwanted = wanted.dtype, wanted.float(), unwanted.float()
        pushed = self.scale * wanted - (self.scale - 1) * unwanted
        norm = torch.linalg.vector_norm(wanted, ord=1, dim=-1, keepdim=True)
        growth = torch.linalg.vector_norm(pushed, ord=1, dim=-1, keepdim=True) / norm.clamp_min(1e-12)
        held = pushed * (growth.clamp_max(self.tau) / growth.clamp_min(1e-12))
        blended: Tensor = self.alpha * held + (1 - self.alpha) * wanted
        return blended.to(dtype)
