"""Where others publish the pictures that the ledger points to: `content/sources.toml`.

A source is a repository at one revision; each of its pictures belongs to a group of rights. Anybody may show the groups
with `shown = "free"`, a publisher who accepts them those with `"accept"`. Nothing of a source is committed here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from urllib.parse import quote

from pydantic import Field

from ledger.schema import Id, Remote, Strict, Web
from ledger.text import read_toml_as

FILE = "content/sources.toml"


class Group(Strict):
    title: str = Field(min_length=1)
    rights: str = Field(min_length=1)  # printed beside its pictures
    shown: Literal["free", "accept"]


class Source(Strict):
    title: str = Field(min_length=1)
    repository: Web
    revision: str = Field(min_length=1)
    raw: Web  # address of a file, with {revision} and {path}
    page: Web  # address of the page about that file, likewise
    licence: str = Field(min_length=1)
    groups: dict[Id, Group]

    def address(self, pattern: str, path: str) -> str:
        return pattern.replace("{revision}", quote(self.revision)).replace("{path}", quote(path))

    def located(self, remote: Remote) -> Remote:
        """The same picture with its addresses and its rights spelled out."""
        group = self.groups[remote.group or ""]
        found = {
            "url": self.address(self.raw, remote.path),
            "page": self.address(self.page, remote.path),
            "licence": group.rights,
            "shown": group.shown,
        }
        return remote.model_copy(update=found)


class _File(Strict):
    sources: dict[Id, Source]


def read_sources(root: Path) -> dict[str, Source]:
    """All declared sources by name; none where the project has no such file."""
    try:
        return read_toml_as(_File, root / FILE, root)[1].sources
    except FileNotFoundError:
        return {}
