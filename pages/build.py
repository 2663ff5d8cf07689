"""One build: load -> inspect -> render -> encode -> publish -> check.

Refuses to publish when any input is defective: all defects are raised together and the old site stays. A build whose
inputs and outputs are as the last one left them ends after comparing their stat; nothing else is imported then.
"""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pages.pictures import RACY, write_whole

if TYPE_CHECKING:
    from ledger.problems import Problem
    from pages.load import Site
    from pages.pictures import PictureBook, Plate

INPUTS = ("content", "results", "templates", ".cache/remote")  # below the root of a project
CODE = ("pages", "ledger", "effects", "build.py")  # beside this package
ENVIRONMENT = ("SITE_URL", "SOURCE_DATE_EPOCH")


@dataclass
class Console:
    """Where a build reports to; the command line supplies one that writes to the terminal."""

    say: Callable[[str], None] = lambda line: None
    progress: Callable[[int, int], None] = lambda done, total: None


@dataclass(frozen=True)
class Report:
    """What a build did."""

    unchanged: bool = False
    pages: int = 0
    pictures: int = 0
    encoded: int = 0
    written: int = 0
    kept: int = 0
    removed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = field(default=())  # what `check` found


def build(
    root: Path, out: Path, *, jobs: int = 0, checked: bool = True, force: bool = False, console: Console | None = None
) -> Report:
    """Build the site of `root` into `out`. InputError when an input is defective; `problems` of the report when the
    built site does not pass `check`."""
    console = console or Console()
    with _lock(root):
        out, stamp_file = out.absolute(), root / ".cache/stamp.json"
        last = _read(stamp_file)
        before = fingerprint(root)
        site = last.get(str(out), {})
        if not force and before and site.get("inputs") == before and site.get("outputs") == _outputs(out):
            return Report(unchanged=True)
        report, known = _build(root, out, jobs or os.cpu_count() or 1, checked, site.get("known", {}), console)
        outcome: dict[str, Any] = {"known": known}
        if checked and not report.problems:
            outcome |= {"inputs": before, "outputs": _digest(known)}
        others = {place: content for place, content in last.items() if Path(place).is_dir()}
        _save(stamp_file, {**others, str(out): outcome})
    return report


def _build(
    root: Path, out: Path, jobs: int, checked: bool, known: dict[str, str], console: Console
) -> tuple[Report, dict[str, str]]:
    """A whole build; the report and what `publish` noted of every file."""
    from ledger.problems import InputError
    from pages import check, downloads, load, pictures, publish, render

    site = load.load(root)
    book = pictures.PictureBook(root, pictures.Codec(**site.page.pictures.model_dump()))
    rows, lost = downloads.rows(site)
    problems = [*site.problems, *_inspect(site, book), *lost]
    assets = static(root / "templates/static")
    renderer = render.Renderer(
        site, book, {name: address for name, (address, _) in assets.items()}, plates=_plates(site)
    )
    renderer.remote, renderer.pinned = _remote(root)
    texts = {here: html.encode() for here, html in renderer.pages()}
    if problems or renderer.problems:
        raise InputError([*problems, *renderer.problems])
    texts |= downloads.downloads(site) | rows | dict(assets.values()) | _for_hosts(site, texts)
    missing = book.missing()
    failed = book.make(missing, jobs, console.progress)
    book.save()
    renderer.save()
    if failed:
        raise InputError(_locate(site, work.path, reason) for work, reason in failed)
    done = publish.publish(out, texts, dict(book.files()), known)
    if done.removed:
        _name_removed(root, done.removed, console)
    report = Report(
        pages=sum(here.endswith(".html") for here in texts),
        pictures=len(book.work),
        encoded=len(missing),
        written=len(done.written),
        kept=done.kept,
        removed=done.removed,
        notes=tuple(dict.fromkeys(renderer.notes)),
        problems=tuple(check.check(root, out)) if checked else (),
    )
    return report, known


def _for_hosts(site: Site, pages: dict[str, bytes]) -> dict[str, bytes]:
    """What search engines and GitHub Pages ask for."""
    from pages import metadata

    addresses = sorted(here for here in pages if _canonical(here))
    return {
        ".nojekyll": b"",
        "robots.txt": metadata.robots(site.page),
        "sitemap.xml": metadata.sitemap(site.page, addresses),
    }


def _name_removed(root: Path, removed: tuple[str, ...], console: Console) -> None:
    """Every removed page by name, the number of hashed files, whose names go to .cache/removed.txt."""
    write_whole(root / ".cache/removed.txt", ("\n".join(removed) + "\n").encode())
    plain = [address for address in removed if not address.startswith("assets/")]
    for address in plain:
        console.say(f"removed {address}: no longer part of the site")
    if hashed := len(removed) - len(plain):
        console.say(f"removed {hashed} files of assets/ that no page asks for: named in .cache/removed.txt")


