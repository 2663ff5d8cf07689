"""The cards of `scorers.toml`: one scorer each, with its weights, windows, range, licence and needs.

The type of card beside an adapter names the fields it reads beyond the common ones, so unknown keys are errors with
file, line and the nearest known name. A fact that no source gives stays out of the card and is named in its `unknown`
list. torch is not needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal, cast

from pydantic import Field, StringConstraints, field_validator

from evidence.cards.base import ROOT, Card, read_cards
from evidence.cards.sized import SizedCard
from evidence.registry import SCORERS
from evidence.weights import UNPINNED, address, digest, pinned

CARDS = Path(__file__).resolve().with_name("scorers.toml")

Role = Literal["reward", "encoder", "annotator", "face-matcher", "pairwise-judge"]
Import = Annotated[str, StringConstraints(pattern=r"^[\w.]+:\w+$")]


class ScorerCard(SizedCard):
    """What every scorer says of itself. `base` holds architecture, tokenizer and processor where `weights` do not."""

    not_inherited: ClassVar[frozenset[str]] = Card.not_inherited | {"range"}

    adapter: str
    role: Role = "reward"
    weights: str = ""  # address; empty for a service
    files: tuple[str, ...] = ()  # patterns of what the adapter reads there
    base: str = ""
    base_files: tuple[str, ...] = ()
    prepare: Import | Literal[""] = ""  # makes a local folder of weights that is missing
    dtype: Literal["float32", "float16", "bfloat16"] = "float32"  # on an accelerator; a CPU computes in float32
    batch: int = Field(default=1, ge=1)  # pairs per forward pass on an accelerator
    image_size: int | None = Field(default=None, ge=1)  # side in pixels, where the picture is brought to a square
    text_window: int | None = Field(default=None, ge=0)  # tokens, start and end included; 0: the text is not read
    output: str = Field(min_length=1)
    range: tuple[float, float] | None = None  # as observed or possible, see `output`
    aligned: bool | None = None  # trained on human preferences
    base_encoder: str = ""
    licence: str = ""
    gated: bool | None = None
    unknown: tuple[str, ...] = ()
    note: str = ""

    @field_validator("weights", "base")
    @classmethod
    def _is_an_address(cls, text: str) -> str:
        if text:
            address(text)
        return text

    @property
    def parts(self) -> list[tuple[str, tuple[str, ...]]]:
        """All that is loaded, the weights first: addresses with the patterns of what is read there; empty for a
        service."""
        return [part for part in ((self.weights, self.files), (self.base, self.base_files)) if part[0]]

    @property
    def addresses(self) -> list[str]:
        return [address for address, _ in self.parts]

    @property
    def remote(self) -> bool:
        return not self.weights

    @property
    def beside(self) -> Mapping[str, str]:
        """Files that it needs beside weights and base, each with the command that brings it."""
        return {}

    @property
    def revision(self) -> str:
        """Commits or digests joined by `+`; `unpinned` while any of them is, and for a service."""
        revisions = [pinned(text) for text in self.addresses]
        return UNPINNED if not revisions or UNPINNED in revisions else "+".join(revisions)


def with_words(revision: str, file: str) -> str:
    """A revision of weights, joined with the digest of the words they are asked with."""
    path = ROOT / file
    return UNPINNED if revision == UNPINNED or not path.exists() else f"{revision}+{digest(path)}"


def card_types() -> Mapping[str, type[ScorerCard]]:
    """Types of cards by the name of their adapter."""
    return {name: cast(type[ScorerCard], adapter.settings) for name, adapter in SCORERS.items()}


def read(path: Path = CARDS) -> dict[str, ScorerCard]:
    """All cards by id, in file order. Raises InputError with every defect of the file."""
    return read_cards(path, card_types())
