from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from evidence.generators.sampling import Redrawn, Steered
from evidence.registry import generator


@generator("sd3", "evidence.generators.sd3:Sd3", second_branch="guidance")
class Sd3Settings(Steered, Redrawn):
    negative_prompt: str = ""
    max_sequence_length: int = Field(default=256, ge=1)

    def misuse(self, distilled: bool) -> Iterator[tuple[str, str]]:
        return self.beside("guidance")
