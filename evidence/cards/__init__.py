"""Cards: what models.toml and scorers.toml say of each generator and scorer, and those of a folder of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from evidence.cards import models
from evidence.cards.models import ModelCard
from evidence.cards.scorers import ScorerCard
from evidence.cards.scorers import read as read_scorers
from ledger.problems import InputError, Problem


@dataclass(frozen=True)
class Cards:
    """The cards that names are looked up in."""

    models: Mapping[str, ModelCard] = field(default_factory=models.load)
    scorers: Mapping[str, ScorerCard] = field(default_factory=read_scorers)


def cards_of(folder: Path | None) -> Cards:
    """The project's cards, and those of `models.toml` and `scorers.toml` in a folder of one's own, which win."""
    cards = Cards()
    if folder is None:
        return cards
    files = folder / "models.toml", folder / "scorers.toml"
    if not any(file.exists() for file in files):
        raise InputError([Problem(str(folder), 0, "", "holds neither models.toml nor scorers.toml")])
    own = models.load(files[0]) if files[0].exists() else {}
    scorers = read_scorers(files[1]) if files[1].exists() else {}
    return Cards({**cards.models, **own}, {**cards.scorers, **scorers})
