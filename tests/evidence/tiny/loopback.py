"""A server of our own on this machine, for as long as a test needs it."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Self


class Loopback:
    """StoredResults by `handler`, whose `owner` is this object."""

    handler: ClassVar[type[QuietHandler]]

    def __enter__(self) -> Self:
        bound = type("Bound", (self.handler,), {"owner": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), bound)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"


class QuietHandler(BaseHTTPRequestHandler):
    owner: Any

    def log_message(self, *_: object) -> None:
        pass
