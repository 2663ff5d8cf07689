"""What the services have in common: keys, refusals, time limits, and pictures that arrive as text.

A key is read from the environment when a request is made and stands in no attribute, recipe or error text: whatever a
server says is cut short and every stretch of the key in it is blotted out. A client's own retries are off; whether
another try can help is for the engine to decide. 4xx is final, except 408 and
429.
"""

from __future__ import annotations

import base64
import math
import os
import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar, Self

import httpx
from PIL import Image

from effects.decode import decode, flatten
from evidence.cards.models import ModelCard
from evidence.generators.refuse import reason_to_refuse
from evidence.interfaces import GenerationFailed, Request
from evidence.registry import GENERATORS, Setting
from evidence.weights import UNPINNED, Unavailable
from ledger.schema import Recipe

ASPECT = 0.03  # by how much the proportions of a picture may depart from those asked for
SMALLEST, LARGEST = 64, 8192  # pixels of a side of a picture that a service may send
ONE_COLOUR = 0.95  # share of pixels of exactly one colour from which a service's picture counts as a notice
STRETCH = 6  # characters of a key that may not be shown in a card
_PASSING = re.compile(r"out of memory|try again|temporar|overloaded|rate limit|timed? ?out", re.IGNORECASE)
SAID = 160  # characters of a server's answer that an error quotes


class Remote(ABC):
    """One request at a time, each within `timeout` seconds altogether, however slowly its bytes drip."""

    endpoint: ClassVar[str]  # used unless the environment variable of `endpoint_variable` names another
    endpoint_variable: ClassVar[str]

    def __init__(self, card: ModelCard, settings: dict[str, Setting], device: str = "service") -> None:
        self.card = card
        self._arrange(settings)
        self._key()

    def under(self, settings: dict[str, Setting], card: ModelCard | None = None) -> Self:
        return type(self)(card or self.card, settings)

    def generate(self, requests: list[Request]) -> list[Image.Image]:
        """One RGB picture for each request, in order. Raises GenerationFailed."""
        return [self._one(request) for request in requests]

    def truncated(self, prompts: list[str], negatives: list[str] | None = None) -> list[bool]:
        raise NotImplementedError(f"what {self.card.label} reads of a prompt is not known")

    @abstractmethod
    def _ask(self, request: Request, key: str, base_url: str) -> bytes | str:
        """The picture, as bytes or base64. Raises GenerationFailed, or the errors of the official client."""

    @abstractmethod
    def _failure(self, error: Exception) -> tuple[str, int | None, dict[str, str]]:
        """What an error of the client says, its HTTP status where there was an answer, and the answer's headers."""

    def _arrange(self, settings: dict[str, Setting]) -> None:
        self.settings = settings
        told: dict[str, Setting] = {
            k: v for k, v in settings.items() if k not in ("steps", "guidance", "timeout") and v is not None
        }
        self.recipe = Recipe(
            model=self.card.weights,
            revision=UNPINNED,
            adapter=self.card.adapter,
            steps=settings.get("steps"),  # type: ignore[arg-type]
            guidance=settings.get("guidance"),  # type: ignore[arg-type]
            settings=told,
            device="service",
        )

    def _key(self) -> str:
        variable = GENERATORS[self.card.adapter].key
        if key := os.environ.get(variable, "").strip():
            return key
        raise Unavailable(f"{self.card.label} needs a key in {variable}", f"export {variable}=…")

    def _one(self, request: Request) -> Image.Image:
        if request.image is not None or request.negative_prompt:
            raise GenerationFailed(f"{self.card.label} takes neither a picture nor a negative prompt")
        key, failure = self._key(), None
        base_url = os.environ.get(self.endpoint_variable) or self.endpoint
        limit = float(self.settings["timeout"] or 0)
        try:
            answer = within(limit, lambda: self._ask(request, key, base_url))
        except httpx.TimeoutException:
            failure = GenerationFailed(f"no answer within {limit:g} s", retryable=True)
        except GenerationFailed as error:
            failure = GenerationFailed(
                blotted(error.reason, key), retryable=error.retryable, retry_after=error.retry_after
            )
        except Exception as error:  # of the client, which quotes servers: told in our words, outside of this block
            failure = classified(*self._failure(error), key)
        if failure is not None:
            raise failure
        picture = opened(answer)
        if why := self._misshapen(picture):
            raise GenerationFailed(f"the picture is {why}", retryable=True)
        return picture

    def _misshapen(self, picture: Image.Image) -> str:
        """Why a picture is not of the form that was asked for; empty where it is, or where nothing was asked for."""
        width, height = self.settings.get("width"), self.settings.get("height")
        size = f"{picture.width}x{picture.height}"
        if width and height and (width, height) != picture.size:
            return f"{size}, asked for was {width}x{height}"
        across, _, down = str(self.settings.get("aspect_ratio") or "").partition(":")
        if across.isdigit() and down.isdigit() and not (width and height):
            ratio = picture.width / picture.height / (int(across) / int(down))
            if not 1 / (1 + ASPECT) <= ratio <= 1 + ASPECT:
                return f"{size}, asked for was {across}:{down}"
        return "" if min(picture.size) >= SMALLEST and max(picture.size) <= LARGEST else f"{size}: no picture's size"


