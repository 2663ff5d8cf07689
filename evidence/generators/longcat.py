"""LongCat-Image without its prompt rewriter.

By default the pipeline lets a language model beautify the prompt first, which would undo what is asked for. The
rewriter's processor is not even loaded (it would need torchvision), so that no setting can bring it back, and the
recipe says so.
"""

from __future__ import annotations

from typing import ClassVar

from PIL.Image import Image

from evidence.generators.diffusers_base import Local
from evidence.interfaces import Request
from evidence.registry import Setting


class LongCat(Local):
    pipeline: ClassVar[str] = "LongCatImagePipeline"
    omitted: ClassVar[tuple[str, ...]] = ("text_processor",)
    always: ClassVar[dict[str, Setting]] = {"prompt_rewrite": False}

    def truncated(self, prompts: list[str], negatives: list[str] | None = None) -> list[bool]:
        return [len(self._tokens(prompt)) > self.pipe.tokenizer_max_length for prompt in prompts]

    def _paint(self, requests: list[Request]) -> list[Image]:
        full = self._full(requests)
        images: list[Image] = self.pipe(
            prompt=[request.prompt for request in full],
            negative_prompt=[self._negative(request) for request in full],
            guidance_scale=self.settings["guidance"],
            enable_cfg_renorm=self.settings["cfg_renorm"],
            enable_prompt_rewrite=False,
            **self._told(full),
        ).images
        return images[: len(requests)]
