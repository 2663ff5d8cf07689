"""One process: pictures are made by the chain of `loader`, and scored on a thread beside it as they come.

Generators are loaded one after the other; scorers that fit beside the largest of them stay loaded, the others follow
one by one when all pictures are there; pairwise judges come last. What waits for a scorer waits on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any

from evidence import generators, scorers
from evidence.cards.models import ModelCard
from evidence.devices import USABLE, activations_gib, memory_gib
from evidence.engines import Options, Tally
from evidence.engines.pipeline import GeneratorLoader, free, make_all, side_stream
from evidence.interfaces import Generator, Judge, Scorer
from evidence.jobs.comparing import compare
from evidence.jobs.pictures import batched, finished
from evidence.jobs.plan import Comparison, PictureJob, Plan
from evidence.jobs.scoring import ScorerPool
from evidence.progress import Reporter
from evidence.registry import PictureKind
from evidence.samples.claims import Claims
from evidence.samples.store import Store, without_secrets

TOGETHER = 8  # pictures at most that go to the scorers in one call
ASSUMED_GIB = 4.0  # of a card that does not say what it needs


def run(
    plan: Plan,
    store: Store,
    options: Options,
    report: Reporter,
    *,
    load: Callable[..., Generator] = generators.load,
    load_scorer: Callable[..., Scorer] = scorers.load,
) -> Tally:
    """Does what of the plan is not in the store yet. `load` and `load_scorer` are called as those of `generators` and
    `scorers` are."""
    tally = Tally()
    store.sweep()
    beside, after = residents(plan, options.device)

    def bench(names: Sequence[str]) -> ScorerPool:
        def tell(name: str, error: Exception) -> None:
            unavailable(name, error, tally, report)

        return ScorerPool(plan, store, options.device, options.retry_failed, names, tell, load_scorer)

    _make(plan, store, GeneratorLoader(plan.participants, options, load), bench(beside), report, tally)
    free()
    for name in after:
        alone = bench([name])
        for references in batched([*plan.pictures, *plan.given], TOGETHER):
            report.advance("score", alone.score(references))
        del alone
        free()
    _compare(plan, store, options, report, tally)
    return tally


def _make(plan: Plan, store: Store, loader: GeneratorLoader, pool: ScorerPool, report: Reporter, tally: Tally) -> None:
    """All pictures, and the scores of the scorers that are loaded beside the generators."""
    pool.prepare()
    waiting: SimpleQueue[str | None] = SimpleQueue()

    def made(job: PictureJob) -> None:
        report.advance("generate")
        waiting.put(job.key)

    claims = Claims(store.root)
    with ThreadPoolExecutor(1, "score") as scoring, claims.renewed():
        scored = scoring.submit(_score, pool, waiting, loader.options.device, report)
        try:
            for model, kind, jobs in plan.groups():
                due = []
                for job in jobs:
                    if finished(store, job.key, loader.options.retry_failed):
                        made(job)
                    else:
                        due.append(job)
                _draw(loader, model, kind, due, store, made, report, tally, claims)
            for reference in plan.given:
                waiting.put(reference)
        finally:
            waiting.put(None)
        scored.result()


def _score(bench: ScorerPool, waiting: SimpleQueue[str | None], device: str, report: Reporter) -> None:
    """Scores pictures as they come, until None does: one that finds the scorers idle goes at once, those that come
    meanwhile go together."""
    beside = side_stream(device)
    ended = False
    while not ended:
        together = [waiting.get()]
        while len(together) < TOGETHER and not waiting.empty():
            together.append(waiting.get())
        ended = None in together
        with beside():
            scored = bench.score([reference for reference in together if reference is not None])
        report.advance("score", scored)


def _draw(
    loader: GeneratorLoader,
    model: str,
    kind: PictureKind,
    jobs: Sequence[PictureJob],
    store: Store,
    made: Callable[[PictureJob], None],
    report: Reporter,
    tally: Tally,
    claims: Claims,
) -> None:
    if not jobs or model in tally.unavailable:
        return
    try:
        generator = loader.load(model, kind)
    except Exception as error:
        unavailable(model, error, tally, report)
        return
    make_all(generator, jobs, store, loader.options, made, claims)


def residents(plan: Plan, device: str) -> tuple[list[str], list[str]]:
    """Scorers that stay loaded beside the generator that takes most, its batch included, and those that wait until it
    is gone."""
    room = memory_gib(device) * USABLE - max(map(_peak_gib, plan.jobs_by_model()), default=0.0)
    local = any(not m.card.remote for m in plan.participants.models.values())
    beside: list[str] = []
    after: list[str] = []
    for name, card in plan.participants.scorers.items():
        need = card.memory_gib or ASSUMED_GIB
        fits = room >= need or not local
        (beside if fits else after).append(name)
        room -= need if fits else 0.0
    return beside, after


def _peak_gib(drawn: tuple[ModelCard, Mapping[str, Any]]) -> float:
    """What a generator takes while it samples: its weights, and the activations of a batch."""
    card, settings = drawn
    if card.remote:
        return 0.0
    return (card.memory_gib or ASSUMED_GIB) + activations_gib(settings)


def _compare(plan: Plan, store: Store, options: Options, report: Reporter, tally: Tally) -> None:
    """Verdicts of the pairwise judges, several calls at a time."""
    judges: dict[str, Judge] = {}
    for name in dict.fromkeys(comparison.judge for comparison in plan.comparisons):
        try:
            judges[name] = scorers.load_judge(plan.participants.judges[name])
        except Exception as error:
            unavailable(name, error, tally, report)

    def one(comparison: Comparison) -> None:
        compare(plan, comparison, judges[comparison.judge], store, options.retries, options.retry_failed)
        report.advance("judge")

    with ThreadPoolExecutor(options.parallel, "judge") as calls:
        list(calls.map(one, [c for c in plan.comparisons if c.judge in judges]))


def unavailable(name: str, error: BaseException, tally: Tally, report: Reporter) -> None:
    """One clear line for a card that cannot run; the other cards go on."""
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    tally.unavailable[name] = without_secrets(first)
    report.say(f"{name}: skipped: {tally.unavailable[name]}")
