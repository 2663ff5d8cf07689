"""The cards of `scorers.toml`: one scorer each, with its weights, windows, range, licence and needs.

An adapter names the fields it reads beyond the common ones, so unknown keys are errors with file, line and the nearest
known name. A fact that no source gives stays out of the card and is named in its `unknown` list. torch is not needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints, field_validator

from evidence.cards.base import ROOT, Card, read_cards
from evidence.weights import UNPINNED, address, digest, pinned

CARDS = Path(__file__).resolve().with_name("scorers.toml")

Role = Literal["reward", "encoder", "annotator", "pairwise-judge"]
Import = Annotated[str, StringConstraints(pattern=r"^[\w.]+:\w+$")]


class ScorerCard(Card):
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
    parameters: int | None = Field(default=None, ge=1)  # of the architecture as built here
    memory_gib: float | None = Field(default=None, gt=0)  # weights at `dtype`, activations not counted
    tflop: float | None = Field(default=None, gt=0)  # tera-operations of one score
    unknown: tuple[str, ...] = ()
    note: str = ""

    @field_validator("weights", "base")
    @classmethod
    def _is_an_address(cls, text: str) -> str:
        if text:
            address(text)
        return text

    @property
    def addresses(self) -> list[str]:
        """Of all that is loaded, the weights first; empty for a service."""
        return [text for text in (self.weights, self.base) if text]

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


class ClipCard(ScorerCard):
    """A CLIPModel directory. `scaled` multiplies the cosine by exp(logit_scale)."""

    adapter: Literal["clip"]
    scaled: bool = False


class ClipCheckpointCard(ScorerCard):
    """One file in the layout of OpenAI's clip package or of open_clip. Widths come from the file, heads cannot."""

    adapter: Literal["clip-checkpoint"]
    checkpoint: str
    state_key: str = "state_dict"
    vision_heads: int = Field(ge=1)
    text_heads: int = Field(ge=1)
    activation: Literal["gelu", "quick_gelu"]
    framing: Literal["crop", "pad"]  # shortest side and centre crop, or longest side and black bars


class MpsCard(ScorerCard):
    """A pickled module. Text tokens whose similarity to `condition` is below `threshold` of the largest are masked."""

    adapter: Literal["mps"]
    checkpoint: str
    condition: str
    threshold: float = Field(gt=0, lt=1)
    cross_heads: int = Field(ge=1)


class ImageRewardCard(ScorerCard):
    """BLIP with an MLP. The score is (x - mean) / deviation."""

    adapter: Literal["image-reward"]
    checkpoint: str
    text_config: str
    vision_heads: int = Field(ge=1)
    mean: float
    deviation: float = Field(gt=0)


class ItmCard(ScorerCard):
    """A BlipForImageTextRetrieval directory. `logits` gives the raw logit of a match instead of its probability."""

    adapter: Literal["blip-itm"]
    logits: bool = False


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


def with_words(revision: str, file: str) -> str:
    """A revision of weights, joined with the digest of the words they are asked with."""
    path = ROOT / file
    return UNPINNED if revision == UNPINNED or not path.exists() else f"{revision}+{digest(path)}"


class AnnotatorCard(ScorerCard):
    """A vision-language model read at the digits 0, 1, 2. `guideline`: our TOML, or a CSV as VisionReward has it."""

    adapter: Literal["digit-annotator"]
    role: Role = "annotator"
    guideline: str
    question: str = ""  # with {dimension} and {guideline}; empty: the one in the TOML

    @field_validator("question")
    @classmethod
    def _has_its_slots(cls, text: str) -> str:
        if text and not all(slot in text for slot in ("{dimension}", "{guideline}")):
            raise ValueError("must contain {dimension} and {guideline}")
        return text

    @property
    def revision(self) -> str:
        """That of the weights and a digest of the guideline: other words are another judge."""
        return with_words(super().revision, self.guideline)


class ClassifierCard(ScorerCard):
    """A transformers image classifier; independent (sigmoid) probabilities by label. The prompt is not read."""

    adapter: Literal["image-classifier"]
    role: Role = "annotator"


class PairwiseCard(ScorerCard):
    """A chat service with pictures. `model` is its name there, `key_env` the variable that holds the key."""

    adapter: Literal["llm-judge"]
    role: Role = "pairwise-judge"
    model: str
    base_url: str
    key_env: str
    temperature: float = Field(ge=0, le=2)
    timeout: float = Field(default=120.0, gt=0)  # seconds
    usd_per_comparison: float | None = Field(default=None, ge=0)


CARD_TYPES: Mapping[str, type[ScorerCard]] = {
    "clip": ClipCard,
    "clip-checkpoint": ClipCheckpointCard,
    "mps": MpsCard,
    "image-reward": ImageRewardCard,
    "blip-itm": ItmCard,
    "hpsv3": Hpsv3Card,
    "digit-annotator": AnnotatorCard,
    "image-classifier": ClassifierCard,
    "llm-judge": PairwiseCard,
}


def read(path: Path = CARDS) -> dict[str, ScorerCard]:
    """All cards by id, in file order. Raises InputError with every defect of the file."""
    return read_cards(path, CARD_TYPES)
