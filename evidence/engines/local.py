"""One process. Denoising keeps the device busy; decoding, PNG encoding and scoring of earlier pictures run on threads
beside it, and a bounded number of pictures is in flight, so that a slow disk or scorer holds the sampler back.

Generators are loaded one after the other; scorers that fit beside the largest of them stay loaded, the others follow
one by one when all pictures are there; pairwise judges come last. Remote generators run `parallel` calls at a time.
"""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from evidence import generators, scorers
from evidence.adapters import ADAPTERS, Arm
from evidence.engines import Options, Reporter, Tally
from evidence.plan import Cast, Comparison, PictureJob, Plan
from evidence.provenance import made_here
from evidence.store import Store, without_secrets
from evidence.types import GenerationFailed, Generator, Judge, Scorer, Staged
from evidence.work import (
    STILL,
    Bench,
    draw,
    finished,
    keep,
    request_of,
    settle,
    source_of,
)

TOGETHER = 8  # pictures at most that go to the scorers in one call
IN_FLIGHT = 4  # batches between the sampler and the disk
ASSUMED_GIB = 4.0  # of a row that does not say what it needs


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

    def bench(names: Sequence[str]) -> Bench:
        def tell(name: str, error: Exception) -> None:
            unavailable(name, error, tally, report)

        return Bench(plan, store, options.device, options.retry_failed, names, tell, load_scorer)

    _make(plan, store, Studio(plan.cast, options, load), bench(beside), report, tally)
    free()
    for name in after:
        alone = bench([name])
        for references in batched([*plan.pictures, *plan.given], TOGETHER):
            report.advance("score", alone.score(references))
        del alone
        free()
    _compare(plan, store, options, report, tally)
    return tally


def _make(plan: Plan, store: Store, studio: Studio, bench: Bench, report: Reporter, tally: Tally) -> None:
    """All pictures, and the scores of the scorers that are loaded beside the generators."""
    options = studio.options
    bench.prepare()
    pending: list[Future[None]] = []

    def score(references: Sequence[str]) -> None:
        report.advance("score", bench.score(references))

    with ThreadPoolExecutor(1, "score") as scoring:
        for model, arm, jobs in plan.groups():
            due = [job for job in jobs if not finished(store, job.key, options.retry_failed)]
            there = [job.key for job in jobs if finished(store, job.key, options.retry_failed)]
            report.advance("generate", len(there))
            pending += [scoring.submit(score, keys) for keys in batched(there, TOGETHER)]
            waiting: list[str] = []
            for done in _pictures(studio, model, arm, due, store, report, tally):
                waiting.append(done.key)
                idle = not pending or pending[-1].done()  # then waiting for company only makes the end longer
                if idle or len(waiting) >= TOGETHER:
                    pending.append(scoring.submit(score, waiting))
                    waiting = []
                pending = [future for future in pending if not future.done() or future.result()]
            pending.append(scoring.submit(score, waiting))
        pending += [scoring.submit(score, references) for references in batched(list(plan.given), TOGETHER)]
        for future in pending:
            future.result()


