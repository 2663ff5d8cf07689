"""What a run has to do, before anything is loaded: which pictures, which scores, which verdicts, and the key of each.

A protocol says what it wants as `Wants`; `build` merges the wants of all protocols, so that a picture that two of them
need is made once. Keys follow from rows, profiles, prompts and code alone (`Cast`), so that a plan, its price and what
is missing can be printed on a machine without torch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from evidence import code, models
from evidence import scorers as scoring
from evidence.adapters import ADAPTERS, Arm
from evidence.overrides import overridden
from evidence.scorers import ScorerRow
from evidence.store import key_of

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Given:
    """A picture that exists already: a photograph, a painting, a rendered face."""

    path: Path


@dataclass(frozen=True)
class Ask:
    """A picture to make. `model` is the name of a row, with overrides if any (see `Cast`); `arm` chooses between the
    settings for the plain and the wide-spectrum picture; `source` is what image-to-image starts from."""

    model: str
    prompt: str
    arm: Arm
    seed: int | None
    negative: str = ""
    source: Ask | Given | None = None


Source = Ask | Given


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
class Wants:
    """Order carries no meaning beyond that of the work; repeats are done once."""

    pictures: tuple[Ask, ...] = ()
    scorings: tuple[Scoring, ...] = ()
    comparisons: tuple[Comparison, ...] = ()


@dataclass(frozen=True)
class Member:
    """A generator of a run: a row of models.toml under overrides. `negative` says whether the words of polish that come
    with a prompt are passed to it."""

    name: str
    row: models.Row
    negative: bool

    @property
    def id(self) -> str:
        """`name` as part of a ledger id."""
        return ledger_id(self.name)


def ledger_id(name: str) -> str:
    return "".join(c if c.isalnum() or c in "._-" else "-" for c in name.lower()).strip("-.")


@dataclass(frozen=True)
class Cast:
    """Who takes part: generators, scorers and judges by name, and the sampling profile.

    A generator's name may carry overrides of its settings (evidence.overrides). Words of polish that come with a prompt
    are passed as its negative prompt to rows whose method is vsf or nag, unless an override says otherwise.
    """

    members: Mapping[str, Member]
    scorers: Mapping[str, ScorerRow]
    judges: Mapping[str, ScorerRow]
    profile: str

    def settings(self, model: str, arm: Arm) -> dict[str, Any]:
        return dict(self.members[model].row.settings(self.profile, arm))

    def weights(self, model: str) -> dict[str, Any]:
        """What of a row determines its pictures, the settings left aside."""
        return _weights(self.members[model].row)

    def picture(self, ask: Ask) -> dict[str, Any]:
        """The identity of a picture: everything that determines it."""
        return {
            **self.weights(ask.model),
            "settings": self.settings(ask.model, ask.arm),
            "prompt": ask.prompt,
            "negative": ask.negative,
            "seed": ask.seed,
            "source": self.reference(ask.source),
        }

    def key(self, ask: Ask) -> str:
        return key_of("generate", self.picture(ask))

    def reference(self, source: Source | None) -> str | None:
        if source is None:
            return None
        return self.key(source) if isinstance(source, Ask) else f"sha256:{file_digest(source.path)}"

    def score(self, scorer: str, pixels: str, prompt: str) -> dict[str, Any]:
        """The identity of a score. A scorer that never reads the prompt scores a picture once."""
        row = self.scorers[scorer]
        return {**_scorer(row), "picture": pixels, "prompt": prompt if reads_prompt(row) else ""}

    def verdict(self, judge: str, a: str, b: str, prompt: str) -> dict[str, Any]:
        """The identity of a verdict; `order` is a fair coin fixed by what is compared: True shows `b` first."""
        coin = hashlib.sha256(f"{a}\0{b}\0{prompt}".encode()).digest()[0] & 1
        return {**_scorer(self.judges[judge]), "a": a, "b": b, "prompt": prompt, "order": bool(coin)}


def _weights(row: models.Row) -> dict[str, Any]:
    """What of a row determines its pictures: not its label, licence or family."""
    adapter = ADAPTERS[row.adapter]
    return {
        "adapter": row.adapter,
        "weights": row.weights,
        "transformer": row.transformer,
        "lora": row.lora,
        "lora_scale": row.lora_scale,
        "revision": row.revision,
        "code": code.version(f"evidence.generators.{adapter.module}"),
    }


# what a row says of a scorer that no score depends on; `batch` because a batch always has one shape (scorers/base.py)
_ABOUT = {
    "id", "label", "role", "family", "files", "base_files", "prepare", "batch", "output", "range", "aligned",
    "base_encoder", "licence", "gated", "parameters", "memory_gib", "tflop", "unknown", "note", "usd_per_comparison",
    "timeout", "key_env", "beside",
}  # fmt: skip


def _scorer(row: ScorerRow) -> dict[str, Any]:
    module = scoring.ADAPTERS[row.adapter].partition(":")[0]
    told = row.model_dump(mode="json", exclude=_ABOUT)
    return {**told, "revision": row.revision, "code": code.version(module)}


def reads_prompt(row: ScorerRow) -> bool:
    """Whether a score depends on the prompt at all."""
    return row.role != "judge" and row.text_window != 0


def names_labels(row: ScorerRow) -> bool:
    """Whether it says what a picture shows instead of how good it is: such scores are counted, never summed."""
    return row.adapter == "image-classifier"


@lru_cache(maxsize=65536)
def _digest(path: Path, size: int, changed: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def file_digest(path: Path) -> str:
    """sha256 of a file's bytes, read once for as long as size and time of change stay."""
    stat = path.stat()
    return _digest(path, stat.st_size, stat.st_mtime_ns)


