"""FLUX.2 Klein: its own class, not that of FLUX.2. Its first positional argument is a picture, so all are named.

That picture is a reference: an edit redraws it, without a strength. It has no negative prompt, and the distilled
repository does not read a guidance scale.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from evidence.generators.diffusers_base import StagedLocal
from evidence.interfaces import Request


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

    def _sample(self, requests: list[Request], embedded: dict[str, Tensor]) -> Tensor:
        """Pictures that start from one are sampled one at a time: all pictures of a call are references for each."""
        if not any(request.image for request in requests):
            return self._latents(requests, embedded)
        each = ({name: part[at : at + 1] for name, part in embedded.items()} for at in range(len(requests)))
        return torch.cat([self._latents([request], own) for request, own in zip(requests, each, strict=True)])

    def _unscaled(self, latents: Tensor) -> Tensor:
        return latents  # the pipeline did it
