from __future__ import annotations

from evidence.generators.sampling import Diffusion
from evidence.registry import generator


@generator("glm-image", "evidence.generators.glm_image:GlmImage")
class GlmImageSettings(Diffusion):
    pass
