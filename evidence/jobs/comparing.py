"""Verdicts of pairwise judges, the same for every engine."""

from __future__ import annotations

import time

from evidence.interfaces import Judge
from evidence.jobs.pictures import finished, open_picture, pixels_of, today
from evidence.jobs.plan import Comparison, Plan
from evidence.jobs.retry import RetryPolicy, with_retries
from evidence.samples.identity import key_of
from evidence.samples.provenance import made_here
from evidence.samples.store import SampleDamaged, Store


def compare(
    plan: Plan, comparison: Comparison, judge: Judge, store: Store, retries: RetryPolicy, retry_failed: bool
) -> None:
    """One verdict, where both pictures were made: 1 for `b`, 0 for `a`, -1 for a tie, kept as a tie."""
    participants, both = plan.participants, (comparison.a, comparison.b)
    references = [participants.reference(source) or "" for source in both]
    first, second = (pixels_of(source, key, store) for source, key in zip(both, references, strict=True))
    if first is None or second is None:
        return
    identity = participants.verdict(comparison.judge, first, second, comparison.prompt)
    key = key_of("judge", identity)
    if finished(store, key, retry_failed):
        return
    try:
        a, b = (open_picture(source, reference, store) for source, reference in zip(both, references, strict=True))
    except (SampleDamaged, KeyError) as damage:
        made = {**made_here("remote"), "judge": comparison.judge, "attempts": 0, "date": today()}
        store.fail(key, "judge", identity, damage, made)
        return
    order = bool(identity["order"])
    started = time.perf_counter()
    verdict, attempts = with_retries(lambda: judge.compare(a, b, comparison.prompt, order), retries)
    seconds = round(time.perf_counter() - started, 3)
    told = {**made_here("remote"), "judge": comparison.judge, "attempts": attempts, "seconds": seconds, "date": today()}
    if isinstance(verdict, Exception):
        store.fail(key, "judge", identity, verdict, told)
    else:
        store.put(key, "judge", identity, {"verdict": verdict, "order": order}, told)
