"""Stable Diffusion 3.5 and its LoRAs in PEFT's form; VSF and NAG, without classifier-free guidance.

The same text goes to all three encoders. CLIP's two read 77 tokens, T5 `max_sequence_length`: a prompt counts as
truncated when it is longer than the wider window.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from evidence.generators.diffusers_base import StagedLocal
from evidence.interfaces import Request
from evidence.steering.apply import rule, steered


class Sd3(StagedLocal):
    pipeline: ClassVar[str] = "StableDiffusion3Pipeline"
    image_to_image: ClassVar[str] = "StableDiffusion3Img2ImgPipeline"
    encoders: ClassVar[tuple[str, ...]] = ("text_encoder", "text_encoder_2", "text_encoder_3")

    def truncated(self, prompts: list[str], negatives: list[str] | None = None) -> list[bool]:
        window = max(77, int(self.settings["max_sequence_length"] or 0))
        return [len(self._tokens(prompt)) > window for prompt in prompts]

    def _tokens(self, prompt: str) -> list[int]:
        return list(self.pipe.tokenizer_3(prompt).input_ids)

    @property
    def _guided(self) -> bool:
        return float(self.settings["guidance"] or 0) > 1

    def _reads_negative(self) -> bool:
        return self._guided or self.settings["method"] != "none"

    def _embed(self, prompt: str, negative: str) -> dict[str, Tensor]:
        embeds, against, pooled, away = self.pipe.encode_prompt(
            prompt,
            prompt,
            prompt,
            device=self.device,
            do_classifier_free_guidance=self._guided,
            negative_prompt=negative,
            max_sequence_length=self.settings["max_sequence_length"],
        )
        embedded = {"prompt_embeds": embeds, "pooled_prompt_embeds": pooled}
        if self._guided:
            return embedded | {"negative_prompt_embeds": against, "negative_pooled_prompt_embeds": away}
        if rule(self.settings) and negative:
            apart = self._unpadded(negative) if self.settings["method"] == "vsf" else self._read(negative)
            embedded["prompt_embeds"] = torch.cat([embeds, apart], 1)
            embedded["negative_tokens"] = torch.tensor([[apart.shape[1]]])
        return embedded

    def _unpadded(self, text: str) -> Tensor:
        """Embeddings of the tokens of `text` alone: CLIP's, then T5's, whose encoder would read its own padding."""
        read, by_t5 = (len(tokenizer(text).input_ids) for tokenizer in (self.pipe.tokenizer, self.pipe.tokenizer_3))
        embeds = self._read(text, by_t5)
        return torch.cat([embeds[:, : min(read, 77)], embeds[:, 77:]], 1)

    def _read(self, text: str, window: int = 0) -> Tensor:
        """Embeddings of CLIP's 77 tokens and of T5's window (1, tokens, width)."""
        embeds, *_ = self.pipe.encode_prompt(
            text,
            text,
            text,
            device=self.device,
            do_classifier_free_guidance=False,
            max_sequence_length=window or self.settings["max_sequence_length"],
        )
        return embeds  # type: ignore[no-any-return]

    def _sample(self, requests: list[Request], embedded: dict[str, Tensor]) -> Tensor:
        with steered(self.pipe.transformer, self.settings, embedded):
            return super()._sample(requests, embedded)
