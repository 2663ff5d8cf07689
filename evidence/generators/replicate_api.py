"""Models on Replicate through its official client (qwen_image, seeddream4).

A prediction is created, then asked for until it ends. The client's transport retries by itself; ours does not. Pictures
lie on another host than the API: they are fetched without the key.
"""

from __future__ import annotations

import contextlib
import time
from typing import Any, ClassVar
from urllib.parse import urlsplit

import httpx
from replicate.client import Client, RetryTransport
from replicate.exceptions import ReplicateError

from evidence.generators.http_base import SAID, Remote, classified
from evidence.generators.transport import Limited
from evidence.interfaces import GenerationFailed, Request

# Our names of settings, and those of the services.
NAMES = {
    "steps": "num_inference_steps",
    "guidance": "guidance",
    "width": "width",
    "height": "height",
    "aspect_ratio": "aspect_ratio",
    "image_size": "image_size",
    "resolution": "size",
    "fast": "go_fast",
    "enhance_prompt": "enhance_prompt",
    "sequential": "sequential_image_generation",
    "pictures": "max_images",
    "format": "output_format",
}
POLL = 0.5  # seconds
CANCELLING = 0.5  # seconds that are kept to cancel a prediction that takes too long: it would be paid for


class Replicate(Remote):
    endpoint: ClassVar[str] = "https://api.replicate.com"
    endpoint_variable: ClassVar[str] = "REPLICATE_BASE_URL"
    poll: ClassVar[float] = POLL

    def _ask(self, request: Request, key: str, base_url: str) -> bytes | str:
        last: list[httpx.Response] = []  # the client's errors keep neither status nor headers of every answer
        limit = float(self.settings["timeout"] or 60)
        client = Client(
            api_token=key,
            base_url=base_url,
            timeout=httpx.Timeout(limit),
            transport=Limited(limit),
            event_hooks={"response": [last.append]},
        )
        _stop_retrying(client)
        try:
            output = self._predicted(client, request, limit, key, base_url)
        except GenerationFailed:
            raise
        except Exception as error:
            said = error.detail or error.title or "" if isinstance(error, ReplicateError) else type(error).__name__
            refused = last[-1] if last and last[-1].status_code >= 400 else None
            raise classified(
                str(said), refused.status_code if refused else None, dict(refused.headers) if refused else {}, key
            ) from None
        return _fetched(output, limit)

    def _predicted(self, client: Client, request: Request, limit: float, key: str, base_url: str) -> Any:
        told = {theirs: self.settings[ours] for ours, theirs in NAMES.items() if self.settings.get(ours) is not None}
        if self.settings["seeded"] and request.seed is not None:
            told["seed"] = request.seed
        prediction = client.models.predictions.create(self.card.weights, {"prompt": request.prompt, **told})
        ends = time.monotonic() + limit - CANCELLING
        while prediction.status not in ("succeeded", "failed", "canceled"):
            if time.monotonic() > ends:
                _cancel(prediction, key, base_url)
                raise GenerationFailed(f"no picture within {limit:g} s", retryable=True)
            time.sleep(self.poll)
            prediction.reload()
        if prediction.status != "succeeded":
            said = " ".join(str(prediction.error or "").split())[:SAID]
            passing = classified(said, 400, {}, "").retryable
            raise GenerationFailed(f"the prediction {prediction.status}: {said}", retryable=passing)
        return prediction.output

    def _failure(self, error: Exception) -> tuple[str, int | None, dict[str, str]]:
        if isinstance(error, httpx.HTTPStatusError):
            return "while fetching the picture", error.response.status_code, dict(error.response.headers)
        return f"while fetching the picture ({type(error).__name__})", None, {}


def _cancel(prediction: Any, key: str, base_url: str) -> None:
    """Best effort, over a connection of its own: the other one's time is up."""
    headers = {"Authorization": f"Bearer {key}"}
    with contextlib.suppress(httpx.HTTPError), httpx.Client(transport=Limited(5.0), headers=headers) as client:
        client.post(f"{base_url.rstrip('/')}/v1/predictions/{prediction.id}/cancel")


def _stop_retrying(client: Client) -> None:
    transport = client._client._transport
    if isinstance(transport, RetryTransport):
        transport.max_attempts = 1


def _fetched(output: Any, limit: float) -> bytes | str:
    """What lies behind the first address of the output."""
    first = output[0] if isinstance(output, list) and output else output
    if not isinstance(first, str):
        raise GenerationFailed("an answer without a picture", retryable=True)
    if first.startswith("data:image/"):
        return first.partition(",")[2]
    if urlsplit(first).scheme not in ("https", "http"):
        raise GenerationFailed("a picture in an unknown form", retryable=False)
    with httpx.Client(transport=Limited(limit), follow_redirects=True) as client:
        answer = client.get(first)
        answer.raise_for_status()
        return answer.content
