from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from evidence.generators.sampling import Batched
from evidence.registry import generator


@generator("flux2-klein", "evidence.generators.flux2_klein:Flux2Klein")
class Flux2KleinSettings(Batched):
    takes_pictures: ClassVar[bool] = True  # as a reference, without a strength
    max_sequence_length: int = Field(default=512, ge=1)
