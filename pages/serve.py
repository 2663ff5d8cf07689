"""Live preview: serves the built site on 127.0.0.1, rebuilds when an input changes, tells open pages to reload.

Pages are reloaded through one server-sent event stream; the script for it is added on the wire only, never to the
files. A build that fails prints its problems and leaves the last good site in place. Every build is a process of
its own, so that it runs the code that was just edited.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ledger.problems import InputError, Problem
from pages.cache.fingerprint import HERE, on_disk
from pages.cache.store import stamps

SCRIPT = b"new EventSource('/_reload').addEventListener('reload', () => location.reload());\n"
TAG = b'<script src="/_reload.js"></script></body>'
PATIENCE = 15.0  # seconds between comments on an idle stream
LOOK = 0.4  # seconds between two looks at the inputs


class Generation:
    """Counts builds; streams wait for the next one."""

    def __init__(self) -> None:
        self.number, self.changed = 0, threading.Condition()

    def advance(self) -> None:
        with self.changed:
            self.number += 1
            self.changed.notify_all()

    def wait(self, known: int, timeout: float) -> int:
        with self.changed:
            self.changed.wait_for(lambda: self.number != known, timeout)
            return self.number


class Preview(SimpleHTTPRequestHandler):
    """Files of the site, never cached; /_reload is the event stream."""

    protocol_version = "HTTP/1.1"
    generation: Generation

    def __init__(self, *args: Any, generation: Generation, **names: Any) -> None:
        self.generation = generation
        super().__init__(*args, **names)

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/_reload":
            self._stream()
        elif path == "/_reload.js":
            self._send(HTTPStatus.OK, "text/javascript", SCRIPT)
        else:
            self._page()

    def _page(self) -> None:
        place = Path(self.translate_path(self.path))
        if place.is_dir():
            path, mark, query = self.path.partition("?")
            if not path.endswith("/"):  # as static hosts do: relative links start from the folder
                self._redirect(f"/{path.lstrip('/')}/{mark}{query}")
                return
            place = place / "index.html"
        status = HTTPStatus.OK if place.is_file() else HTTPStatus.NOT_FOUND
        if status is HTTPStatus.NOT_FOUND:
            place = Path(self.directory) / "404.html"
        try:
            content = place.read_bytes()
        except OSError:
            self._send(HTTPStatus.NOT_FOUND, "text/plain", b"not here\n")
            return
        if place.suffix == ".html":
            content = content.replace(b"</body>", TAG)
        self._send(status, self.guess_type(str(place)), content)

    def _redirect(self, address: str) -> None:
        self.send_response(HTTPStatus.MOVED_PERMANENTLY)
        self.send_header("Location", address)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, status: HTTPStatus, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(content)

    def _stream(self) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        known = self.generation.number
        try:
            self.wfile.write(b": here\n\n")
            while True:
                now = self.generation.wait(known, PATIENCE)
                self.wfile.write(b"event: reload\ndata: now\n\n" if now != known else b": still here\n\n")
                known = now
        except OSError:
            return  # the page was closed

    def log_message(self, *_: Any) -> None:
        """Requests are not worth a line each."""


class Server(ThreadingHTTPServer):
    """One that a browser may leave in the middle of a page."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def serving(out: Path, port: int, generation: Generation) -> Iterator[int]:
    """Serve `out` from a thread; gives the port that was taken."""
    server = _bound(port, partial(Preview, directory=str(out), generation=generation))
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def _bound(port: int, handler: Callable[..., SimpleHTTPRequestHandler]) -> Server:
    try:
        return Server(("127.0.0.1", port), handler)
    except OSError as error:
        message = f"port {port} cannot be used ({error.strerror}): try --port {_free_after(port)}"
        raise InputError([Problem("serve", 0, "--port", message)]) from None


def _free_after(port: int) -> int:
    for candidate in range(max(port + 1, 1024), 65536):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", candidate))
            return candidate
    return 0


def rebuild(root: Path, out: Path, generation: Generation, say: Callable[[str], None]) -> bool:
    """Build once, in a process of its own: what runs is the code as it lies on disk now."""
    before = stamps(out)
    command = [sys.executable, str(HERE / "build.py"), "build", "--root", str(root), "--out", str(out)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace"
    ) as process:
        try:
            for line in process.stdout or ():
                say(line.rstrip())
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        say("the last good site stays")
    elif stamps(out) != before:
        generation.advance()
    return not process.returncode


def serve(root: Path, port: int, say: Callable[[str], None]) -> None:
    """Serve, and rebuild whenever an input differs from what the last build began with, or the site is gone, until
    interrupted. Looks are compared, not events: a folder that was moved away and back, or an edit during a build, is a
    difference too."""
    out, generation, built, there = root / "site", Generation(), "", False
    with serving(out, port, generation) as taken, suppress(KeyboardInterrupt):
        say(f"http://127.0.0.1:{taken}/ - interrupt to stop")
        while True:
            if (now := on_disk(root)) != built or (there and not out.is_dir()):
                rebuild(root, out, generation, say)
                built, there = now, out.is_dir()
            time.sleep(LOOK)
