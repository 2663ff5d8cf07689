"""What overlaps with sampling, and what holds it back: shown by samplers that wait for what must happen meanwhile."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from evidence import generators, scorers
from evidence.cards import Cards
from evidence.engines import Options, local, pipeline
from evidence.interfaces import Request
from evidence.jobs.plan import Plan
from evidence.order import Order
from evidence.order.resolve import participants_of, planned
from evidence.progress import RunProgress
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

    def truncated(self, prompts: list[str], negatives: list[str] | None = None) -> list[bool]:
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
    local.run(plan, store, Options(), RunProgress(print), load=lambda *_, **__: watched)
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


class Short(Staged):
    """A decoder that loses the last picture of its first batch."""

    lost = False

    def decode(self, latents: object) -> Any:
        whole = super().decode(latents)
        if self.lost:
            return whole
        self.lost = True
        return whole[:-1]


def test_an_error_after_decoding_ends_in_pictures_and_not_in_a_wait(plan: Plan, tmp_path: Path) -> None:
    """Room between sampler and disk that is never given back would hold the run up for ever."""
    store = Store(tmp_path / "s")
    done = threading.Thread(target=go, args=(plan, store, Short, lambda n: None), daemon=True)
    done.start()
    done.join(PATIENCE)
    assert not done.is_alive() and stages(store).count("generate") == 16


def test_two_workers_share_the_pictures(plan: Plan, tmp_path: Path) -> None:
    """Each is sampled once: 16 samplings by both together, and a claim of nobody is left behind."""
    store, start = Store(tmp_path / "s"), threading.Barrier(2)
    card = plan.participants.models["small"].card
    made = [Staged(generators.load(card), lambda n: time.sleep(0.05)) for _ in range(2)]
    scorer = scorers.load(plan.participants.scorers["small-clip"])

    def work(watched: Watched) -> None:
        start.wait()
        options = Options()
        local.run(
            plan, store, options, RunProgress(print), load=lambda *_, **__: watched, load_scorer=lambda *_: scorer
        )

    workers = [threading.Thread(target=work, args=(one,)) for one in made]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(PATIENCE)
    assert sum(one.sampled for one in made) == 16 and all(one.sampled for one in made)
    assert stages(store).count("generate") == 16 and stages(store).count("score") == 32
    assert not list(store.root.glob("??/*.claim"))


def test_what_a_dead_worker_claimed_is_taken_over(plan: Plan, tmp_path: Path) -> None:
    store = Store(tmp_path / "s")
    dead, foreign = list(plan.pictures)[:2]
    for key, told in ((dead, f"{socket.gethostname()} 999999999"), (foreign, "elsewhere 1")):
        claim = store.root / key[:2] / f"{key}.claim"
        claim.parent.mkdir(parents=True, exist_ok=True)
        claim.write_text(told)
        os.utime(claim, (0, 0) if key == foreign else None)
    go(plan, store, Staged, lambda n: None)
    assert stages(store).count("generate") == 16 and not list(store.root.glob("??/*.claim"))


def test_a_batch_and_the_scorers_beside_it_share_one_budget(
    small_cards: Cards, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A card of 48 GiB: 30 of weights and 3 more pictures of 3 GiB leave no room for a scorer of 6."""
    monkeypatch.setattr(local, "memory_gib", lambda device: 48.0)

    def beside(batch: int) -> list[str]:
        card = small_cards.models["small"].model_copy(update={"memory_gib": 30.0})
        big = card.profiles["controlled"].model_copy(update={"width": 1024, "height": 1024, "batch": batch})
        card = card.model_copy(update={"profiles": {"controlled": big}})
        scorer = small_cards.scorers["small-clip"].model_copy(update={"memory_gib": 6.0})
        cards = Cards({"small": card}, {"small-clip": scorer})
        order = Order(models=("small",), prompts=1, prompt_set="wide")
        return local.residents(planned(order, participants_of(order, cards), "t"), "cuda")[0]

    assert beside(batch=1) == ["small-clip"] and beside(batch=4) == []


def test_a_picture_that_kills_its_workers_is_recorded_and_the_others_are_made(plan: Plan, tmp_path: Path) -> None:
    """Two died before, and a third one now: the fourth does not try again."""
    store, poison = Store(tmp_path / "s"), next(iter(plan.pictures))
    claim = store.root / poison[:2] / f"{poison}.claim"
    claim.parent.mkdir(parents=True)
    claim.write_text(f"{socket.gethostname()} 999999999 2")
    assert go(plan, store, Staged, lambda n: None).sampled == 15
    record = store.get(poison)
    assert record is not None and record.status == "failed" and "died 3 times" in record.result["reason"]
    assert not record.retryable and stages(store).count("score") == 30
