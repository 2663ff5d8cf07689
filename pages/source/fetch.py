"""Brings the remote pictures of the ledger, and the prompts that belong to them, to .cache/remote/.

A picture is pinned by its sha256: in the ledger where it belongs to a source of content/sources.toml, else in
content/pictures.lock.json by the first fetch. Refused: other schemes than http(s), answers that are no picture
(whatever their type says), files over the limit, truncated pictures, bytes other than the pinned ones. The time limit
is for a whole file: from the first look-up of a name to the last byte. A refused download leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ledger.files import replace_bytes, sweep
from ledger.problems import InputError, Problem, did_you_mean
from ledger.schema import Text
from ledger.sources import Source, read_sources
from pages.source.lockfile import (
    FOLDER,
    LOCK,
    Lock,
    Pin,
    RemotePicture,
    group_names,
    read_lock,
    remote_pictures,
    sha256_of,
    text_file,
    write_lock,
)

if TYPE_CHECKING:
    import httpx

    from ledger import Ledger

AGENT = "research-page/0.1 (fetches each picture of a publication once)"
MAX_PIXELS = 200_000_000  # of a picture to keep; whether the page shows so many is for page.toml to say
TRIES = 2
PAUSE = 0.2  # seconds before another try


@dataclass
class Outcome:
    """Names ("exhibit/picture") of what was fetched now and of what was at hand already, what went wrong, and how many
    pictures of each group of rights nobody has accepted."""

    fetched: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    failed: list[Problem] = field(default_factory=list)
    withheld: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Downloader:
    """Where bytes come from. `limit` in bytes, `timeout` in seconds for a whole file; `clone` is a local copy of the
    sources' files; `offline` uses no network."""

    limit: int = 30_000_000
    timeout: float = 30.0
    clone: Path | None = None
    offline: bool = False

    async def get(self, client: httpx.AsyncClient, url: str, path: str) -> tuple[bytes, str]:
        """Bytes and media type of a file. ValueError when it cannot be had."""
        if self.clone is not None and path:
            return self._from_clone(path), ""
        if self.offline:
            raise ValueError(f"{url}: is not at hand, and --offline uses no network")
        try:
            async with asyncio.timeout(self.timeout):
                return await download(client, url, self.limit)
        except TimeoutError:
            raise ValueError(f"{url}: did not come within {self.timeout:g} seconds") from None
        except ValueError as error:
            raise ValueError(f"{url}: {error}") from None

    def _from_clone(self, path: str) -> bytes:
        assert self.clone is not None
        if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
            raise ValueError(f"'{path}' leads out of {self.clone}")
        try:
            return (self.clone / path).read_bytes()
        except OSError as error:
            raise ValueError(f"{self.clone / path}: {error.strerror}") from None


def fetch(
    root: Path, downloader: Downloader, accept: Iterable[str] = (), say: Callable[[str], None] = lambda line: None
) -> Outcome:
    """Fetch what may be shown and is not at hand; groups of rights named in `accept` are accepted from now on."""
    import ledger

    sweep(root / FOLDER)
    sources = read_sources(root)
    before, known = read_lock(root), ledger.load(root)
    lock = _of_ledger(_accepting(before, accept, sources), known)
    work = _Fetch(root, known, sources, lock, downloader, say)
    if lock != before:
        write_lock(root, lock)
    with ThreadPoolExecutor(1) as thread:  # of its own: a notebook, say, has an event loop in this one
        thread.submit(asyncio.run, work.run()).result()
    outcome = work.outcome
    say(f"{len(outcome.fetched)} fetched, {len(outcome.kept)} at hand, {len(outcome.failed)} failed")
    for group, count in outcome.withheld.items():
        source, _, name = group.partition("/")
        say(f"{count} of '{group}' are not shown: {sources[source].groups[name].rights} Who may: --accept {name}")
    return outcome


def _accepting(lock: Lock, accept: Iterable[str], sources: Mapping[str, Source]) -> Lock:
    """The lock with more groups, each named as "group" or "source/group"."""
    groups, chosen = group_names(sources), set(lock.accepted)
    for name in accept:
        found = [group for group in groups if name in (group, group.partition("/")[2])]
        if not found:
            known = [*groups, *(group.partition("/")[2] for group in groups)]
            raise InputError([Problem("fetch", 0, "--accept", f"no group '{name}'{did_you_mean(name, known)}")])
        chosen.update(found)
    return lock.model_copy(update={"accepted": sorted(chosen)})


def _of_ledger(lock: Lock, known: Ledger) -> Lock:
    """The lock without pictures that the ledger has no longer; what was accepted stays."""
    names = {picture.name for picture in remote_pictures(known)}
    return lock.model_copy(update={"pictures": {name: pin for name, pin in lock.pictures.items() if name in names}})


