"""Trying again where it can help: how often, how long to wait, and what is never tried again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from evidence.interfaces import GenerationFailed

Result = TypeVar("Result")


def rest(seconds: float) -> None:
    time.sleep(seconds)


@dataclass(frozen=True)
class RetryPolicy:
    """How often something retryable is tried, and how long is waited: 1, 2, 4, ... seconds, or what the server says."""

    attempts: int = 5
    first: float = 1.0  # seconds
    longest: float = 120.0  # seconds; a server that asks for more is believed, and not waited for
    sleep: Callable[[float], None] = rest

    def wait(self, attempt: int, asked: float | None) -> float | None:
        """Seconds before attempt number `attempt + 1`, or None to give up."""
        if attempt >= self.attempts or (asked is not None and asked > self.longest):
            return None
        return max(asked or 0.0, min(self.longest, self.first * 2.0 ** (attempt - 1)))


def with_retries(action: Callable[[], Result], retries: RetryPolicy) -> tuple[Result | Exception, int]:
    """The result or the last error of `action`, and the number of attempts. Only GenerationFailed that says it is
    retryable is tried again: never a 4xx, never a bug."""
    attempt = 0
    while True:
        attempt += 1
        try:
            return action(), attempt
        except GenerationFailed as failure:
            wait = retries.wait(attempt, failure.retry_after) if failure.retryable else None
            if wait is None:
                return failure, attempt
            retries.sleep(wait)
        except Exception as error:
            return error, attempt
