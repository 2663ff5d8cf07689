"""Names of rows and of families, and the prompts that a family brings of its own."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from evidence.cards import Cards
from evidence.cards.scorers import ScorerCard
from evidence.jobs.plan import Participants
from ledger.problems import InputError, Problem, did_you_mean

MINIATURE = "miniature"


def expand(names: Iterable[str], cards: Cards) -> list[str]:
    """Names of cards; that of a family (`miniature`, `Flux`) stands for all its cards. InputError for unknown names."""
    found: dict[str, None] = {}
    families = {card.family.lower() for card in cards.models.values() if card.family}
    problems: list[Problem] = []
    for name in names:
        family = [card.id for card in cards.models.values() if card.family.lower() == name.lower()]
        base = name.partition("@")[0]
        if base in cards.models:
            found[name] = None
        elif family:
            found |= dict.fromkeys(family)
        else:
            hint = did_you_mean(base, [*cards.models, *families])
            problems.append(Problem("--models", 0, name, f"no such card or family in evidence/cards/models.toml{hint}"))
    if problems:
        raise InputError(problems)
    return list(found)


def own_prompts(participants: Participants, name: str, results: Path) -> str:
    """`results/FAMILY/prompts/NAME.jsonl`, where all generators are of one family that ships a set of its own: one that
    knows few words is asked only what it knows. Empty where there is none."""
    families = {m.card.family.lower() for m in participants.models.values()}
    file = results / "-".join(sorted(families)) / "prompts" / f"{name}.jsonl"
    return str(file) if len(families) == 1 and name and file.is_file() else ""


def family_of(card: ScorerCard) -> str:
    return str(getattr(card, "family", ""))
