from __future__ import annotations

from evidence.generators.sampling import Batched
from evidence.registry import generator


@generator("longcat", "evidence.generators.longcat:LongCat")
class LongCatSettings(Batched):
    negative_prompt: str = ""
    cfg_renorm: bool = True
