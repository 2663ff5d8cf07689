"""Sizes of cards, counted from published architectures and never typed: parameters, memory, operations."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator, model_validator

from evidence.cards import base
from ledger.problems import did_you_mean

SIZES = Path(__file__).resolve().with_name("sizes.json")  # by shape; written by evidence.shapes


class SizedCard(base.Card):
    """A card that takes its sizes over from its shape, or says them itself."""

    shape: str = ""  # of sizes.json, which then says the three below
    parameters: int | None = Field(default=None, ge=1)  # of all its parts
    memory_gib: float | None = Field(default=None, gt=0)  # of a generator at work; of a scorer's weights alone
    tflop: float | None = Field(default=None, gt=0)  # tera-operations of an evaluation at 1024 x 1024, or of a score

    @model_validator(mode="before")
    @classmethod
    def _sized(cls, said: Any) -> Any:
        """With the sizes of its shape, where the card does not say them itself."""
        return sizes().get(str(said.get("shape")), {}) | said if isinstance(said, dict) else said

    @field_validator("shape")
    @classmethod
    def _shape_exists(cls, name: str) -> str:
        if name and name not in sizes():
            raise ValueError(f"no shape of this name{did_you_mean(name, sizes())}; known: {', '.join(sizes())}")
        return name


@cache
def sizes() -> dict[str, dict[str, Any]]:
    """Parameters, memory in GiB and tera-operations of every published shape."""
    return dict(json.loads(SIZES.read_text("utf-8")))
