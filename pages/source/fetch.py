"""Downloads the remote pictures of the ledger and pins their sha256 in content/pictures.lock.json.

An address that nobody has fetched is unverified; one fetch pins its bytes for good. Refused: other schemes than
http(s), answers that are no picture (whatever their type says), files over the limit, truncated pictures, bytes other
than the pinned ones. Files lie in .cache/remote/ under their hash; a refused download leaves nothing behind.
"""

from __future__ import annotations

import hashlib
import io
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any

from ledger.problems import Problem
from pages.cache.store import atomic_write

LOCK = "content/pictures.lock.json"
AGENT = "reversed-alignment/0.1 (research page; fetches each picture once)"
SUFFIX = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "AVIF": "avif", "GIF": "gif", "TIFF": "tif"}
TRIES = 2


@dataclass
class Outcome:
    """Names ("exhibit/picture") of what was fetched now and of what was at hand already, and what went wrong."""

    fetched: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    failed: list[Problem] = field(default_factory=list)


def fetch(root: Path, limit: int, timeout: float, say: Callable[[str], None] = lambda line: None) -> Outcome:
    """Fetch the remote pictures of the ledger that are not at hand; `limit` in bytes, `timeout` in seconds."""
    import ledger

    published, outcome = ledger.load(root), Outcome()
    lock = _lock(root / LOCK)
    for exhibit_id, exhibit in published.exhibits.items():
        for index, picture in enumerate(exhibit.pictures):
            if picture.remote is None or picture.file is not None or picture.remote.shown != "free":
                continue
            name = f"{exhibit_id}/{picture.id}"
            entry = lock.get(name)
            if entry and _sha256(root / ".cache/remote" / entry["file"]) == entry["sha256"]:
                outcome.kept.append(name)
                continue
            try:
                content, form = download(picture.remote.url, limit, timeout)
                _same(content, entry, picture.remote.sha256)
            except ValueError as error:
                place = ("exhibits", exhibit_id, "pictures", index, "remote", "url")
                outcome.failed.append(published.problem(place, f"{picture.remote.url}: {error}"))
                continue
            digest = hashlib.sha256(content).hexdigest()
            file = f"{digest[:20]}.{SUFFIX[form]}"
            atomic_write(root / ".cache/remote" / file, content)
            lock[name] = {"url": picture.remote.url, "sha256": digest, "bytes": len(content), "file": file}
            atomic_write(root / LOCK, (json.dumps({"pictures": lock}, indent=1, sort_keys=True) + "\n").encode())
            outcome.fetched.append(name)
            say(f"{name}: {len(content) / 1000:.0f} kB, sha256 {digest[:12]}{'' if entry else ', pinned'}")
    say(f"{len(outcome.fetched)} fetched, {len(outcome.kept)} at hand, {len(outcome.failed)} failed")
    return outcome


def download(url: str, limit: int, timeout: float) -> tuple[bytes, str]:
    """Bytes and form ("JPEG", ...) of the picture at `url`. ValueError when it cannot be had or is no picture."""
    if not url.lower().startswith(("https://", "http://")):
        raise ValueError("only http(s) addresses are fetched")
    for left in reversed(range(TRIES)):
        try:
            return _download(url, limit, timeout)
        except urllib.error.HTTPError as error:
            if left and error.code >= 500:
                time.sleep(0.2)
                continue
            raise ValueError(f"the server answers {error.code} {error.reason}") from None
        except (OSError, HTTPException) as error:
            if not left:
                raise ValueError(f"cannot be reached: {getattr(error, 'reason', error) or error}") from None
            time.sleep(0.2)
    raise AssertionError("unreachable")


def _download(url: str, limit: int, timeout: float) -> tuple[bytes, str]:
    opener = urllib.request.build_opener(_HttpOnly)
    with opener.open(urllib.request.Request(url, headers={"User-Agent": AGENT}), timeout=timeout) as answer:
        kind = answer.headers.get_content_type()
        if not kind.startswith("image/") or kind == "image/svg+xml":
            raise ValueError(f"is {kind}, not a picture")
        told = answer.headers.get("Content-Length", "")
        if told.isdigit() and int(told) > limit:
            raise ValueError(f"{int(told) / 1e6:.1f} MB, the limit is {limit / 1e6:g} MB")
        content = bytes(answer.read(limit + 1))
        if len(content) > limit:
            raise ValueError(f"more than the limit of {limit / 1e6:g} MB")
        if told.isdigit() and len(content) != int(told):
            raise ValueError(f"{len(content)} of {told} bytes came")
    return content, _form(content)


class _HttpOnly(urllib.request.HTTPRedirectHandler):
    """Redirects may not lead to another scheme."""

    def redirect_request(self, *request: Any) -> urllib.request.Request | None:
        if not str(request[-1]).lower().startswith(("https://", "http://")):
            raise ValueError(f"redirects to {request[-1]}")
        return super().redirect_request(*request)


def _form(content: bytes) -> str:
    """The picture's form after decoding all of it."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            form = image.format or ""
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"is not a whole picture: {error}") from None
    if form not in SUFFIX:
        raise ValueError(f"is a {form} picture, which no browser is sure to show")
    return form


def _same(content: bytes, entry: dict[str, Any] | None, declared: str | None) -> None:
    digest = hashlib.sha256(content).hexdigest()
    if declared is not None and declared != digest:
        raise ValueError(f"has sha256 {digest[:16]}..., the ledger says {declared[:16]}...")
    if entry is not None and entry["sha256"] != digest:
        raise ValueError(
            f"has sha256 {digest[:16]}..., pinned is {entry['sha256'][:16]}...; "
            f"if the new picture is right, delete its entry in {LOCK}"
        )


def _lock(path: Path) -> dict[str, dict[str, Any]]:
    try:
        found = json.loads(path.read_bytes())["pictures"]
    except FileNotFoundError:
        return {}
    return dict(found)


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
