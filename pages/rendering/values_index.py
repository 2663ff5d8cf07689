"""The list of all numbers, data/values.html: a page a group, so that looking a number up fetches little."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pages.rendering.exhibit_titles import titles

if TYPE_CHECKING:
    from ledger import Ledger


@dataclass(frozen=True)
class Group:
    """Values that share a page, data/values/ID.html: those of a table, or those of an exhibit."""

    id: str
    title: str
    ids: tuple[str, ...]
    of_exhibit: bool


def group_of(name: str) -> str:
    """The group of a value, told from its id alone so that links stay."""
    first, _, rest = name.partition(".")
    return f"{first}.{rest.partition('.')[0]}" if first == "exhibits" else first


def groups(known: Ledger) -> list[Group]:
    """Every group with the ids of its values, tables before exhibits, each in order of ids."""
    members: dict[str, list[str]] = {}
    for name in sorted(known.ids()):
        members.setdefault(group_of(name), []).append(name)
    found, titled = [], titles(known.exhibits)
    for group, names in members.items():
        of_exhibits = group.startswith("exhibits.")
        exhibit = _of_exhibits(group.removeprefix("exhibits."), known, titled) if of_exhibits else None
        table = known.tables.get(group)
        title = exhibit or (table.title if table else group.replace("_", " ").capitalize())
        found.append(Group(group, title, tuple(names), exhibit is not None))
    return sorted(found, key=lambda group: group.of_exhibit)


def _of_exhibits(name: str, known: Ledger, titled: dict[str, str]) -> str | None:
    """The title of an exhibit, or of those whose ids go on with a dot after `name`: group_of ends there."""
    together = (one.title for key, one in known.exhibits.items() if key.startswith(f"{name}."))
    return titled.get(name) or next((f"{title} ({name})" for title in together), None)
