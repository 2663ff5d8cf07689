"""Which participants of a run can run here. Those that cannot (gated or missing weights, no key, too little memory) are
reported in one line each and left out; the others run."""

from __future__ import annotations

import dataclasses

from evidence import weights
from evidence.cards.models import ModelCard
from evidence.cards.scorers import ScorerCard
from evidence.devices import memory_gib
from evidence.jobs.plan import Participants
from evidence.progress import Reporter
from evidence.samples.store import without_secrets


def ready(participants: Participants, device: str, report: Reporter) -> tuple[Participants, dict[str, str]]:
    """The participants without the cards that cannot run here, and one line for each of those.

    Weights that nobody has pinned are fetched now: keys name their revision, so it must be known before the plan."""
    unavailable: dict[str, str] = {}

    def usable(card: ModelCard | ScorerCard, name: str, need: float | None) -> bool:
        try:
            if not card.remote:
                room = memory_gib(device) if device else None
                if need is not None and room is not None and need > room:
                    raise MemoryError(f"needs {need:g} GiB, {device} has {room:.0f}")
                pin(card)
        except Exception as error:
            unavailable[name] = without_secrets((str(error) or type(error).__name__).splitlines()[0])
            report.say(f"{name}: skipped: {unavailable[name]}")
        return name not in unavailable

    models = {n: m for n, m in participants.models.items() if usable(m.card, n, m.card.memory_gib)}
    scorers = {n: card for n, card in participants.scorers.items() if usable(card, n, card.memory_gib)}
    return dataclasses.replace(participants, models=models, scorers=scorers), unavailable


def pin(card: ModelCard | ScorerCard) -> None:
    """Fetches the weights of an unpinned card, which pins them. Unavailable names the remedy."""
    if card.revision != weights.UNPINNED:
        return
    weights.fetch(card.weights, tuple(card.files), prepare=card.prepare)
    if isinstance(card, ScorerCard):
        for address, files in card.parts[1:]:
            weights.fetch(address, files)
    else:
        for address in card.addresses[1:]:
            weights.fetch(address, prepare=card.prepare)
