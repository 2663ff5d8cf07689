"""Protocols: what is observed, and what the observations mean. Data in, values out.

A protocol is a module below with two functions. `observations(experiment)` says what is scored or compared, and as
which row of `results/rows/` it is filed; pictures, scores and verdicts to make follow from it. `tabulate(experiment,
rows)` says which measures of those rows (`ledger.measures`) stand in which table. `PROMPTS` names the shipped prompt
set that is used where none is named (empty: one must be named), `OPTIONS` the options it reads, if any, and
`settled(experiment)` those that follow from who takes part where nobody gave them; `FACES` says that scorers of faces
may take part; `pictures(experiment)` names pictures that are made beside those that are scored.
To add a protocol, add a module and a line of `PROTOCOLS`. None of them loads a model or computes a statistic.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, cast

from evidence.jobs.plan import Comparison, Participants, Requirements, Scoring, merge
from evidence.prompts import Prompt, PromptSet
from ledger.rows import Rows
from ledger.schema import Document

PROTOCOLS: Mapping[str, str] = {
    "pairs": "plain and wide-spectrum picture of every prompt, four scores for each scorer",
    "classifiers": "reward models as judges of which picture was asked for, against a pairwise judge",
    "emotion-choice": "the named negative emotion against the happy face, chosen by each scorer",
    "emotion-generation": "does the generated face show the emotion that was asked for",
    "real-photos": "real photographs against clean generations, both under the photograph's caption",
    "leaderboard": "the mean score of real art, placed among the generators",
    "critical": "political subjects: which of two generators each scorer prefers",
    "image-to-image": "what an edit at half strength does to a requested picture",
    "sweep": "negative prompts inside attention (VSF, NAG) and other settings, strength by strength",
}


@dataclass(frozen=True)
class Experiment:
    """What a protocol is applied to. `name` begins the ids of its values: that of the run, with what tells experiments
    of one run apart; `options` are the protocol's own."""

    name: str
    participants: Participants
    prompts: PromptSet
    seeds: tuple[int | None, ...]  # numbers of repeats, or (None,) to leave the samplers free
    options: Mapping[str, str] = field(default_factory=dict)
    run_name: str = ""  # where it is not `name`

    @property
    def run(self) -> str:
        """Id of the run that measured the values."""
        return f"run-{self.run_name or self.name}"

    @property
    def rows_file(self) -> str:
        """Where the rows of the run are published, below results/."""
        return f"rows/{self.run_name or self.name}.csv.gz"

    @property
    def prompt_set(self) -> str:
        """Name of the prompt set with the digest of all its prompts: what the column of that name holds."""
        return f"{self.prompts.name}@{self.prompts.whole[:12]}"


@dataclass(frozen=True)
class Observation:
    """One score or verdict as it is filed: which row of the table it belongs to, under which prompt, seed and way.

    `labels` are those that count of a scorer that gives a number for each of several; empty means all of them."""

    row: str
    prompt: str
    seed: int | None
    kind: str
    way: str
    what: Scoring | Comparison
    labels: tuple[str, ...] = ()


def required(observations: Iterable[Observation]) -> Requirements:
    """What has to be made for some observations."""
    every = [one.what for one in observations]
    return Requirements(
        scorings=tuple(one for one in every if isinstance(one, Scoring)),
        comparisons=tuple(one for one in every if isinstance(one, Comparison)),
    )


def seed_of(prompt: Prompt, repeat: int | None) -> int | None:
    """The seed of one repeat of one prompt: the same for every generator and both pictures of a pair, another for every
    other prompt. In 0..2^31."""
    if repeat is None:
        return None
    return int.from_bytes(hashlib.sha256(f"{prompt.id}/{repeat}".encode()).digest()[:4], "big") >> 1


class ProtocolModule(Protocol):
    PROMPTS: str  # the shipped prompt set that is used where none is named; empty: one must be named

    def observations(self, experiment: Experiment) -> Iterable[Observation]: ...

    def tabulate(self, experiment: Experiment, rows: Rows) -> Document: ...


def requirements(module: ProtocolModule, experiment: Experiment) -> Requirements:
    """What a protocol has made."""
    pictures = module.pictures(experiment) if hasattr(module, "pictures") else ()
    return merge([Requirements(pictures=tuple(pictures)), required(module.observations(experiment))])


def load(name: str) -> ProtocolModule:
    """The module of a protocol. KeyError for a name that is not in PROTOCOLS."""
    if name not in PROTOCOLS:
        raise KeyError(name)
    return cast(ProtocolModule, importlib.import_module(f"evidence.protocols.{name.replace('-', '_')}"))
