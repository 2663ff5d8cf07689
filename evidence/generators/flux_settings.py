from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from evidence.generators.sampling import Redrawn, Steered
from evidence.registry import generator


@generator("flux", "evidence.generators.flux:Flux", second_branch="true_cfg_scale")
class FluxSettings(Steered, Redrawn):
    true_cfg_scale: float = Field(default=1.0, ge=1)
    negative_prompt: str = ""
    pooled_scale: float = Field(default=1.0, ge=1)  # of the pooled embedding under VSF
    max_sequence_length: int = Field(default=512, ge=1)

    def misuse(self, distilled: bool) -> Iterator[tuple[str, str]]:
        yield from self.beside("true_cfg_scale")
        if self.negative_prompt.strip() and self.method == "none" and self.true_cfg_scale <= 1:
            yield "negative_prompt", "is ignored unless true_cfg_scale is above 1"
