"""Unique titles of exhibits: several pictures of one prompt are distinguished by their generator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ledger.schema import Exhibit


def titles(exhibits: Mapping[str, Exhibit]) -> dict[str, str]:
    """Exhibit -> its title. One that others share is followed by what the exhibit shows, and by its id where even that
    tells none apart."""
    shared = Counter(one.title for one in exhibits.values())
    full = {
        name: one.title if shared[one.title] == 1 else f"{one.title}: {_shows(one)}" for name, one in exhibits.items()
    }
    same = Counter(full.values())
    return {name: title if same[title] == 1 else f"{title} ({name})" for name, title in full.items()}


def _shows(exhibit: Exhibit) -> str:
    count = len(exhibit.pictures)
    return exhibit.pictures[0].label if count == 1 else f"{count} pictures"
