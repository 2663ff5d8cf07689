"""Trying again where it can help, and refusing what is no picture: against generators that really fail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evidence.cards import Cards
from evidence.generators.http_base import opened
from evidence.interfaces import GenerationFailed, Request
from evidence.jobs.pictures import draw, finished, open_rgb
from evidence.jobs.plan import PictureFile, PictureJob
from evidence.jobs.retry import RetryPolicy, with_retries
from evidence.order import Order
from evidence.order.resolve import participants_of, planned
from evidence.samples.store import Store
from ledger.schema import Recipe
from tests.evidence import small

MADE: dict[str, object] = {"device": "cpu", "hardware": "x", "software": {}, "commit": "c"}


def noise(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (32, 32, 3), dtype=np.uint8))


def encoded(form: str, folder: Path) -> tuple[Path, Image.Image]:
    """A file of that form, and the picture that it shows."""
    shown = noise(3)
    file = folder / f"{form}.png"
    if form == "turned":
        exif = Image.Exif()
        exif[0x0112] = 6  # to be turned clockwise by a quarter
        shown.transpose(Image.Transpose.ROTATE_90).save(file, exif=exif)
    elif form == "palette":
        shown = shown.quantize(9)
        shown.save(file)
    elif form == "bits":
        shown = shown.convert("1")
        shown.save(file)
    elif form == "sixteen bits":
        grey = np.asarray(shown.convert("L"))
        Image.fromarray(grey.astype(np.uint16) * 257).save(file)
        shown = Image.fromarray(grey)
    else:
        clear = shown.copy()
        clear.putalpha(0)
        clear.save(file)
        shown = Image.new("RGB", shown.size, "white")
    return file, shown.convert("RGB")


@pytest.mark.parametrize("form", ["turned", "palette", "bits", "sixteen bits", "clear"])
def test_a_picture_is_scored_as_the_page_shows_it(form: str, tmp_path: Path) -> None:
    """Given ones and those of services: upright, in colours and not indices, sixteen bits scaled, on white."""
    file, shown = encoded(form, tmp_path)
    assert open_rgb(PictureFile(file)).tobytes() == shown.tobytes()
    if form != "clear":  # which is refused as a blank
        assert opened(file.read_bytes()).tobytes() == shown.tobytes()


class Scripted:
    """A generator whose n-th call does what it is told; a picture otherwise."""

    recipe = Recipe(model="scripted", revision="1")

    def __init__(self, *script: Callable[[], list[Image.Image]]) -> None:
        self.script, self.calls = list(script), list[int]()

    def generate(self, requests: list[Request]) -> list[Image.Image]:
        self.calls.append(len(requests))
        if self.script:
            return self.script.pop(0)()
        return [noise(request.seed or 0) for request in requests]


def failing(reason: str, **told: object) -> Callable[[], list[Image.Image]]:
    def fail() -> list[Image.Image]:
        raise GenerationFailed(reason, **told)  # type: ignore[arg-type]

    return fail


class Clock:
    """Waits without waiting."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def retries(self, attempts: int = 5) -> RetryPolicy:
        return RetryPolicy(attempts=attempts, sleep=self.waits.append)


@pytest.fixture
def jobs(small_cards: Cards, tmp_path: Path) -> list[PictureJob]:
    order = Order(models=("small",), prompt_set=str(small.prompt_file(tmp_path / "p.jsonl")))
    return list(planned(order, participants_of(order, small_cards), "t").pictures.values())


def test_what_time_may_mend_is_tried_again_with_growing_waits(jobs: list[PictureJob], tmp_path: Path) -> None:
    clock, store = Clock(), Store(tmp_path / "s")
    draw(Scripted(*[failing("busy", retryable=True)] * 3), jobs[:1], store, clock.retries(), dict(MADE))
    record = store.get(jobs[0].key)
    assert record is not None and record.status == "done" and record.made["attempts"] == 4
    assert clock.waits == [1.0, 2.0, 4.0]


