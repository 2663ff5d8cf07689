"""Series of pictures: the numeric axis of the slider, the axes chosen by words, and their options."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pages.source.settings import Page

if TYPE_CHECKING:
    from ledger.schema import Exhibit


def axes(page: Page, members: Sequence[tuple[str, Exhibit]]) -> dict[str, Any]:
    """`turned`: the first axis of page.toml with numbers; `words`: those with words, of which `chosen` is the first;
    `filters`: (axis, label, values in order of appearance); `judged`: whether anybody said what is in a picture."""
    values: dict[str, list[str | float]] = {axis: [] for axis in page.axes}
    for _, exhibit in members:
        for picture in exhibit.pictures:
            for axis, value in picture.axes.items():
                if axis in values and value not in values[axis]:
                    values[axis].append(value)
    words = [axis for axis, found in values.items() if found and all(isinstance(one, str) for one in found)]
    turned = [axis for axis, found in values.items() if found and axis not in words]
    filters = [(axis, page.axes[axis].filter or page.axes[axis].label, values[axis]) for axis in words]
    judged = any(picture.verdicts for _, exhibit in members for picture in exhibit.pictures)
    found = {"turned": next(iter(turned), ""), "chosen": next(iter(words), ""), "words": words, "filters": filters}
    return {**found, "judged": judged}


class Side(NamedTuple):
    """A picture, by its exhibit and place there, and how far it is turned."""

    exhibit: str
    place: int
    turned: float


def contrasts(page: Page, members: Sequence[tuple[str, Exhibit]]) -> dict[str, tuple[Side, Side]]:
    """Exhibit -> the picture of its prompt that is turned least, and its own that is turned most within the axis; an
    exhibit that is the former itself faces the one turned most of its prompt."""
    turned = axes(page, members)["turned"]
    prompts: dict[str, list[Side]] = {}
    for name, exhibit in members:
        for place, picture in enumerate(exhibit.pictures):
            if picture.prompt and isinstance(at := picture.axes.get(turned), float | int):
                prompts.setdefault(picture.prompt, []).append(Side(name, place, at))
    found = {}
    end = page.axes[turned].end if turned else None
    for sides in prompts.values():
        least = min(sides, key=lambda side: side.turned)
        for name in {side.exhibit for side in sides}:
            own = [side for side in sides if side.exhibit == name and side.turned > least.turned]
            other = _most(own or [side for side in sides if side.turned > least.turned], end)
            if other:
                found[name] = (least, other)
    return found


def _most(sides: Sequence[Side], end: float | None) -> Side | None:
    """The one turned most, within `end` if any is."""
    inside = [side for side in sides if end is None or side.turned <= end] or sides
    return max(inside, key=lambda side: side.turned, default=None)
