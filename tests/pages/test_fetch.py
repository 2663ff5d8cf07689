"""Remote pictures, from a server on this machine: pinned once, then never anything else."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import hashlib
import html
import io
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image

from ledger.problems import InputError
from pages.source.fetch import Downloader, fetch
from pages.source.lockfile import LOCK


def _picture(form: str = "JPEG", shade: int = 120, size: int = 64) -> bytes:
    content = io.BytesIO()
    ramp = np.linspace(0, shade, size * size * 3).reshape(size, size, 3).astype(np.uint8)
    Image.fromarray(ramp).save(content, form)
    return content.getvalue()


def _animation() -> bytes:
    content = io.BytesIO()
    frames = [Image.new("RGB", (20, 10), shade) for shade in ("red", "blue")]
    frames[0].save(content, "GIF", save_all=True, append_images=frames[1:])
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


def _fetch(small, *accept: str, **downloader: Any):
    return fetch(small.root, Downloader(**{"limit": 1_000_000, "timeout": 5.0, **downloader}), accept)


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


def test_pictures_are_fetched_where_an_event_loop_runs_already(small, museum):
    """As in a notebook, or beside a browser that a script drives."""
    museum.shows(_picture())

    async def inside() -> Any:
        return _fetch(small)

    with ThreadPoolExecutor(1) as thread:  # the tests of a browser leave their loop in this one
        assert not thread.submit(asyncio.run, inside()).result().failed


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
        ({"body": b"<svg/>", "content_type": "image/svg+xml"}, "is not a whole picture"),
        ({"body": _picture()[:-400]}, "is not a whole picture"),
        ({"body": _animation()}, "has 2 frames, an animation"),
        ({"body": b"\0" * 2_000_000}, "2.0 MB, the limit is 1 MB"),
        ({"body": b"\0" * 2_000_000, "content_length": ""}, "more than the limit of 1 MB"),
        ({"body": gzip.compress(b"\0" * 9_000_000), "content_encoding": "gzip"}, "more than the limit of 1 MB"),
        ({"body": _picture(), "content_length": "99999"}, "cannot be reached"),
        ({"body": b"", "status": 404}, "the server answers 404"),
        ({"body": b"", "status": 503}, "the server answers 503"),
        ({"body": b"", "status": 302, "location": "ftp://127.0.0.1/x.jpg"}, "unsupported protocol 'ftp://'"),
        ({"body": b"", "status": 302, "location": "file:///etc/hostname"}, "unsupported protocol 'file://'"),
    ],
)
def test_what_is_no_good_picture_is_refused(small, museum, answer, said):
    museum.shows(answer.pop("body"), answer.pop("status", 200), **answer)
    (problem,) = _fetch(small).failed
    assert said in problem.message
    assert not (small.root / "content/pictures.lock.json").exists()
    assert not (small.root / ".cache/remote").exists()


def test_a_bomb_is_refused(small, museum, monkeypatch):
    monkeypatch.setattr("pages.source.fetch.MAX_PIXELS", 1000)
    museum.shows(_picture())
    (problem,) = _fetch(small).failed
    assert "is not a whole picture" in problem.message


def test_a_server_that_is_away_is_named(small):
    (problem,) = _fetch(small).failed
    assert problem.message.startswith("http://127.0.0.1:9/shout.jpg: cannot be reached: ")


@pytest.mark.parametrize(
    ("name", "value"), [("ALL_PROXY", "socks5://127.0.0.1:9"), ("SSL_CERT_FILE", "/not/there"), ("NO_PROXY", "[::")]
)
def test_an_environment_that_cannot_be_followed_is_named(small, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match="no connection as the environment asks for"):
        _fetch(small)


def test_a_moment_of_trouble_is_tried_again(small, museum):
    museum.shows(b"", 503)
    threading.Timer(0.1, lambda: museum.shows(_picture())).start()
    assert _fetch(small).fetched == ["painting/original"]


def test_redirects_to_a_picture_are_followed(small, museum):
    museum.shows(b"", 301, location="/elsewhere.png")
    museum.answers["/elsewhere.png"] = (200, {"Content-Type": "image/png"}, _picture("PNG"))
    assert _fetch(small).fetched == ["painting/original"]


def _mpo() -> bytes:
    """What phones call a JPEG: two pictures in one file, of which browsers show the first."""
    content = io.BytesIO()
    first, second = (Image.new("RGB", (32, 32), colour) for colour in ("navy", "red"))
    first.save(content, "MPO", save_all=True, append_images=[second])
    return content.getvalue()


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (_picture(), {"content_type": "application/octet-stream"}),
        (_picture(), {"content_type": ""}),
        (gzip.compress(_picture()), {"content_encoding": "gzip"}),
        (_mpo(), {}),
        (_picture("JPEG2000"), {}),
        (_picture("TIFF"), {}),
    ],
)
def test_a_picture_is_told_by_its_bytes(small, museum, body, headers):
    """Zenodo and S3 call everything octet-stream, some hosts gzip what is compressed already, phones write MPO."""
    museum.shows(body, **headers)
    assert _fetch(small).fetched == ["painting/original"]
    assert not small.build().problems
    assert "(unverified)" not in small.read("clean/index.html")


def test_an_address_may_have_letters_of_any_language(small, museum):
    small.replace("results/exhibits.json", "/shout.jpg", "/nö tè.jpg".replace(" ", "%20"))
    museum.answers["/n%C3%B6%20t%C3%A8.jpg"] = (200, {}, _picture())
    assert _fetch(small).fetched == ["painting/original"]


def test_the_time_limit_is_for_the_whole_answer(small):
    """A server that sends a byte now and then satisfies every limit on a single read."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        small.replace("results/exhibits.json", "http://127.0.0.1:9", f"http://127.0.0.1:{server.getsockname()[1]}")

        def drip() -> None:
            client, _ = server.accept()
            with client, contextlib.suppress(OSError):
                client.sendall(b"HTTP/1.1 200 OK\r\n")
                for number in range(200):
                    client.sendall(b"X-%d: y\r\n" % number)
                    time.sleep(0.1)

        threading.Thread(target=drip, daemon=True).start()
        start = time.monotonic()
        (problem,) = _fetch(small, timeout=0.5).failed
        assert time.monotonic() - start < 3
        assert "did not come within 0.5 seconds" in problem.message


