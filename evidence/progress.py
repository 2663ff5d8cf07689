"""Progress of a run: bars on a terminal, a plain line every few seconds elsewhere. Nothing here reaches the results."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from evidence.samples.store import without_secrets

EVERY = 10.0  # seconds between plain lines
VERBS = {"generate": "pictures", "score": "scores", "judge": "verdicts"}


class Reporter(Protocol):
    """Where the progress of a run is reported."""

    def say(self, line: str) -> None: ...

    def total(self, totals: Mapping[str, int]) -> None: ...

    def advance(self, stage: str, by: int = 1) -> None: ...


class Plain:
    """Lines for a log."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self.totals: Mapping[str, int] = {}
        self.write = write
        self.done: Counter[str] = Counter()
        self.lock, self.last = threading.Lock(), time.monotonic()

    def say(self, line: str) -> None:
        self.write(without_secrets(line))

    def total(self, totals: Mapping[str, int]) -> None:
        """How much each stage has to do, once that is known."""
        self.totals = totals
        self.say(f"to do: {self.summary()}")

    def advance(self, stage: str, by: int = 1) -> None:
        with self.lock:
            self.done[stage] += by
            if time.monotonic() - self.last < EVERY:
                return
            self.last = time.monotonic()
            self.write(self.summary())

    def summary(self) -> str:
        parts = [f"{self.done[stage]}/{total} {VERBS[stage]}" for stage, total in self.totals.items() if total]
        return ", ".join(parts) or "nothing to do"


class Bars(Plain):
    """Bars of rich, which keeps other lines above them."""

    def __init__(self, progress: Any) -> None:
        super().__init__(lambda line: progress.console.print(line, markup=False, highlight=False))
        self.progress, self.tasks = progress, dict[str, Any]()

    def total(self, totals: Mapping[str, int]) -> None:
        self.totals = totals
        self.tasks = {
            stage: self.progress.add_task(VERBS[stage], total=total) for stage, total in totals.items() if total
        }

    def advance(self, stage: str, by: int = 1) -> None:
        with self.lock:
            self.done[stage] += by
        if stage in self.tasks:
            self.progress.advance(self.tasks[stage], by)


@contextmanager
def reporter(write: Callable[[str], None], terminal: bool) -> Iterator[Plain]:
    """A reporter for as long as the run lasts."""
    if not terminal:
        yield Plain(write)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description:>8}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns) as progress:
        yield Bars(progress)
