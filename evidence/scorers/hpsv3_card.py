from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Literal

from pydantic import Field

from evidence.cards.scorers import ScorerCard, with_words
from evidence.registry import scorer


@scorer("hpsv3", "evidence.scorers.hpsv3:Hpsv3Scorer")
class Hpsv3Card(ScorerCard):
    """Qwen2-VL with a reward head. `template` is the file that holds the instruction, `template_sha256` its hash."""

    adapter: Literal["hpsv3"]
    checkpoint: str
    pixels: int = Field(ge=784)
    reward_token: str
    template: str
    template_sha256: str = Field(pattern=r"^([0-9a-f]{64})?$")

    @property
    def revision(self) -> str:
        """That of the weights; where the card does not say which instruction it expects, a digest of the one it has."""
        return super().revision if self.template_sha256 else with_words(super().revision, self.template)

    @property
    def beside(self) -> Mapping[str, str]:
        path = PurePosixPath(self.template)
        if path.suffix != ".whl":
            return {self.template: f"write the instruction into {path}"}
        package, version, *_ = path.name.split("-")
        return {self.template: f"pip download --no-deps {package}=={version} -d {path.parent}"}
