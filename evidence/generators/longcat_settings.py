from __future__ import annotations

from evidence.generators.sampling import Diffusion
from evidence.registry import generator


@generator("longcat", "evidence.generators.longcat:LongCat")
class LongCatSettings(Diffusion):
    negative_prompt: str = ""
    cfg_renorm: bool = True
