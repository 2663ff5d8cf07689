"""FLUX.2 Klein: its own class, not that of FLUX.2. Its first positional argument is a picture, so the prompt is named.

It has no negative prompt, and the distilled repository does not read a guidance scale.
"""

from __future__ import annotations

from typing import ClassVar

from PIL.Image import Image

from evidence.generators.local import Local
from evidence.types import Request


class Flux2Klein(Local):
    pipeline: ClassVar[str] = "Flux2KleinPipeline"
    layers: ClassVar[tuple[int, ...]] = (9, 18, 27)  # of the text encoder, read by the transformer

    def _tokens(self, prompt: str) -> list[int]:
        turn = [{"role": "user", "content": prompt}]
        told = {"add_generation_prompt": True, "enable_thinking": False}
        return super()._tokens(self.pipe.tokenizer.apply_chat_template(turn, tokenize=False, **told))

    def _paint(self, requests: list[Request]) -> list[Image]:
        return self.pipe(  # type: ignore[no-any-return]
            prompt=[request.prompt for request in requests],
            guidance_scale=self.settings["guidance"],
            max_sequence_length=self.settings["max_sequence_length"],
            text_encoder_out_layers=self.layers,
            **self._told(requests),
        ).images
