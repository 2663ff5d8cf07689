"""The loaded generator and its pictures: decoding, PNG encoding and disk writes run in parallel with the sampling.

The stages are a chain of threads (sample -> decode -> encode and write), each picture goes on as soon as it can, and a
bounded number is in flight, so that a slow disk holds the sampler back. On a GPU, work beside the sampler has a
stream of its own: on the sampler's, the wait for one picture would be a wait for all that is queued behind it.
"""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from evidence import generators
from evidence.engines import Options
from evidence.interfaces import Generator, Staged
from evidence.jobs.pictures import batched, draw, keep, request_of, requests_of
from evidence.jobs.plan import Participants, PictureJob
from evidence.jobs.scoring import LOADING
from evidence.registry import GENERATORS, PictureKind
from evidence.samples.claims import Claims
from evidence.samples.provenance import made_here
from evidence.samples.store import Store

if TYPE_CHECKING:
    from PIL.Image import Image

LOADED = ("dtype", "variant", "compile")  # settings that say which weights are loaded, and how
WAIT = 0.5  # seconds between two looks at what another worker has claimed
DEATHS = 3  # of workers while they made one picture, after which it counts as failed
IN_FLIGHT = 4  # batches between the sampler and the disk
ENCODERS = 2  # threads that write PNG: one takes 0.2 s for a megapixel

Made = dict[str, Any]  # where and with what


class WorkerDied(Exception):
    """No picture: whoever made it died, again and again."""

    def __init__(self, times: int) -> None:
        super().__init__(f"its worker died {times} times while it was made; --retry-failed tries once more")


class GeneratorLoader:
    """The loaded generator. One that differs only in settings or in a LoRA's scale takes over the weights."""

    def __init__(
        self, participants: Participants, options: Options, load: Callable[..., Generator] = generators.load
    ) -> None:
        self.participants, self.options, self._load = participants, options, load
        self.weights: dict[str, Any] = {}
        self.generator: Generator | None = None

    def load(self, model: str, kind: PictureKind) -> Generator:
        weights = {
            **self.participants.weights(model),
            "lora_scale": None,  # the adapter sets the scale before each sampling
            "loaded": [self.participants.settings(model, kind).get(name) for name in LOADED],
        }
        if weights != self.weights:
            dropped, self.weights, self.generator = self.weights, weights, None
            if dropped:
                free()
        card, profile = self.participants.models[model].card, self.participants.profile
        with LOADING:
            made = self._load(card, profile, self.options.device, kind=kind, sharing=self.generator)
        self.generator = made
        return made


def free() -> None:
    """Gives back what a dropped model held."""
    gc.collect()
    if (torch := sys.modules.get("torch")) is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def side_stream(device: str) -> Callable[[], AbstractContextManager[None]]:
    """Where one thread works beside the sampler: on a GPU, on a stream of its own whose kernels go first. Work begins
    after what the sampler has queued until then, and is done when the block ends."""
    if not device.startswith("cuda"):
        return nullcontext
    import torch

    stream = torch.cuda.Stream(device, priority=-1)  # type: ignore[no-untyped-call]

    @contextmanager
    def beside() -> Iterator[None]:
        stream.wait_stream(torch.cuda.default_stream(device))
        try:
            with torch.cuda.stream(stream):
                yield
        finally:
            stream.synchronize()

    return beside


class PictureWriter:
    """Threads that encode pictures and write them to the store. At most `room` pictures are between the sampler and the
    disk; `done` is called from a thread of the desk when a picture, or its failure, is in the store. `cut` says which
    prompts, each with its negative one, the text window of the generator cuts, where that is known."""

    def __init__(
        self,
        store: Store,
        done: Callable[[PictureJob], None],
        room: int,
        cut: Mapping[tuple[str, str], bool] | None = None,
        release: Callable[[str], None] | None = None,
    ) -> None:
        self.store, self.done, self.room, self.cut = store, done, threading.Semaphore(room), cut or {}
        self.unclaim = release or (lambda key: None)
        self.pool = ThreadPoolExecutor(ENCODERS, "encode")
        self.under_way: deque[Future[None]] = deque()

    def __enter__(self) -> PictureWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.pool.shutdown()
        for future in self.under_way:
            future.result()

    def reserve(self, count: int) -> None:
        """Waits for the room of `count` pictures, each of which is then written once or given back by `release`. Raises
        what went wrong with an earlier one: a full disk ends a run at once."""
        while self.under_way and self.under_way[0].done():
            self.under_way.popleft().result()
        for _ in range(count):
            self.room.acquire()

    def release(self, count: int) -> None:
        self.room.release(count)

    def write(self, job: PictureJob, outcome: Image | Exception, made: Made, started: float, shared: int = 1) -> None:
        self.under_way.append(self.pool.submit(self._write, job, outcome, made, started, shared))

    def _write(self, job: PictureJob, outcome: Image | Exception, made: Made, started: float, shared: int) -> None:
        text = job.spec.prompt, job.spec.negative
        known = {"truncated": self.cut[text]} if text in self.cut else {}
        try:
            keep(job, outcome, self.store, {**made, **known}, started, shared)
        finally:
            self.unclaim(job.key)
            self.room.release()
        self.done(job)


