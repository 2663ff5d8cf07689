"""Ray Data on this machine: the same samples as the local engine, and no plan that would hang."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import torch

from evidence import run
from evidence.cards import Cards
from evidence.engines import Options
from evidence.engines.ray import Pool, check, pools
from evidence.order import Order, store_of
from evidence.progress import RunProgress
from evidence.samples.store import Store
from ledger.problems import InputError
from tests.evidence import small

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def started(cpus: int, gpus: int = 0) -> Iterator[None]:
    """A Ray of this many CPUs and GPUs, which it only counts: none need be there."""
    import ray

    path = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    ray.init(
        num_cpus=cpus,
        num_gpus=gpus,
        runtime_env={"env_vars": path},
        include_dashboard=False,
        log_to_driver=False,
        logging_level=40,
    )
    try:
        yield
    finally:
        ray.shutdown()


@pytest.fixture
def cluster() -> Iterator[None]:
    """Two CPUs, shared by fractional actors."""
    with started(2):
        yield


def contents(store: Store) -> dict[str, bytes]:
    """Every sample, without how it came about; every picture file as it is."""
    records = {r.key: repr((r.stage, r.identity, r.status, r.result)).encode() for r in store.records()}
    return records | {path.name: path.read_bytes() for path in store.root.glob("??/*.png")}


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_both_engines_make_the_same_bytes(cluster: None, small_cards: Cards, tmp_path: Path) -> None:
    """Two generators, two scorers and a card that cannot run; then a second run that does nothing."""
    lost = small_cards.models["small"].model_copy(update={"weights": f"local-dir:{tmp_path}/lost"})
    cards = Cards({**small_cards.models, "lost": lost}, small_cards.scorers)
    prompts = str(small.prompt_file(tmp_path / "p.jsonl", 2))
    order = Order(models=("small", "small-aligned", "lost"), prompt_set=prompts)
    said: list[str] = []

    def go(engine: str) -> Store:
        folder = tmp_path / engine
        plan, tally = run.execute(
            order, "t", Options(), RunProgress(said.append), engine_name=engine, cards=cards, runs=folder
        )
        assert set(tally.unavailable) == {"lost"} and len(plan.pictures) == 8
        return store_of("t", folder)

    first, second = contents(go("local")), contents(go("ray"))
    assert len(first) == 8 + 8 + 24 and first == second
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "ray/t/samples").rglob("*.*")}
    go("ray")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "ray/t/samples").rglob("*.*")} == before


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_a_killed_actor_costs_no_picture(cluster: None, small_cards: Cards, tmp_path: Path) -> None:
    """The process that draws is killed once its first picture is in the store: another goes on where it was."""
    order = Order(models=("small",), prompt_set=str(small.prompt_file(tmp_path / "p.jsonl", 12)))
    store, killed = store_of("t", tmp_path), list[int]()

    def kill() -> None:
        while not killed:
            drawn = [r for r in store.records() if r.stage == "generate"]
            for process in psutil.Process().children(recursive=True) if drawn else ():
                with contextlib.suppress(psutil.Error):
                    if "(Draw)" in " ".join(process.cmdline()):
                        process.kill()
                        killed.append(len(drawn))
            time.sleep(0.01)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    plan, tally = run.execute(
        order, "t", Options(), RunProgress(print), engine_name="ray", cards=small_cards, runs=tmp_path
    )
    killer.join(10)
    assert killed and killed[0] < len(plan.pictures) == 24, "it was killed amid its work"
    assert not tally.unavailable and {r.status for r in store.records()} == {"done"}
    run.execute(order, "t", Options(), RunProgress(print), cards=small_cards, runs=tmp_path / "local")
    assert contents(store) == contents(store_of("t", tmp_path / "local"))


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_each_stage_draws_or_scores_on_a_gpu_of_its_own(small_cards: Cards, tmp_path: Path) -> None:
    """Ray hands out two GPUs; the actors are told which, look for themselves what is there, and say so."""
    order = Order(models=("small",), prompt_set=str(small.prompt_file(tmp_path / "p.jsonl", 2)))
    options = Options(device="", worker_cpus=0.4, workers={"generate": 1, "score": 1})
    with started(2, gpus=2):
        run.execute(order, "t", options, RunProgress(print), engine_name="ray", cards=small_cards, runs=tmp_path)
    records = list(store_of("t", tmp_path).records())
    given = {stage: {r.made["gpus"] for r in records if r.stage == stage} for stage in ("generate", "score")}
    assert all(len(gpus) == 1 for gpus in given.values()) and set.union(*given.values()) == {"0", "1"}
    assert {r.made["device"] for r in records} == {"cuda" if torch.cuda.is_available() else "cpu"}


def test_an_address_where_nobody_listens_is_one_line_within_seconds(small_cards: Cards, tmp_path: Path) -> None:
    order = Order(models=("small",), prompt_set=str(small.prompt_file(tmp_path / "p.jsonl", 1)))
    options, started = Options(address="127.0.0.1:9"), time.monotonic()
    with pytest.raises(InputError, match=r"--address 127\.0\.0\.1:9: nobody listens there"):
        run.execute(order, "t", options, RunProgress(print), engine_name="ray", cards=small_cards, runs=tmp_path)
    assert time.monotonic() - started < 30


def test_actors_that_take_every_cpu_are_refused() -> None:
    """Reading needs a CPU too; without it Ray waits for ever and says nothing."""
    with pytest.raises(InputError, match=r"actors would take 2 of 2 CPUs .* the pipeline would hang"):
        check({"generate": Pool(1, 1.0, 0), "score": Pool(1, 1.0, 0), "judge": Pool(1, 1.0, 0)}, 2.0, 0.0)
    with pytest.raises(InputError, match="would need 3 GPUs, the cluster has 2"):
        check({"generate": Pool(2, 1.0, 1), "score": Pool(1, 1.0, 1), "judge": Pool(1, 1.0, 0)}, 16.0, 2.0)


@pytest.mark.parametrize(("cpus", "gpus"), [(2, 0), (4, 0), (16, 0), (4, 1), (16, 2), (64, 8)])
def test_the_actors_chosen_for_a_cluster_always_fit(cpus: float, gpus: float) -> None:
    chosen = pools(Options(), cpus, gpus)
    check(chosen, cpus, gpus)
    assert chosen["generate"].size >= 1 and (gpus < 2 or chosen["generate"].size == gpus - 1)


def test_workers_are_what_was_asked_for() -> None:
    chosen = pools(Options(workers={"generate": 3}, worker_cpus=0.25), 4, 0)
    assert chosen["generate"] == Pool(3, 0.25, 0.0)
