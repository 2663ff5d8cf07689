"""Settings that several adapters read. Each adapter's own stand in the `*_settings` module beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field

from evidence.registry import Settings


class Picture(Settings):
    width: int = Field(ge=16)  # `size` in a card stands for width and height of a square picture
    height: int = Field(ge=16)


class Denoiser(Picture):
    dtype: Literal["float32", "float16", "bfloat16"]
    steps: int = Field(ge=1)
    compile: bool = False  # moves pictures by some grey levels: the same for both kinds, and recorded


class Diffusion(Denoiser):
    guidance: float = Field(ge=0)


class Batched(Diffusion):
    """Pipelines whose texts fill one window, so that pictures can be sampled together."""

    batch: int = Field(default=1, ge=1)


class Redrawn(Settings):
    """Image-to-image: noise is laid over a picture, and sampling starts part of the way."""

    takes_pictures: ClassVar[bool] = True
    strength: float = Field(default=0.5, gt=0, le=1)  # 1: nothing of the picture is left


class Steered(Batched):
    """Steering by a negative prompt inside attention, which takes the place of classifier-free guidance."""

    method: Literal["none", "vsf", "nag"] = "none"
    vsf_scale: float = Field(default=0.0, ge=0)
    vsf_offset: float = Field(default=0.0, ge=0)
    nag_scale: float = Field(default=1.0, ge=1)
    nag_tau: float = Field(default=2.5, ge=1)
    nag_alpha: float = Field(default=0.25, ge=0, le=1)

    def beside(self, guidance: str) -> Iterator[tuple[str, str]]:
        """The method, where the setting `guidance` is on as well."""
        if self.method != "none" and getattr(self, guidance) > 1:
            yield "method", f"'{self.method}' replaces classifier-free guidance: {guidance} must be at most 1"
