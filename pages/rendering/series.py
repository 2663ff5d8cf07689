"""Series of pictures: which axis is turned, which are chosen by words, and what there is to choose from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pages.source.settings import Page

if TYPE_CHECKING:
    from ledger.schema import Exhibit


def axes(page: Page, members: Sequence[tuple[str, Exhibit]]) -> dict[str, Any]:
    """`turned`: the first axis of page.toml with numbers; `words`: those with words, of which `chosen` is the first;
    `filters`: (axis, label, values in order of appearance)."""
    values: dict[str, list[str | float]] = {axis: [] for axis in page.axes}
    for _, exhibit in members:
        for picture in exhibit.pictures:
            for axis, value in picture.axes.items():
                if axis in values and value not in values[axis]:
                    values[axis].append(value)
    words = [axis for axis, found in values.items() if found and all(isinstance(one, str) for one in found)]
    turned = [axis for axis, found in values.items() if found and axis not in words]
    filters = [(axis, page.axes[axis].filter or page.axes[axis].label, values[axis]) for axis in words]
    return {"turned": next(iter(turned), ""), "chosen": next(iter(words), ""), "words": words, "filters": filters}
