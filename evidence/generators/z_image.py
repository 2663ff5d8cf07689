"""Z-Image and Z-Image-Turbo, one pipeline. Guidance above 0 turns classifier-free guidance on: the Turbo needs 0.0."""

from __future__ import annotations

from typing import ClassVar

from PIL.Image import Image

from evidence.generators.local import Local
from evidence.types import Request


class ZImage(Local):
    pipeline: ClassVar[str] = "ZImagePipeline"

    def _tokens(self, prompt: str) -> list[int]:
        turn = [{"role": "user", "content": prompt}]
        told = {"add_generation_prompt": True, "enable_thinking": True}
        return super()._tokens(self.pipe.tokenizer.apply_chat_template(turn, tokenize=False, **told))

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
