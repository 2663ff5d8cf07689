"""FLUX.1 and its relatives: a transformer of its own from one file, a LoRA, image-to-image, true CFG, VSF, NAG.

FLUX ignores a negative prompt unless true CFG, VSF or NAG is on: such a request is refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import diffusers
import torch
from PIL.Image import Image
from torch import Tensor

from evidence.generators.diffusers_base import StagedLocal
from evidence.interfaces import GenerationFailed, Request
from evidence.steering import vsf
from evidence.steering.apply import rule, steered
from evidence.weights import Unavailable


class Flux(StagedLocal):
    pipeline: ClassVar[str] = "FluxPipeline"
    encoders: ClassVar[tuple[str, ...]] = ("text_encoder", "text_encoder_2")
    image_to_image: ClassVar[str] = "FluxImg2ImgPipeline"

    def _swapped(self, folder: Path, dtype: torch.dtype) -> Any:
        """The transformer of one file; its names and shapes must be those of the base's configuration."""
        from safetensors import safe_open

        file = self._fetch(self.card.transformer)
        made = diffusers.FluxTransformer2DModel
        config = made.load_config(folder, subfolder="transformer", local_files_only=True)
        with torch.device("meta"):
            expected = {name: list(part.shape) for name, part in made.from_config(config).state_dict().items()}
        with safe_open(file, "pt") as opened:
            found = {name: opened.get_slice(name).get_shape() for name in list(opened.keys())}
        if found != expected:
            odd = sorted(found.keys() ^ expected.keys()) or [n for n in found if found[n] != expected[n]]
            raise Unavailable(f"{self.card.transformer} is not a transformer for {self.card.weights}: see {odd[0]}")
        return made.from_single_file(
            file, config=str(folder), subfolder="transformer", dtype=dtype, local_files_only=True
        )

    def _tokens(self, prompt: str) -> list[int]:
        return list(self.pipe.tokenizer_2(prompt).input_ids)

    def _reads_negative(self) -> bool:
        return self.settings["method"] != "none" or float(self.settings["true_cfg_scale"] or 1) > 1

    def _window(self, negative: str) -> int:
        """Under VSF the negative prompt takes its tokens from the prompt's window."""
        whole, unwanted = super()._window(negative), negative or str(self.settings["negative_prompt"])
        shared = self.settings["method"] == "vsf" and rule(self.settings) is not None and unwanted
        return whole - len(self._tokens(unwanted)) if shared else whole

    def _embed(self, prompt: str, negative: str) -> dict[str, Tensor]:
        window = super()._window(negative)
        steered = rule(self.settings) if negative else None
        if steered and self.settings["method"] == "vsf":
            return self._shared(prompt, negative, self._window(negative))
        embeds, pooled = self._read(prompt, window)
        embedded = {"prompt_embeds": embeds, "pooled_prompt_embeds": pooled}
        if steered:
            against, away = self._read(negative, window)
            return embedded | {"unwanted_embeds": against, "unwanted_pooled": away}
        if float(self.settings["true_cfg_scale"] or 1) > 1:
            against, away = self._read(negative, window)
            embedded |= {"negative_prompt_embeds": against, "negative_pooled_prompt_embeds": away}
        return embedded

    def _shared(self, prompt: str, negative: str, room: int) -> dict[str, Tensor]:
        """VSF: positive and negative tokens in one sequence, which fill the window together, as in the published
        sibling scripts."""
        tokens = len(self._tokens(negative))
        if room < 1:
            window = self.settings["max_sequence_length"]
            raise GenerationFailed(f"the negative prompt fills the text window of {window} tokens")
        (embeds, pooled), (against, away) = self._read(prompt, room), self._read(negative, tokens)
        return {
            "prompt_embeds": torch.cat([embeds, against], 1),
            "pooled_prompt_embeds": vsf.pooled(pooled, away, float(self.settings["pooled_scale"] or 1)),
            "negative_tokens": torch.tensor([[tokens]]),
        }

    def _read(self, text: str, window: int) -> tuple[Tensor, Tensor]:
        """Embeddings of T5 (1, window, width) and the pooled one of CLIP."""
        embeds, pooled, _ = self.pipe.encode_prompt(text, None, device=self.device, max_sequence_length=window)
        return embeds, pooled

    def _sample(self, requests: list[Request], embedded: dict[str, Tensor]) -> Tensor:
        with steered(self.pipe.transformer, self.settings, embedded):
            return self._latents(requests, embedded, true_cfg_scale=self.settings["true_cfg_scale"])

    def _pictures(self, latents: Tensor) -> list[Image]:
        pipe = self.pipe
        unpacked = pipe._unpack_latents(latents, self.settings["height"], self.settings["width"], pipe.vae_scale_factor)
        return super()._pictures(unpacked)
