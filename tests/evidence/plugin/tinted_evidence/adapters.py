"""What the two adapters read: loaded whenever cards are read, so it stays light."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from evidence.cards.scorers import ScorerCard
from evidence.generators.sampling import Picture
from evidence.registry import generator, scorer


@generator("tint", "tinted_evidence.painting:Tint", packages=("PIL",))
class TintSettings(Picture):
    warmth: float = Field(default=0.5, ge=0, le=1)


@scorer("brightness", "tinted_evidence.painting:Brightness", packages=("PIL",))
class BrightnessCard(ScorerCard):
    adapter: Literal["brightness"]
    power: float = Field(default=1.0, gt=0)
