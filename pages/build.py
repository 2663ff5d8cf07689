"""One build: load -> inspect -> render -> encode -> publish -> check.

Refuses to publish when any input is defective: all defects are raised together and the old site stays. A build whose
inputs and outputs are as the last one left them ends after comparing their stat; nothing else is imported then.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pages.cache import fingerprint
from pages.cache.store import atomic_write, load_cache, save_cache
from pages.output.publish import Tree, publish

if TYPE_CHECKING:
    from ledger.problems import Problem
    from pages.images.jobs import GeneratedImage
    from pages.images.library import ImageLibrary
    from pages.source.load import Site


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
    with fingerprint.build_lock(root):
        out, stamp_file = out.absolute(), root / ".cache/stamp"
        last = load_cache(stamp_file)
        state, noted = fingerprint.state(root), last.get(str(out), {})
        tree = Tree.at(out, noted.get("digests", {}), noted.get("stamps", {}), noted.get("changed", []))
        if not force and tree.intact and noted.get("sound") and state.inputs and noted["sound"] == state.inputs:
            return Report(unchanged=True)
        report = _build(root, out, tree, state.frame, jobs or os.cpu_count() or 1, checked, console or Console())
        sound = state.inputs if checked and not report.problems else ""
        others = {place: content for place, content in last.items() if Path(place).is_dir()}
        here = {"digests": tree.digests, "stamps": tree.stamps, "changed": tree.changed, "sound": sound}
        save_cache(stamp_file, {**others, str(out): here})
    return report


def _build(root: Path, out: Path, tree: Tree, frame: str, jobs: int, checked: bool, console: Console) -> Report:
    """A whole build; `tree` becomes what `publish` left."""
    from ledger.problems import InputError
    from pages.images import jobs as encoding
    from pages.images import library
    from pages.output import check
    from pages.rendering import downloads, drawing_page, engine
    from pages.rendering.assets import assets
    from pages.source import drawing, load
    from pages.source.theme import theme

    site = load.load(root)
    book = library.ImageLibrary(root, encoding.Codec(**site.page.pictures.model_dump()))
    rows, lost = downloads.rows(site)
    problems = [*site.problems, *_inspect(site, book), *lost]
    static = assets(theme(root) / "static")
    addresses = {name: address for name, (address, _) in static.items()}
    model, hints = drawing.load(root)
    renderer = engine.Renderer(site, book, addresses, _plates(site), tree, frame, model)
    texts = dict(renderer.pages())
    if problems or renderer.problems:
        raise InputError([*problems, *renderer.problems])
    pages, notes = len(texts), tuple(dict.fromkeys([*site.remote.notes, *renderer.notes, *hints]))
    texts |= {**downloads.downloads(site, renderer.memory), **rows, **dict(static.values())}
    texts |= {f"files/{path}": file.read_bytes() for path, file in site.files.items()}
    texts |= drawing_page.scripts(static, model)
    texts |= _for_hosts(site, [*texts])
    missing = book.missing(tree.stamps if tree.intact else ())
    failed = book.make(missing, jobs, console.progress)
    book.save()
    renderer.memory.save()
    if failed:
        raise InputError(_locate(site, book, work.path, reason) for work, reason in failed)
    files = {**dict(book.files()), **drawing_page.files(root, model)}
    done = publish(out, texts, files, tree)
    if done.removed:
        _name_removed(root, done.removed, console)
    return Report(
        pages=pages,
        pictures=len(book.work),
        encoded=len(missing),
        written=len(done.written),
        kept=done.kept,
        removed=done.removed,
        notes=notes,
        problems=tuple(check.check(root, out, tree)) if checked else (),
    )


def _for_hosts(site: Site, addresses: list[str]) -> dict[str, bytes]:
    """What search engines and GitHub Pages ask for."""
    from pages.rendering import metadata

    pages = [here for here in addresses if here.endswith(".html") and not here.startswith(("distorted/", "404"))]
    return {
        ".nojekyll": b"",
        "robots.txt": metadata.robots(site.page),
        "sitemap.xml": metadata.sitemap(site.page, sorted(pages)),
    }


def _name_removed(root: Path, removed: tuple[str, ...], console: Console) -> None:
    """Every removed page by name, the number of hashed files, whose names go to .cache/removed.txt."""
    atomic_write(root / ".cache/removed.txt", ("\n".join(removed) + "\n").encode())
    plain = [address for address in removed if not address.startswith("assets/")]
    for address in plain:
        console.say(f"removed {address}: no longer part of the site")
    if hashed := len(removed) - len(plain):
        console.say(f"removed {hashed} files of assets/ that no page asks for: named in .cache/removed.txt")


def _plates(site: Site) -> dict[str, GeneratedImage]:
    """The plates of pages/images/headers.py and the social cards, by name."""
    from pages.images import headers, social_card

    return {plate.name: plate for plate in [*headers.declare(site), *social_card.declare(site)]}


def _inspect(site: Site, book: ImageLibrary) -> Iterator[Problem]:
    """Every picture file that the ledger names is there, inside the tree, a picture, and the one that was pinned."""
    for name, exhibit in site.ledger.exhibits.items():
        for word in ("caption", "credit", "licence"):
            if not getattr(exhibit, word).strip():
                yield site.ledger.problem(("exhibits", name, word), "is empty: write it")
        for index, picture in enumerate(exhibit.pictures):
            if picture.file is None:
                continue
            try:
                source = book.probe(book.locate(picture.file))
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


def _locate(site: Site, book: ImageLibrary, path: str, reason: str) -> Problem:
    """A picture that could not be encoded, at the place of the ledger that names it."""
    from ledger.problems import Problem

    for name, exhibit in site.ledger.exhibits.items():
        for index, picture in enumerate(exhibit.pictures):
            if picture.file is not None and book.locate(picture.file) == path:
                return _place(site, name, index, "file", reason)
    return Problem(path or "pages/images/headers.py", 0, "", reason)
