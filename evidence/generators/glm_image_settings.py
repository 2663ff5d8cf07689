from __future__ import annotations

from pydantic import Field

from evidence.generators.sampling import Denoiser
from evidence.registry import generator


@generator("glm-image", "evidence.generators.glm_image:GlmImage")
class GlmImageSettings(Denoiser):
    guidance: float = Field(ge=0)
