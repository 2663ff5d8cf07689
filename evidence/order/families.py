"""Names of rows and of families, and the prompts that a family brings of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from evidence.cards import Cards
from evidence.jobs.plan import ConfiguredModel, Participants
from evidence.order import ROOT
from ledger.problems import InputError, Problem, did_you_mean


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


def own_prompts(participants: Participants, name: str) -> str:
    """The prompt set of this name that all generators bring of their own: one that knows few words is asked only what
    it knows. Empty where there is none."""
    folders = {m.card.prompts for m in participants.models.values()}
    file = ROOT / folders.pop() / f"{name}.jsonl" if len(folders) == 1 and name else None
    return str(file) if file and file.is_file() and file.parent != ROOT else ""


def default_scorers(models: Sequence[ConfiguredModel], cards: Cards) -> list[str]:
    """Who scores where nobody is named: those that the generators name, else all that no generator has to itself."""
    named = [model.card.scorers for model in models]
    if named and all(named):
        return list(dict.fromkeys(scorer for scorers in named for scorer in scorers))
    private = {scorer for card in cards.models.values() for scorer in card.scorers}
    special = ("pairwise-judge", "face-matcher")  # for protocols that ask for them
    return [name for name, card in cards.scorers.items() if card.role not in special and name not in private]
