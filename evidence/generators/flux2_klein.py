"""FLUX.2 Klein: its own class, not that of FLUX.2. Its first positional argument is a picture, so all are named.

It has no negative prompt, and the distilled repository does not read a guidance scale.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from evidence.generators.diffusers_base import StagedLocal


class Flux2Klein(StagedLocal):
    pipeline: ClassVar[str] = "Flux2KleinPipeline"
    encoders: ClassVar[tuple[str, ...]] = ("text_encoder",)
    layers: ClassVar[tuple[int, ...]] = (9, 18, 27)  # of the text encoder, read by the transformer

    def _tokens(self, prompt: str) -> list[int]:
        turn = [{"role": "user", "content": prompt}]
        told = {"add_generation_prompt": True, "enable_thinking": False}
        return super()._tokens(self.pipe.tokenizer.apply_chat_template(turn, tokenize=False, **told))

    def _embed(self, prompt: str, negative: str) -> dict[str, Tensor]:
        embedded = {"prompt_embeds": self._read(prompt)}
        if float(self.settings["guidance"] or 0) > 1 and not self.pipe.config.is_distilled:
            embedded["negative_prompt_embeds"] = self._read("")
        return embedded

    def _read(self, text: str) -> Tensor:
        window = self.settings["max_sequence_length"]
        embeds, _ = self.pipe.encode_prompt(
            text, device=self.device, max_sequence_length=window, text_encoder_out_layers=self.layers
        )
        return embeds  # type: ignore[no-any-return]

    def _unscaled(self, latents: Tensor) -> Tensor:
        return latents  # the pipeline did it
