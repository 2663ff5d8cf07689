"""Remote pictures, from a server on this machine: pinned once, then never anything else."""

from __future__ import annotations

import hashlib
import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image

from pages.source.fetch import fetch


def _picture(form: str = "JPEG", shade: int = 120, size: int = 64) -> bytes:
    content = io.BytesIO()
    ramp = np.linspace(0, shade, size * size * 3).reshape(size, size, 3).astype(np.uint8)
    Image.fromarray(ramp).save(content, form)
    return content.getvalue()


class Museum:
    """A server whose answers a test writes: path -> (status, headers, body)."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.asked: list[str] = []
        museum = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                museum.asked.append(self.path)
                status, headers, body = museum.answers.get(self.path, (404, {}, b"gone"))
                self.send_response(status)
                for name, value in {"Content-Type": "image/jpeg", "Content-Length": str(len(body)), **headers}.items():
                    if value:
                        self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.server.handle_error = lambda *_: None  # a client that hangs up is part of these tests
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def shows(self, body: bytes, status: int = 200, **headers: str) -> None:
        named = {name.replace("_", "-").title(): value for name, value in headers.items()}
        self.answers["/shout.jpg"] = (status, named, body)


@pytest.fixture
def museum(small) -> Iterator[Museum]:
    museum = Museum()
    small.replace("results/exhibits.json", "http://127.0.0.1:9", museum.url)
    yield museum
    museum.server.shutdown()
    museum.server.server_close()


def _fetch(small, limit: int = 1_000_000):
    return fetch(small.root, limit, 5.0)


def test_a_picture_is_unverified_until_it_was_fetched(small, museum):
    small.build()
    assert "The Shout, 1893 (unverified)" in small.read("clean/index.html")
    museum.shows(_picture())
    outcome = _fetch(small)
    assert outcome.fetched == ["painting/original"] and not outcome.failed
    assert not small.build().problems
    page = small.read("clean/index.html")
    assert "(unverified)" not in page
    assert 'alt="A figure on a bridge shouts."' in page


def test_the_pinned_hash_is_that_of_the_bytes(small, museum):
    museum.shows(_picture())
    _fetch(small)
    lock = json.loads((small.root / "content/pictures.lock.json").read_text())["pictures"]["painting/original"]
    assert lock["sha256"] == hashlib.sha256(_picture()).hexdigest()
    assert lock["url"] == museum.url + "/shout.jpg"


def test_what_is_at_hand_is_not_asked_for_again(small, museum):
    museum.shows(_picture())
    _fetch(small)
    outcome = _fetch(small)
    assert outcome.kept == ["painting/original"]
    assert museum.asked == ["/shout.jpg"]


def test_a_later_mismatch_is_refused_and_named(small, museum):
    """Another picture under the same address: the page must not show it under the old caption."""
    museum.shows(_picture())
    _fetch(small)
    lock = (small.root / "content/pictures.lock.json").read_bytes()
    for file in (small.root / ".cache/remote").iterdir():
        file.unlink()
    museum.shows(_picture(shade=200))
    outcome = _fetch(small)
    (problem,) = outcome.failed
    assert problem.file == "results/exhibits.json" and problem.field == "exhibits.painting.pictures[0].remote.url"
    assert "pinned is" in problem.message
    assert (small.root / "content/pictures.lock.json").read_bytes() == lock
    assert list((small.root / ".cache/remote").iterdir()) == []
    small.build()
    assert "The Shout, 1893 (pinned)" in small.read("clean/index.html")


def test_a_damaged_download_is_fetched_again(small, museum):
    museum.shows(_picture())
    _fetch(small)
    (file,) = (small.root / ".cache/remote").iterdir()
    file.write_bytes(b"damaged")
    assert _fetch(small).fetched == ["painting/original"]
    assert file.read_bytes() == _picture()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"body": b"<html>", "content_type": "text/html"}, "is text/html, not a picture"),
        ({"body": b"<html>a page that says it is a picture</html>"}, "is not a whole picture"),
        ({"body": b"<svg/>", "content_type": "image/svg+xml"}, "not a picture"),
        ({"body": _picture()[:-400]}, "is not a whole picture"),
        ({"body": b"\0" * 2_000_000}, "2.0 MB, the limit is 1 MB"),
        ({"body": b"\0" * 2_000_000, "content_length": ""}, "more than the limit of 1 MB"),
        ({"body": _picture(), "content_length": "99999"}, "bytes came"),
        ({"body": b"", "status": 404}, "the server answers 404"),
        ({"body": b"", "status": 503}, "the server answers 503"),
        ({"body": b"", "status": 302, "location": "ftp://127.0.0.1/x.jpg"}, "redirects to ftp://"),
        ({"body": b"", "status": 302, "location": "file:///etc/hostname"}, "is not allowed"),
    ],
)
def test_what_is_no_good_picture_is_refused(small, museum, answer, said):
    museum.shows(answer.pop("body"), answer.pop("status", 200), **answer)
    (problem,) = _fetch(small).failed
    assert said in problem.message
    assert not (small.root / "content/pictures.lock.json").exists()
    assert not (small.root / ".cache/remote").exists()


def test_a_bomb_is_refused(small, museum, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    museum.shows(_picture())
    (problem,) = _fetch(small).failed
    assert "is not a whole picture" in problem.message


def test_a_server_that_is_away_is_named(small):
    (problem,) = _fetch(small).failed
    assert problem.message.startswith("http://127.0.0.1:9/shout.jpg: cannot be reached")


def test_a_moment_of_trouble_is_tried_again(small, museum):
    museum.shows(b"", 503)
    threading.Timer(0.1, lambda: museum.shows(_picture())).start()
    assert _fetch(small).fetched == ["painting/original"]


def test_redirects_to_a_picture_are_followed(small, museum):
    museum.shows(b"", 301, location="/elsewhere.png")
    museum.answers["/elsewhere.png"] = (200, {"Content-Type": "image/png"}, _picture("PNG"))
    assert _fetch(small).fetched == ["painting/original"]
