"""Sana without its instruction to the text encoder.

By default the pipeline puts an instruction before the prompt that has the text encoder "enhance" it, which would undo
what is asked for. It is never sent, no setting can bring it back, and the recipe says so. Pictures of any other size
than the trained ones would be made at the nearest and resized without a word: `use_resolution_binning` is off.
"""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from evidence.generators.diffusers_base import StagedLocal
from evidence.interfaces import Request
from evidence.registry import Setting


class Sana(StagedLocal):
    pipeline: ClassVar[str] = "SanaPipeline"
    encoders: ClassVar[tuple[str, ...]] = ("text_encoder",)
    always: ClassVar[dict[str, Setting]] = {"complex_human_instruction": False, "resolution_binning": False}

    def _embed(self, prompt: str, negative: str) -> dict[str, Tensor]:
        embeds, mask, against, unread = self.pipe.encode_prompt(
            prompt,
            do_classifier_free_guidance=self._reads_negative(),
            negative_prompt=negative,
            device=self.device,
            max_sequence_length=self.settings["max_sequence_length"],
            complex_human_instruction=None,
        )
        embedded = {"prompt_embeds": embeds, "prompt_attention_mask": mask}
        if self._reads_negative():
            embedded |= {"negative_prompt_embeds": against, "negative_prompt_attention_mask": unread}
        return embedded

    def _sample(self, requests: list[Request], embedded: dict[str, Tensor]) -> Tensor:
        apart: dict[str, Any] = {"negative_prompt": None, "use_resolution_binning": False}
        return self._latents(requests, embedded, **apart)

    def _unscaled(self, latents: Tensor) -> Tensor:
        return latents / self.pipe.vae.config.scaling_factor  # type: ignore[no-any-return]
