"""OpenAI's image service through its official client (gpt-image-1.5). It takes no seed."""

from __future__ import annotations

from typing import Any, ClassVar

from evidence.generators.openai_client import OpenAIClient, told_inside
from evidence.interfaces import GenerationFailed, Request


class OpenAIImages(OpenAIClient):
    endpoint: ClassVar[str] = "https://api.openai.com/v1"
    endpoint_variable: ClassVar[str] = "OPENAI_BASE_URL"

    def _ask(self, request: Request, key: str, base_url: str) -> bytes | str:
        answer: Any = self._client(key, base_url).images.generate(
            model=self.card.weights,
            prompt=request.prompt,
            n=1,
            size=f"{self.settings['width']}x{self.settings['height']}",
            quality=self.settings["quality"],  # type: ignore[arg-type]
        )
        if failure := told_inside(answer, key):
            raise failure
        pictures = getattr(answer, "data", None) or []
        if not pictures or not pictures[0].b64_json:
            raise GenerationFailed("an answer without a picture", retryable=True)
        return str(pictures[0].b64_json)
