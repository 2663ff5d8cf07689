"""Z-Image and Z-Image-Turbo, one pipeline. Guidance above 0 turns classifier-free guidance on: the Turbo needs 0.0."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from evidence.generators.diffusers_base import StagedLocal
from evidence.interfaces import Request
from evidence.registry import Setting


class ZImage(StagedLocal):
    pipeline: ClassVar[str] = "ZImagePipeline"
    image_to_image: ClassVar[str] = "ZImageImg2ImgPipeline"
    encoders: ClassVar[tuple[str, ...]] = ("text_encoder",)
    always: ClassVar[dict[str, Setting]] = {"batch": 1}  # texts are as long as their prompts

    def _tokens(self, prompt: str) -> list[int]:
        turn = [{"role": "user", "content": prompt}]
        told = {"add_generation_prompt": True, "enable_thinking": True}
        return super()._tokens(self.pipe.tokenizer.apply_chat_template(turn, tokenize=False, **told))

    def _reads_negative(self) -> bool:
        return float(self.settings["guidance"] or 0) > 0

    def _embed(self, prompt: str, negative: str) -> dict[str, Tensor]:
        wanted, unwanted = self.pipe.encode_prompt(
            prompt,
            device=self.device,
            do_classifier_free_guidance=self._reads_negative(),
            negative_prompt=negative,
            max_sequence_length=self.settings["max_sequence_length"],
        )
        embedded = {"prompt_embeds": wanted[0][None]}
        return embedded | ({"negative_prompt_embeds": unwanted[0][None]} if unwanted else {})

    def _sample(self, requests: list[Request], embedded: dict[str, Tensor]) -> Tensor:
        apart: dict[str, Any] = {name: list(part) for name, part in embedded.items()}  # the pipeline wants lists
        return self._latents(requests, apart)
