"""Scorers: `(images, prompts) -> scores`. Each is a card of scorers.toml and one of the adapters below.

To add one in a layout that is known here, add a card; for a new layout add a card type, a module and a line of
`ADAPTERS`. Adapters, and torch with them, are imported when the first of their cards is loaded.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from evidence.cards.scorers import CARDS, ScorerCard, read

if TYPE_CHECKING:
    from evidence.judges.pairwise import PairwiseJudge
    from evidence.scorers.base import LocalScorer

__all__ = ["ADAPTERS", "CARDS", "ScorerCard", "load", "load_judge", "read"]

ADAPTERS: Mapping[str, str] = {
    "clip": "evidence.scorers.clip:ClipScorer",
    "clip-checkpoint": "evidence.scorers.clip:CheckpointScorer",
    "mps": "evidence.scorers.mps:MpsScorer",
    "image-reward": "evidence.scorers.blip:ImageRewardScorer",
    "blip-itm": "evidence.scorers.blip:ItmScorer",
    "hpsv3": "evidence.scorers.hpsv3:Hpsv3Scorer",
    "digit-annotator": "evidence.scorers.digits:DigitAnnotator",
    "image-classifier": "evidence.scorers.classifier:ClassifierScorer",
    "llm-judge": "evidence.judges.pairwise:PairwiseJudge",
}


def load(card: ScorerCard, device: str = "cpu") -> LocalScorer:
    """The scorer of a card with weights. Raises Unavailable, WeightsChanged, or InputError naming a misfit file."""
    if card.adapter == "llm-judge":
        raise ValueError(f"{card.id} compares two pictures: use load_judge")
    return cast("LocalScorer", _adapter(card)(card, device))


def load_judge(card: ScorerCard) -> PairwiseJudge:
    """The pairwise judge of a card. Raises Unavailable where the key is not in the environment."""
    if card.adapter != "llm-judge":
        raise ValueError(f"{card.id} scores one picture at a time: use load")
    return cast("PairwiseJudge", _adapter(card)(card))


def _adapter(card: ScorerCard) -> type:
    module, _, name = ADAPTERS[card.adapter].partition(":")
    return cast(type, getattr(importlib.import_module(module), name))
