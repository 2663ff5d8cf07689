from __future__ import annotations

from typing import Literal

from evidence.cards.scorers import ScorerCard
from evidence.registry import scorer


@scorer("siglip-aesthetic", "evidence.scorers.aesthetic:AestheticScorer")
class AestheticCard(ScorerCard):
    """A head of linear layers on the picture half of SigLIP. `base` is a SiglipModel directory; no prompt is read."""

    adapter: Literal["siglip-aesthetic"]
    checkpoint: str
    encoder: str = "model.safetensors"  # the file of the base that holds the weights
