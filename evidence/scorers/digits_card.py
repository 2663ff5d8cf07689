from __future__ import annotations

from typing import Literal

from pydantic import field_validator

from evidence.cards.scorers import Role, ScorerCard, with_words
from evidence.registry import scorer


@scorer("digit-annotator", "evidence.scorers.digits:DigitAnnotator")
class AnnotatorCard(ScorerCard):
    """A vision-language model read at the digits 0, 1, 2. `guideline`: our TOML, or a CSV as VisionReward has it."""

    adapter: Literal["digit-annotator"]
    role: Role = "annotator"
    guideline: str
    question: str = ""  # with {dimension} and {guideline}; empty: the one in the TOML

    @field_validator("question")
    @classmethod
    def _has_its_slots(cls, text: str) -> str:
        if text and not all(slot in text for slot in ("{dimension}", "{guideline}")):
            raise ValueError("must contain {dimension} and {guideline}")
        return text

    @property
    def revision(self) -> str:
        """That of the weights and a digest of the guideline: other words are another judge."""
        return with_words(super().revision, self.guideline)
