"""What a generator, a scorer and a judge are to the engine. No other interface is needed to add one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from PIL.Image import Image

    from ledger.schema import Recipe

Score = float | dict[str, float]


@dataclass(frozen=True)
class Request:
    """One picture to make. `seed` None leaves the sampler free; `image` is the input of image-to-image (RGB)."""

    prompt: str
    seed: int | None
    negative_prompt: str = ""
    image: Image | None = None


class GenerationFailed(Exception):
    """No picture. `retryable` for 429, 5xx, time-outs and cut connections; `retry_after` in seconds, where told.

    The text never contains a key."""

    def __init__(self, reason: str, *, retryable: bool = False, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.reason, self.retryable, self.retry_after = reason, retryable, retry_after


class Generator(Protocol):
    """Settings are fixed when it is loaded; one `Request` gives one RGB picture, in order."""

    recipe: Recipe

    def generate(self, requests: list[Request]) -> list[Image]: ...

    def truncated(self, prompts: list[str], negatives: list[str] | None = None) -> list[bool]:
        """Whether the end of each prompt reaches no text encoder, beside its negative prompt where they share a window.
        Not asked of services: nobody knows."""
        ...


@runtime_checkable
class Staged(Generator, Protocol):
    """A generator whose steps can overlap with those of other pictures. Having these three methods is all it takes;
    then `generate(r)` is `decode(denoise(r))`, to the byte.

    The engine calls `encode` once with every request of the run, then `denoise` batch by batch on one thread, and
    `decode` on another thread while the next batch is denoised."""

    def encode(self, requests: list[Request]) -> None:
        """Embeds each distinct prompt once, keeps the embeddings and frees the text encoders."""
        ...

    def denoise(self, requests: list[Request]) -> object:
        """Latents of the requests, still on the device; opaque to the engine."""
        ...

    def decode(self, latents: object) -> list[Image]: ...


class Scorer(Protocol):
    """Scores picture i under prompt i. Higher means preferred, except where the row says otherwise."""

    def score(self, images: list[Image], prompts: list[str]) -> list[Score]: ...

    def truncated(self, prompts: list[str]) -> list[bool]:
        """Whether the text window of the scorer cuts each prompt."""
        ...


class Judge(Protocol):
    """Pairwise: 1 where `b` fits the prompt better, 0 where `a` does, -1 for a tie. `order_bit`: `b` is shown first."""

    def compare(self, a: Image, b: Image, prompt: str, order_bit: bool) -> int: ...
