"""Progress of long work: one line that is rewritten on a terminal, a plain line every few seconds elsewhere.

Nothing here reaches the results.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TextIO

EVERY = 10.0  # seconds between plain lines
REDRAWN = 0.1  # seconds between two states of the line on a terminal
CLEAR = "\r\x1b[K"


class Progress:
    """How much is done of how much, of one or more things by name, for as long as the context lasts. `write` takes
    whole lines; `terminal`, where there is one, the line that changes."""

    def __init__(self, write: Callable[[str], None], terminal: TextIO | None = None) -> None:
        self.write, self.terminal = write, terminal
        self.totals: Mapping[str, int] = {}
        self.done: Counter[str] = Counter()
        self.lock, self.last = threading.RLock(), time.monotonic()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *failure: object) -> None:
        self._draw("")

    def say(self, line: str) -> None:
        """A line that stays."""
        with self.lock:
            self._draw("")
            self.write(line)
            self._draw(self.summary())

    def total(self, totals: Mapping[str, int]) -> None:
        """How much there is to do of each thing, once that is known."""
        self.totals = totals
        self.say(f"to do: {self.summary()}")

    def advance(self, name: str, by: int = 1) -> None:
        with self.lock:
            self.done[name] += by
            if time.monotonic() - self.last < (REDRAWN if self.terminal else EVERY):
                return
            self.last = time.monotonic()
            show = self._draw if self.terminal else self.write
            show(self.summary())

    def show(self, name: str, done: int, total: int) -> None:
        """`done` of `total`. The last of them is always told, and takes away the line of a terminal."""
        with self.lock:
            self.totals = {name: total}
            if done < total:
                self.advance(name, done - self.done[name])
            elif self.terminal:
                self._draw("")
            else:
                self.done[name] = done
                self.write(self.summary())

    def summary(self) -> str:
        parts = [f"{self.done[name]}/{total} {name}" for name, total in self.totals.items() if total]
        return ", ".join(parts) or "nothing to do"

    def _draw(self, line: str) -> None:
        if self.terminal:
            self.terminal.write(CLEAR + line)
            self.terminal.flush()
