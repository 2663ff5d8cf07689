"""Qwen-Image. Its guidance is `true_cfg_scale`, and is on only when there is a negative prompt: by default a blank."""

from __future__ import annotations

from typing import ClassVar

from PIL.Image import Image
from torch import Tensor

from evidence.generators.diffusers_base import StagedLocal
from evidence.interfaces import Request
from evidence.registry import Setting


class QwenImage(StagedLocal):
    pipeline: ClassVar[str] = "QwenImagePipeline"
    image_to_image: ClassVar[str] = "QwenImageImg2ImgPipeline"
    encoders: ClassVar[tuple[str, ...]] = ("text_encoder",)
    always: ClassVar[dict[str, Setting]] = {"batch": 1}  # texts are as long as their prompts

    def _reads_negative(self) -> bool:
        return float(self.settings["true_cfg_scale"] or 1) > 1

    def _embed(self, prompt: str, negative: str) -> dict[str, Tensor]:
        embedded = {"prompt_embeds": self._read(prompt)}
        return embedded | ({"negative_prompt_embeds": self._read(negative or " ")} if self._reads_negative() else {})

    def _read(self, text: str) -> Tensor:
        """(1, tokens, width); one text alone needs no mask."""
        window = self.settings["max_sequence_length"]
        embeds, _ = self.pipe.encode_prompt(text, device=self.device, max_sequence_length=window)
        return embeds  # type: ignore[no-any-return]

    def _sample(self, requests: list[Request], embedded: dict[str, Tensor]) -> Tensor:
        return self._latents(requests, embedded, true_cfg_scale=self.settings["true_cfg_scale"])

    def _pictures(self, latents: Tensor) -> list[Image]:
        pipe = self.pipe
        unpacked = pipe._unpack_latents(latents, self.settings["height"], self.settings["width"], pipe.vae_scale_factor)
        frames = pipe.vae.decode(self._unscaled(unpacked.to(pipe.vae.dtype)), return_dict=False)[0]
        return pipe.image_processor.postprocess(frames[:, :, 0])  # type: ignore[no-any-return]

    def _unscaled(self, latents: Tensor) -> Tensor:
        config = self.pipe.vae.config
        mean, deviation = (
            latents.new_tensor(s).view(1, -1, 1, 1, 1) for s in (config.latents_mean, config.latents_std)
        )
        return latents / (1.0 / deviation) + mean
