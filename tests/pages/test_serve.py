"""The live preview, over a real socket."""

from __future__ import annotations

import http.client
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from pages.serve import Generation, rebuild, serving

PROJECT = Path(__file__).parents[2]


def _get(port: int, path: str) -> tuple[int, str, bytes]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
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


def test_a_browser_that_leaves_in_the_middle_of_a_page_is_no_error(small, capfd):
    (small.out / "film.mp4").write_bytes(bytes(30_000_000))
    with serving(small.out, 0, Generation()) as port:
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", port)) as leaving:
                leaving.sendall(b"GET /film.mp4 HTTP/1.1\r\nHost: x\r\n\r\n")
                leaving.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                leaving.recv(100)
        assert _get(port, "/clean/index.html")[0] == 200
        time.sleep(0.5)
    assert capfd.readouterr().err == ""


def test_a_folder_without_a_slash_leads_to_the_folder(small):
    """Static hosts redirect; without it every relative link of the page would start one level too high."""
    with serving(small.out, 0, Generation()) as port:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/clean?from=mail", timeout=60) as answer:
            assert answer.url == f"http://127.0.0.1:{port}/clean/?from=mail"
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", "//clean")
        assert connection.getresponse().headers["Location"] == "/clean/", "not an address on another host"
        connection.close()


def test_an_open_page_is_told_to_reload_after_a_rebuild(small):
    generation, said = Generation(), list[str]()
    with serving(small.out, 0, generation) as port:
        stream = urllib.request.urlopen(f"http://127.0.0.1:{port}/_reload", timeout=300)
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
    assert not rebuild(small.root, small.out, generation, said.append)
    assert any("no such picture 'gone.jpg'" in line for line in said) and said[-1] == "the last good site stays"
    assert generation.number == 0 and small.digest() == before


def test_a_taken_port_is_named_before_anything_is_built(small):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "build.py", "serve", "--port", str(port), "--root", str(small.root)]
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stdout == ""
    (free,) = re.findall(rf"port {port} cannot be used \(.*\): try --port (\d+)", done.stderr)
    assert int(free) != port


class Serving:
    """`python build.py serve` as an author has it running beside the editor."""

    def __init__(self, root: Path, tool: Path) -> None:
        self.root = root
        self.process = subprocess.Popen(
            [sys.executable, str(tool / "build.py"), "serve", "--port", "0", "--root", str(root)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # A shell that runs the tests in the background has its children ignore interrupts.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        line = next(line for line in self.process.stdout if "127.0.0.1" in line)
        self.port = int(re.search(r":(\d+)/", line)[1])
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def shows(self, text: bytes) -> None:
        deadline = time.monotonic() + 300
        while text not in _get(self.port, "/clean/index.html")[2]:
            assert time.monotonic() < deadline, f"{text!r} was never built"
            time.sleep(0.2)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(20)


def test_serve_sees_every_change_and_runs_the_code_that_was_edited(small, tmp_path):
    """An edit during the first build, content/ moved away and back as by a change of branch, code edited meanwhile."""
    tool = tmp_path / "tool"
    for name in ("pages", "ledger", "effects", "templates"):
        shutil.copytree(PROJECT / name, tool / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(PROJECT / "build.py", tool / "build.py")
    text = "content/sections/02-second/clean.md"
    small.replace(text, "hangs", "hangs -- once --")
    preview = Serving(small.root, tool)
    try:
        small.replace(text, "once", "twice")  # during the first build
        preview.shows("hangs \u2013 twice \u2013".encode())
        (small.root / "content").rename(small.root / "elsewhere")
        time.sleep(1.5)
        (small.root / "elsewhere").rename(small.root / "content")
        small.replace(text, "twice", "thrice")
        preview.shows(b"thrice")
        code = tool / "pages/rendering/typography.py"
        code.write_text(
            code.read_text(encoding="utf-8").replace('DASH.sub(" \\u2013 "', 'DASH.sub(" NEW "'), encoding="utf-8"
        )
        preview.shows(b"hangs NEW thrice")
        small.out.rename(small.root / "swept")
        preview.shows(b"hangs NEW thrice")
    finally:
        assert preview.stop() in (0, 1, 130, -2)
    from pages.build import build

    build(small.root, small.out)
    assert "hangs \u2013 thrice \u2013" in small.read("clean/index.html"), "what other code made is not taken for ours"
