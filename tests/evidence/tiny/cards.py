"""Cards for the tiny repositories, small enough to sample in milliseconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evidence.cards.models import ModelCard
from tests.evidence.tiny.repositories import SIDE


def card(
    adapter: str, folder: Path, *, lora: Path | None = None, transformer: Path | None = None, **settings: Any
) -> ModelCard:
    """A card of one `controlled` profile. A setting of None is left out."""
    profile = {"dtype": "float32", "steps": 2, "guidance": 3.5, "size": SIDE} | settings
    return ModelCard.model_validate(
        {
            "id": "tiny",
            "label": "Tiny",
            "family": "Tiny",
            "alignment": "base",
            "adapter": adapter,
            "weights": f"local-dir:{folder}",
            "lora": f"local-dir:{lora}" if lora else "",
            "transformer": f"local-dir:{transformer}" if transformer else "",
            "profiles": {"controlled": {k: v for k, v in profile.items() if v is not None}},
        }
    )
