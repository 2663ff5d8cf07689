"""A run: makes what is missing of an order, and reports its progress."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

from evidence.cards import Cards
from evidence.engines import Engine, Options, Tally, engine
from evidence.jobs.pictures import pixels_of, sources
from evidence.jobs.plan import Plan
from evidence.order import RUNS, Order, keep_order, store_of
from evidence.order.command import command_of
from evidence.order.resolve import experiments, participants_of, planned
from evidence.progress import Reporter
from evidence.protocols import Experiment
from evidence.ready import ready
from evidence.ready.vocabulary import check
from evidence.samples.identity import key_of
from evidence.samples.store import Store
from ledger.problems import InputError, Problem


def execute(
    order: Order,
    name: str,
    options: Options,
    report: Reporter,
    *,
    engine_name: str = "local",
    cards: Cards | None = None,
    runs: Path = RUNS,
    own_cards: Path | None = None,
) -> tuple[Plan, Tally]:
    """Makes what is missing of an order. The plan that comes back is that of the cards that could run. Raises
    InputError before anything is made."""
    run: Engine = engine(engine_name)
    participants = participants_of(order, cards or Cards())
    asked = experiments(order, participants, name)
    order = _settled(order, asked)
    able, unavailable = ready(participants, options.device, report)
    _check_named(order, unavailable)
    check(able, asked.values())
    keep_order(order, name, command_of(order, participants, asked, name, own_cards), runs)
    plan = planned(order, able, name)
    report.total(totals(plan))
    tally = run(plan, store_of(name, runs), options, report)
    tally.unavailable = unavailable | tally.unavailable
    return plan, tally


def _settled(order: Order, asked: Mapping[str, Experiment]) -> Order:
    """The order with every option that its protocols go by, so that it means the same whoever can run."""
    options = {name: value for experiment in asked.values() for name, value in experiment.options.items()}
    return order.model_copy(update={"options": order.options | options})


def _check_named(order: Order, unavailable: Mapping[str, str]) -> None:
    """Raises InputError where an option names somebody who cannot run here."""
    problems = [
        Problem("--set", 0, f"{option}={name}", f"cannot run here: {unavailable[name]}")
        for option, name in order.options.items()
        if name in unavailable
    ]
    if problems:
        raise InputError(problems)


def progress(plan: Plan, store: Store) -> dict[tuple[str, str], Counter[str]]:
    """For each (stage, card): how many samples are done, failed and missing."""
    told: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)

    def count(stage: str, card: str, key: str | None) -> None:
        told[stage, card][(store.status(key) if key else None) or "missing"] += 1

    for job in plan.pictures.values():
        record = store.get(job.key)
        told["generate", job.spec.model][record.status if record else "missing"] += 1
    whereabouts = sources(plan)
    for reference, pairs in plan.scorings.items():
        pixels = pixels_of(whereabouts[reference], reference, store)
        for scorer, prompt in pairs:
            key = key_of("score", plan.participants.score(scorer, pixels, prompt)) if pixels else None
            count("score", scorer, key)
    for one in plan.comparisons:
        a, b = (pixels_of(s, plan.participants.reference(s) or "", store) for s in (one.a, one.b))
        key = key_of("judge", plan.participants.verdict(one.judge, a, b, one.prompt)) if a and b else None
        count("judge", one.judge, key)
    return told


def totals(plan: Plan) -> dict[str, int]:
    return {"generate": len(plan.pictures), "score": plan.n_scorings, "judge": len(plan.comparisons)}