def test_another_address_is_another_picture(small, museum):
    """A label that names another painting must not hang beside the old one."""
    museum.shows(_picture())
    museum.answers["/other.jpg"] = (200, {}, _picture(shade=30))
    _fetch(small)
    small.replace("results/exhibits.json", "/shout.jpg", "/other.jpg")
    assert any("its address changed" in note for note in small.build().notes)
    assert "The Shout, 1893 (unverified)" in small.read("clean/index.html")
    assert _fetch(small).fetched == ["painting/original"]
    small.build()
    entry = json.loads((small.root / LOCK).read_text())["pictures"]["painting/original"]
    assert entry["sha256"] == hashlib.sha256(_picture(shade=30)).hexdigest()
    assert "The Shout, 1893 (unverified)" not in small.read("clean/index.html")


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda content: b"", "is empty"),
        (lambda content: content[:-300], "bytes: run `python build.py fetch`"),
        (lambda content: _picture(shade=77), "run `python build.py fetch`"),
        (lambda content: content[:-1] + b"x", "holds other bytes than were pinned"),
    ],
)
def test_a_build_shows_no_other_bytes_than_the_pinned(small, museum, harm, said):
    """A partial cache of a CI, a full disk, an exchanged file: the page would show what nobody has seen."""
    museum.shows(_picture())
    _fetch(small)
    small.build()
    before = small.digest()
    (file,) = (small.root / ".cache/remote").iterdir()
    file.write_bytes(harm(file.read_bytes()))
    for force in (False, True):
        with pytest.raises(InputError, match=rf"{LOCK}:\d pictures.painting/original: .*") as refused:
            small.build(force=force)
        assert said in str(refused.value)
    assert small.digest() == before
    assert _fetch(small).fetched == ["painting/original"]
    assert not small.build().problems


GOOD = {"url": "http://x/y.jpg", "sha256": "a" * 64, "bytes": 3, "file": "a" * 20 + ".jpg"}


