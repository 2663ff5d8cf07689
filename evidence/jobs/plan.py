"""The plan of a run, made before anything is loaded: which pictures, which scores, which verdicts, and the key of each.

A protocol says what it wants as `Requirements`; `build` merges the wants of all protocols, so that a picture that two
of them need is made once. Keys follow from cards, profiles, prompts and code alone (`Participants`), so that a plan,
its price and what is missing can be printed on a machine without torch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from evidence.cards import models
from evidence.cards.overrides import overridden
from evidence.registry import PictureKind
from evidence.samples import identity
from evidence.samples.identity import file_digest, key_of, reads_prompt
from evidence.scorers import ScorerCard

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class PictureFile:
    """A picture that exists already: a photograph, a painting, a rendered face."""

    path: Path


@dataclass(frozen=True)
class PictureSpec:
    """A picture to make. `model` is the name of a card, with overrides if any (see `Participants`); `kind` chooses
    between the settings for the plain and the wide-spectrum picture; `source` is what image-to-image starts from."""

    model: str
    prompt: str
    kind: PictureKind
    seed: int | None
    negative: str = ""
    source: PictureSpec | PictureFile | None = None


Source = PictureSpec | PictureFile


@dataclass(frozen=True)
class Scoring:
    picture: Source
    scorer: str
    prompt: str


@dataclass(frozen=True)
class Comparison:
    """Which of two pictures fits the prompt better; `b` is the one that a protocol calls requested."""

    a: Source
    b: Source
    judge: str
    prompt: str


@dataclass(frozen=True)
class Requirements:
    """Order carries no meaning beyond that of the work; repeats are done once."""

    pictures: tuple[PictureSpec, ...] = ()
    scorings: tuple[Scoring, ...] = ()
    comparisons: tuple[Comparison, ...] = ()


@dataclass(frozen=True)
class ConfiguredModel:
    """A generator of a run: a card of models.toml under overrides. `negative` says whether the words of polish that
    come with a prompt are passed to it."""

    name: str
    card: models.ModelCard
    negative: bool

    @property
    def id(self) -> str:
        """`name` as part of a ledger id."""
        return ledger_id(self.name)


def ledger_id(name: str) -> str:
    """A name as part of a ledger id. Different names may give one id: `order.resolve` refuses such a run."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in name.lower()).strip("-.")


@dataclass(frozen=True)
class Participants:
    """Who takes part: generators, scorers and judges by name, and the sampling profile.

    A generator's name may carry overrides of its settings (evidence.cards.overrides). Words of polish that come with a
    prompt are passed as its negative prompt to cards whose method is vsf or nag, unless an override says otherwise.
    """

    models: Mapping[str, ConfiguredModel]
    scorers: Mapping[str, ScorerCard]
    judges: Mapping[str, ScorerCard]
    profile: str

    @cached_property
    def _generators(self) -> dict[str, dict[str, Any]]:
        return {name: identity.of_generator(model.card) for name, model in self.models.items()}

    @cached_property
    def _scorers(self) -> dict[str, tuple[dict[str, Any], bool]]:
        both = [*self.scorers.items(), *self.judges.items()]
        return {name: (identity.of_scorer(card), identity.reads_prompt(card)) for name, card in both}

    @cached_property
    def _settings(self) -> dict[tuple[str, PictureKind], dict[str, Any]]:
        kinds: tuple[PictureKind, ...] = ("plain", "wide")
        return {(n, k): dict(m.card.settings(self.profile, k)) for n, m in self.models.items() for k in kinds}

    def settings(self, model: str, kind: PictureKind) -> dict[str, Any]:
        return self._settings[model, kind]

    def weights(self, model: str) -> dict[str, Any]:
        """What of a card determines its pictures, the settings left aside."""
        return self._generators[model]

    def picture(self, spec: PictureSpec) -> dict[str, Any]:
        """The identity of a picture: everything that determines it."""
        return {
            **self.weights(spec.model),
            "settings": self.settings(spec.model, spec.kind),
            "prompt": spec.prompt,
            "negative": spec.negative,
            "seed": spec.seed,
            "source": self.reference(spec.source),
        }

    def key(self, spec: PictureSpec) -> str:
        return key_of("generate", self.picture(spec))

    def reference(self, source: Source | None) -> str | None:
        if source is None:
            return None
        return self.key(source) if isinstance(source, PictureSpec) else f"sha256:{file_digest(source.path)}"

    def score(self, scorer: str, pixels: str, prompt: str) -> dict[str, Any]:
        """The identity of a score. A scorer that never reads the prompt scores a picture once."""
        told, reads = self._scorers[scorer]
        return {**told, "picture": pixels, "prompt": prompt if reads else ""}

    def verdict(self, judge: str, a: str, b: str, prompt: str) -> dict[str, Any]:
        """The identity of a verdict; `order` is a fair coin fixed by what is compared: True shows `b` first."""
        coin = hashlib.sha256(f"{a}\0{b}\0{prompt}".encode()).digest()[0] & 1
        return {**self._scorers[judge][0], "a": a, "b": b, "prompt": prompt, "order": bool(coin)}


