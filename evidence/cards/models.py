"""The cards of `models.toml`: one generator each, with its weights, licence, needs and sampling profiles.

Unknown keys, unread settings and missing ones are errors with file and line. A fact nobody published stays out of the
card and is named in its `unknown` list; nothing is guessed. torch is not needed here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
)

from evidence.cards import base
from evidence.cards.sized import SizedCard
from evidence.registry import GENERATORS, PictureKind, Setting
from evidence.weights import UNPINNED, address, pinned
from ledger.problems import InputError, Problem, did_you_mean, plainly, relative, toml_line

CARDS = Path(__file__).resolve().with_name("models.toml")
CONTROLLED, AS_PUBLISHED = "controlled", "as-published"

Alignment = Literal["base", "aligned", "prompt-aligned", "narrowly-aligned", "unknown"]
Import = Annotated[str, StringConstraints(pattern=r"^[\w.]+:\w+$")]


class Said(BaseModel):
    """Settings as a card says them; which there are is for its adapter to say (`evidence.registry.Settings`)."""

    model_config = ConfigDict(extra="allow", frozen=True)


class Profile(Said):
    """`plain` and `wide` differ from the rest only where the publication sampled its two pictures differently."""

    plain: Said = Said()
    wide: Said = Said()
    note: str = ""


class ModelCard(SizedCard):
    """One generator. See `models.toml` for what each field looks like."""

    not_inherited: ClassVar[frozenset[str]] = base.Card.not_inherited | {"alternative_to", "licence", "gated"}

    family: str = ""  # of cards that are compared with one another; empty: none
    base: str = ""  # the card it is tested against; empty: the base of its family
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
        if name not in GENERATORS:
            raise ValueError(f"no adapter of this name{did_you_mean(name, GENERATORS)}; known: {', '.join(GENERATORS)}")
        return name

    @property
    def remote(self) -> bool:
        return GENERATORS[self.adapter].remote

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
        return GENERATORS[self.adapter].settings.model_validate(self.said(profile, kind)).model_dump()

    def said(self, profile: str, kind: PictureKind) -> dict[str, Setting]:
        """What the card says for one kind: what the kind says itself before the rest, width and height before size."""
        chosen = self.profiles[profile]
        own: Said = getattr(chosen, kind)
        said = {**(chosen.model_extra or {}), **(own.model_extra or {})}
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
    for field in ("alternative_to", "base"):
        other = getattr(card, field)
        if other and (other not in known or other == card.id):
            found.append(((field,), f"no other card '{other}'{did_you_mean(other, known)}"))
    if CONTROLLED not in card.profiles:
        found.append((("profiles",), f"there is no profile '{CONTROLLED}', the default"))
    for name, profile in card.profiles.items():
        if name == CONTROLLED and profile.plain != profile.wide:
            found.append((("profiles", name), "a controlled profile has the same settings for both pictures"))
        found += [(("profiles", name, *where), message) for where, message in profile_defects(card, name)]
    return found


def profile_defects(card: ModelCard, profile: str) -> list[tuple[tuple[str, ...], str]]:
    """Settings that the adapter does not read, must have, or would ignore; each once."""
    kinds: tuple[PictureKind, ...] = ("plain", "wide")
    return list(dict.fromkeys(defect for kind in kinds for defect in _kind_defects(card, profile, kind)))


def _kind_defects(card: ModelCard, profile: str, kind: PictureKind) -> Iterator[tuple[tuple[str, ...], str]]:
    reads = GENERATORS[card.adapter].settings
    own = getattr(card.profiles[profile], kind).model_extra or {}
    try:
        settings = reads.model_validate(card.said(profile, kind))
    except ValidationError as errors:
        for detail in errors.errors():
            key = str(detail["loc"][0])
            if detail["type"] == "missing":
                yield (), f"adapter '{card.adapter}' needs '{key}'"
            else:
                unread = f"adapter '{card.adapter}' does not read it{did_you_mean(key, reads.model_fields)}"
                message = unread if detail["type"] == "extra_forbidden" else plainly(detail, detail["loc"], reads)
                yield ((kind, key) if key in own else (key,)), message
    else:
        distilled = card.distilled and profile == CONTROLLED
        yield from (((key,), message) for key, message in settings.misuse(distilled))