@pytest.mark.parametrize(
    ("lock", "said"),
    [
        ('<<<<<<< HEAD\n{"pictures": {}}\n', f"{LOCK}:1: a merge conflict that nobody has resolved"),
        ('{"pictures": {\n"a/b": {\n"sha256": "x"}}}', f"{LOCK}:2 pictures.a/b.url: is missing"),
        ("", f"{LOCK}:1: not JSON"),
        ("[]", f"{LOCK}:1: must be named fields, not []"),
        ('{"pictures": {},\n"pictures": {}}', f"{LOCK}:2 pictures: this key is spelled twice"),
        ('{"pictures": {}, "extra": 1}', f"{LOCK}:1 extra: unknown key 'extra': there are accepted, pictures"),
        *(
            (json.dumps({"pictures": {"a/b": {key: value for key, value in GOOD.items() if key != gone}}}), gone)
            for gone in GOOD
        ),
        (json.dumps({"pictures": {"a/b": {**GOOD, "file": "../../etc/passwd"}}}), "pictures.a/b.file"),
        (json.dumps({"pictures": {"a/b": {**GOOD, "file": "b" * 20 + ".jpg"}}}), "is not named by the beginning"),
        (json.dumps({"accepted": ["paper/ava"]}), "no group 'paper/ava'"),
    ],
)
def test_a_damaged_lock_is_named_by_build_and_fetch(small, museum, lock, said):
    """An unreadable lock that counts as none would unpin every picture without a word."""
    museum.shows(_picture())
    small.write(LOCK, lock)
    with pytest.raises(InputError) as refused:
        small.build()
    assert said in str(refused.value)
    if "no group" not in said:
        with pytest.raises(InputError, match=LOCK):
            _fetch(small)
        assert (small.root / LOCK).read_text() == lock


# -- pictures and prompts of a declared source -------------------------------------------------------------------------

PROMPT = 'a "dog"... -- in the rain -- <b>'


