"""The index of exhibits: a record for every picture, and the facets by which a reader may filter them.

The page lists every exhibit without scripts; data/exhibits.json is what its script searches, filters and compares.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from pages.cache.recording import Read, Record, RecordingLedger
from pages.images.jobs import PLACE

if TYPE_CHECKING:
    from ledger.schema import Exhibit, Picture
    from pages.images.resolve import ResolvedImage
    from pages.source.site import Site

ADDRESS = "data/exhibits.json"


@dataclass(frozen=True)
class Facet:
    """One way to filter. `values` gives what a picture is filed under; none leaves it out of the facet."""

    key: str
    label: str
    values: Callable[[Exhibit, Picture], Iterable[str]]
    names: Callable[[str], str] = str


class Option(NamedTuple):
    """A value of a facet, and how many pictures are filed under it."""

    value: str
    label: str
    pictures: int


def facets(site: Site) -> list[Facet]:
    """What pictures of this publication can be told apart by, in the order of the form."""
    labels = {sub.id: sub.label for sub in site.taxonomy.sub_categories}
    axes = {axis: None for exhibit in site.ledger.exhibits.values() for one in exhibit.pictures for axis in one.axes}
    return [
        Facet("set", "Set", lambda exhibit, _: exhibit.sets, _plain),
        Facet("kind", "Kind", lambda exhibit, _: [exhibit.kind], _plain),
        Facet("model", "Model", lambda _, picture: [picture.recipe.model] if picture.recipe else [], _model),
        Facet("tag", "Treatment", lambda exhibit, _: exhibit.tags, lambda tag: labels.get(tag, _plain(tag))),
        *(_axis(site, axis) for axis in axes),
        Facet("verdict", "Judge sees", lambda _, picture: picture.verdicts),
        Facet("licence", "Licence", lambda exhibit, picture: [_licence(exhibit, picture)]),
    ]


def _axis(site: Site, axis: str) -> Facet:
    about = site.page.axes.get(axis)
    named = about.values if about else {}
    label = (about.filter or about.label) if about else _plain(axis).capitalize()

    def values(_: Exhibit, picture: Picture) -> Iterator[str]:
        if axis in picture.axes:
            at = picture.axes[axis]
            yield f"{at:g}" if isinstance(at, float | int) else str(at)

    return Facet(axis, label, values, lambda value: named.get(value, _plain(value)))


def _plain(name: str) -> str:
    return name.replace("_", " ").replace("-", " ") if not name.replace(".", "").isdecimal() else name


def _model(address: str) -> str:
    """The end of `hf-hub:owner/name` or `local-dir:path/name`."""
    return address.rpartition("/")[2] or address


def _licence(exhibit: Exhibit, picture: Picture) -> str:
    return (picture.remote.licence if picture.remote else "") or exhibit.licence


def options(site: Site, found: Iterable[Facet]) -> dict[str, list[Option]]:
    """Facet -> its options; a facet that tells nothing apart has none."""
    listed: dict[str, list[Option]] = {}
    for facet in found:
        counts: dict[str, int] = {}
        for exhibit in site.ledger.exhibits.values():
            for picture in exhibit.pictures:
                for value in facet.values(exhibit, picture):
                    counts[value] = counts.get(value, 0) + 1
        ordered = sorted(counts, key=_in_order)
        listed[facet.key] = [Option(one, facet.names(one), counts[one]) for one in ordered] if len(counts) > 1 else []
    return listed


def _in_order(value: str) -> tuple[float, str]:
    try:
        return float(value), ""
    except ValueError:
        return float("inf"), value.casefold()


def scores(site: Site) -> dict[str, str]:
    """Score -> label, of every score that a picture has."""
    names = {name: None for one in site.ledger.exhibits.values() for picture in one.pictures for name in picture.scores}
    return {name: site.page.score(name) for name in names}


def index(site: Site, find: Callable[[Record, Read], ResolvedImage], record: Record) -> bytes:
    """data/exhibits.json: an entry a picture. `find` gives a picture as it will be published."""
    known = facets(site)
    ledger: Any = RecordingLedger(site.ledger, record.read)
    entries = [
        _entry(name, exhibit, picture, known, find(record, ("picture", name, picture.id, "", "0.0", "0")))
        for name, exhibit in ledger.exhibits.items()
        for picture in exhibit.pictures
    ]
    written = json.dumps({"scores": scores(site), "pictures": entries}, ensure_ascii=False, separators=(",", ":"))
    return f"{written}\n".encode()


def _entry(
    name: str, exhibit: Exhibit, picture: Picture, known: Iterable[Facet], found: ResolvedImage
) -> Mapping[str, Any]:
    filed = {facet.key: list(facet.values(exhibit, picture)) for facet in known}
    entry = {
        "exhibit": name,
        "id": picture.id,
        "title": exhibit.title,
        "label": picture.label,
        "alt": picture.alt,
        "prompt": picture.prompt,
        "facets": {key: values for key, values in filed.items() if values},
        "scores": {
            score: {"value": value.value, "digits": value.digits}
            for score, value in picture.scores.items()
            if value.value is not None
        },
        "thumbnail": _thumbnail(found),
    }
    return {key: value for key, value in entry.items() if value}


def _thumbnail(found: ResolvedImage) -> Mapping[str, Any] | None:
    """The smallest file of a picture, below site/."""
    if found.made is None:
        return None
    name, width, height, _ = min(found.made.outputs, key=lambda output: output[1])
    return {"src": f"{PLACE}/{name}", "width": width, "height": height}
