"""Cost of the bookkeeping of evidence/ for a hundred thousand samples: plan, status, collect, in seconds and memory.

The samples are made up (no model is run): nine generators, three hundred prompts, nine scorers, one record on disk for
each picture and score as a run would leave it. Each step runs in a process of its own; memory is its peak.

    python -m benchmarks.samples [--prompts 300]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from evidence import collect, run
from evidence.cards import Cards
from evidence.jobs.plan import Plan
from evidence.order import Order, keep_order, orders, store_of
from evidence.order.resolve import participants_of, planned
from evidence.samples.identity import key_of
from evidence.samples.store import Store

NAME = "scale"
TARGETS = {"plan": 10.0, "status": 5.0, "collect": 60.0}  # seconds
MEMORY = 1000.0  # MB


def order(prompts: int) -> Order:
    models = [name for name, card in Cards().models.items() if not card.remote and card.prompts == ""][:9]
    return Order(models=tuple(models), prompt_set="wide", prompts=prompts)


def plan(prompts: int) -> Plan:
    asked = order(prompts)
    return planned(asked, participants_of(asked, Cards()), NAME)


def fill(prompts: int, runs: Path) -> int:
    """Writes the records of all samples; how many."""
    whole, store, count = plan(prompts), store_of(NAME, runs), 0
    numbers = random.Random(7)
    made = {"date": "2026-01-01T00:00:00+00:00", "seconds": 1.0, "device": "none", "hardware": "none", "attempts": 1,
            "software": {"python": "3"}, "commit": "none", "truncated": False}  # fmt: skip
    for key, job in whole.pictures.items():
        result = {"pixels": key, "file": key, "width": 1024, "height": 1024}
        _put(store, key, "generate", job.identity, result, made | {"model": job.spec.model})
        store.png_path(key).touch()
        for scorer, prompt in whole.scorings[key]:
            identity = whole.participants.score(scorer, key, prompt)
            scored = {"score": numbers.gauss(10.0, 1.0), "truncated": False}
            _put(store, key_of("score", identity), "score", identity, scored, made | {"scorer": scorer})
            count += 1
    keep_order(order(prompts), NAME, "made up", runs)
    return count + len(whole.pictures)


def _put(store: Store, key: str, stage: str, identity: Any, result: Any, made: Any) -> None:
    path = store.json_path(key)
    path.parent.mkdir(parents=True, exist_ok=True)
    told = {"key": key, "stage": stage, "status": "done", "identity": identity, "result": result, "made": made}
    path.write_text(json.dumps(told, indent=1, sort_keys=True) + "\n")


def status(prompts: int, runs: Path) -> None:
    counts = run.progress(plan(prompts), store_of(NAME, runs))
    assert all(count["done"] == count.total() for count in counts.values())


def collected(runs: Path) -> None:
    found = collect.collect(orders(NAME, runs), NAME, store_of(NAME, runs))
    collect.write(found, runs / "results" / "scale.json", NAME)


def measured(step: Callable[..., object], *arguments: object) -> tuple[float, float, float]:
    """Wall and processor seconds, and peak memory in MB, of a step in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_timed, (step, arguments))


def _timed(step: Callable[..., object], arguments: tuple[object, ...]) -> tuple[float, float, float]:
    wall, processor = time.perf_counter(), time.process_time()
    step(*arguments)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return time.perf_counter() - wall, time.process_time() - processor, peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=300)
    prompts = parser.parse_args().prompts
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder)
        print(
            f"{fill(prompts, runs)} samples\n\n| step | s | s of processor | peak MB | target |\n|---|---|---|---|---|"
        )
        steps: list[tuple[str, Callable[..., object], tuple[object, ...]]] = [
            ("plan", plan, (prompts,)), ("status", status, (prompts, runs)), ("collect", collected, (runs,)),
        ]  # fmt: skip
        for name, step, arguments in steps:
            wall, processor, peak = measured(step, *arguments)
            print(
                f"| {name} | {wall:.1f} | {processor:.1f} | {peak:.0f} | {TARGETS[name]:g} s, {MEMORY:g} MB |",
                flush=True,
            )


if __name__ == "__main__":
    main()
