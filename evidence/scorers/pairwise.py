"""The pairwise judge: a chat model sees two pictures and the prompt and says which one shows it better, or neither.

Any OpenAI-compatible service. The order of the pictures is the caller's random bit, so that it is on record; a tie
stays a tie. One request, no retries here: the engine decides what is worth another try. The key comes from the
environment and appears in no error.
"""

from __future__ import annotations

import base64
import io
import json
import os
from typing import Any

import openai
from openai.types.shared_params import ResponseFormatJSONSchema
from PIL.Image import Image

from evidence.rows import Unavailable
from evidence.scorers.rows import PairwiseRow
from evidence.types import GenerationFailed

FIRST, SECOND, TIE = 0, 1, -1
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
RETRYABLE = (408, 409, 425, 429)


class JudgementFailed(GenerationFailed):
    """No judgement. Retryable for 429, 5xx, time-outs, cut connections and answers that are not of the asked form."""


class PairwiseJudge:
    """`compare` gives 1 where `b` fits the prompt better, 0 where `a` does, -1 for a tie."""

    def __init__(self, row: PairwiseRow) -> None:
        self.row = row
        self._key = os.environ.get(row.key_env, "")
        if not self._key:
            raise Unavailable(f"{row.id} needs a key", f"export {row.key_env}=...")
        self.client = openai.OpenAI(api_key=self._key, base_url=row.base_url, timeout=row.timeout, max_retries=0)

    def compare(self, a: Image, b: Image, prompt: str, order_bit: bool) -> int:
        """`order_bit` True shows `b` first. Raises JudgementFailed."""
        shown = (b, a) if order_bit else (a, b)
        selection = self._ask(shown, prompt)
        if selection == TIE:
            return TIE
        return int((selection == SECOND) != order_bit)

    def truncated(self, prompts: list[str]) -> list[bool]:
        """Never: the service has no window that such prompts reach."""
        return [False] * len(prompts)

    def _ask(self, shown: tuple[Image, Image], prompt: str) -> int:
        content: list[Any] = [{"type": "text", "text": QUESTION + prompt}]
        content += [{"type": "image_url", "image_url": {"url": data_url(image)}} for image in shown]
        try:
            reply = self.client.chat.completions.create(
                model=self.row.model,
                messages=[{"role": "user", "content": content}],
                temperature=self.row.temperature,
                response_format=ANSWER,
            )
            text = reply.choices[0].message.content
        except openai.APIStatusError as error:
            raise self._status(error) from None
        except openai.APIConnectionError as error:  # time-outs too
            raise JudgementFailed(f"{self.row.id}: {type(error).__name__}", retryable=True) from None
        except (openai.OpenAIError, ValueError, AttributeError, IndexError, TypeError) as error:
            raise JudgementFailed(f"{self.row.id}: not a chat reply ({type(error).__name__})", retryable=True) from None
        return self._selection(text)

    def _status(self, error: openai.APIStatusError) -> JudgementFailed:
        code = error.status_code
        refused = f"the key in {self.row.key_env} is refused"  # some services quote parts of it
        told = refused if code in (401, 403) else self._without_key(str(error.message))[:200]
        wait = error.response.headers.get("retry-after", "")
        return JudgementFailed(
            f"{self.row.id}: HTTP {code}: {told}",
            retryable=code in RETRYABLE or code >= 500,
            retry_after=float(wait) if wait.replace(".", "", 1).isdigit() else None,
        )

    def _selection(self, text: str | None) -> int:
        try:
            selection = json.loads(text or "")["selection"]
        except (ValueError, KeyError, TypeError):
            selection = None
        if selection not in (FIRST, SECOND, TIE) or isinstance(selection, bool):
            told = self._without_key(str(text))[:80]
            raise JudgementFailed(f"{self.row.id}: no selection in {told!r}", retryable=True)
        return int(selection)

    def _without_key(self, text: str) -> str:
        return text.replace(self._key, "***")


def data_url(image: Image) -> str:
    """The picture as lossless PNG in a data address."""
    stream = io.BytesIO()
    image.convert("RGB").save(stream, "PNG")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
