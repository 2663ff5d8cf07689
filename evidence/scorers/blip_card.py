from __future__ import annotations

from typing import Literal

from pydantic import Field

from evidence.cards.scorers import ScorerCard
from evidence.registry import scorer


@scorer("image-reward", "evidence.scorers.blip:ImageRewardScorer")
class ImageRewardCard(ScorerCard):
    """BLIP with an MLP. The score is (x - mean) / deviation."""

    adapter: Literal["image-reward"]
    checkpoint: str
    text_config: str
    vision_heads: int = Field(ge=1)
    mean: float
    deviation: float = Field(gt=0)


class MatcherCard(ScorerCard):
    """A BlipForImageTextRetrieval directory. `logits` gives the raw logit of a match instead of its probability."""

    logits: bool = False


@scorer("blip-itm", "evidence.scorers.blip:ItmScorer")
class ItmCard(MatcherCard):
    """A matcher that sees the whole picture."""

    adapter: Literal["blip-itm"]
