"""What overlaps with sampling, and what holds it back: shown by samplers that wait for what must happen meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from evidence import generators
from evidence.cards import Cards
from evidence.engines import Options, local, pipeline
from evidence.interfaces import Request
from evidence.jobs.plan import Plan
from evidence.order import Order
from evidence.order.resolve import participants_of, planned
from evidence.progress import Plain
from evidence.samples.store import Record, Store
from tests.evidence import small

PATIENCE = 60.0  # seconds until a wait counts as one that would never end


def until(met: Callable[[], bool], what: str) -> None:
    ends = time.monotonic() + PATIENCE
    while not met():
        assert time.monotonic() < ends, f"sampling went on alone: {what}"
        time.sleep(0.005)


class Watched:
    """A real generator, asked before it samples each batch after the first."""

    def __init__(self, generator: Any, before: Callable[[int], None]) -> None:
        self.inner, self.before, self.recipe, self.sampled = generator, before, generator.recipe, 0

    def _sample(self, how: Callable[[list[Request]], Any], requests: list[Request]) -> Any:
        if self.sampled:
            self.before(self.sampled)
        self.sampled += 1
        return how(requests)

    def generate(self, requests: list[Request]) -> Any:
        return self._sample(self.inner.generate, requests)

    def truncated(self, prompts: list[str]) -> list[bool]:
        return [len(prompt) > 15 for prompt in prompts]


class Staged(Watched):
    def encode(self, requests: list[Request]) -> None:
        self.inner.encode(requests)

    def denoise(self, requests: list[Request]) -> Any:
        return self._sample(self.inner.denoise, requests)

    def decode(self, latents: object) -> Any:
        return self.inner.decode(latents)


@pytest.fixture
def plan(small_cards: Cards, tmp_path: Path) -> Plan:
    order = Order(
        models=("small",), prompt_set=str(small.prompt_file(tmp_path / "p.jsonl", 8)), scorers=("small-clip",)
    )
    return planned(order, participants_of(order, small_cards), "t")


def go(plan: Plan, store: Store, kind: type[Watched], before: Callable[[int], None]) -> Watched:
    watched = kind(generators.load(plan.participants.models["small"].card), before)
    local.run(plan, store, Options(), Plain(print), load=lambda *_, **__: watched)
    return watched


def stages(store: Store) -> list[str]:
    return [record.stage for record in store.records()]


def test_a_picture_is_scored_while_the_next_is_sampled(plan: Plan, tmp_path: Path) -> None:
    """Decoding, PNG, disk and scorer are beside the sampler: none of them waits for it, picture by picture."""
    store = Store(tmp_path / "s")
    go(plan, store, Staged, lambda n: until(lambda: stages(store).count("score") >= 2 * n, f"no score of picture {n}"))
    assert stages(store).count("generate") == 16 and stages(store).count("score") == 32


def test_a_picture_is_written_while_a_pipeline_of_one_piece_makes_the_next(plan: Plan, tmp_path: Path) -> None:
    store = Store(tmp_path / "s")
    go(plan, store, Watched, lambda n: until(lambda: stages(store).count("generate") >= n, f"picture {n} not written"))
    assert stages(store).count("generate") == 16 and stages(store).count("score") == 32
    pictures = [record for record in store.records() if record.stage == "generate"]
    assert [r.made["truncated"] for r in pictures] == [len(r.identity["prompt"]) > 15 for r in pictures]


class Disk(Store):
    """A store whose disk is stuck until it is let go, or full."""

    def __init__(self, root: Path, full: bool = False) -> None:
        super().__init__(root)
        self.full, self.free = full, threading.Event()

    def put_picture(self, *told: Any, **more: Any) -> Record:
        if self.full:
            raise OSError(28, "No space left on device")
        assert self.free.wait(PATIENCE)
        return super().put_picture(*told, **more)


@pytest.mark.parametrize("kind", [Staged, Watched])
def test_a_stuck_disk_holds_the_sampler_back(plan: Plan, tmp_path: Path, kind: type[Watched]) -> None:
    """Else pictures would pile up in memory."""
    disk = Disk(tmp_path / "s")
    seen: list[int] = []

    def before(n: int) -> None:
        seen.append(n)
        if n == pipeline.IN_FLIGHT - 1:  # the next picture has no room until one is written
            threading.Timer(0.3, lambda: (seen.append(-1), disk.free.set())).start()

    go(plan, disk, kind, before)
    assert seen.index(-1) == pipeline.IN_FLIGHT - 1 and seen[-1] == 15


@pytest.mark.parametrize("kind", [Staged, Watched])
def test_a_full_disk_ends_the_run_at_once(plan: Plan, tmp_path: Path, kind: type[Watched]) -> None:
    sampled: list[int] = []
    with pytest.raises(OSError, match="No space left"):
        go(plan, Disk(tmp_path / "s", full=True), kind, sampled.append)
    assert len(sampled) <= 2 * pipeline.IN_FLIGHT


class Illiterate(Staged):
    def encode(self, requests: list[Request]) -> None:
        raise MemoryError("the text encoder does not fit")


def test_a_text_encoder_that_fails_leaves_the_pictures_to_be_drawn_one_by_one(plan: Plan, tmp_path: Path) -> None:
    """Each then is made, or fails with its own error; the run goes on."""
    store = Store(tmp_path / "s")
    go(plan, store, Illiterate, lambda _: None)
    assert stages(store).count("generate") == 16 and stages(store).count("score") == 32


def test_arms_that_are_sampled_alike_share_one_loaded_generator(small_cards: Cards, tmp_path: Path) -> None:
    """Text encoders go and come once for both, and the sampler does not run dry between them."""
    order = Order(models=("small",), prompt_set=str(small.prompt_file(tmp_path / "p.jsonl")))
    controlled = planned(order, participants_of(order, small_cards), "t")
    assert [(model, kind, len(jobs)) for model, kind, jobs in controlled.groups()] == [("small", "plain", 6)]
    card = small_cards.models["small"]
    settings: Mapping[str, Any] = {"wide": card.profiles["controlled"].wide.model_copy(update={"steps": 3})}
    apart = card.model_copy(
        update={"profiles": {"controlled": card.profiles["controlled"].model_copy(update=settings)}}
    )
    published = planned(order, participants_of(order, Cards({"small": apart}, small_cards.scorers)), "t")
    assert [(kind, len(jobs)) for _, kind, jobs in published.groups()] == [("plain", 3), ("wide", 3)]
