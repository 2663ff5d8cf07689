"""The generator at hand, and its pictures: sampling keeps the device busy; decoding, PNG and disk follow beside it.

The stages are a chain of threads (sample -> decode -> encode and write), each picture goes on as soon as it can, and a
bounded number is in flight, so that a slow disk holds the sampler back. On a GPU whoever works beside the sampler has a
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
from evidence.registry import ADAPTERS, PictureKind
from evidence.samples.provenance import made_here
from evidence.samples.store import Store

if TYPE_CHECKING:
    from PIL.Image import Image

IN_FLIGHT = 4  # batches between the sampler and the disk
ENCODERS = 2  # threads that write PNG: one takes 0.2 s for a megapixel

Made = dict[str, Any]  # where and with what


class GeneratorLoader:
    """The generator at hand. One that differs only in settings or in a LoRA's scale takes over the weights."""

    def __init__(
        self, participants: Participants, options: Options, load: Callable[..., Generator] = generators.load
    ) -> None:
        self.participants, self.options, self._load = participants, options, load
        self.weights: dict[str, Any] = {}
        self.generator: Generator | None = None

    def load(self, model: str, kind: PictureKind) -> Generator:
        weights = {
            **self.participants.weights(model),
            "lora_scale": None,
        }  # the adapter sets the scale before each sampling
        if weights != self.weights:
            self.generator = None
            free()
        card, profile = self.participants.models[model].card, self.participants.profile
        with LOADING:
            made = self._load(card, profile, self.options.device, kind=kind, sharing=self.generator)
        self.weights, self.generator = weights, made
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
    prompts the text window of the generator cuts, where that is known."""

    def __init__(
        self, store: Store, done: Callable[[PictureJob], None], room: int, cut: Mapping[str, bool] | None = None
    ) -> None:
        self.store, self.done, self.room, self.cut = store, done, threading.Semaphore(room), cut or {}
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
        known = {"truncated": self.cut[job.spec.prompt]} if job.spec.prompt in self.cut else {}
        try:
            keep(job, outcome, self.store, {**made, **known}, started, shared)
        finally:
            self.room.release()
        self.done(job)


def make_pictures(
    generator: Generator, jobs: Sequence[PictureJob], store: Store, options: Options, done: Callable[[PictureJob], None]
) -> None:
    """Makes the pictures of jobs that share this generator. Remote ones run `parallel` calls at a time."""
    batches = list(batched(jobs, jobs[0].batch))
    remote = ADAPTERS[jobs[0].identity["adapter"]].remote
    made = made_here("remote" if remote else options.device)
    prompts = [] if remote else list(dict.fromkeys(job.spec.prompt for job in jobs))
    cut = dict(zip(prompts, generator.truncated(prompts), strict=True)) if prompts else {}
    with PictureWriter(store, done, max(IN_FLIGHT * jobs[0].batch, options.parallel), cut) as desk:

        def one(batch: Sequence[PictureJob]) -> None:
            desk.reserve(len(batch))
            draw(generator, batch, store, options.retries, made, desk.write)

        if isinstance(generator, Staged):
            failed = _staged(generator, batches, desk, made, side_stream(options.device))
            batches = [[job] for job in failed]  # each failure is its own
        if remote:
            with ThreadPoolExecutor(options.parallel, "call") as calls:
                list(calls.map(one, batches))
        else:
            for batch in batches:
                one(batch)


def _staged(
    generator: Staged,
    batches: list[Sequence[PictureJob]],
    desk: PictureWriter,
    made: Made,
    beside: Callable[[], AbstractContextManager[None]],
) -> list[PictureJob]:
    """Texts first, once; then sampling here and decoding on a thread. Returns the jobs of batches that failed."""
    told = {**made, "attempts": 1, "batch": batches[0][0].batch}
    failed: list[PictureJob] = []

    def give_up(batch: Sequence[PictureJob]) -> None:
        failed.extend(batch)
        desk.release(len(batch))

    def decode(batch: Sequence[PictureJob], latents: object, started: float) -> None:
        try:
            with beside():
                images = generator.decode(latents)[: len(batch)]
        except Exception:  # it is told apart when the pictures are drawn one by one
            give_up(batch)
            return
        for job, image in zip(batch, images, strict=True):
            desk.write(job, image, told, started, len(batch))

    try:
        generator.encode([request_of(job, None) for batch in batches for job in batch])
    except Exception:  # likewise
        return [job for batch in batches for job in batch]
    with ThreadPoolExecutor(1, "decode") as decoder:
        for batch in batches:
            desk.reserve(len(batch))
            started = time.perf_counter()
            try:
                latents = generator.denoise(requests_of(batch, desk.store))
            except Exception:  # likewise
                give_up(batch)
            else:
                decoder.submit(decode, batch, latents, started)
    return failed