def member(name: str, rows: Mapping[str, models.Row]) -> Member:
    """The generator that `name` names, under its overrides."""
    row, negative = overridden(name, rows)
    steered = any(profile.method in ("vsf", "nag") for profile in row.profiles.values())
    return Member(name, row, steered if negative is None else negative)


@dataclass(frozen=True)
class PictureJob:
    """One picture to make. `wave` 0 needs nothing; a later wave starts from pictures of the one before."""

    key: str
    identity: Mapping[str, Any]
    ask: Ask
    wave: int

    @property
    def batch(self) -> int:
        """How many pictures are sampled together."""
        return int(self.identity["settings"].get("batch") or 1)


@dataclass(frozen=True)
class Plan:
    """Everything a run does, each thing once, in the order of the work."""

    cast: Cast
    pictures: Mapping[str, PictureJob]
    scorings: Mapping[str, tuple[tuple[str, str], ...]]  # reference of the picture -> (scorer, prompt)
    given: Mapping[str, Path]  # reference -> file
    comparisons: tuple[Comparison, ...] = field(default=())

    def group(self, job: PictureJob) -> tuple[int, str, Arm]:
        """Wave, model and arm of a job: those that agree in it share one loaded generator. Arms that are sampled alike
        are one."""
        ask, settings = job.ask, self.cast.settings
        alike = settings(ask.model, "plain") == settings(ask.model, ask.arm)
        return job.wave, ask.model, "plain" if alike else ask.arm

    def groups(self) -> list[tuple[str, Arm, list[PictureJob]]]:
        """All jobs by group: wave by wave, model by model."""
        order: dict[tuple[int, str, Arm], list[PictureJob]] = {}
        for job in self.pictures.values():
            order.setdefault(self.group(job), []).append(job)
        names = list(self.cast.members)
        ranked = sorted(order, key=lambda k: (k[0], names.index(k[1]), k[2]))
        return [(model, arm, order[wave, model, arm]) for wave, model, arm in ranked]

    @property
    def n_scorings(self) -> int:
        return sum(map(len, self.scorings.values()))


def build(cast: Cast, wants: Wants) -> Plan:
    """The plan of all wants. Pictures that scorings, comparisons or image-to-image need are added by themselves."""
    pictures: dict[str, PictureJob] = {}
    given: dict[str, Path] = {}
    keys: dict[Source, str] = {}

    def add(source: Source) -> str:
        if source in keys:
            return keys[source]
        if isinstance(source, Given):
            keys[source] = reference = f"sha256:{file_digest(source.path)}"
            given[reference] = source.path
            return reference
        wave = 0
        if source.source is not None:
            before = add(source.source)
            wave = pictures[before].wave + 1 if before in pictures else 0
        identity = cast.picture(source)
        keys[source] = key = key_of("generate", identity)
        pictures.setdefault(key, PictureJob(key, identity, source, wave))
        return key

    for ask in wants.pictures:
        add(ask)
    scorings: dict[str, dict[tuple[str, str], None]] = {}
    for one in wants.scorings:
        prompt = one.prompt if reads_prompt(cast.scorers[one.scorer]) else ""
        scorings.setdefault(add(one.picture), {})[one.scorer, prompt] = None
    for comparison in wants.comparisons:
        add(comparison.a), add(comparison.b)
    return Plan(
        cast,
        pictures,
        {reference: tuple(pairs) for reference, pairs in scorings.items()},
        given,
        tuple(dict.fromkeys(wants.comparisons)),
    )


def merge(wants: Iterable[Wants]) -> Wants:
    """All of them as one."""
    every = list(wants)
    return Wants(
        tuple(picture for one in every for picture in one.pictures),
        tuple(scoring for one in every for scoring in one.scorings),
        tuple(comparison for one in every for comparison in one.comparisons),
    )
