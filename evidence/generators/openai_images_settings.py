from __future__ import annotations

from typing import Literal

from pydantic import Field

from evidence.generators.sampling import Picture
from evidence.registry import generator


@generator(
    "openai-images",
    "evidence.generators.openai_images:OpenAIImages",
    packages=("openai",),
    remote=True,
    key="OPENAI_API_KEY",
)
class OpenAIImagesSettings(Picture):
    quality: Literal["low", "medium", "high"]
    timeout: float = Field(default=300.0, gt=0)  # seconds for the whole of one picture
