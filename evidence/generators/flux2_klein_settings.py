from __future__ import annotations

from pydantic import Field

from evidence.generators.sampling import Batched
from evidence.registry import generator


@generator("flux2-klein", "evidence.generators.flux2_klein:Flux2Klein")
class Flux2KleinSettings(Batched):
    max_sequence_length: int = Field(default=512, ge=1)
