"""Ray Data: read the jobs, generate, score, write; then read the comparisons, judge, write. One machine or a cluster.

Every stage is a pool of actors with its own need of GPUs, streaming, with Ray's back-pressure. Actors write samples to
the same content-addressed store as the local engine, through the same functions, so results are the same byte for byte
and a run that was broken off goes on where the samples end. Each actor finds the device that Ray gives it. The project
and its run folder must lie at the same path on every node.

Actors that take every CPU leave none for reading, and the pipeline then hangs without a word (ray #44687): such a plan
is refused before it starts.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import pickle
import socket
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evidence import scorers
from evidence.devices import device_here
from evidence.engines import Options, Tally
from evidence.engines.pipeline import GeneratorLoader, make_all
from evidence.interfaces import Generator, Staged
from evidence.jobs.comparing import compare
from evidence.jobs.pictures import finished, pixels_of, request_of, sources
from evidence.jobs.plan import Plan
from evidence.jobs.scoring import ScorerPool
from evidence.progress import Reporter
from evidence.registry import PictureKind
from evidence.samples.claims import Claims
from evidence.samples.identity import key_of
from evidence.samples.store import Store, without_secrets
from ledger.problems import InputError, Problem

if TYPE_CHECKING:
    import numpy as np

    Batch = dict[str, np.ndarray[Any, Any]]

ROOT = Path(__file__).resolve().parents[2]
TOGETHER = 8  # cards that go to an actor in one call
REACHED = 5.0  # seconds in which an address must answer
READING = 1.0  # CPUs that reading and writing tasks need


@dataclass(frozen=True)
class Pool:
    """Actors of one stage, and what each of them takes."""

    size: int
    cpus: float
    gpus: float


def pools(options: Options, cpus: float, gpus: float) -> dict[str, Pool]:
    """Actors by stage. With several GPUs one of them scores and the others generate; on a single one both share it."""
    if gpus >= 2:
        chosen = {"generate": Pool(int(gpus) - 1, 1.0, 1.0), "score": Pool(1, 1.0, 1.0)}
    elif gpus >= 1:
        chosen = {"generate": Pool(1, 1.0, 0.8), "score": Pool(1, 1.0, 0.2)}
    else:
        size = max(1, int(cpus) - 2)
        share = 1.0 if cpus >= 4 else round((cpus - READING) / 3, 2)
        chosen = {"generate": Pool(size, share, 0.0), "score": Pool(1, share, 0.0)}
    chosen["judge"] = Pool(1, chosen["score"].cpus, 0.0)
    for stage, size in options.workers.items():
        chosen[stage] = Pool(size, options.worker_cpus or chosen[stage].cpus, chosen[stage].gpus)
    return chosen


def check(chosen: Mapping[str, Pool], cpus: float, gpus: float) -> None:
    """Raises InputError where the actors that run together leave nothing to read with, or need GPUs that are not
    there."""
    for together in (("generate", "score"), ("judge",)):
        taken = sum(chosen[stage].size * chosen[stage].cpus for stage in together)
        if taken > cpus - READING:
            told = ", ".join(f"{chosen[s].size} x {chosen[s].cpus:g} to {s}" for s in together)
            why = f"actors would take {taken:g} of {cpus:g} CPUs ({told}), and reading needs {READING:g}"
            mend = "the pipeline would hang: use fewer --workers, a smaller --worker-cpus or a larger machine"
            raise InputError([Problem("--engine", 0, "ray", f"{why}: {mend}")])
        needed = sum(chosen[stage].size * chosen[stage].gpus for stage in together)
        if needed > gpus + 1e-9:
            why = f"actors would need {needed:g} GPUs, the cluster has {gpus:g}: use fewer --workers"
            raise InputError([Problem("--engine", 0, "ray", why)])


def run(plan: Plan, store: Store, options: Options, report: Reporter) -> Tally:
    """Does what of the plan is not in the store yet. Raises InputError for a plan that could not run."""
    import ray
    import ray.data  # sets its loggers up, which then can be quietened

    tally = Tally()
    store.sweep()
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    with contextlib.ExitStack() as stack:
        stack.enter_context(_cluster(options))
        there = ray.cluster_resources()
        cpus, gpus = float(there.get("CPU", 0)), float(there.get("GPU", 0))
        chosen = pools(options, cpus, gpus)
        check(chosen, cpus, gpus)
        shared: dict[str, Any] = {"root": str(store.root), "options": options, "threads": _threads()}
        (store.root.parent / "ray").mkdir(parents=True, exist_ok=True)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=store.root.parent / "ray")))
        for keys in (_due(plan, wave, store, options) for wave in _waves(plan)):
            if not keys:
                continue
            _stream(plan, keys, [("generate", Draw), ("score", Score)], shared, chosen, folder, tally, report)
        if plan.comparisons:
            numbers = [str(number) for number in range(len(plan.comparisons))]
            _stream(plan, numbers, [("judge", Compare)], shared, chosen, folder, tally, report)
    return tally


@contextmanager
def _cluster(options: Options) -> Iterator[None]:
    """A Ray that is there already, the one at the address, or one that lives as long as the run: never one that a file
    on this machine happens to name. InputError for an address that does not answer."""
    import ray

    if ray.is_initialized():
        yield
        return
    _reach(options.address)
    try:
        ray.init(
            address=options.address or "local",
            runtime_env={"env_vars": {"PYTHONPATH": str(ROOT)}},
            include_dashboard=False,
            logging_level="ERROR",
            log_to_driver=False,
        )
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        mend = "a cluster with token authentication needs RAY_AUTH_MODE=token and its token"
        raise InputError(
            [Problem("--address", 0, options.address, f"no cluster can be joined: {first}; {mend}")]
        ) from None
    try:
        yield
    finally:
        ray.shutdown()


def _reach(address: str) -> None:
    """Raises InputError within seconds where nobody listens; Ray itself would try for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), timeout=REACHED).close()
    except OSError as error:
        raise InputError([Problem("--address", 0, address, f"nobody listens there ({type(error).__name__})")]) from None