def names_labels(card: ScorerCard) -> bool:
    """Whether it says what a picture shows instead of how good it is: such scores are counted, never summed."""
    return card.adapter == "image-classifier"


def configured(name: str, cards: Mapping[str, models.ModelCard]) -> ConfiguredModel:
    """The generator that `name` names, under its overrides."""
    card, negative = overridden(name, cards)
    steered = any(card.settings(profile).get("method", "none") != "none" for profile in card.profiles)
    return ConfiguredModel(name, card, steered if negative is None else negative)


@dataclass(frozen=True)
class PictureJob:
    """One picture to make. `wave` 0 needs nothing; a later wave starts from pictures of the one before."""

    key: str
    identity: Mapping[str, Any]
    spec: PictureSpec
    wave: int

    @property
    def batch(self) -> int:
        """How many pictures are sampled together."""
        return int(self.identity["settings"].get("batch") or 1)


@dataclass(frozen=True)
class Plan:
    """Everything a run does, each thing once, in the order of the work."""

    participants: Participants
    pictures: Mapping[str, PictureJob]
    scorings: Mapping[str, tuple[tuple[str, str], ...]]  # reference of the picture -> (scorer, prompt)
    given: Mapping[str, Path]  # reference -> file
    comparisons: tuple[Comparison, ...] = field(default=())

    def group(self, job: PictureJob) -> tuple[int, str, PictureKind]:
        """Wave, model and kind of a job: those that agree in it share one loaded generator. Arms that are sampled alike
        are one."""
        spec, settings = job.spec, self.participants.settings
        alike = settings(spec.model, "plain") == settings(spec.model, spec.kind)
        return job.wave, spec.model, "plain" if alike else spec.kind

    def groups(self) -> list[tuple[str, PictureKind, list[PictureJob]]]:
        """All jobs by group: wave by wave, model by model."""
        order: dict[tuple[int, str, PictureKind], list[PictureJob]] = {}
        for job in self.pictures.values():
            order.setdefault(self.group(job), []).append(job)
        names = list(self.participants.models)
        ranked = sorted(order, key=lambda k: (k[0], names.index(k[1]), k[2]))
        return [(model, kind, order[wave, model, kind]) for wave, model, kind in ranked]

    def jobs_by_model(self) -> Iterator[tuple[models.ModelCard, Mapping[str, Any]]]:
        """The card of each generator with the settings of each kind of picture that it draws."""
        for model, kind, _ in self.groups():
            yield self.participants.models[model].card, self.participants.settings(model, kind)

    @property
    def n_scorings(self) -> int:
        return sum(map(len, self.scorings.values()))


def build(participants: Participants, requirements: Requirements) -> Plan:
    """The plan of all requirements. Pictures that scorings, comparisons or image-to-image need are added by
    themselves."""
    pictures: dict[str, PictureJob] = {}
    given: dict[str, Path] = {}
    keys: dict[Source, str] = {}

    def add(source: Source) -> str:
        if source in keys:
            return keys[source]
        if isinstance(source, PictureFile):
            keys[source] = reference = f"sha256:{file_digest(source.path)}"
            given[reference] = source.path
            return reference
        wave = 0
        if source.source is not None:
            before = add(source.source)
            wave = pictures[before].wave + 1 if before in pictures else 0
        identity = participants.picture(source)
        keys[source] = key = key_of("generate", identity)
        pictures.setdefault(key, PictureJob(key, identity, source, wave))
        return key

    for spec in requirements.pictures:
        add(spec)
    scorings: dict[str, dict[tuple[str, str], None]] = {}
    for one in requirements.scorings:
        prompt = one.prompt if reads_prompt(participants.scorers[one.scorer]) else ""
        scorings.setdefault(add(one.picture), {})[one.scorer, prompt] = None
    for comparison in requirements.comparisons:
        add(comparison.a), add(comparison.b)
    return Plan(
        participants,
        pictures,
        {reference: tuple(pairs) for reference, pairs in scorings.items()},
        given,
        tuple(dict.fromkeys(requirements.comparisons)),
    )


def merge(requirements: Iterable[Requirements]) -> Requirements:
    """All of them as one."""
    every = list(requirements)
    return Requirements(
        tuple(picture for one in every for picture in one.pictures),
        tuple(scoring for one in every for scoring in one.scorings),
        tuple(comparison for one in every for comparison in one.comparisons),
    )