def make_all(
    generator: Generator,
    jobs: Sequence[PictureJob],
    store: Store,
    options: Options,
    done: Callable[[PictureJob], None],
    claims: Claims,
) -> None:
    """Makes the pictures of jobs that share this generator. What another worker has claimed is waited for, and made
    here if that one dies."""
    left = make_pictures(generator, jobs, store, options, done, claims)
    while left:
        free = [job for job in left if not claims.others(job.key)]
        for job in free:
            if store.get(job.key) is not None:
                done(job)
        left = [job for job in left if job not in free]
        if lost := [job for job in free if store.get(job.key) is None]:
            left += make_pictures(generator, lost, store, options, done, claims)
        if left and not free:
            time.sleep(WAIT)


def make_pictures(
    generator: Generator,
    jobs: Sequence[PictureJob],
    store: Store,
    options: Options,
    done: Callable[[PictureJob], None],
    claims: Claims | None = None,
) -> list[PictureJob]:
    """Makes the pictures of jobs that share this generator. Remote ones run `parallel` calls at a time. Returns the
    jobs that other workers have claimed."""
    suspects = [job for job in jobs if claims and claims.deaths(job.key)]
    # alone, so that one that kills its worker takes no other with it
    batches: list[Sequence[PictureJob]] = [[job] for job in suspects]
    batches += batched([job for job in jobs if job not in suspects], jobs[0].batch)
    remote = GENERATORS[jobs[0].identity["adapter"]].remote
    made = made_here("remote" if remote else options.device)
    texts = [] if remote else list(dict.fromkeys((job.spec.prompt, job.spec.negative) for job in jobs))
    prompts, negatives = [prompt for prompt, _ in texts], [negative for _, negative in texts]
    cut = dict(zip(texts, generator.truncated(prompts, negatives), strict=True)) if texts else {}
    claimed: list[PictureJob] = []

    def ours(batch: Sequence[PictureJob]) -> Sequence[PictureJob]:
        mine = [job for job in batch if claims is None or claims.take(job.key)]
        claimed.extend(job for job in batch if job not in mine)
        if claims is not None:  # another worker may have made it, and let it go, since the run was planned
            finished = [job for job in mine if (known := store.get(job.key)) is not None and known.status == "done"]
            for job in finished:
                claims.release(job.key)
                done(job)
            mine = [job for job in mine if job not in finished]
        deadly = [job for job in mine if claims and claims.deaths(job.key) >= DEATHS]
        for job in deadly:
            writer.reserve(1)
            writer.write(job, WorkerDied(DEATHS), {**made, "attempts": DEATHS}, time.perf_counter())
        return [job for job in mine if job not in deadly]

    release = claims.release if claims else None
    with PictureWriter(store, done, max(IN_FLIGHT * jobs[0].batch, options.parallel), cut, release) as writer:

        def one(batch: Sequence[PictureJob]) -> None:
            if mine := ours(batch):
                writer.reserve(len(mine))
                draw(generator, mine, store, options.retries, made, writer.write)

        if isinstance(generator, Staged):
            failed = _staged(generator, batches, writer, made, side_stream(options.device), ours)
            batches = [[job] for job in failed]  # each failure is its own
        if remote:
            with ThreadPoolExecutor(options.parallel, "call") as calls:
                list(calls.map(one, batches))
        else:
            for batch in batches:
                one(batch)
    return claimed


def _staged(
    generator: Staged,
    batches: list[Sequence[PictureJob]],
    writer: PictureWriter,
    made: Made,
    beside: Callable[[], AbstractContextManager[None]],
    ours: Callable[[Sequence[PictureJob]], Sequence[PictureJob]],
) -> list[PictureJob]:
    """Texts first, once; then sampling here and decoding on a thread. Returns the jobs of batches that failed: why is
    told apart when their pictures are drawn one by one."""
    told = {**made, "attempts": 1, "batch": batches[0][0].batch}
    failed: list[PictureJob] = []

    def give_up(batch: Sequence[PictureJob]) -> None:
        failed.extend(batch)
        writer.release(len(batch))

    def decode(batch: Sequence[PictureJob], latents: object, started: float) -> None:
        written = 0
        try:
            with beside():
                images = generator.decode(latents)
            for job, image in zip(batch, images, strict=True):
                writer.write(job, image, told, started, len(batch))
                written += 1
        except Exception:
            give_up(batch[written:])

    try:
        generator.encode([request_of(job, None) for batch in batches for job in batch])
    except Exception:
        return [job for batch in batches for job in batch]
    with ThreadPoolExecutor(1, "decode") as decoder:
        for whole in batches:
            if not (batch := ours(whole)):
                continue
            writer.reserve(len(batch))
            started = time.perf_counter()
            try:
                latents = generator.denoise(requests_of(batch, writer.store))
            except Exception:
                give_up(batch)
            else:
                decoder.submit(decode, batch, latents, started)
    return failed
