"""Protocols: what to make, score and compare (`wants`), and what the stored mean (`tabulate`). Data in, values out.

A protocol is a module below with these two functions; to add one, add a module and a line of `PROTOCOLS`. None of them
loads a model, and each computes with `ledger.metrics` on paired data alone: a pair of which one picture or score is
missing is left out of the mean and counted as failed.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, cast

from evidence.jobs.plan import Participants, Requirements
from evidence.prompts import Prompt, PromptSet
from evidence.samples.stored_results import StoredResults
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
    """What a protocol is applied to. `name` begins the ids of its values; `options` are the protocol's own."""

    name: str
    participants: Participants
    prompts: PromptSet
    seeds: tuple[int | None, ...]  # numbers of repeats, or (None,) to leave the samplers free
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def run(self) -> str:
        """Id of the run that measured the values."""
        return f"run-{self.name}"


def seed_of(prompt: Prompt, repeat: int | None) -> int | None:
    """The seed of one repeat of one prompt: the same for every generator and both pictures of a pair, another for every
    other prompt. In 0..2^31."""
    if repeat is None:
        return None
    return int.from_bytes(hashlib.sha256(f"{prompt.id}/{repeat}".encode()).digest()[:4], "big") >> 1


class ProtocolModule(Protocol):
    PROMPTS: str  # the shipped prompt set that is used where none is named; empty: one must be named

    def requirements(self, experiment: Experiment) -> Requirements: ...

    def tabulate(self, experiment: Experiment, stored: StoredResults) -> Document: ...


def load(name: str) -> ProtocolModule:
    """The module of a protocol. KeyError for a name that is not in PROTOCOLS."""
    if name not in PROTOCOLS:
        raise KeyError(name)
    return cast(ProtocolModule, importlib.import_module(f"evidence.protocols.{name.replace('-', '_')}"))
