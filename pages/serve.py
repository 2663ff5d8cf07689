"""Live preview: serves the built site on 127.0.0.1, rebuilds when an input changes, tells open pages to reload.

Pages are reloaded through one server-sent event stream; the script for it is added on the wire only, never to the
files. A build that fails prints its problems and leaves the last good site in place.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from pages.build import Report, build
from pages.cache.fingerprint import CODE, INPUTS

SCRIPT = b"new EventSource('/_reload').addEventListener('reload', () => location.reload());\n"
TAG = b'<script src="/_reload.js"></script></body>'
PATIENCE = 15.0  # seconds between comments on an idle stream


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
        place = place / "index.html" if place.is_dir() else place
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


@contextmanager
def serving(out: Path, port: int, generation: Generation) -> Iterator[int]:
    """Serve `out` from a thread; gives the port that was taken."""
    handler = partial(Preview, directory=str(out), generation=generation)
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def rebuild(root: Path, out: Path, generation: Generation, say: Callable[[str], None]) -> Report | None:
    """Build once; None and its problems said when the input is defective."""
    from ledger.problems import InputError

    try:
        report = build(root, out)
    except InputError as error:
        for problem in error.problems:
            say(str(problem))
        say("the last good site stays")
        return None
    for problem in report.problems:
        say(str(problem))
    if not report.unchanged:
        say(f"built: {report.written} files written, {report.kept} kept")
        generation.advance()
    return report


def serve(root: Path, port: int, say: Callable[[str], None]) -> None:
    """Build, serve and rebuild until interrupted."""
    from watchfiles import watch

    out, generation = root / "site", Generation()
    rebuild(root, out, generation, say)
    with serving(out, port, generation) as taken:
        say(f"http://127.0.0.1:{taken}/ - interrupt to stop")
        places = [root / name for name in (*INPUTS, *CODE) if (root / name).exists()]
        for _ in watch(*places, raise_interrupt=False):
            rebuild(root, out, generation, say)
