"""The cards of `models.toml`: one generator each, with its weights, licence, needs and sampling profiles.

Unknown keys, unread settings and missing ones are errors with file and line. A fact nobody published stays out of the
card and is named in its `unknown` list; nothing is guessed. torch is not needed here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints, field_validator

from evidence.cards import base
from evidence.registry import ADAPTERS, REQUIRED, PictureKind, Setting
from evidence.weights import UNPINNED, address, pinned
from ledger.problems import InputError, Problem, did_you_mean, relative, toml_line
from ledger.schema import Strict

CARDS = Path(__file__).resolve().with_name("models.toml")
CONTROLLED, AS_PUBLISHED = "controlled", "as-published"

Alignment = Literal["base", "aligned", "prompt-aligned", "narrowly-aligned", "unknown"]
Import = Annotated[str, StringConstraints(pattern=r"^[\w.]+:\w+$")]


class Settings(Strict):
    """What a sampler may be told. Which of them a card may use depends on its adapter (`evidence.registry`)."""

    dtype: Literal["float32", "float16", "bfloat16"] | None = None
    steps: int | None = Field(default=None, ge=1)
    guidance: float | None = Field(default=None, ge=0)
    true_cfg_scale: float | None = Field(default=None, ge=1)
    negative_prompt: str | None = None
    width: int | None = Field(default=None, ge=16)
    height: int | None = Field(default=None, ge=16)
    size: int | None = Field(default=None, ge=16)  # of a square picture: stands for width and height
    max_sequence_length: int | None = Field(default=None, ge=1)
    strength: float | None = Field(default=None, gt=0, le=1)  # of image-to-image
    batch: int | None = Field(default=None, ge=1)  # pictures sampled together
    compile: bool | None = None  # moves pictures by some grey levels: the same for both kinds, and recorded
    variant: str | None = None  # "fp16": which files of a hub repository
    long_prompts: Literal["chunked", "truncated"] | None = None
    cfg_renorm: bool | None = None
    method: Literal["none", "vsf", "nag"] | None = None
    vsf_scale: float | None = Field(default=None, ge=0)
    vsf_offset: float | None = Field(default=None, ge=0)
    pooled_scale: float | None = Field(default=None, ge=1)
    nag_scale: float | None = Field(default=None, ge=1)
    nag_tau: float | None = Field(default=None, ge=1)
    nag_alpha: float | None = Field(default=None, ge=0, le=1)
    instruction: str | None = None
    quality: Literal["low", "medium", "high"] | None = None
    timeout: float | None = Field(default=None, gt=0)  # seconds for the whole of one picture
    aspect_ratio: str | None = None
    image_size: str | None = None
    fast: bool | None = None
    enhance_prompt: bool | None = None
    sequential: str | None = None
    pictures: int | None = Field(default=None, ge=1)
    format: str | None = None
    seeded: bool | None = None


class Profile(Settings):
    """`plain` and `wide` differ from the rest only where the publication sampled its two pictures differently."""

    plain: Settings = Settings()
    wide: Settings = Settings()
    note: str = ""


class ModelCard(base.Card):
    """One generator. See `models.toml` for what each field looks like."""

    not_inherited: ClassVar[frozenset[str]] = base.Card.not_inherited | {"alternative_to", "licence", "gated"}

    family: str = ""  # of cards that are compared with one another; empty: none
    alignment: Alignment = "unknown"
    adapter: str
    weights: str = Field(min_length=1)  # address, or the name of a service's model
    files: tuple[str, ...] = ()  # patterns of the hub repository that the adapter needs
    transformer: str = ""  # address of a transformer that replaces the one of `weights`
    lora: str = ""
    lora_scale: float = 1.0
    prepare: Import | Literal[""] = ""
    licence: str = ""
    gated: bool | None = None
    memory_gib: float | None = Field(default=None, gt=0)  # of the accelerator, at the profile's size and dtype
    tflop: float | None = Field(default=None, gt=0)  # tera-operations of one evaluation, for 1024 x 1024 pixels
    usd_per_picture: float | None = Field(default=None, ge=0)
    alternative_to: str = ""
    distilled: bool = False  # of its guidance: sampled without one
    scorers: tuple[str, ...] = ()  # who scores its pictures where nobody is named; empty: all general scorers
    prompts: str = ""  # folder of prompt sets of its own, below the project; empty: those of the protocols
    profiles: dict[str, Profile]
    unknown: tuple[str, ...] = ()  # facts about this card that no source gives
    note: str = ""

    @field_validator("adapter")
    @classmethod
    def _adapter_exists(cls, name: str) -> str:
        if name not in ADAPTERS:
            raise ValueError(f"no adapter of this name{did_you_mean(name, ADAPTERS)}")
        return name

    @property
    def remote(self) -> bool:
        return ADAPTERS[self.adapter].remote

    @property
    def addresses(self) -> list[str]:
        """Of all the weights it needs, the pipeline first; empty for a service."""
        return [] if self.remote else [a for a in (self.weights, self.transformer, self.lora) if a]

    @property
    def needs(self) -> tuple[object, ...]:
        """What must be loaded for it: cards that need the same may share it."""
        return self.adapter, self.weights, self.transformer, self.lora, self.files

    @property
    def revision(self) -> str:
        """Commits or digests of all weights, joined by `+`; `unpinned` while any of them is."""
        if self.remote:
            return UNPINNED
        revisions = [pinned(text) for text in self.addresses]
        return UNPINNED if UNPINNED in revisions else "+".join(revisions)

    def settings(self, profile: str = CONTROLLED, kind: PictureKind = "plain") -> dict[str, Setting]:
        """Everything the sampler is told for one kind, defaults resolved. KeyError names the profiles there are."""
        if profile not in self.profiles:
            raise KeyError(f"{self.id} has no profile '{profile}', only {', '.join(self.profiles)}")
        said = self._said(profile, kind)
        return {name: said.get(name, default) for name, default in ADAPTERS[self.adapter].settings.items()}

    def _said(self, profile: str, kind: PictureKind) -> dict[str, Any]:
        chosen = self.profiles[profile]
        own: Settings = getattr(chosen, kind)
        said = chosen.model_dump(exclude_none=True, exclude={"plain", "wide", "note"}) | own.model_dump(
            exclude_none=True
        )
        if "size" in said:
            side = said.pop("size")
            said = {"width": side, "height": side} | said
        return said


def load(path: Path = CARDS, root: Path = base.ROOT) -> dict[str, ModelCard]:
    """All cards by id. Raises InputError with every defect of the file."""
    found = base.read_cards(path, ModelCard, root)
    text = path.read_text("utf-8")
    problems = [
        Problem(relative(path, root), toml_line(text, (card.id, *where)), ".".join((card.id, *where)), message)
        for card in found.values()
        for where, message in _defects(card, found)
    ]
    if problems:
        raise InputError(problems)
    return found


def _defects(card: ModelCard, known: dict[str, ModelCard]) -> list[tuple[tuple[str, ...], str]]:
    """What the types cannot say: addresses, profiles, settings that the adapter does not read or must have."""
    found: list[tuple[tuple[str, ...], str]] = []
    for field in () if card.remote else ("weights", "transformer", "lora"):
        if text := getattr(card, field):
            try:
                address(text)
            except ValueError as error:
                found.append(((field,), str(error)))
    if card.alternative_to and card.alternative_to not in known:
        found.append(
            (("alternative_to",), f"no card '{card.alternative_to}'{did_you_mean(card.alternative_to, known)}")
        )
    if CONTROLLED not in card.profiles:
        found.append((("profiles",), f"there is no profile '{CONTROLLED}', the default"))
    for name, profile in card.profiles.items():
        if name == CONTROLLED and profile.plain != profile.wide:
            found.append((("profiles", name), "a controlled profile has the same settings for both pictures"))
        found += [(("profiles", name, *where), message) for where, message in profile_defects(card, name)]
    return found


def profile_defects(card: ModelCard, profile: str) -> list[tuple[tuple[str, ...], str]]:
    reads = ADAPTERS[card.adapter].settings
    kinds: tuple[PictureKind, ...] = ("plain", "wide")
    said = card._said(profile, kinds[0]) | card._said(profile, kinds[1])
    found: list[tuple[tuple[str, ...], str]] = [
        ((key,), f"adapter '{card.adapter}' does not read it{did_you_mean(key, reads)}")
        for key in said
        if key not in reads
    ]
    for kind in kinds:
        lacking = [
            key for key, default in reads.items() if default is REQUIRED and key not in card._said(profile, kind)
        ]
        found += [(tuple[str, ...](), f"adapter '{card.adapter}' needs '{key}'") for key in lacking]
    steered = said.get("method", "none") != "none" or said.get("true_cfg_scale", 1.0) > 1
    if said.get("negative_prompt", "").strip() and "true_cfg_scale" in reads and not steered:
        found.append((("negative_prompt",), "is ignored unless true_cfg_scale is above 1"))
    if said.get("method", "none") != "none":
        guidance = ADAPTERS[card.adapter].second_branch
        if said.get(guidance, 0.0) > 1:
            found.append(
                (("method",), f"'{said['method']}' replaces classifier-free guidance: {guidance} must be at most 1")
            )
    if card.distilled and profile == CONTROLLED and said.get("guidance", 0.0) > 0 and card.adapter == "z-image":
        found.append((("guidance",), "a distilled Z-Image is sampled with guidance 0.0: anything above turns CFG on"))
    return list(dict.fromkeys(found))
