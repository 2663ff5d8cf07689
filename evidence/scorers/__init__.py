"""Scorers: `(images, prompts) -> scores`. Each is a row of scorers.toml and one of the adapters below.

To add one in a layout that is known here, add a row; for a new layout add a row type, a module and a line of
`ADAPTERS`. Adapters, and torch with them, are imported when the first of their rows is loaded.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from evidence.scorers.rows import ROWS, ScorerRow, read

if TYPE_CHECKING:
    from evidence.scorers.base import LocalScorer
    from evidence.scorers.pairwise import PairwiseJudge

__all__ = ["ADAPTERS", "ROWS", "ScorerRow", "load", "load_judge", "read"]

ADAPTERS: Mapping[str, str] = {
    "clip": "evidence.scorers.clip:ClipScorer",
    "clip-checkpoint": "evidence.scorers.clip:CheckpointScorer",
    "mps": "evidence.scorers.mps:MpsScorer",
    "image-reward": "evidence.scorers.blip:ImageRewardScorer",
    "blip-itm": "evidence.scorers.blip:ItmScorer",
    "hpsv3": "evidence.scorers.hpsv3:Hpsv3Scorer",
    "digit-judge": "evidence.scorers.digits:DigitJudge",
    "image-classifier": "evidence.scorers.classifier:ClassifierScorer",
    "llm-judge": "evidence.scorers.pairwise:PairwiseJudge",
}


def load(row: ScorerRow, device: str = "cpu") -> LocalScorer:
    """The scorer of a row with weights. Raises Unavailable, WeightsChanged, or InputError naming a misfit file."""
    if row.adapter == "llm-judge":
        raise ValueError(f"{row.id} compares two pictures: use load_judge")
    return cast("LocalScorer", _adapter(row)(row, device))


def load_judge(row: ScorerRow) -> PairwiseJudge:
    """The pairwise judge of a row. Raises Unavailable where the key is not in the environment."""
    if row.adapter != "llm-judge":
        raise ValueError(f"{row.id} scores one picture at a time: use load")
    return cast("PairwiseJudge", _adapter(row)(row))


def _adapter(row: ScorerRow) -> type:
    module, _, name = ADAPTERS[row.adapter].partition(":")
    return cast(type, getattr(importlib.import_module(module), name))
