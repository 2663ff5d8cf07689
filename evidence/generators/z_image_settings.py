from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from evidence.generators.sampling import Diffusion, Redrawn
from evidence.registry import generator


@generator("z-image", "evidence.generators.z_image:ZImage")
class ZImageSettings(Diffusion, Redrawn):
    negative_prompt: str = ""
    max_sequence_length: int = Field(default=512, ge=1)

    def misuse(self, distilled: bool) -> Iterator[tuple[str, str]]:
        if distilled and self.guidance > 0:
            yield "guidance", "a distilled Z-Image is sampled with guidance 0.0: anything above turns CFG on"
