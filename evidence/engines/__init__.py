"""Where work runs: `local` (one process, stages overlapped by threads) or `ray` (Ray Data, one machine or a cluster).

Both write the same samples to the same store, byte for byte; neither keeps any state of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from evidence.jobs.plan import Plan
from evidence.jobs.retry import RetryPolicy
from evidence.progress import Reporter
from evidence.samples.store import Store

ENGINES = ("local", "ray")


@dataclass(frozen=True)
class Options:
    """How a run is carried out; none of this determines a sample."""

    device: str = "cpu"  # empty: what each process finds, for Ray to say
    retry_failed: bool = False
    retries: RetryPolicy = field(default_factory=RetryPolicy)
    parallel: int = 4  # calls in flight to one remote service
    address: str = ""  # of a Ray cluster; empty starts one here
    workers: Mapping[str, int] = field(default_factory=dict)  # of Ray, by stage; others as the cluster allows
    worker_cpus: float = 0.0  # of each of those; 0: as the cluster allows


@dataclass
class Tally:
    """What a run did. `unavailable` maps a card to the one line that says why it could not run."""

    unavailable: dict[str, str] = field(default_factory=dict)


Engine = Callable[[Plan, Store, Options, Reporter], Tally]


def engine(name: str) -> Engine:
    """The engine's `run`. KeyError for a name that is not in ENGINES."""
    if name == "local":
        from evidence.engines import local

        return local.run
    if name == "ray":
        from evidence.engines import ray as ray_engine

        return ray_engine.run
    raise KeyError(name)
