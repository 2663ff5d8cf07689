"""One build: load -> validate -> render -> treat + encode -> stage -> check -> publish.

Refuses to publish when any input is defective or the staged site does not pass `check`: all defects are named together
and the old site stays. A build whose inputs and outputs are as the last one left them ends after comparing their stat;
nothing else is imported then.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from ledger.files import replace_text, sweep
from ledger.problems import InputError, Problem
from pages.cache import fingerprint
from pages.cache.store import FileDigests, forget, load_cache, save_cache, sha256_of
from pages.output import publish as output

SITES = ".cache/sites.json"  # what builds left where


@dataclass
class Console:
    """Where a build reports to; the command line supplies one that writes to the terminal."""

    say: Callable[[str], None] = lambda line: None
    progress: Callable[[int, int], None] = lambda done, total: None


@dataclass(frozen=True)
class Report:
    """What a build did. Where `problems` of the staged site were found, nothing was published."""

    unchanged: bool = False
    pages: int = 0
    pictures: int = 0
    encoded: int = 0
    written: int = 0
    kept: int = 0
    removed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = field(default=())


def build(
    root: Path, out: Path, *, jobs: int = 0, checked: bool = True, force: bool = False, console: Console | None = None
) -> Report:
    """Build the site of `root` into `out`. InputError when an input is defective or `out` is not ours to write."""
    with _disk_errors(), fingerprint.build_lock(root):
        place = _destination(out, root)
        sweep(root / ".cache", 0)  # drafts of a build that was killed: another one does not run now
        if force:
            forget(root)
        sites, state = load_cache(root / SITES), fingerprint.state(root)
        last = sites.get(str(place), {})
        tree = FileDigests(place, last.get("files"))
        if tree.unchanged() and state.inputs and last.get("sound") == state.inputs:
            return Report(unchanged=True)
        report = _build(root, place, tree, state, jobs or os.cpu_count() or 1, checked, console or Console())
        if not report.problems and fingerprint.is_current():
            others = {name: site for name, site in sites.items() if Path(name).is_dir()}
            sound = state.inputs if checked else ""
            with suppress(OSError):  # a note says so of the other caches
                save_cache(root / SITES, {**others, str(place): {"files": tree.known, "sound": sound}})
    return report


def _build(
    root: Path, out: Path, tree: FileDigests, state: fingerprint.State, jobs: int, checked: bool, console: Console
) -> Report:
    """A whole build; `tree` knows what lies at `out`."""
    from pages.cache.recording import Fingerprints
    from pages.cache.rendered import RenderedCache
    from pages.cache.templates import TemplateCache
    from pages.images.jobs import Codec
    from pages.images.library import ImageLibrary
    from pages.images.resolve import ImageResolver
    from pages.images.validate import failures, validate
    from pages.output.check import check
    from pages.rendering.engine import render
    from pages.source.load import load

    site = load(root)
    library = ImageLibrary(root, Codec(**site.page.pictures.model_dump()))
    images = ImageResolver(site, library)
    cache = RenderedCache(
        root / ".cache/rendered.json", state.frame, Fingerprints(site.ledger, images.fingerprint), tree
    )
    compiled = TemplateCache(root / ".cache/templates.json")
    plan = render(site, images, cache, compiled)
    _refuse([*plan.problems, *validate(site, library)])

    missing = library.missing(plan.image_jobs.values(), tree)
    if failed := library.make(missing, jobs, console.progress):
        library.save(plan.image_jobs.values())
        _refuse(failures(site, library, failed))

    with output.staging(out, root / ".cache/next") as folder:
        files = library.files(plan.image_jobs.values())
        files |= {address: (file, sha256_of(file)) for address, file in plan.copies.items()}
        staged = output.stage(out, folder, plan.files, files, tree)
        problems = check(root, folder, staged.files, where=out) if checked else []
        if problems:
            library.save(plan.image_jobs.values())
            return Report(notes=tuple(plan.notes), problems=tuple(problems))
        done = output.publish(staged, out)

    tree.keep(staged.digests, staged.touched)
    notes = [*plan.notes]
    try:
        if fingerprint.is_current():
            library.save(plan.image_jobs.values(), tree.known)
            cache.save()
            compiled.save()
        _name_removed(root, done.removed, console)
    except OSError as error:  # the site is published already
        notes.append(f"{error.filename}: {error.strerror}: the next build does again what it could have remembered")
    return Report(
        pages=len(plan.pages),
        pictures=len(plan.image_jobs),
        encoded=len(missing),
        written=len(done.written),
        kept=done.kept,
        removed=done.removed,
        notes=tuple(notes),
    )


def _refuse(problems: Iterator[Problem] | list[Problem]) -> None:
    if found := [*problems]:
        raise InputError(found)


def _destination(out: Path, root: Path) -> Path:
    inputs = [root / name for name in fingerprint.INPUTS] + [fingerprint.HERE / name for name in fingerprint.CODE]
    try:
        return output.destination(out.absolute(), root, [path for path in inputs if path.exists()])
    except output.Refused as error:
        raise InputError([Problem(str(out), 0, "", f"{error}; nothing was touched")]) from None


@contextmanager
def _disk_errors() -> Iterator[None]:
    """A disk that is full, closed to us or holds something else in that place is one line, not a traceback."""
    try:
        yield
    except BrokenPipeError:  # of who reads what we say
        raise
    except OSError as error:
        message = f"cannot be written: {error.strerror}; the old site stays"
        raise InputError([Problem(str(error.filename2 or error.filename or "disk"), 0, "", message)]) from None


def _name_removed(root: Path, removed: tuple[str, ...], console: Console) -> None:
    """Every removed page by name, the number of hashed files, whose names go to .cache/removed.txt."""
    if not removed:
        return
    replace_text(root / ".cache/removed.txt", "\n".join(removed) + "\n")
    plain = [address for address in removed if not address.startswith("assets/")]
    for address in plain:
        console.say(f"removed {address}: no longer part of the site")
    if hashed := len(removed) - len(plain):
        console.say(f"removed {hashed} files of assets/ that no page asks for: named in .cache/removed.txt")
