from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from evidence.cards.scorers import Role
from evidence.registry import scorer
from evidence.scorers.blip_card import MatcherCard
from evidence.weights import address


@scorer("face-itm", "evidence.scorers.faces:FaceScorer")
class FaceCard(MatcherCard):
    """A BLIP matcher that sees the face alone. `detector` is a directory of Grounding DINO's family (LLMDet), asked for
    `query`; the surest box above `threshold` is the face."""

    adapter: Literal["face-itm"]
    role: Role = "face-matcher"
    detector: str
    detector_files: tuple[str, ...] = ()
    query: str = "a face"
    threshold: float = Field(default=0.3, ge=0, le=1)

    @field_validator("detector")
    @classmethod
    def _detector_is_an_address(cls, text: str) -> str:
        address(text)
        return text

    @property
    def parts(self) -> list[tuple[str, tuple[str, ...]]]:
        return [*super().parts, (self.detector, self.detector_files)]
