from __future__ import annotations

from typing import Literal

from pydantic import Field

from evidence.cards.scorers import ScorerCard
from evidence.registry import scorer


@scorer("clip", "evidence.scorers.clip:ClipScorer")
class ClipCard(ScorerCard):
    """A CLIPModel directory. `scaled` multiplies the cosine by exp(logit_scale)."""

    adapter: Literal["clip"]
    scaled: bool = False


@scorer("clip-checkpoint", "evidence.scorers.clip:CheckpointScorer")
class ClipCheckpointCard(ScorerCard):
    """One file in the layout of OpenAI's clip package or of open_clip. Widths come from the file, heads cannot."""

    adapter: Literal["clip-checkpoint"]
    checkpoint: str
    state_key: str = "state_dict"
    vision_heads: int = Field(ge=1)
    text_heads: int = Field(ge=1)
    activation: Literal["gelu", "quick_gelu"]
    framing: Literal["crop", "pad"]  # shortest side and centre crop, or longest side and black bars