@dataclass
class _Fetch:
    """One run over all pictures."""

    root: Path
    ledger: Ledger
    sources: Mapping[str, Source]
    lock: Lock
    downloader: Downloader
    say: Callable[[str], None]
    outcome: Outcome = field(default_factory=Outcome)

    async def run(self) -> None:
        texts = set[str]()
        async with _client() as client:
            for picture in remote_pictures(self.ledger):
                if not picture.may_be_shown(self.lock):
                    self.outcome.withheld[picture.group] += 1
                    continue
                await self._try(picture, "path" if picture.remote.source else "url", self._picture(client, picture))
                text = picture.remote.prompt
                if text is not None and text.sha256 not in texts:
                    texts.add(text.sha256)
                    await self._try(picture, "prompt", self._text(client, picture, text))

    async def _try(self, picture: RemotePicture, step: str, work: Awaitable[None]) -> None:
        try:
            await work
        except ValueError as error:
            self.outcome.failed.append(self.ledger.problem((*picture.path, step), str(error)))

    async def _picture(self, client: httpx.AsyncClient, picture: RemotePicture) -> None:
        """Bring one picture that is not at hand, and pin it."""
        pin, remote = picture.pin(self.lock), picture.remote
        if pin is not None and sha256_of(self.root / FOLDER / pin.file) == pin.sha256:
            self.outcome.kept.append(picture.name)
            return
        content, kind = await self.downloader.get(client, remote.url, remote.path)
        digest = hashlib.sha256(content).hexdigest()
        _check(remote.url, digest, remote.sha256, "the ledger says")
        if pin is not None:
            _check(remote.url, digest, pin.sha256, f"if it is right, delete its entry in {LOCK}; pinned is")
        file = f"{digest[:20]}.{_suffix(remote.url, content, kind)}"
        replace_bytes(self.root / FOLDER / file, content)
        self.lock.pictures[picture.name] = Pin(url=remote.url, sha256=digest, bytes=len(content), file=file)
        write_lock(self.root, self.lock)
        self.outcome.fetched.append(picture.name)
        self.say(f"{picture.name}: {len(content) / 1000:.0f} kB, sha256 {digest[:12]}")

    async def _text(self, client: httpx.AsyncClient, picture: RemotePicture, text: Text) -> None:
        """Bring the file that holds a prompt."""
        if sha256_of(self.root / text_file(text)) == text.sha256:
            return
        source = self.sources[picture.remote.source or ""]
        url = source.address(source.raw, text.file)
        content, _ = await self.downloader.get(client, url, text.file)
        _check(url, hashlib.sha256(content).hexdigest(), text.sha256, "the ledger says")
        replace_bytes(self.root / text_file(text), content)


def _client() -> httpx.AsyncClient:
    """What asks servers, by way of the proxies and certificates that the environment names."""
    import httpx

    try:
        return httpx.AsyncClient(follow_redirects=True, timeout=None, headers={"User-Agent": AGENT})
    except (ImportError, OSError, ValueError, httpx.InvalidURL) as error:
        said = f"no connection as the environment asks for (*_PROXY, SSL_CERT_FILE): {error}"
        raise InputError([Problem("fetch", 0, "", said)]) from None


def _check(url: str, digest: str, expected: str | None, who: str) -> None:
    if expected not in (None, digest):
        raise ValueError(f"{url}: has sha256 {digest[:16]}..., {who} {str(expected)[:16]}...")


async def download(client: httpx.AsyncClient, url: str, limit: int) -> tuple[bytes, str]:
    """Bytes and media type of what stands at `url`; another try after a moment of trouble."""
    import httpx

    for left in reversed(range(TRIES)):
        try:
            return await _download(client, url, limit)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.TooManyRedirects) as error:
            raise ValueError(f"is no http(s) address that leads to a file: {error}") from None
        except (httpx.HTTPError, OSError) as error:
            if not left or (isinstance(error, httpx.HTTPStatusError) and error.response.status_code < 500):
                raise ValueError(_why(error)) from None
        await asyncio.sleep(PAUSE)
    raise AssertionError("unreachable")


def _why(error: Exception) -> str:
    answer = getattr(error, "response", None)
    if answer is not None:
        return f"the server answers {answer.status_code} {answer.reason_phrase}".rstrip()
    return f"cannot be reached: {error or type(error).__name__}"


async def _download(client: httpx.AsyncClient, url: str, limit: int) -> tuple[bytes, str]:
    content = bytearray()
    async with client.stream("GET", url) as answer:
        answer.raise_for_status()
        told = answer.headers.get("Content-Length", "")
        if told.isdigit() and int(told) > limit:
            raise ValueError(f"{int(told) / 1e6:.1f} MB, the limit is {limit / 1e6:g} MB")
        async for piece in answer.aiter_bytes():
            content += piece
            if len(content) > limit:
                raise ValueError(f"more than the limit of {limit / 1e6:g} MB")
    return bytes(content), answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def _suffix(url: str, content: bytes, kind: str) -> str:
    """What the name of the picture at `url` ends in, after decoding all of it, whatever media type the server gave."""
    from effects.decode import decode, header

    try:
        found = header(content, max_pixels=MAX_PIXELS)
        decode(content, max_pixels=MAX_PIXELS)
    except ValueError as error:
        other = kind and not kind.startswith("image/")
        what = f"is {kind}, not a picture" if other else f"is not a whole picture: {error}"
        raise ValueError(f"{url}: {what}") from None
    return found.suffix
