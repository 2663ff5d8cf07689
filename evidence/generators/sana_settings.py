from __future__ import annotations

from pydantic import Field

from evidence.generators.sampling import Batched
from evidence.registry import generator


@generator("sana", "evidence.generators.sana:Sana", second_branch="guidance")
class SanaSettings(Batched):
    negative_prompt: str = ""
    max_sequence_length: int = Field(default=300, ge=1)
    variant: str = ""  # "bf16": which files of a hub repository
