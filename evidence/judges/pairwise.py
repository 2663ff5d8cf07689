"""The pairwise judge: a chat model sees two pictures and the prompt and says which one shows it better, or neither.

Any OpenAI-compatible service. The order of the pictures is the caller's random bit, so that it is on record; a tie
stays a tie. One request, no retries here: the engine decides what is worth another try. The key comes from the
environment at every request and appears in no error.
"""

from __future__ import annotations

import base64
import io
import os
import re
from typing import Any

import httpx
import openai
from openai.types.shared_params import ResponseFormatJSONSchema
from PIL.Image import Image

from evidence.generators.http_base import blotted, classified, within
from evidence.generators.openai_client import told_inside
from evidence.generators.transport import Limited
from evidence.interfaces import GenerationFailed
from evidence.judges.pairwise_card import PairwiseCard
from evidence.weights import Unavailable

FIRST, SECOND, TIE = 0, 1, -1
_SELECTION = re.compile(r'"selection"\s*:\s*"?(-1|0|1)"?\s*[,}]')
_BARE = re.compile(r'\s*"?(-1|0|1)"?\s*')
QUESTION = (
    "Two images follow, the first and then the second. Which of them shows better what this description asks for, "
    "with every effect and flaw that it names? Judge only how well the description is met, not which image is nicer. "
    "Answer 0 for the first, 1 for the second, -1 if neither is better.\nDescription: "
)
ANSWER: ResponseFormatJSONSchema = {
    "type": "json_schema",
    "json_schema": {
        "name": "selection",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"selection": {"type": "integer", "enum": [FIRST, SECOND, TIE]}},
            "required": ["selection"],
            "additionalProperties": False,
        },
    },
}


class JudgementFailed(GenerationFailed):
    """No judgement. Retryable for 429, 5xx, time-outs, cut connections and answers of another form."""


class PairwiseJudge:
    """`compare` gives 1 where `b` fits the prompt better, 0 where `a` does, -1 for a tie."""

    def __init__(self, card: PairwiseCard) -> None:
        self.card = card
        self._key()

    def compare(self, a: Image, b: Image, prompt: str, order_bit: bool) -> int:
        """`order_bit` True shows `b` first. Takes at most the card's `timeout`. Raises JudgementFailed."""
        key, failure, said = self._key(), None, ""
        try:
            said = str(within(self.card.timeout, lambda: self._ask((b, a) if order_bit else (a, b), prompt, key)))
        except GenerationFailed as error:
            failure = error
        except openai.APIStatusError as error:
            failure = classified(_told(error), error.status_code, dict(error.response.headers), key)
        except Exception as error:  # of the client, which quotes servers: told outside of this block, by its class
            failure = classified(type(error).__name__, None, {}, key)
        if failure is not None:
            reason = f"{self.card.id}: {failure.reason}"
            raise JudgementFailed(reason, retryable=failure.retryable, retry_after=failure.retry_after)
        selection = self._selection(said, key)
        return TIE if selection == TIE else int((selection == SECOND) != order_bit)

    def truncated(self, prompts: list[str]) -> list[bool]:
        """Never: the service has no window that such prompts reach."""
        return [False] * len(prompts)

    def _key(self) -> str:
        if key := os.environ.get(self.card.key_env, "").strip():
            return key
        raise Unavailable(f"{self.card.label} needs a key in {self.card.key_env}", f"export {self.card.key_env}=…")

    def _ask(self, shown: tuple[Image, Image], prompt: str, key: str) -> str:
        limit = self.card.timeout
        http = httpx.Client(transport=Limited(limit), follow_redirects=True)
        told: dict[str, Any] = {"api_key": key, "base_url": self.card.base_url, "timeout": limit, "http_client": http}
        client = openai.OpenAI(max_retries=0, **told)
        content: list[Any] = [{"type": "text", "text": QUESTION + prompt}]
        content += [{"type": "image_url", "image_url": {"url": data_url(image)}} for image in shown]
        reply = client.chat.completions.create(
            model=self.card.model,
            messages=[{"role": "user", "content": content}],
            temperature=self.card.temperature,
            response_format=ANSWER,
        )
        if failure := told_inside(reply, key):
            raise failure
        return reply.choices[0].message.content or ""

    def _selection(self, text: str, key: str) -> int:
        """The selection in an answer: as JSON, fenced or among words, or as the bare number."""
        bare = _BARE.fullmatch(text)
        found = {int(bare[1])} if bare else {int(number) for number in _SELECTION.findall(text)}
        if len(found) != 1:
            raise JudgementFailed(f"{self.card.id}: no selection in {blotted(text, key)[:80]!r}", retryable=True)
        return found.pop()


def _told(error: openai.APIStatusError) -> str:
    body: Any = error.body
    inner = body.get("error", body) if isinstance(body, dict) else None
    return str(inner.get("message", "")) if isinstance(inner, dict) else ""


def data_url(image: Image) -> str:
    """The picture as lossless PNG in a data address."""
    stream = io.BytesIO()
    image.convert("RGB").save(stream, "PNG")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
