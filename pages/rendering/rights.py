"""Under which rights pictures of others are shown: what a page says of the groups in content/sources.toml."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pages.source.lockfile import remote_pictures

if TYPE_CHECKING:
    from pages.source.site import Site


@dataclass(frozen=True)
class Rights:
    """A group of rights. `accepted`: it is not free, and the publisher says that its pictures may be shown here."""

    id: str  # "source/group"
    title: str
    rights: str
    source: str
    repository: str
    licence: str
    accepted: bool
    shown: int  # pictures on this site
    pictures: int  # pictures that the ledger knows


def rights(site: Site) -> list[Rights]:
    """Every group that has pictures, in the order of their declaration."""
    total, here = Counter[str](), Counter[str]()
    for picture in remote_pictures(site.ledger):
        total[picture.group] += 1
        here[picture.group] += picture.name in site.remote.files
    found = []
    for name, source in site.sources.items():
        for id, group in source.groups.items():
            key = f"{name}/{id}"
            accepted = group.shown == "accept" and key in site.remote.accepted
            about = (source.title, source.repository, source.licence)
            found.append(Rights(key, group.title, group.rights, *about, accepted, here[key], total[key]))
    return [group for group in found if group.pictures]
