"""Progress of a run: how many pictures, scores and verdicts are made, in lines that hold no secret."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TextIO

from evidence.samples.store import without_secrets
from ledger.progress import Progress

MADE = {"generate": "pictures", "score": "scores", "judge": "verdicts"}


class Reporter(Protocol):
    """Where the progress of a run is reported."""

    def say(self, line: str) -> None: ...

    def total(self, totals: Mapping[str, int]) -> None: ...

    def advance(self, stage: str, by: int = 1) -> None: ...


class RunProgress(Progress):
    """Progress by stage."""

    def __init__(self, write: Callable[[str], None], terminal: TextIO | None = None) -> None:
        super().__init__(lambda line: write(without_secrets(line)), terminal)

    def total(self, totals: Mapping[str, int]) -> None:
        super().total({MADE[stage]: total for stage, total in totals.items()})

    def advance(self, stage: str, by: int = 1) -> None:
        super().advance(MADE[stage], by)
