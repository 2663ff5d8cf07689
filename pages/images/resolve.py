"""Which picture is shown where a template asks for one: the same on every page, whatever its relative address."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ledger.problems import Problem
from pages.cache.recording import Read, digest
from pages.images import headers, social_card

if TYPE_CHECKING:
    from ledger.schema import Picture
    from pages.images.jobs import EncodeJob
    from pages.images.library import ImageLibrary
    from pages.source.site import Site


LOOKS = ("picture", "plate", "card", "file")


class ResolvedImage(NamedTuple):
    """What there is to show. `state` is "here", or one that a placeholder stands in for: "unverified" (remote, never
    fetched), "pinned" (fetched once, not on this machine), "absent". `plain` is the picture before its treatment."""

    state: str
    alt: str = ""
    label: str = ""
    made: EncodeJob | None = None
    plain: EncodeJob | None = None


class ImageResolver:
    """Finds pictures, plates and cards; a find is asked for by the `Read` that a page records of it."""

    def __init__(self, site: Site, library: ImageLibrary) -> None:
        self.site, self.library, self.problems = site, library, list[Problem]()
        self.plates = {plate.name: plate for plate in [*headers.declare(site), *social_card.declare(site)]}
        self.known: dict[Read, ResolvedImage] = {}

    def find(self, read: Read) -> ResolvedImage:
        if read not in self.known:
            match read:
                case ("picture", exhibit, picture, treatment, severity, seed):
                    self.known[read] = self._picture(exhibit, picture, treatment, float(severity), int(seed))
                case ("file", path):
                    self.known[read] = self._file(path)
                case ("plate", name):
                    self.known[read] = self._plate(name)
                case ("card", exhibit):
                    self.known[read] = self._card(exhibit)
                case _:
                    raise ValueError(f"no picture for {read}")
        return self.known[read]

    def jobs(self, read: Read) -> list[EncodeJob]:
        """What is to be encoded for a page that looked this up; nothing where the look-up is of something else."""
        found = self.find(read) if read[0] in LOOKS else ResolvedImage("absent")
        return [job for job in (found.made, found.plain) if job is not None]

    def fingerprint(self, read: Read) -> str:
        """Tells whether a look gives what it gave."""
        found = self.find(read)
        keys = [one.key for one in (found.made, found.plain) if one is not None]
        return digest((found.state, found.alt, found.label, keys))

    def file(self, exhibit: str, picture: Picture) -> str | None:
        """Path below the root of a picture's file, of the one that `fetch` brought, or None."""
        if picture.file is None:
            return self.site.remote.files.get(f"{exhibit}/{picture.id}")
        return self.library.resolve_file(picture.file)

    def _picture(self, exhibit: str, picture: str, treatment: str, severity: float, seed: int) -> ResolvedImage:
        """The picture as it is, or treated where `treatment` names one."""
        pictures = self.site.ledger.exhibits[exhibit].pictures if exhibit in self.site.ledger.exhibits else []
        one = next((one for one in pictures if picture in ("", one.id)), None)
        if one is None:
            return ResolvedImage("absent")
        file = self.file(exhibit, one)
        if file is None:
            pinned = f"{exhibit}/{one.id}" in self.site.remote.pinned
            return ResolvedImage("pinned" if pinned else "unverified" if one.remote else "absent", one.alt, one.label)
        try:
            plain = self.library.plan(file)
            if not treatment:
                return ResolvedImage("here", one.alt, one.label, plain)
            return ResolvedImage("here", one.alt, one.label, self.library.plan(file, treatment, severity, seed), plain)
        except (OSError, ValueError):
            return ResolvedImage("absent", one.alt, one.label)  # already a Problem: pages.build inspects every picture

    def _file(self, path: str) -> ResolvedImage:
        """A picture file below content/; `label` says why there is none."""
        if not path.startswith("content/"):
            return ResolvedImage("absent", label="outside content/")
        try:
            return ResolvedImage("here", made=self.library.plan(path))
        except (OSError, ValueError) as error:
            return ResolvedImage("absent", label=str(error))

    def _plate(self, name: str) -> ResolvedImage:
        plate = self.plates.get(name)
        if plate is None:
            return ResolvedImage("absent")
        try:
            return ResolvedImage("here", plate.alt, plate.name, self.library.plan_generated(plate))
        except (OSError, ValueError) as error:
            self.problems.append(Problem("pages/images/headers.py", 0, name, str(error)))
            return ResolvedImage("absent")

    def _card(self, exhibit: str) -> ResolvedImage:
        """An exhibit's first picture that is at hand, else the card of the page."""
        if exhibit in self.site.ledger.exhibits:
            for picture in self.site.ledger.exhibits[exhibit].pictures:
                found = self._picture(exhibit, picture.id, "", 0.0, 0)
                if found.state == "here":
                    return found
        return self._plate("card")
