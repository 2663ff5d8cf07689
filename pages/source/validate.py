"""References between files: every name refers to something that exists."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from ledger.problems import Problem, did_you_mean, relative, spell, toml_line
from ledger.text import read_text

if TYPE_CHECKING:
    from ledger import Ledger
    from pages.source.settings import ChartSpec, Teaser
    from pages.source.site import Site


PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".avif", ".tif", ".tiff", ".gif", ".heic", ".heif", ".dng")
FILMS = (".mp4", ".m4v", ".mov", ".webm")
WRITTEN = (  # all that is read of the files directly below content/
    "page.toml", "charts.toml", "claims.toml", "scores.toml", "sources.toml", "taxonomy.toml", "references.bib",
)  # fmt: skip
TAKEN = ("main", "people", "keys", "keys-dialog", "provenance", "door")  # ids that every page has
TEXTS = ("clean.md", "distorted.md")
SPREADSHEETS = (".csv", ".tsv", ".xls", ".xlsx", ".ods")
Named = tuple[tuple[str | int, ...], str, str, Collection[str]]  # place, name, what it names, the known names


def validate(site: Site) -> Iterator[Problem]:
    """Every name that stands for nothing, at its line."""
    yield from _page(site)
    yield from _sections(site)
    yield from _charts(site)
    yield from _files(site)
    yield from _unread(site.root)


def _unread(root: Path) -> Iterator[Problem]:
    """Files that an author means and nothing reads: `distorded.md`, `chart.toml`, a table beside results/tables/."""
    if (root / "templates").is_dir() and not (root / "templates/base.html").is_file():
        yield Problem(
            "templates", 0, "", "lacks base.html: a theme of your own is a whole copy of the tool's templates/"
        )
    for file in sorted((root / "content").glob("*")):
        if file.suffix in (".toml", ".bib") and file.name not in WRITTEN:
            yield _unknown(file, root, WRITTEN)
    for file in sorted((root / "content/sections").glob("*/*.md")):
        if file.name not in TEXTS and not file.parent.name.startswith((".", "_")):
            yield _unknown(file, root, TEXTS)
    for file in sorted((root / "results").glob("*")):
        if file.suffix in SPREADSHEETS:
            yield Problem(relative(file, root), 0, "", "nothing reads it here: tables lie in results/tables/")
    for file in sorted((root / "results/tables").glob("*")):
        if file.suffix in SPREADSHEETS[1:]:
            yield Problem(relative(file, root), 0, "", "nothing reads it: save the table as CSV")


def _unknown(file: Path, root: Path, known: Sequence[str]) -> Problem:
    near = did_you_mean(file.name, known) or f": the files here are {', '.join(known)}"
    return Problem(relative(file, root), 0, "", f"nothing reads a file of this name{near}")


def _files(site: Site) -> Iterator[Problem]:
    """No picture and no film of content/files/, which is published as it is, says where it was taken."""
    taken = [name for name in site.files if name.lower().endswith(PICTURES + FILMS)]
    for name in taken:
        from effects.decode import tells_place

        if tells_place(site.files[name]):
            said = "says where it was taken: remove that (exiftool -all=), or put a picture into content/pictures/"
            yield Problem(f"content/files/{name}", 0, "", said)


def _charts(site: Site) -> Iterator[Problem]:
    """Every pattern of content/charts.toml names a table of the ledger, and a value in it."""
    if not site.charts:
        return
    tables, at = site.ledger.tables, _Place(site, "content/charts.toml")
    texts = [voice.text for section in site.sections for voice in section.voices.values()]
    for name, spec in site.charts.items():
        for field, pattern in spec.cells.items():
            table, _, rest = pattern.partition(".")
            row, _, column = rest.rpartition(".")
            if table not in tables:
                wrong = f"no table '{table}'{did_you_mean(table, tables)}"
            elif not _any(row, rows := [one.id for one in tables[table].rows]):
                wrong = f"table '{table}' has no row '{row}'{did_you_mean(row, rows)}"
            elif not _any(column, columns := [one.id for one in tables[table].columns]):
                wrong = f"table '{table}' has no column '{column}'{did_you_mean(column, columns)}"
            elif not any(fnmatchcase(one, pattern) for one in site.ledger.values):
                wrong = f"selects no value: all of these cells of table '{table}' are empty"
            else:
                continue
            yield at.problem((name, field), wrong)
        yield from _ends(name, spec, site.ledger, at)
        drawn = [row for id, one in tables.items() for row in one.rows if spec.values.startswith(f"{id}.")]
        known = {word for row in drawn for word in (row.id, row.kind) if word}
        yield from at.unknown(
            ((name, "highlight"), one, "row or kind of rows", known) for one in spec.highlight or () if drawn
        )
        if not any(re.search(rf"""\bchart\(\s*["']{name}["']""", text) for text in texts):
            site.notes.append(f"chart '{name}' of content/charts.toml is shown by no text")


def _ends(name: str, spec: ChartSpec, ledger: Ledger, at: _Place) -> Iterator[Problem]:
    """What lies beyond the ends that an author gave an axis, and would be drawn outside."""
    if not spec.domain:
        return
    low, high = spec.domain
    cells = {id: value.value for id, value in ledger.values.items() if fnmatchcase(id, spec.values)}
    cells |= {f"the rule '{rule.label}'": rule.at for rule in spec.rules}
    for id, number in cells.items():
        if number is not None and not low <= number <= high:
            yield at.problem((name, "domain"), f"{id} is {number:g}, beyond {low:g} to {high:g}")


def _any(pattern: str, known: list[str]) -> bool:
    return any(fnmatchcase(one, pattern) for one in known)


def _page(site: Site) -> Iterator[Problem]:
    """Names in content/page.toml: affiliations, exhibits, sets, kinds of rows, scores, axes, treatments."""
    page, ledger = site.page, site.ledger
    exhibits = ledger.exhibits.values()
    pictures = [picture for exhibit in exhibits for picture in exhibit.pictures]
    sets = {name for exhibit in exhibits for name in exhibit.sets}
    scores = {score for picture in pictures for score in picture.scores}
    axes = {axis for picture in pictures for axis in picture.axes}
    kinds = {row.kind for table in ledger.tables.values() for row in table.rows}
    door = page.door.treatments if page.door else {}
    named: list[Named] = [
        *(
            (("authors", index, "at"), name, "affiliation", page.affiliations)
            for index, author in enumerate(page.authors)
            for name in author.at
        ),
        *((("stamps", index, "set"), stamp.set, "set of exhibits", sets) for index, stamp in enumerate(page.stamps)),
        *((("stamps", index, "score"), stamp.score, "score", scores) for index, stamp in enumerate(page.stamps)),
        *((("highlight",), name, "row of this kind", kinds) for name in page.highlight),
        *((("scores", name), name, "score beside a picture", scores) for name in page.scores),
        *((("axes", name), name, "axis of a picture", axes) for name in page.axes),
        *((("masthead", "badge"), name, "treatment", site.taxonomy.treatments) for name in page.masthead.badge),
        *((("door", "treatments"), name, "treatment", site.taxonomy.treatments) for name in door),
    ]
    if page.teaser:
        named.append((("teaser", "exhibit"), page.teaser.exhibit, "exhibit", ledger.exhibits))
    if page.catalogue:
        named.append((("catalogue", "exhibit"), page.catalogue.exhibit, "exhibit", ledger.exhibits))
        if page.catalogue.exhibit in ledger.exhibits:
            known = [picture.id for picture in ledger.exhibits[page.catalogue.exhibit].pictures]
            named.append((("catalogue", "picture"), page.catalogue.picture, "picture of this exhibit", known))
    at = _Place(site, "content/page.toml")
    yield from at.unknown(named)
    if page.emphasis and not page.title.endswith(page.emphasis):
        yield at.problem(("emphasis",), f"'{page.emphasis}' is not the end of the title")
    if page.teaser:
        yield from _teaser(site, page.teaser, at)
    keys = [link.key for link in page.links if link.key]
    for index, link in enumerate(page.links):
        if link.key and keys.count(link.key) > 1:
            yield at.problem(("links", index, "key"), f"'{link.key}' is the key of another link already")


def _teaser(site: Site, teaser: Teaser, at: _Place) -> Iterator[Problem]:
    """Files of what is shown below the title that are not there, and a picture that cannot be read."""
    files = {"pictures": [file.name for file in (site.root / "content/pictures").glob("*")], "files": [*site.files]}
    for key, folder in (("picture", "pictures"), ("video", "files"), ("poster", "files")):
        name, there = getattr(teaser, key), files[folder]
        place = site.root / "content" / folder / name
        if name and not place.is_file():
            yield at.problem(("teaser", key), f"no such file 'content/{folder}/{name}'{did_you_mean(name, there)}")
        elif name and key == "picture":
            from effects.decode import header

            try:
                header(place, name, site.page.pictures.max_pixels)
            except ValueError as error:
                yield at.problem(("teaser", key), str(error))


def _sections(site: Site) -> Iterator[Problem]:
    """Names in every section.toml: treatments, values, sets, exhibits. What opens the page stands first."""
    ledger = site.ledger
    sets = {name for exhibit in ledger.exhibits.values() for name in exhibit.sets}
    opening = True
    for section in site.sections:
        look, at = section.header, _Place(site, f"content/sections/{section.folder}/section.toml")
        named: list[Named] = [
            *((("badge", index), name, "treatment", site.taxonomy.treatments) for index, name in enumerate(look.badge)),
            *((("layout", name), name, "set of exhibits", sets) for name in look.layout),
            *((("first", name), name, "set of exhibits", sets) for name in look.first),
            (("specimen",), look.specimen, "exhibit", ledger.exhibits),
        ]
        if look.scene:
            known = {*ledger.ids()} if look.scene.values else {*()}
            named += [(("scene", "values"), name, "value", known) for name in look.scene.values]
            named.append((("scene", "photographs"), look.scene.photographs, "set of exhibits", sets))
        yield from at.unknown(named)
        if section.id in TAKEN:
            yield at.problem(("id",), f"'{section.id}' is an id of the page's own: choose another")
        if look.opening and not opening:
            yield at.problem(("opening",), "only the first sections can be the opening of the page")
        opening = look.opening


class _Place:
    """A TOML file that names things."""

    def __init__(self, site: Site, file: str) -> None:
        self.file, self.text = file, read_text(site.root / file, site.root)

    def problem(self, path: tuple[str | int, ...], message: str) -> Problem:
        return Problem(self.file, toml_line(self.text, path), spell(path), message)

    def unknown(self, named: Iterable[Named]) -> Iterator[Problem]:
        """Of (place, name, what it should be, what there is): the names that stand for nothing."""
        for path, name, what, known in named:
            if name and name not in known:
                yield self.problem(path, f"no {what} '{name}'{did_you_mean(name, known)}")
