"""A chat model that answers with a picture, through OpenRouter and the official openai client (Nano Banana).

An answer in words only is a failure worth another try; the service takes no seed, so none is recorded.
"""

from __future__ import annotations

from typing import Any, ClassVar

from evidence.generators.openai_client import OpenAIClient, field, told_inside
from evidence.interfaces import GenerationFailed, Request


class OpenRouterChat(OpenAIClient):
    endpoint: ClassVar[str] = "https://openrouter.ai/api/v1"
    endpoint_variable: ClassVar[str] = "OPENROUTER_BASE_URL"

    def _ask(self, request: Request, key: str, base_url: str) -> bytes | str:
        answer = self._client(key, base_url).chat.completions.create(
            model=self.card.weights,
            messages=[{"role": "user", "content": f"{self.settings['instruction']}\n{request.prompt}"}],
            extra_body={"modalities": ["image", "text"]},
        )
        if failure := told_inside(answer, key):
            raise failure
        message: Any = answer.choices[0].message if getattr(answer, "choices", None) else None
        images = getattr(message, "images", None) or []
        if not images:
            said = " ".join(str(getattr(message, "content", "") or "").split())[:120]
            raise GenerationFailed(f"an answer without a picture: {said!r}", retryable=True)
        url = str(field(field(images[0], "image_url"), "url"))
        kind, _, content = url.partition(",")
        if not kind.startswith("data:image/") or not kind.endswith(";base64"):
            raise GenerationFailed(f"a picture in an unknown form: {kind[:40]!r}", retryable=False)
        return content