def test_retry_after_is_honoured_and_never_shortened(jobs: list[PictureJob], tmp_path: Path) -> None:
    clock = Clock()
    generator = Scripted(
        failing("429", retryable=True, retry_after=17.0), failing("429", retryable=True, retry_after=0.1)
    )
    draw(generator, jobs[:1], Store(tmp_path / "s"), clock.retries(), dict(MADE))
    assert clock.waits == [17.0, 2.0]


def test_a_server_that_asks_for_an_hour_is_left_for_another_run(jobs: list[PictureJob], tmp_path: Path) -> None:
    clock, store = Clock(), Store(tmp_path / "s")
    draw(Scripted(failing("429", retryable=True, retry_after=3600.0)), jobs[:1], store, clock.retries(), dict(MADE))
    record = store.get(jobs[0].key)
    assert clock.waits == [] and record is not None and record.retryable
    assert not finished(store, jobs[0].key, retry_failed=False)


def test_what_is_refused_for_good_is_asked_once(jobs: list[PictureJob], tmp_path: Path) -> None:
    clock, store, generator = Clock(), Store(tmp_path / "s"), Scripted(failing("400 moderation"))
    draw(generator, jobs[:1], store, clock.retries(), dict(MADE))
    record = store.get(jobs[0].key)
    assert generator.calls == [1] and record is not None and record.status == "failed" and not record.retryable
    assert finished(store, jobs[0].key, retry_failed=False) and not finished(store, jobs[0].key, retry_failed=True)


def test_patience_ends(jobs: list[PictureJob], tmp_path: Path) -> None:
    store = Store(tmp_path / "s")
    draw(Scripted(*[failing("503", retryable=True)] * 9), jobs[:1], store, Clock().retries(3), dict(MADE))
    record = store.get(jobs[0].key)
    assert record is not None and record.status == "failed" and record.made["attempts"] == 3


def test_a_bug_is_not_tried_again() -> None:
    def bug() -> None:
        raise ZeroDivisionError

    outcome, attempts = with_retries(bug, RetryPolicy())
    assert isinstance(outcome, ZeroDivisionError) and attempts == 1


@pytest.mark.parametrize("colour", [(0, 0, 255), (0, 0, 0), (255, 255, 255), (127, 90, 3)])
def test_a_blank_is_a_failure_and_never_a_picture(
    jobs: list[PictureJob], tmp_path: Path, colour: tuple[int, int, int]
) -> None:
    """Blue marks of failed calls, pictures blacked by a filter, blanks: counted as failed, with no file."""
    store = Store(tmp_path / "s")
    draw(Scripted(lambda: [Image.new("RGB", (32, 32), colour)]), jobs[:1], store, RetryPolicy(), dict(MADE))
    record = store.get(jobs[0].key)
    assert record is not None and record.status == "failed" and "the picture is" in record.result["reason"]
    assert not store.png_path(jobs[0].key).exists()


def test_dark_and_faded_pictures_are_pictures(jobs: list[PictureJob], tmp_path: Path) -> None:
    """What is under test must not be refused for being dark or grey."""
    store = Store(tmp_path / "s")
    dark = Image.fromarray(np.random.default_rng(1).integers(0, 12, (32, 32, 3), dtype=np.uint8))
    grey = Image.fromarray(np.random.default_rng(2).integers(120, 130, (32, 32, 3), dtype=np.uint8))
    for job, image in zip(jobs, (dark, grey), strict=False):
        draw(Scripted(lambda image=image: [image]), [job], store, RetryPolicy(), dict(MADE))  # type: ignore[misc]
        assert store.picture(job.key).tobytes() == image.tobytes()


def test_one_failure_does_not_take_its_batch_with_it(jobs: list[PictureJob], tmp_path: Path) -> None:
    store = Store(tmp_path / "s")
    generator = Scripted(failing("out of memory"), failing("this prompt"))
    draw(generator, jobs[:3], store, RetryPolicy(), dict(MADE))
    assert [store.get(job.key).status for job in jobs[:3]] == ["failed", "done", "done"]  # type: ignore[union-attr]
    assert generator.calls == [3, 1, 1, 1]
