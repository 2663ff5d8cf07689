"""Scorers: `(images, prompts) -> scores`. Each is a card of scorers.toml and an adapter.

To add one in a layout that is known here, add a card; for a new layout add a module and, beside it, its type of card
under `@scorer` (`evidence.registry`). Adapters, and torch with them, are imported when their first card is loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from evidence.cards.scorers import CARDS, ScorerCard, read
from evidence.registry import SCORERS

if TYPE_CHECKING:
    from evidence.judges.pairwise import PairwiseJudge
    from evidence.scorers.base import LocalScorer

__all__ = ["CARDS", "ScorerCard", "load", "load_judge", "read"]


def load(card: ScorerCard, device: str = "cpu") -> LocalScorer:
    """The scorer of a card with weights. Raises Unavailable, WeightsChanged, or InputError naming a misfit file."""
    if card.role == "pairwise-judge":
        raise ValueError(f"{card.id} compares two pictures: use load_judge")
    return cast("LocalScorer", SCORERS[card.adapter].load()(card, device))


def load_judge(card: ScorerCard) -> PairwiseJudge:
    """The pairwise judge of a card. Raises Unavailable where the key is not in the environment."""
    if card.role != "pairwise-judge":
        raise ValueError(f"{card.id} scores one picture at a time: use load")
    return cast("PairwiseJudge", SCORERS[card.adapter].load()(card))
