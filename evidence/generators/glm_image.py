"""GLM-Image: an autoregressive stage, then diffusion. Its first stage samples on torch's global generator.

A picture would therefore depend on the others of its batch, so there is one at a time, and the global generator is put
back as it was. It takes no picture here, though its pipeline has the argument: diffusers 0.42 hands the first stage of
transformers 5 features of another shape than that reads.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from PIL.Image import Image

from evidence.generators.diffusers_base import Local
from evidence.interfaces import Request
from evidence.registry import Setting


class GlmImage(Local):
    pipeline: ClassVar[str] = "GlmImagePipeline"
    always: ClassVar[dict[str, Setting]] = {"batch": 1}

    def truncated(self, prompts: list[str], negatives: list[str] | None = None) -> list[bool]:
        return [False for _ in prompts]  # the first stage has no window of its own

    def _paint(self, requests: list[Request]) -> list[Image]:
        (request,) = requests
        (noise,) = self._noise(requests)
        with torch.random.fork_rng():
            return self.pipe(  # type: ignore[no-any-return]
                prompt=request.prompt,
                width=self.settings["width"],
                height=self.settings["height"],
                num_inference_steps=self.settings["steps"],
                guidance_scale=self.settings["guidance"],
                generator=noise,
            ).images
