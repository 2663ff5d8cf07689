from __future__ import annotations

from typing import Literal

from evidence.generators.sampling import Batched, Redrawn
from evidence.registry import generator


@generator("sdxl", "evidence.generators.sdxl:Sdxl", second_branch="guidance")
class SdxlSettings(Batched, Redrawn):
    negative_prompt: str = ""
    empty_negative: Literal["zeros", "encoded"] = "zeros"  # what stands where there are no words
    long_prompts: Literal["chunked", "truncated"] = "chunked"
    variant: str = ""  # "fp16": which files of a hub repository
