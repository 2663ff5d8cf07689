from __future__ import annotations

from typing import Literal

from evidence.cards.scorers import Role, ScorerCard
from evidence.registry import scorer


@scorer("image-classifier", "evidence.scorers.classifier:ClassifierScorer")
class ClassifierCard(ScorerCard):
    """A transformers image classifier; independent (sigmoid) probabilities by label. The prompt is not read."""

    adapter: Literal["image-classifier"]
    role: Role = "annotator"