def _threads() -> int:
    """Threads of torch here: a worker takes as many, since they can decide the last bit of a sum."""
    import torch

    return torch.get_num_threads()


def _waves(plan: Plan) -> Iterator[list[str]]:
    """References of pictures, those that others start from first; given ones, which are only scored, with the first."""
    waves: dict[int, list[str]] = {0: list(plan.given)}
    for _, _, jobs in plan.groups():
        for job in jobs:
            waves.setdefault(job.wave, []).append(job.key)
    yield from (waves[number] for number in sorted(waves) if waves[number])


def _due(plan: Plan, keys: Sequence[str], store: Store, options: Options) -> list[str]:
    """The references with a picture or a score to make. Those of later waves are looked at when it is their turn."""
    whereabouts = sources(plan)

    def settled(key: str) -> bool:
        if key in plan.pictures and not finished(store, key, options.retry_failed):
            return False
        pixels = pixels_of(whereabouts[key], key, store)
        wanted = plan.scorings.get(key, ()) if pixels else ()
        names = (key_of("score", plan.participants.score(scorer, str(pixels), prompt)) for scorer, prompt in wanted)
        return all(finished(store, name, options.retry_failed) for name in names)

    return [key for key in keys if not settled(key)]


def _stream(
    plan: Plan,
    keys: Sequence[str],
    stages: list[tuple[str, type]],
    shared: dict[str, Any],
    chosen: Mapping[str, Pool],
    folder: Path,
    tally: Tally,
    report: Reporter,
) -> None:
    """One pipeline: read -> map ... What actors report comes back with each row as it is done."""
    import pyarrow
    import pyarrow.parquet as parquet
    import ray

    (folder / "plan").write_bytes(pickle.dumps(plan))
    parquet.write_table(pyarrow.table({"key": list(keys), "note": [""] * len(keys)}), folder / "jobs.parquet")
    blocks = min(len(keys), 4 * sum(chosen[stage].size for stage, _ in stages))
    with _context():
        data = ray.data.read_parquet(str(folder / "jobs.parquet"), override_num_blocks=blocks)
        for stage, actor in stages:
            pool = chosen[stage]
            data = data.map_batches(
                actor,
                fn_constructor_kwargs={"plan": str(folder / "plan"), **shared},
                batch_size=TOGETHER,
                compute=ray.data.ActorPoolStrategy(size=pool.size),
                num_cpus=pool.cpus,
                num_gpus=pool.gpus,
            )
        for row in data.iter_rows():
            _tell(plan, row, [stage for stage, _ in stages], tally, report)


