"""Z-Image and Z-Image-Turbo, one pipeline. Guidance above 0 turns classifier-free guidance on: the Turbo needs 0.0."""

from __future__ import annotations

from typing import ClassVar

from PIL.Image import Image

from evidence.generators.local import Local
from evidence.types import Request


class ZImage(Local):
    pipeline: ClassVar[str] = "ZImagePipeline"

    def truncated(self, prompts: list[str]) -> list[bool]:
        window = int(self.settings["max_sequence_length"] or 0)
        return [len(self.pipe.tokenizer(prompt).input_ids) > window for prompt in prompts]

    def _reads_negative(self) -> bool:
        return float(self.settings["guidance"] or 0) > 0

    def _paint(self, requests: list[Request]) -> list[Image]:
        return self.pipe(  # type: ignore[no-any-return]
            prompt=[request.prompt for request in requests],
            negative_prompt=[self._negative(request) for request in requests],
            guidance_scale=self.settings["guidance"],
            max_sequence_length=self.settings["max_sequence_length"],
            **self._told(requests),
        ).images