def within(seconds: float, call: Callable[[], bytes | str]) -> bytes | str:
    """Runs the call for at most `seconds`, and comes back on time; `transport.Limited` ends the connection."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append((call(), None))
        except BaseException as error:
            outcome.append((None, error))

    worker = threading.Thread(target=run, daemon=True, name="request")
    worker.start()
    worker.join(seconds)
    if not outcome:
        raise GenerationFailed(f"no answer within {seconds:g} s", retryable=True)
    answer, error = outcome[0]
    if error is not None:
        raise error
    return answer  # type: ignore[no-any-return]


def classified(said: str, status: int | None, headers: dict[str, str], key: str) -> GenerationFailed:
    """Retryable: no whole answer, 408, 429, 5xx, and what says of itself that it will pass. A wrong key or an empty
    account (401, 402) is no property of the sample: it is tried again, in another run."""
    passing = status is None or status in (408, 429) or status >= 500 or bool(_PASSING.search(said))
    account = status in (401, 402)
    place = "no complete answer" if status is None else f"HTTP {status}"
    text = blotted(" ".join(said.split()), key)[:SAID]
    return GenerationFailed(
        f"{place}: {text}" if text else place,
        retryable=passing or account,
        retry_after=math.inf if account else waiting_time(headers),
    )


def waiting_time(headers: dict[str, str], now: datetime | None = None) -> float | None:
    """Seconds that Retry-After asks for, as a number or a date; None where there is none that makes sense."""
    text = next((value for name, value in headers.items() if name.lower() == "retry-after"), "").strip()
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(text) - (now or datetime.now(UTC))).total_seconds())
    except (ValueError, TypeError):
        return None


def blotted(text: str, key: str) -> str:
    """The text without any stretch of the key, as it is or in base64."""
    for secret in (key, base64.b64encode(key.encode()).decode(), base64.b64encode(f"Bearer {key}".encode()).decode()):
        marked = [False] * len(text)
        for start in range(len(text) - STRETCH + 1):
            if text[start : start + STRETCH].lower() in secret.lower():
                marked[start : start + STRETCH] = [True] * STRETCH
        text = "".join("█" if hidden else letter for letter, hidden in zip(text, marked, strict=True))
    return text


def opened(answer: bytes | str) -> Image.Image:
    """The RGB picture of the answer. Raises GenerationFailed for what is none; another try may bring a whole one."""
    try:
        content = answer if isinstance(answer, bytes) else base64.b64decode(answer, validate=True)
        picture = Image.fromarray(flatten(decode(content, "the answer")))
    except ValueError as error:  # also of base64
        reason = f"the answer holds no whole picture ({error})"
    else:
        refused = reason_to_refuse(picture) or _notice(picture)
        if not refused:
            return picture
        reason = f"the picture is {refused}"
    raise GenerationFailed(reason, retryable=True)


def _notice(picture: Image.Image) -> str:
    """A card with a message: nearly all of it is one colour, to the grey level."""
    counts = picture.getcolors(picture.width * picture.height) or []
    share = max((count for count, _ in counts), default=0) / (picture.width * picture.height)
    return "one colour but for a few marks, as a service's notice is" if share > ONE_COLOUR else ""
