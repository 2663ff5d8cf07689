from __future__ import annotations

from typing import Literal

from pydantic import Field

from evidence.cards.scorers import Role, ScorerCard
from evidence.registry import scorer


@scorer("llm-judge", "evidence.judges.pairwise:PairwiseJudge", packages=("openai",))
class PairwiseCard(ScorerCard):
    """A chat service with pictures. `model` is its name there, `key_env` the variable that holds the key."""

    adapter: Literal["llm-judge"]
    role: Role = "pairwise-judge"
    model: str
    base_url: str
    key_env: str
    temperature: float = Field(ge=0, le=2)
    timeout: float = Field(default=120.0, gt=0)  # seconds
    usd_per_comparison: float | None = Field(default=None, ge=0)
