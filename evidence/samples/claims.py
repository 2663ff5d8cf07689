"""Who is making which sample, so that two workers on one store share the work.

A claim is a file beside the sample, made in one step or not at all. It is renewed while its worker lives, and anybody
takes over one that is older than `STALE` or whose process on this machine is gone. It is no lock: where two workers
make the same sample after all they write the same bytes.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STALE = 300.0  # seconds without a renewal
RENEWED = 60.0  # seconds between renewals
_HOST = socket.gethostname()


class Claims:
    """The claims of one worker below the root of a store."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._held: set[Path] = set()
        self._closed = threading.Event()

    def take(self, key: str) -> bool:
        """Whether this worker may make the sample now."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path in self._held or self._made(path, 0):
            return True
        if self.others(key):
            return False
        deaths = self.deaths(key)
        aside = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
        try:
            path.rename(aside)  # of several workers that find it stale, one moves it away
        except FileNotFoundError:
            return False
        aside.unlink()
        return self._made(path, deaths)

    def _made(self, path: Path, deaths: int) -> bool:
        """Whether the claim could be made: not while there is one."""
        try:
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            return False
        os.write(handle, f"{_HOST} {os.getpid()} {deaths}".encode())
        os.close(handle)
        self._held.add(path)
        return True

    def deaths(self, key: str) -> int:
        """How many workers have died with a claim on the sample."""
        try:
            told = self._path(key).read_text().split()
        except OSError:
            return 0
        before = int(told[2]) if len(told) == 3 and told[2].isdigit() else 0
        return before if self._path(key) in self._held or self.others(key) else before + 1

    def release(self, key: str) -> None:
        self._held.discard(self._path(key))
        self._path(key).unlink(missing_ok=True)

    def others(self, key: str) -> bool:
        """Whether a worker that lives has claimed the sample."""
        path = self._path(key)
        if path in self._held:
            return False
        try:
            host, pid, *_ = path.read_text().split() or ["", ""]
            age = time.time() - path.stat().st_mtime
        except (OSError, ValueError):
            return False
        return age < STALE and not (host == _HOST and pid.isdigit() and not _alive(int(pid)))

    def keep(self) -> None:
        """From now on what is held does not go stale, for as long as this process lives."""
        threading.Thread(target=self._renew, daemon=True, name="claims").start()

    @contextmanager
    def renewed(self) -> Iterator[None]:
        """`keep` for a block; what is held at its end is released, whatever happened."""
        self.keep()
        try:
            yield
        finally:
            self._closed.set()
            for path in list(self._held):
                path.unlink(missing_ok=True)

    def _renew(self) -> None:
        while not self._closed.wait(RENEWED):
            for path in list(self._held):
                if path.exists():
                    os.utime(path)

    def _path(self, key: str) -> Path:
        return self.root / key[:2] / f"{key}.claim"


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
