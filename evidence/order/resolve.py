"""From an order to what it stands for: participants, experiments, plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from evidence import prompts, protocols
from evidence.cards import Cards
from evidence.cards.base import pick
from evidence.jobs.plan import Participants, Plan, build, configured, ledger_id, merge
from evidence.order import Order
from evidence.order.families import default_scorers, expand, own_prompts
from evidence.order.sweep import points
from ledger.problems import InputError, Problem, did_you_mean


def participants_of(order: Order, cards: Cards) -> Participants:
    """Who takes part. Without names, the scorers are those of the generators' kind: the miniature has its own."""
    names = [swept for name in expand(order.models, cards) for swept in points(name, order.sweep)]
    models = [configured(name, cards.models) for name in names]
    lacking = [m.name for m in models if order.profile not in m.card.profiles]
    if lacking:
        raise InputError([Problem("--profile", 0, name, f"has no profile '{order.profile}'") for name in lacking])
    singles = {name: card for name, card in cards.scorers.items() if card.role != "pairwise-judge"}
    pairwise = {name: card for name, card in cards.scorers.items() if name not in singles}
    chosen = pick(singles, list(order.scorers) or default_scorers(models, cards), "evidence/cards/scorers.toml")
    judges = pick(pairwise, list(order.judges), "evidence/cards/scorers.toml")
    found = Participants(
        models={m.name: m for m in models},
        scorers={card.id: card for card in chosen},
        judges={card.id: card for card in judges},
        profile=order.profile,
    )
    distinct(found)
    return found


def distinct(participants: Participants) -> None:
    """Raises InputError where two names would be one in the ids of values."""
    problems: list[Problem] = []
    for option, names in (
        ("--models", participants.models),
        ("--scorers", {**participants.scorers, **participants.judges}),
    ):
        known: dict[str, str] = {}
        for name in names:
            other = known.setdefault(ledger_id(name), name)
            if other != name:
                problems.append(
                    Problem(option, 0, name, f"gives the id '{ledger_id(name)}', as '{other}' does: rename one")
                )
    if problems:
        raise InputError(problems)


def experiments(order: Order, participants: Participants, name: str) -> dict[str, protocols.Experiment]:
    """One experiment per protocol, with the prompt set that was named, the generators' own or the protocol's own."""
    found = {}
    modules = {protocol: _module(protocol) for protocol in order.protocol}
    _read_options(order, modules)
    for protocol, module in modules.items():
        _fit(protocol, module, participants)
        chosen = order.prompt_set or own_prompts(participants, module.PROMPTS) or module.PROMPTS
        if not chosen:
            raise InputError(
                [Problem("--prompt-set", 0, protocol, "needs a prompt set of its own: name a .jsonl file")]
            )
        repeats: tuple[int | None, ...] = tuple(range(order.seeds)) or (None,)
        asked = protocols.Experiment(
            name, participants, prompts.load(chosen, order.prompts), repeats, _own(order, module)
        )
        settled = module.settled(asked) if hasattr(module, "settled") else {}
        found[protocol] = replace(asked, options={**asked.options, **settled})
    return found


def _module(protocol: str) -> protocols.ProtocolModule:
    try:
        return protocols.load(protocol)
    except KeyError:
        hint = did_you_mean(protocol, protocols.PROTOCOLS)
        raise InputError([Problem("--protocol", 0, protocol, f"no such protocol{hint}")]) from None


def _own(order: Order, module: protocols.ProtocolModule) -> dict[str, str]:
    """The options that a protocol reads."""
    return {name: value for name, value in order.options.items() if name in getattr(module, "OPTIONS", ())}


def _read_options(order: Order, modules: Mapping[str, protocols.ProtocolModule]) -> None:
    """Raises InputError for options that no protocol of the order reads."""
    read = {option for module in modules.values() for option in getattr(module, "OPTIONS", ())}
    told = f"is no option of {', '.join(modules)}"
    problems = [
        Problem("--set", 0, name, told + did_you_mean(name, read)) for name in order.options if name not in read
    ]
    if problems:
        raise InputError(problems)


def _fit(protocol: str, module: protocols.ProtocolModule, participants: Participants) -> None:
    """Raises InputError for scorers of faces under a protocol that has none."""
    matchers = [name for name, card in participants.scorers.items() if card.role == "face-matcher"]
    if matchers and not getattr(module, "FACES", False):
        told = f"scores faces alone, protocol '{protocol}' whole pictures: leave it out"
        raise InputError([Problem("--scorers", 0, name, told) for name in matchers])


def planned(order: Order, participants: Participants, name: str) -> Plan:
    """What an order has made, for those who take part."""
    wanted = (
        protocols.requirements(protocols.load(protocol), experiment)
        for protocol, experiment in experiments(order, participants, name).items()
    )
    return build(participants, merge(wanted))