def batched(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def residents(plan: Plan, device: str) -> tuple[list[str], list[str]]:
    """Scorers that stay loaded beside the largest generator, and those that wait until it is gone."""
    room = memory_gib(device) * 0.9
    local = [m.row for m in plan.cast.members.values() if not m.row.remote]
    room -= max((row.memory_gib or ASSUMED_GIB for row in local), default=0.0)
    beside: list[str] = []
    after: list[str] = []
    for name, row in plan.cast.scorers.items():
        need = row.memory_gib or ASSUMED_GIB
        room_after = room - need
        (beside if room_after >= 0 or not local else after).append(name)
        room = room_after if room_after >= 0 else room
    return beside, after


def memory_gib(device: str) -> float:
    """Memory of the device in GiB."""
    if device.startswith("cuda"):
        import torch

        return float(torch.cuda.get_device_properties(device).total_memory) / 2**30
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


class Studio:
    """The generator at hand. One that differs only in settings or in a LoRA's scale takes over the weights."""

    def __init__(self, cast: Cast, options: Options, load: Callable[..., Generator] = generators.load) -> None:
        self.cast, self.options, self._load = cast, options, load
        self.weights: dict[str, Any] = {}
        self.generator: Generator | None = None

    def load(self, model: str, arm: Arm) -> Generator:
        weights = {**self.cast.weights(model), "lora_scale": None}  # the adapter sets the scale before each sampling
        if weights != self.weights:
            self.generator = None
            free()
        row, profile = self.cast.members[model].row, self.cast.profile
        with STILL:
            made = self._load(row, profile, self.options.device, arm=arm, sharing=self.generator)
        self.weights, self.generator = weights, made
        return made


def _pictures(
    studio: Studio,
    model: str,
    arm: Arm,
    jobs: list[PictureJob],
    store: Store,
    report: Reporter,
    tally: Tally,
) -> Iterator[PictureJob]:
    """Makes the pictures of one group, yielding each job when its record is written."""
    if not jobs or model in tally.unavailable:
        return
    row, options = studio.cast.members[model].row, studio.options
    try:
        generator = studio.load(model, arm)
    except Exception as error:
        unavailable(model, error, tally, report)
        return
    batches = [batch for _, batch in grouped(jobs, studio.cast)]
    if ADAPTERS[row.adapter].remote:
        written = _remote(generator, batches, store, options)
    elif isinstance(generator, Staged):
        written = _staged(generator, batches, store, options)
    else:
        written = _plain(generator, batches, store, options)
    for batch in written:
        report.advance("generate", len(batch))
        yield from batch


def _remote(
    generator: Generator, batches: Iterable[list[PictureJob]], store: Store, options: Options
) -> Iterator[list[PictureJob]]:
    made = {**made_here("remote")}

    def one(batch: list[PictureJob]) -> list[PictureJob]:
        draw(generator, batch, store, options.patience, made)
        return batch

    with ThreadPoolExecutor(options.parallel, "call") as calls:
        yield from calls.map(one, batches)


def _plain(
    generator: Generator, batches: Iterable[list[PictureJob]], store: Store, options: Options
) -> Iterator[list[PictureJob]]:
    for batch in batches:
        draw(generator, batch, store, options.patience, made_here(options.device))
        yield batch


def _staged(
    generator: Staged, batches: list[list[PictureJob]], store: Store, options: Options
) -> Iterator[list[PictureJob]]:
    """Text first, once; then denoising here and decoding and encoding on threads, IN_FLIGHT batches at most. A batch
    that fails as a whole is made again at the end, picture by picture, so that each failure is its own."""
    made = made_here(options.device)
    room = threading.Semaphore(IN_FLIGHT)
    generator.encode([request_of(job, None) for batch in batches for job in batch])
    again: list[list[PictureJob]] = []

    def finish(batch: list[PictureJob], full: int, latents: object, started: float) -> bool:
        told = {**made, "attempts": 1, "batch": full}
        try:
            images = generator.decode(latents)[: len(batch)]
            kept = [
                encoders.submit(keep, job, image, store, told, started, len(batch))
                for job, image in zip(batch, images, strict=True)
            ]
            for future in kept:
                future.result()
            return True
        except GenerationFailed:
            return False
        finally:
            room.release()

    with ThreadPoolExecutor(1, "decode") as decoder, ThreadPoolExecutor(2, "encode") as encoders:
        waiting: list[tuple[list[PictureJob], Future[bool]]] = []
        for batch in batches:
            full = max(len(batch), int(batch[0].identity["settings"].get("batch") or 1))
            room.acquire()
            started = time.perf_counter()
            try:
                requests = [request_of(job, source_of(job, store)) for job in batch]
                latents = generator.denoise(requests + requests[-1:] * (full - len(requests)))
            except Exception:  # told apart below
                room.release()
                again.append(batch)
                continue
            waiting.append((batch, decoder.submit(finish, batch, full, latents, started)))
            while waiting and waiting[0][1].done():
                done, written = waiting.pop(0)
                if written.result():
                    yield done
                else:
                    again.append(done)
        for done, written in waiting:
            if written.result():
                yield done
            else:
                again.append(done)
    for batch in again:  # nothing else uses the generator now
        for job in batch:
            draw(generator, [job], store, options.patience, made)
        yield batch


def _compare(plan: Plan, store: Store, options: Options, report: Reporter, tally: Tally) -> None:
    """Verdicts of the pairwise judges, several calls at a time."""
    judges: dict[str, Judge] = {}
    for name in dict.fromkeys(comparison.judge for comparison in plan.comparisons):
        try:
            judges[name] = scorers.load_judge(plan.cast.judges[name])
        except Exception as error:
            unavailable(name, error, tally, report)

    def one(comparison: Comparison) -> None:
        settle(plan, comparison, judges[comparison.judge], store, options.patience, options.retry_failed)
        report.advance("judge")

    with ThreadPoolExecutor(options.parallel, "judge") as calls:
        list(calls.map(one, [c for c in plan.comparisons if c.judge in judges]))


def grouped(jobs: Sequence[PictureJob], cast: Cast) -> Iterator[tuple[tuple[str, Arm], list[PictureJob]]]:
    """Jobs in runs of one generator, arm and wave, each at most one batch long."""
    waiting: list[PictureJob] = []

    def place(job: PictureJob) -> tuple[str, Arm, int]:
        return job.ask.model, job.ask.arm, job.wave

    for job in jobs:
        full = waiting and len(waiting) >= int(cast.settings(*place(waiting[0])[:2]).get("batch") or 1)
        if waiting and (full or place(job) != place(waiting[0])):
            yield place(waiting[0])[:2], waiting
            waiting = []
        waiting.append(job)
    if waiting:
        yield place(waiting[0])[:2], waiting


def unavailable(name: str, error: BaseException, tally: Tally, report: Reporter) -> None:
    """One clear line for a row that cannot run; the other rows go on."""
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    tally.unavailable[name] = without_secrets(first)
    report.say(f"{name}: skipped: {tally.unavailable[name]}")


def free() -> None:
    """Gives back what a dropped model held."""
    gc.collect()
    import sys

    if (torch := sys.modules.get("torch")) is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
