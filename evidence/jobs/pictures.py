"""Making pictures, the same for every engine: draw, keep, record failures; read the ones that are there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from evidence.generators.refuse import reason_to_refuse
from evidence.interfaces import GenerationFailed, Generator, Request
from evidence.jobs.plan import PictureFile, PictureJob, Plan, Source
from evidence.jobs.retry import RetryPolicy, with_retries
from evidence.registry import GENERATORS
from evidence.samples.identity import pixel_digest
from evidence.samples.store import Record, Store, png_bytes

if TYPE_CHECKING:
    from PIL.Image import Image

Item = TypeVar("Item")
NEVER = float("inf")  # seconds: not again in this run


def batched(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def request_of(job: PictureJob, source: Image | None) -> Request:
    return Request(job.spec.prompt, job.spec.seed, job.spec.negative, source)


def source_of(job: PictureJob, store: Store) -> Image | None:
    """The picture that image-to-image starts from. GenerationFailed where it was never made: for good only if making
    that one failed for good."""
    source = job.spec.source
    if source is None:
        return None
    if isinstance(source, PictureFile):
        return open_rgb(source)
    key = str(job.identity["source"])
    record = store.get(key)
    if record is None or record.status != "done":
        retryable = record is None or record.retryable
        raise GenerationFailed("the picture to start from was not made", retryable=retryable, retry_after=NEVER)
    return store.picture(key)


def open_rgb(given: PictureFile) -> Image:
    """A given picture as the page shows it: upright, in sRGB, eight bits, on white. ValueError that names the file."""
    from PIL import Image as images

    from effects.decode import decode, flatten

    return images.fromarray(flatten(decode(given.path)))


def requests_of(jobs: Sequence[PictureJob], store: Store) -> list[Request]:
    """Of one batch. Raises GenerationFailed for a source picture that was not made."""
    return [request_of(job, source_of(job, store)) for job in jobs]


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
        images = generator.generate(requests_of(jobs, store))
        if len(jobs) == 1 and (why := reason_to_refuse(images[0])):
            raise GenerationFailed(f"the picture is {why}", retryable=GENERATORS[jobs[0].identity["adapter"]].remote)
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
    """Digest of a picture's pixels, or None where it was not made or a given one cannot be read."""
    if isinstance(source, PictureFile):
        return given_pixels(source)
    record = store.get(key)
    return str(record.result["pixels"]) if record and record.status == "done" else None


def given_pixels(given: PictureFile) -> str | None:
    """None where the file cannot be read; decoded once for as long as it stays as it is."""
    try:
        stat = given.path.stat()
        return _given_pixels(given, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
    except (OSError, ValueError):
        return None


@lru_cache(maxsize=65536)
def _given_pixels(given: PictureFile, size: int, changed: int, renamed: int) -> str:
    return pixel_digest(open_rgb(given))


def open_picture(source: Source, key: str, store: Store) -> Image:
    return open_rgb(source) if isinstance(source, PictureFile) else store.picture(key)


def sources(plan: Plan) -> dict[str, Source]:
    """Every picture that is scored or compared, by its reference."""
    found: dict[str, Source] = {key: job.spec for key, job in plan.pictures.items()}
    return found | {reference: PictureFile(path) for reference, path in plan.given.items()}


def today() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