def _tell(plan: Plan, row: Mapping[str, Any], stages: Sequence[str], tally: Tally, report: Reporter) -> None:
    for line in filter(None, row["note"].split("\n")):
        name, _, why = line.partition("\t")
        if name not in tally.unavailable:
            tally.unavailable[name] = why
            report.say(f"{name}: skipped: {why}")
    for stage in stages:
        report.advance(stage, len(plan.scorings.get(row["key"], ())) if stage == "score" else 1)


@contextmanager
def _context() -> Iterator[None]:
    """No failed block forgiven, no progress bars of Ray's own."""
    import ray

    context = ray.data.DataContext.get_current()
    before = context.max_errored_blocks, context.enable_progress_bars
    context.max_errored_blocks, context.enable_progress_bars = 0, False
    try:
        yield
    finally:
        context.max_errored_blocks, context.enable_progress_bars = before


class Actor:
    """What the three stages share. `notes` are lines `card<TAB>why it cannot run`."""

    def __init__(self, plan: str, root: str, options: Options, threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
        self.plan: Plan = pickle.loads(Path(plan).read_bytes())
        self.store = Store(Path(root))
        self.options = options if options.device else dataclasses.replace(options, device=device_here())
        self.notes: dict[str, str] = {}
        self.prepare()

    def prepare(self) -> None:
        """Once, when the actor starts."""

    def work(self, keys: list[str]) -> None:
        raise NotImplementedError

    def unavailable(self, name: str, error: Exception) -> None:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        self.notes.setdefault(name, without_secrets(first))

    def __call__(self, batch: Batch) -> Batch:
        import numpy

        self.work([str(key) for key in batch["key"]])
        lines = "\n".join(f"{name}\t{why}" for name, why in self.notes.items())
        return {"key": batch["key"], "note": numpy.array([f"{n}\n{lines}".strip("\n") for n in batch["note"]])}


class Draw(Actor):
    """Makes pictures; holds one generator at a time, with the texts of its whole group embedded."""

    def prepare(self) -> None:
        self.loader = GeneratorLoader(self.plan.participants, self.options)
        self.held: tuple[tuple[int, str, PictureKind], Generator] | None = None
        self.claims = Claims(self.store.root)
        self.claims.keep()

    def work(self, keys: list[str]) -> None:
        jobs = [self.plan.pictures[key] for key in keys if key in self.plan.pictures]
        due = [job for job in jobs if not finished(self.store, job.key, self.options.retry_failed)]
        for group, together in groupby(due, self.plan.group):
            if group[1] in self.notes:
                continue
            try:
                generator = self._generator(group)
            except Exception as error:
                self.unavailable(group[1], error)
                continue
            make_all(generator, list(together), self.store, self.options, lambda _: None, self.claims)

    def _generator(self, group: tuple[int, str, PictureKind]) -> Generator:
        if self.held is None or self.held[0] != group:
            self.held = None
            generator = self.loader.load(*group[1:])
            if isinstance(generator, Staged):
                jobs = self.plan.pictures.values()
                generator.encode([request_of(job, None) for job in jobs if self.plan.group(job) == group])
            self.held = group, generator
        return self.held[1]


class Score(Actor):
    """Scores pictures; holds every scorer of the run."""

    def prepare(self) -> None:
        names = list(self.plan.participants.scorers)
        self.bench = ScorerPool(
            self.plan, self.store, self.options.device, self.options.retry_failed, names, self.unavailable
        )

    def work(self, keys: list[str]) -> None:
        self.bench.score(keys)


class Compare(Actor):
    """Asks the pairwise judges; a key is the number of a comparison."""

    def prepare(self) -> None:
        self.judges: dict[str, Any] = {}

    def work(self, keys: list[str]) -> None:
        for key in keys:
            comparison = self.plan.comparisons[int(key)]
            name = comparison.judge
            if name not in self.judges and name not in self.notes:
                try:
                    self.judges[name] = scorers.load_judge(self.plan.participants.judges[name])
                except Exception as error:
                    self.unavailable(name, error)
            if name in self.judges:
                options = self.options
                compare(self.plan, comparison, self.judges[name], self.store, options.retries, options.retry_failed)
