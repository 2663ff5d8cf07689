"""Stable Diffusion XL and Playground v2.5 (whose EDM scheduler and latent statistics come with its repository).

CLIP reads 77 tokens and cuts the rest. `long_prompts = "chunked"` embeds a longer prompt in chunks of 75 tokens, each
between its own start and end marks, and joins them; a prompt that fits gives the stock embedding. Without a
negative prompt there stand the zeros that the repository asks for, as in the stock pipeline; `empty_negative =
"encoded"` is the stock pipeline that is passed an empty one.
"""

from __future__ import annotations

import copy
from typing import Any, ClassVar

import torch
from PIL.Image import Image
from torch import Tensor

from evidence.generators.diffusers_base import StagedLocal
from evidence.registry import Setting

CHUNK = 75


class Sdxl(StagedLocal):
    pipeline: ClassVar[str] = "StableDiffusionXLPipeline"
    image_to_image: ClassVar[str] = "StableDiffusionXLImg2ImgPipeline"
    encoders: ClassVar[tuple[str, ...]] = ("text_encoder", "text_encoder_2")
    denoiser: ClassVar[str] = "unet"
    always: ClassVar[dict[str, Setting]] = {"watermark": False}
    options: ClassVar[dict[str, Any]] = {"add_watermarker": False}

    def _placed(self, pipe: Any, settings: dict[str, Setting]) -> Any:
        placed = super()._placed(pipe, settings)
        if placed.vae.dtype == torch.float16 and placed.vae.config.force_upcast:
            placed.vae.to(torch.float32)  # the decoder overflows in half precision
        return placed

    def truncated(self, prompts: list[str], negatives: list[str] | None = None) -> list[bool]:
        cut = self.settings["long_prompts"] == "truncated"
        return [cut and len(self._words(self.pipe.tokenizer, prompt)) > CHUNK for prompt in prompts]

    def _embed(self, prompt: str, negative: str) -> dict[str, Tensor]:
        count = max(self._chunks(prompt), self._chunks(negative))
        embeds, pooled = self._clip(prompt, count)
        encoded = self.settings["empty_negative"] == "encoded" or not self.pipe.config.force_zeros_for_empty_prompt
        if negative or encoded:
            against, away = self._clip(negative, count)
        else:
            against, away = torch.zeros_like(embeds), torch.zeros_like(pooled)
        return {
            "prompt_embeds": embeds,
            "pooled_prompt_embeds": pooled,
            "negative_prompt_embeds": against,
            "negative_pooled_prompt_embeds": away,
        }

    def _chunks(self, prompt: str) -> int:
        if self.settings["long_prompts"] == "truncated":
            return 1
        return max(1, -(-len(self._words(self.pipe.tokenizer, prompt)) // CHUNK))

    def _words(self, tokenizer: Any, prompt: str) -> list[int]:
        return list(tokenizer(prompt, add_special_tokens=False).input_ids)

    def _clip(self, prompt: str, count: int) -> tuple[Tensor, Tensor]:
        """(1, 77 * count, width) of both encoders side by side, and the second one's pooled first chunk."""
        seen, pooled = [], None
        for suffix in ("", "_2"):
            tokenizer, encoder = getattr(self.pipe, f"tokenizer{suffix}"), getattr(self.pipe, f"text_encoder{suffix}")
            tokens = self._words(tokenizer, prompt)
            chunks = [self._framed(tokenizer, tokens[start * CHUNK :][:CHUNK]) for start in range(count)]
            read = [encoder(torch.tensor([chunk], device=self.device), output_hidden_states=True) for chunk in chunks]
            seen.append(torch.cat([output.hidden_states[-2] for output in read], 1))
            pooled = read[0][0]
        assert pooled is not None
        return torch.cat(seen, -1), pooled

    def _framed(self, tokenizer: Any, tokens: list[int]) -> list[int]:
        padding = [tokenizer.pad_token_id] * (CHUNK - len(tokens))
        return [tokenizer.bos_token_id, *tokens, tokenizer.eos_token_id, *padding]

    def _components(self) -> dict[str, Any]:
        """With an autoencoder of its own: image-to-image sets the number format of the one that reads pictures, while
        others are decoded."""
        self._reader = getattr(self, "_reader", None) or copy.deepcopy(self.pipe.vae)
        return super()._components() | {"vae": self._reader}

    def _from_pictures(self, told: dict[str, Any], images: list[Image]) -> dict[str, Any]:
        """The size of its picture is that of the result: it takes no other."""
        complete = super()._from_pictures(told, images)
        return {name: value for name, value in complete.items() if name not in ("width", "height")}

    def _unscaled(self, latents: Tensor) -> Tensor:
        config = self.pipe.vae.config
        if config.latents_mean is None or config.latents_std is None:
            return latents / config.scaling_factor  # type: ignore[no-any-return]
        mean, std = (latents.new_tensor(s).view(1, -1, 1, 1) for s in (config.latents_mean, config.latents_std))
        scaled: Tensor = latents * std / config.scaling_factor + mean
        return scaled
