"""The work on samples, the same for every engine: draw, score, judge; try again where it can help; record failures.

An engine only decides where and when these functions run. Each is given what it needs and writes what it made to the
store, so that an engine that dies loses what is in flight and nothing else.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from evidence import scorers
from evidence.generators.refuse import reason_to_refuse
from evidence.interfaces import GenerationFailed, Generator, Judge, Request, Scorer
from evidence.jobs.plan import Comparison, PictureFile, PictureJob, Plan, Source, reads_prompt
from evidence.registry import ADAPTERS
from evidence.samples.provenance import made_here
from evidence.samples.store import Record, Store, key_of, pixel_digest, png_bytes

if TYPE_CHECKING:
    from PIL.Image import Image

Result = TypeVar("Result")
Item = TypeVar("Item")


def rest(seconds: float) -> None:
    time.sleep(seconds)


@dataclass(frozen=True)
class RetryPolicy:
    """How often something retryable is tried, and how long is waited: 1, 2, 4, ... seconds, or what the server says."""

    attempts: int = 5
    first: float = 1.0  # seconds
    longest: float = 120.0  # seconds; a server that asks for more is believed, and not waited for
    sleep: Callable[[float], None] = rest

    def wait(self, attempt: int, asked: float | None) -> float | None:
        """Seconds before attempt number `attempt + 1`, or None to give up."""
        if attempt >= self.attempts or (asked is not None and asked > self.longest):
            return None
        return max(asked or 0.0, min(self.longest, self.first * 2.0 ** (attempt - 1)))


def with_retries(action: Callable[[], Result], retries: RetryPolicy) -> tuple[Result | Exception, int]:
    """The result or the last error of `action`, and the number of attempts. Only GenerationFailed that says it is
    retryable is tried again: never a 4xx, never a bug."""
    attempt = 0
    while True:
        attempt += 1
        try:
            return action(), attempt
        except GenerationFailed as failure:
            wait = retries.wait(attempt, failure.retry_after) if failure.retryable else None
            if wait is None:
                return failure, attempt
            retries.sleep(wait)
        except Exception as error:
            return error, attempt


def batched(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def request_of(job: PictureJob, source: Image | None) -> Request:
    return Request(job.spec.prompt, job.spec.seed, job.spec.negative, source)


def source_of(job: PictureJob, store: Store) -> Image | None:
    """The picture that image-to-image starts from. GenerationFailed where it was never made."""
    source = job.spec.source
    if source is None:
        return None
    if isinstance(source, PictureFile):
        return open_rgb(source)
    try:
        return store.picture(str(job.identity["source"]))
    except KeyError:
        raise GenerationFailed("the picture to start from was not made", retryable=False) from None


def open_rgb(given: PictureFile) -> Image:
    from PIL import Image as images

    with images.open(given.path) as file:
        return file.convert("RGB")


def requests_of(jobs: Sequence[PictureJob], store: Store) -> list[Request]:
    """One batch, filled up with repeats of its last request, so that its shape, and with it every kernel, is the same
    whatever was done before. Raises GenerationFailed for a source picture that was not made."""
    requests = [request_of(job, source_of(job, store)) for job in jobs]
    return requests + requests[-1:] * (jobs[0].batch - len(requests))


def finished(store: Store, key: str, retry_failed: bool) -> bool:
    """Whether nothing is left to do: done, or failed for good. A failure that time may mend is tried again."""
    record = store.get(key)
    if record is None:
        return False
    return record.status == "done" or not (record.retryable or retry_failed)


def draw(
    generator: Generator,
    jobs: Sequence[PictureJob],
    store: Store,
    retries: RetryPolicy,
    made: dict[str, Any],
    write: Callable[..., object] | None = None,
) -> None:
    """Makes and keeps the pictures of `jobs` in one call, and one by one where the call fails as a whole.

    `made` says where: device, hardware, software. `write` takes what `keep` takes but the store, and is called once for
    each job."""
    put = write or (lambda job, outcome, *rest: keep(job, outcome, store, *rest))
    started = time.perf_counter()
    full = max(len(jobs), jobs[0].batch)

    def once() -> list[Image]:
        images = generator.generate(requests_of(jobs, store))[: len(jobs)]
        if len(jobs) == 1 and (why := reason_to_refuse(images[0])):
            raise GenerationFailed(f"the picture is {why}", retryable=ADAPTERS[jobs[0].identity["adapter"]].remote)
        return images

    images, attempts = with_retries(once, retries)
    if not isinstance(images, Exception):
        for job, image in zip(jobs, images, strict=True):
            put(job, image, {**made, "attempts": attempts, "batch": full}, started, len(jobs))
    elif len(jobs) == 1:
        put(jobs[0], images, {**made, "attempts": attempts}, started)
    else:
        for job in jobs:
            draw(generator, [job], store, retries, made, write)


def keep(
    job: PictureJob, outcome: Image | Exception, store: Store, made: dict[str, Any], started: float, shared: int = 1
) -> Record:
    """Writes a picture, or the failure to make it. `shared`: how many pictures the time was spent on."""
    said = {
        **made,
        "model": job.spec.model,
        "seconds": round((time.perf_counter() - started) / shared, 3),
        "date": today(),
    }
    if isinstance(outcome, Exception):
        return store.fail(job.key, "generate", job.identity, outcome, said)
    if why := reason_to_refuse(outcome):
        return store.fail(job.key, "generate", job.identity, GenerationFailed(f"the picture is {why}"), said)
    return store.put_picture(job.key, job.identity, outcome, said, png_bytes(outcome))


def pixels_of(source: Source, key: str, store: Store) -> str | None:
    """Digest of a picture's pixels, or None where it was not made."""
    if isinstance(source, PictureFile):
        return pixel_digest(open_rgb(source))
    record = store.get(key)
    return str(record.result["pixels"]) if record and record.status == "done" else None


