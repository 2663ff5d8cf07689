from __future__ import annotations

from typing import Literal

from pydantic import Field

from evidence.cards.scorers import ScorerCard
from evidence.registry import scorer


@scorer("mps", "evidence.scorers.mps:MpsScorer")
class MpsCard(ScorerCard):
    """A pickled module. Text tokens whose similarity to `condition` is below `threshold` of the largest are masked."""

    adapter: Literal["mps"]
    checkpoint: str
    condition: str
    threshold: float = Field(gt=0, lt=1)
    cross_heads: int = Field(ge=1)
