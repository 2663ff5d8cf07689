"""The command that repeats an order: everything that decides what is made is spelled out, nothing left to defaults."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from evidence.cards.models import CONTROLLED
from evidence.jobs.plan import Participants
from evidence.order import ROOT, Order
from evidence.protocols import Experiment


def command_of(
    order: Order,
    participants: Participants,
    experiments: Mapping[str, Experiment],
    name: str,
    cards: Path | None = None,
) -> str:
    """`cards`: the folder of cards of one's own, if any."""
    told = ["python", "build.py", "evidence", *_options(order, participants, experiments)]
    told += ["--cards", str(cards)] if cards else []
    return shlex.join([*told, "--run", name])


def _options(order: Order, participants: Participants, experiments: Mapping[str, Experiment]) -> Iterator[str]:
    yield from ("--models", ",".join(participants.models), "--protocol", ",".join(order.protocol))
    sets = {_file(experiment.prompts.source) for experiment in experiments.values()}
    if len(sets) == 1:
        yield from ("--prompt-set", sets.pop())
    if order.prompts is not None:
        yield from ("--prompts", str(order.prompts))
    yield from ("--seeds", str(order.seeds))
    if order.profile != CONTROLLED:
        yield from ("--profile", order.profile)
    yield from ("--scorers", ",".join(participants.scorers))
    if participants.judges:
        yield from ("--judges", ",".join(participants.judges))
    for key, value in order.options.items():
        yield from ("--set", f"{key}={value}")


def _file(source: str) -> str:
    """Where a prompt set came from, as the option takes it: a path below the project, another path, or the hub."""
    return source.partition("@")[0] if source.startswith("hub:") else source.removeprefix(f"{ROOT}/")