@dataclass(frozen=True)
class ScoreJob:
    """One picture under one prompt; `identity` is that of the score."""

    key: str
    identity: Mapping[str, Any]
    image: Image
    prompt: str


def score(name: str, scorer: Scorer, jobs: Sequence[ScoreJob], reads: bool, store: Store, made: dict[str, Any]) -> None:
    """Scores every job in one call, one record each; one by one where the call fails as a whole."""
    if not jobs:
        return
    started = time.perf_counter()
    told = {**made, "scorer": name, "attempts": 1, "date": today()}
    prompts = [job.prompt for job in jobs]
    try:
        values = scorer.score([job.image for job in jobs], prompts)
        cut = scorer.truncated(prompts) if reads else [False] * len(jobs)
    except Exception as error:
        if len(jobs) == 1:
            store.fail(jobs[0].key, "score", jobs[0].identity, error, told)
            return
        for job in jobs:
            score(name, scorer, [job], reads, store, made)
        return
    told["seconds"] = round((time.perf_counter() - started) / len(jobs), 4)
    for job, value, truncated in zip(jobs, values, cut, strict=True):
        store.put(job.key, "score", job.identity, {"score": value, "truncated": truncated}, told)


# Loading a model changes defaults of the whole process (dtype, device, initialisers), so nothing may compute meanwhile:
# whoever loads and whoever scores on another thread takes this lock.
LOADING = threading.RLock()


class ScorerPool:
    """Scorers that are loaded. `prepare` loads those that will be needed; one thread at a time may `score`.

    `unavailable` is called once for a scorer that cannot be loaded; its scores are then missing."""

    def __init__(
        self,
        plan: Plan,
        store: Store,
        device: str,
        retry_failed: bool,
        names: Sequence[str],
        unavailable: Callable[[str, Exception], None],
        load: Callable[..., Scorer] = scorers.load,
    ) -> None:
        self.plan, self.store, self.device, self.retry_failed = plan, store, device, retry_failed
        self.names, self.unavailable, self._load = names, unavailable, load
        self.loaded: dict[str, Scorer | None] = {}
        self.sources = sources(plan)

    def prepare(self) -> None:
        """Loads every scorer that has something to do, or may have once pictures are made."""
        for reference, wanted in self.plan.scorings.items():
            pixels = pixels_of(self.sources[reference], reference, self.store)
            for name, prompt in wanted:
                if name in self.names and name not in self.loaded:
                    key = key_of("score", self.plan.participants.score(name, pixels, prompt)) if pixels else None
                    if key is None or not finished(self.store, key, self.retry_failed):
                        self._scorer(name)

    def score(self, references: Sequence[str]) -> int:
        """All scores that are due for some pictures, none where a picture was not made; how many were asked for."""
        with LOADING:
            return self._score(references)

    def _score(self, references: Sequence[str]) -> int:
        due: dict[str, list[ScoreJob]] = {}
        asked = 0
        for reference in references:
            wanted = [pair for pair in self.plan.scorings.get(reference, ()) if pair[0] in self.names]
            asked += len(wanted)
            for name, job in self._due(reference, wanted):
                due.setdefault(name, []).append(job)
        for name, jobs in due.items():
            if (scorer := self._scorer(name)) is not None:
                reads = reads_prompt(self.plan.participants.scorers[name])
                score(name, scorer, jobs, reads, self.store, made_here(self.device))
        return asked

    def _due(self, reference: str, wanted: Sequence[tuple[str, str]]) -> Iterator[tuple[str, ScoreJob]]:
        source = self.sources[reference]
        pixels = pixels_of(source, reference, self.store) if wanted else None
        image: Image | None = None
        for name, prompt in wanted if pixels else ():
            identity = self.plan.participants.score(name, str(pixels), prompt)
            key = key_of("score", identity)
            if self.loaded.get(name, ...) is not None and not finished(self.store, key, self.retry_failed):
                image = image or open_picture(source, reference, self.store)
                yield name, ScoreJob(key, identity, image, prompt)

    def _scorer(self, name: str) -> Scorer | None:
        if name not in self.loaded:
            try:
                with LOADING:
                    self.loaded[name] = self._load(self.plan.participants.scorers[name], self.device)
            except Exception as error:
                self.loaded[name] = None
                self.unavailable(name, error)
        return self.loaded[name]


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
    a, b = (open_picture(source, reference, store) for source, reference in zip(both, references, strict=True))
    order = bool(identity["order"])
    started = time.perf_counter()
    verdict, attempts = with_retries(lambda: judge.compare(a, b, comparison.prompt, order), retries)
    seconds = round(time.perf_counter() - started, 3)
    told = {**made_here("remote"), "judge": comparison.judge, "attempts": attempts, "seconds": seconds, "date": today()}
    if isinstance(verdict, Exception):
        store.fail(key, "judge", identity, verdict, told)
    else:
        store.put(key, "judge", identity, {"verdict": verdict, "order": order}, told)


def today() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def open_picture(source: Source, key: str, store: Store) -> Image:
    return open_rgb(source) if isinstance(source, PictureFile) else store.picture(key)


def sources(plan: Plan) -> dict[str, Source]:
    """Every picture that is scored or compared, by its reference."""
    found: dict[str, Source] = {key: job.spec for key, job in plan.pictures.items()}
    return found | {reference: PictureFile(path) for reference, path in plan.given.items()}
