from __future__ import annotations

from pydantic import Field

from evidence.registry import Settings, generator


@generator(
    "replicate",
    "evidence.generators.replicate_api:Replicate",
    packages=("replicate",),
    remote=True,
    key="REPLICATE_API_TOKEN",
)
class ReplicateSettings(Settings):
    """Only what a card says is sent: each model has names of its own."""

    width: int | None = Field(default=None, ge=16)
    height: int | None = Field(default=None, ge=16)
    steps: int | None = Field(default=None, ge=1)
    guidance: float | None = Field(default=None, ge=0)
    aspect_ratio: str | None = None
    image_size: str | None = None
    resolution: str | None = None  # "1K": what the service calls size
    fast: bool | None = None
    enhance_prompt: bool | None = None
    sequential: str | None = None
    pictures: int | None = Field(default=None, ge=1)
    format: str | None = None
    seeded: bool = False
    timeout: float = Field(default=300.0, gt=0)  # seconds for the whole of one picture