def static(folder: Path) -> dict[str, tuple[str, bytes]]:
    """Path below templates/static -> (address with the content's hash in its name, bytes). Addresses inside style
    sheets (`url(../fonts/x.woff2)`) are rewritten to the hashed names."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    raw = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    plain = {path: (_hashed(path, content), content) for path, content in raw.items() if not path.endswith(".css")}
    sheets = {}
    for path, content in raw.items():
        if path.endswith(".css"):
            text = _with_hashed_urls(path, content.decode(), plain).encode()
            sheets[path] = (_hashed(path, text), text)
    return {**plain, **sheets}


def _hashed(path: str, content: bytes) -> str:
    stem, dot, suffix = path.rpartition(".")
    return f"assets/{stem}-{hashlib.sha256(content).hexdigest()[:10]}{dot}{suffix}"


def _with_hashed_urls(path: str, text: str, named: dict[str, tuple[str, bytes]]) -> str:
    """A style sheet whose `url(...)` name the published files."""

    def hashed(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), match[2]))
        if target not in named:
            return match[0]
        return f"url({match[1]}{posixpath.relpath(named[target][0], posixpath.dirname('assets/' + path))}{match[1]})"

    return re.sub(r"url\((['\"]?)([^'\")#?]+)\1\)", hashed, text)


def _plates(site: Site) -> dict[str, Plate]:
    """The plates of pages/plates.py and the social cards, by name."""
    from pages import cards, plates

    return {plate.name: plate for plate in [*plates.declare(site), *cards.declare(site)]}


def _inspect(site: Site, book: PictureBook) -> Iterator[Problem]:
    """Every picture file that the ledger names is there, inside the tree, a picture, and the one that was pinned."""
    from pages.render import file_of

    for name, exhibit in site.ledger.exhibits.items():
        for word in ("caption", "credit", "licence"):
            if not getattr(exhibit, word).strip():
                yield site.ledger.problem(("exhibits", name, word), "is empty: write it")
        for index, picture in enumerate(exhibit.pictures):
            if picture.file is None:
                continue
            path = file_of(picture, name, site.root, {}) or picture.file
            try:
                source = book.probe(path)
            except (OSError, ValueError) as error:
                yield _place(site, name, index, "file", str(error))
                continue
            if picture.sha256 and picture.sha256 != source.sha256:
                message = f"'{picture.file}' has sha256 {source.sha256}, not the one pinned here"
                yield _place(site, name, index, "sha256", message)
            if (picture.width or source.width, picture.height or source.height) != (source.width, source.height):
                message = f"'{picture.file}' is {source.width}x{source.height}, not {picture.width}x{picture.height}"
                yield _place(site, name, index, "width", message)


def _place(site: Site, exhibit: str, index: int, field: str, message: str) -> Problem:
    """A defect of one picture, at the line of results/*.json that names it."""
    return site.ledger.problem(("exhibits", exhibit, "pictures", index, field), message)


def _locate(site: Site, path: str, reason: str) -> Problem:
    """A picture that could not be encoded, at the place of the ledger that names it."""
    from ledger.problems import Problem
    from pages.render import file_of

    for name, exhibit in site.ledger.exhibits.items():
        for index, picture in enumerate(exhibit.pictures):
            if picture.file is not None and file_of(picture, name, site.root, {}) == path:
                return _place(site, name, index, "file", reason)
    return Problem(path or "pages/plates.py", 0, "", reason)


def _remote(root: Path) -> tuple[dict[str, str], set[str]]:
    """Fetched pictures at hand ("exhibit/picture" -> file) and all that were ever pinned."""
    lock = _read(root / "content/pictures.lock.json").get("pictures", {})
    here = {name: f".cache/remote/{entry['file']}" for name, entry in lock.items()}
    return {name: file for name, file in here.items() if (root / file).exists()}, set(lock)


def _canonical(here: str) -> bool:
    return here.endswith(".html") and not here.startswith(("distorted/", "404"))


# -- what changed ------------------------------------------------------------------------------------------------------


def fingerprint(root: Path) -> str:
    """Digest over name, size, times and inode of every input; empty when one is so new that it may still change."""
    now, lines = time.time_ns(), []
    here = Path(__file__).parents[1]
    for place in [*(root / name for name in INPUTS), *(here / name for name in CODE)]:
        for path, stat in _walk(place):
            if stat.st_mtime_ns > now - RACY:
                return ""
            lines.append(f"{path}:{stat.st_size}:{stat.st_mtime_ns}:{stat.st_ctime_ns}:{stat.st_ino}")
    lines += [f"{name}={os.environ.get(name, '')}" for name in ENVIRONMENT]
    installed = [Path(path) for path in sys.path if path.endswith("-packages")]
    lines += [sys.version, *(f"{path}:{path.stat().st_mtime_ns}" for path in installed if path.exists())]
    return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()


def _outputs(out: Path) -> str:
    """The same of a site as it lies there now: see `_digest`."""
    start = len(str(out)) + 1
    return _digest({path[start:]: f"- {stat.st_size}:{stat.st_mtime_ns}:{stat.st_ino}" for path, stat in _walk(out)})


def _digest(known: dict[str, str]) -> str:
    """Digest over address, size, time and inode of every file of a site, from what `publish` noted."""
    lines = [f"{address.replace(os.sep, '/')} {note.split(' ')[1]}" for address, note in sorted(known.items())]
    return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()


def _walk(path: Path | str) -> Iterator[tuple[str, os.stat_result]]:
    """Every file below `path` with its stat, in order of names."""
    try:
        entries = sorted(os.scandir(path), key=lambda entry: entry.name)
    except NotADirectoryError:
        yield str(path), Path(path).stat()
        return
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if entry.name != "__pycache__":
                yield from _walk(entry.path)
        else:
            yield entry.path, entry.stat(follow_symlinks=entry.is_symlink() and Path(entry.path).exists())


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _save(path: Path, content: dict[str, Any]) -> None:
    write_whole(path, json.dumps(content, sort_keys=True).encode())


@contextmanager
def _lock(root: Path) -> Iterator[None]:
    """One build at a time in one project; the kernel lets go of the lock when a build is killed."""
    (root / ".cache").mkdir(exist_ok=True)
    with (root / ".cache/lock").open("w") as file:
        try:
            import fcntl
        except ImportError:
            yield
            return
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
