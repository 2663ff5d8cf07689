from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from evidence.generators.sampling import Denoiser, Redrawn
from evidence.registry import generator


@generator("qwen-image", "evidence.generators.qwen_image:QwenImage", second_branch="true_cfg_scale")
class QwenImageSettings(Denoiser, Redrawn):
    true_cfg_scale: float = Field(ge=1)
    negative_prompt: str = " "
    max_sequence_length: int = Field(default=512, ge=1)

    def misuse(self, distilled: bool) -> Iterator[tuple[str, str]]:
        if self.negative_prompt.strip() and self.true_cfg_scale <= 1:
            yield "negative_prompt", "is ignored unless true_cfg_scale is above 1"
