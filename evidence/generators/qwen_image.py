"""Qwen-Image. Its guidance is `true_cfg_scale`, and is on only when there is a negative prompt: by default a blank."""

from __future__ import annotations

from typing import ClassVar

from PIL.Image import Image

from evidence.generators.local import Local
from evidence.types import Request


class QwenImage(Local):
    pipeline: ClassVar[str] = "QwenImagePipeline"

    def _reads_negative(self) -> bool:
        return float(self.settings["true_cfg_scale"] or 1) > 1

    def _paint(self, requests: list[Request]) -> list[Image]:
        return self.pipe(  # type: ignore[no-any-return]
            prompt=[request.prompt for request in requests],
            negative_prompt=[self._negative(request) or " " for request in requests],
            true_cfg_scale=self.settings["true_cfg_scale"],
            max_sequence_length=self.settings["max_sequence_length"],
            **self._told(requests),
        ).images
