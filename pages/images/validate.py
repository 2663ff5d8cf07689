"""Every picture file that the ledger names is there, inside the project, a picture, and the one that was pinned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ledger.problems import Problem

if TYPE_CHECKING:
    from pages.images.jobs import EncodeJob
    from pages.images.library import ImageLibrary
    from pages.source.site import Site


def validate(site: Site, library: ImageLibrary) -> Iterator[Problem]:
    for name, exhibit in site.ledger.exhibits.items():
        for word in ("caption", "credit", "licence"):
            if not getattr(exhibit, word).strip():
                yield site.ledger.problem(("exhibits", name, word), "is empty: write it")
        for index, picture in enumerate(exhibit.pictures):
            if picture.file is None:
                continue
            try:
                source = library.inspect(library.resolve_file(picture.file))
            except (OSError, ValueError) as error:
                yield _at(site, name, index, "file", str(error))
                continue
            if picture.sha256 and picture.sha256 != source.sha256:
                message = f"'{picture.file}' has sha256 {source.sha256}, not the one pinned here"
                yield _at(site, name, index, "sha256", message)
            if (picture.width or source.width, picture.height or source.height) != (source.width, source.height):
                message = f"'{picture.file}' is {source.width}x{source.height}, not {picture.width}x{picture.height}"
                yield _at(site, name, index, "width", message)


def failures(site: Site, library: ImageLibrary, failed: Iterable[tuple[EncodeJob, str]]) -> Iterator[Problem]:
    """Pictures that could not be encoded, at the places of the ledger that name them."""
    places = {
        library.resolve_file(picture.file): (name, index)
        for name, exhibit in site.ledger.exhibits.items()
        for index, picture in enumerate(exhibit.pictures)
        if picture.file is not None
    }
    for job, reason in failed:
        if job.path in places:
            yield _at(site, *places[job.path], "file", reason)
        else:
            yield Problem(job.path or f"pages/images ({job.plate.name if job.plate else ''})", 0, "", reason)


def _at(site: Site, exhibit: str, index: int, field: str, message: str) -> Problem:
    """A defect of one picture, at the line of results/*.json that names it."""
    return site.ledger.problem(("exhibits", exhibit, "pictures", index, field), message)