class Archive:
    """A source as its authors publish it: a tree of pictures and a JSON file of prompts."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.files = {
            "img/dog #1.jpg": _picture(shade=90),
            "img/old.png": _picture("PNG", shade=50),
            "meta.json": json.dumps([{"a/b": PROMPT}]).encode(),
        }
        for name, content in self.files.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(content)

    def picture(self, path: str, group: str, prompt: str | None = None) -> dict[str, Any]:
        remote = {"source": "paper", "group": group, "path": path, "bytes": len(self.files[path])}
        remote["sha256"] = hashlib.sha256(self.files[path]).hexdigest()
        if prompt:
            meta = hashlib.sha256(self.files["meta.json"]).hexdigest()
            remote["prompt"] = {"file": "meta.json", "pointer": prompt, "sha256": meta}
        return {"id": "original", "label": "As published", "alt": "A picture.", "remote": remote}


@pytest.fixture
def archive(small, tmp_path) -> Archive:
    """The small site with two pictures of a source: a free one, and one with a prompt that asks for consent."""
    archive = Archive(tmp_path / "clone")
    groups = [("old", "Public domain.", "free"), ("own", "Whose rights are unclear.", "accept")]
    small.write(
        "content/sources.toml",
        '[sources.paper]\ntitle = "The paper"\nrepository = "https://example.org/r"\nrevision = "1"\n'
        'raw = "http://127.0.0.1:9/{revision}/{path}"\npage = "https://example.org/{path}"\nlicence = "None."\n'
        + "".join(
            f'[sources.paper.groups.{name}]\ntitle = "{name}"\nrights = "{rights}"\nshown = "{shown}"\n'
            for name, rights, shown in groups
        ),
    )
    pictures = {
        "old": archive.picture("img/old.png", "old"),
        "dog": archive.picture("img/dog #1.jpg", "own", "/0/a~1b"),
    }

    def add(doc: Any) -> None:
        doc["exhibits"].pop("painting")
        about = {"kind": "sample", "caption": "c", "credit": "c", "licence": "l", "sets": ["gallery"]}
        for name, picture in pictures.items():
            doc["exhibits"][name] = {"title": name, **about, "pictures": [picture]}

    small.json("results/exhibits.json", add)
    for voice in ("clean", "distorted"):
        small.replace(
            f"content/sections/02-second/{voice}.md", '{{ exhibit("painting") }}', '{{ exhibits("gallery") }}'
        )
    return archive


def test_without_consent_only_what_is_free_is_brought(small, archive):
    outcome = _fetch(small, clone=archive.place)
    assert outcome.fetched == ["old/original"] and dict(outcome.withheld) == {"paper/own": 1}
    assert not (small.root / ".cache/remote" / hashlib.sha256(archive.files["meta.json"]).hexdigest()[:20]).exists()
    assert not small.build().problems
    assert PROMPT not in (small.out / "data/ledger.json").read_text()


def test_a_group_is_shown_by_consent_and_no_longer_without(small, archive):
    """The lock records the consent; who takes it back shows the picture no more, though its file is at hand."""
    outcome = _fetch(small, "own", clone=archive.place)
    assert outcome.fetched == ["old/original", "dog/original"] and not outcome.failed
    assert json.loads((small.root / LOCK).read_text())["accepted"] == ["paper/own"]
    assert _fetch(small, clone=archive.place).kept == ["old/original", "dog/original"], "consent lasts"
    small.build()
    shown = small.read("clean/exhibit/dog.html")
    assert html.escape(PROMPT) in shown.replace("&#34;", "&quot;"), "a prompt is printed to the letter"
    assert "<img" in shown
    small.json(LOCK, lambda lock: lock.pop("accepted"))
    small.build()
    assert html.escape(PROMPT) not in small.read("clean/exhibit/dog.html").replace("&#34;", "&quot;")
    assert "(pinned)" in small.read("clean/index.html")


def test_pins_of_pictures_that_left_the_ledger_go_and_consent_stays(small, archive):
    """The lock grew with every ledger there ever was."""
    _fetch(small, "own", clone=archive.place)
    small.json("results/exhibits.json", lambda doc: doc["exhibits"].pop("dog"))
    _fetch(small, clone=archive.place)
    lock = json.loads((small.root / LOCK).read_text())
    assert lock["accepted"] == ["paper/own"] and [*lock["pictures"]] == ["old/original"]


def test_a_source_is_fetched_from_its_address(small, museum, archive):
    small.replace("content/sources.toml", "http://127.0.0.1:9", museum.url)
    museum.answers |= {
        f"/1/{quote(path)}": (200, {"Content-Type": "text/plain"}, content) for path, content in archive.files.items()
    }
    assert _fetch(small, "paper/own").fetched == ["old/original", "dog/original"]
    assert _fetch(small).kept == ["old/original", "dog/original"]
    assert len(museum.asked) == 3


@pytest.mark.parametrize("harm", [b"", b"other bytes"])
def test_a_copy_with_other_bytes_is_refused(small, archive, harm):
    (archive.place / "img/dog #1.jpg").write_bytes(harm)
    (archive.place / "meta.json").write_bytes(harm)
    outcome = _fetch(small, "own", clone=archive.place)
    assert outcome.fetched == ["old/original"]
    fields = [problem.field for problem in outcome.failed]
    assert fields == [f"exhibits.dog.pictures[0].remote.{step}" for step in ("path", "prompt")]
    assert all("the ledger says" in problem.message for problem in outcome.failed)


def test_offline_asks_no_network(small, archive):
    (problem,) = _fetch(small, offline=True).failed
    assert "--offline uses no network" in problem.message
    assert _fetch(small, offline=True, clone=archive.place).fetched == ["old/original"]


def test_a_damaged_prompt_is_named(small, archive):
    _fetch(small, "own", clone=archive.place)
    name = hashlib.sha256(archive.files["meta.json"]).hexdigest()[:20]
    (small.root / f".cache/remote/{name}.json").write_text("[]")
    with pytest.raises(InputError, match=r"results/exhibits.json:\d+ .*prompt.sha256: .* holds other bytes"):
        small.build()


@pytest.mark.parametrize("pointer", ["/1/a~1b", "/0/nothing", "/0", "/x"])
def test_a_pointer_to_no_text_is_named(small, archive, pointer):
    small.replace("results/exhibits.json", "/0/a~1b", pointer)
    _fetch(small, "own", clone=archive.place)
    with pytest.raises(InputError, match=r"prompt.pointer: 'meta.json': no"):
        small.build()


def test_a_group_that_nobody_declared_is_refused(small, archive):
    with pytest.raises(InputError, match="no group 'onw', did you mean 'own'"):
        _fetch(small, "onw")
    assert not (small.root / LOCK).exists()
