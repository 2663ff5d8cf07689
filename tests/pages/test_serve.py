"""The live preview, over a real socket."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from pages.serve import Generation, rebuild, serving


def _get(port: int, path: str) -> tuple[int, str, bytes]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.headers.get_content_type(), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get_content_type(), error.read()


def test_pages_get_the_reload_script_on_the_wire_only(small):
    with serving(small.out, 0, Generation()) as port:
        status, kind, page = _get(port, "/clean/index.html")
        assert (status, kind) == (200, "text/html")
        assert b'<script src="/_reload.js"></script></body>' in page
        assert b"_reload" not in (small.out / "clean/index.html").read_bytes()
        assert _get(port, "/_reload.js")[1] == "text/javascript"
        assert _get(port, "/data/ledger.json")[2] == (small.out / "data/ledger.json").read_bytes()


def test_a_missing_page_is_the_404_of_the_site(small):
    with serving(small.out, 0, Generation()) as port:
        status, _, page = _get(port, "/clean/nothing.html")
        assert status == 404 and b"Not here" in page
        assert _get(port, "/../content/page.toml")[0] == 404


def test_an_open_page_is_told_to_reload_after_a_rebuild(small):
    generation, said = Generation(), list[str]()
    with serving(small.out, 0, generation) as port:
        stream = urllib.request.urlopen(f"http://127.0.0.1:{port}/_reload", timeout=10)
        assert stream.readline() == b": here\n"
        small.json("results/numbers.json", lambda doc: doc["values"]["models.alpha.after"].update(value=7.5))
        worker = threading.Thread(target=rebuild, args=(small.root, small.out, generation, said.append))
        worker.start()
        lines = [stream.readline() for _ in range(3)]
        worker.join()
        assert b"event: reload\n" in lines
        stream.close()
        assert b"7.5" in _get(port, "/clean/index.html")[2]


def test_a_defective_input_is_printed_and_the_last_good_site_stays(small):
    said, generation = list[str](), Generation()
    before = small.digest()
    small.replace("results/exhibits.json", "garden-clean.jpg", "gone.jpg")
    assert rebuild(small.root, small.out, generation, said.append) is None
    assert any("no such picture 'gone.jpg'" in line for line in said)
    assert generation.number == 0 and small.digest() == before


def test_serve_watches_rebuilds_and_stops_when_interrupted(small):
    """The whole command, as an author has it running beside the editor."""
    command = [sys.executable, "build.py", "serve", "--port", "0", "--root", str(small.root)]
    project = Path(__file__).parents[2]
    process = subprocess.Popen(
        command,
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # A shell that runs the tests in the background has its children ignore interrupts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        line = next(line for line in process.stdout if "127.0.0.1" in line)
        port = int(re.search(r":(\d+)/", line)[1])
        deadline = time.monotonic() + 30
        while b"Second guesses" not in _get(port, "/clean/index.html")[2]:
            assert time.monotonic() < deadline, "the change was never built"
            place = small.root / "content/sections/02-second/section.toml"  # again and again: watching may begin late
            place.write_text(place.read_text().replace("Second thoughts", "Second guesses"))
            time.sleep(0.5)
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) in (0, 1, 130, -2)
