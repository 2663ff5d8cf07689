"""Reads everything a site is made of: content/page.toml, content/sections/, content/taxonomy.toml and the ledger.

Refuses unknown keys, a section with one voice, two sections with one id and unknown treatment names; every defect of
every file is reported in one InputError, with its line.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel

from ledger.names import composed
from ledger.problems import InputError, Problem, relative, toml_line
from ledger.text import read_text, read_toml_as
from pages.source import validate
from pages.source.settings import VARIANTS, Charts, ChartSpec, Page, SectionHeader, Variant, absolute
from pages.source.site import Section, Site, Voice

if TYPE_CHECKING:
    from ledger import Ledger
    from ledger.sources import Source
    from ledger.taxonomy import Taxonomy
    from pages.source.lockfile import AtHand

LEADS_OUT = "a link that leads out of the project"


def load(root: Path) -> Site:
    """The site below `root`; InputError names every defect of content/ and results/ at once."""
    import ledger
    from pages.source import drawing, references

    problems: list[Problem] = []
    page = _written(Page, root / "content/page.toml", root, problems)
    if page is not None and (address := os.environ.get("SITE_URL")):
        try:
            page = page.model_copy(update={"address": absolute(address)})
        except ValueError as error:
            problems.append(Problem("SITE_URL", 0, "", f"'{address}' {error}"))
    sections = _sections(root, problems)
    charts = _charts(root, problems)
    names: Taxonomy | None = None
    published: Ledger | None = None
    try:
        names = _taxonomy(root)
    except InputError as error:
        problems += error.problems
    try:
        published = ledger.load(root)
    except InputError as error:
        problems += error.problems
    sources, remote = _remote(root, published, problems)
    if page is None or names is None or published is None or charts is None or remote is None:
        raise InputError(problems)
    model, hints = drawing.load(root)
    site = Site(
        root,
        page,
        sections,
        names,
        published,
        sources,
        remote,
        charts=charts,
        references=references.load(root, problems),
        files=_files(root, problems),
        drawing=model,
        problems=problems,
        notes=[*remote.notes, *hints],
    )
    problems += validate.validate(site)
    return site


def _taxonomy(root: Path) -> Taxonomy:
    """content/taxonomy.toml; without that file, the treatments as they declare themselves."""
    from ledger import taxonomy

    file = root / "content/taxonomy.toml"
    if file.exists():
        return taxonomy.load(file, root)
    import effects

    return taxonomy.of((one.name, one.category, one.label) for one in effects.TREATMENTS.values())


def _files(root: Path, problems: list[Problem]) -> dict[str, Path]:
    """What is published as it is: everything below content/files/."""
    folder = root / "content/files"
    found = {path.relative_to(folder): path for path in sorted(folder.rglob("*")) if path.is_file()}
    hidden = {below for below in found if any(part.startswith(".") for part in below.parts)}  # .git, .DS_Store
    for below in (below for below, path in found.items() if _leads_out(path, root)):
        problems.append(Problem(f"content/files/{below.as_posix()}", 0, "", LEADS_OUT))
    shown = ((below.as_posix(), path) for below, path in found.items() if below not in hidden)
    return {composed(name): path for name, path in shown}


def _remote(
    root: Path, published: Ledger | None, problems: list[Problem]
) -> tuple[Mapping[str, Source], AtHand | None]:
    """Declared sources, and what is at hand of them; the ledger gets the prompts that came along."""
    from ledger.sources import read_sources
    from pages.source.lockfile import at_hand, with_prompts

    if published is None:
        return {}, None
    try:
        sources = read_sources(root)
        found = at_hand(root, published, sources)
    except InputError as error:
        problems += error.problems
        return {}, None
    with_prompts(published, found.prompts)
    problems += found.problems
    return sources, found


M = TypeVar("M", bound=BaseModel)


def _charts(root: Path, problems: list[Problem]) -> Mapping[str, ChartSpec] | None:
    """content/charts.toml; a page without charts has no such file."""
    file = root / "content/charts.toml"
    if not file.exists():
        return {}
    found = _written(Charts, file, root, problems)
    return found.root if found else None


def _written(model: type[M], path: Path, root: Path, problems: list[Problem]) -> M | None:
    """The TOML file at `path` as a `model`; None, with its defects in `problems`, when it is not one."""
    name = relative(path, root)
    try:
        return read_toml_as(model, path, root)[1]
    except FileNotFoundError:
        problems.append(Problem(name, 0, "", "no such file"))
    except InputError as error:
        problems += error.problems
    return None


def _sections(root: Path, problems: list[Problem]) -> list[Section]:
    """The folders of content/sections, in order of their names; numbering is generated."""
    folder = root / "content/sections"
    found: list[Section] = []
    taken: dict[str, str] = {}
    for place in sorted(
        entry for entry in folder.glob("*") if entry.is_dir() and not entry.name.startswith((".", "_"))
    ):
        header = _written(SectionHeader, place / "section.toml", root, problems)
        voices = _voices(place, header, root, problems) if header else None
        if header is None or voices is None:
            continue
        toml = relative(place / "section.toml", root)
        if header.id in taken:
            line = toml_line(read_text(place / "section.toml", root), ["id"])
            problems.append(Problem(toml, line, "id", f"'{header.id}' is the id of {taken[header.id]} already"))
        taken[header.id] = toml
        found.append(Section(header.id, len(found) + 1, place.name, header, voices))
    if not found and not problems:
        problems.append(Problem("content/sections", 0, "", "no section: a page has at least one"))
    return found


def _voices(place: Path, header: SectionHeader, root: Path, problems: list[Problem]) -> Mapping[Variant, Voice] | None:
    """Both voices of a section. Where nobody wrote a distorted one, the clean text is shown distorted."""
    files = {"clean": place / "clean.md", "distorted": place / "distorted.md"}
    if not files["distorted"].exists():
        files["distorted"] = files["clean"]
    texts = {file: _text(file, root, problems) for file in {*files.values()}}
    if None in texts.values():
        return None
    voices: dict[Variant, Voice] = {}
    for variant in VARIANTS:
        titles, file = getattr(header, variant) or header.clean, files[variant]
        voices[variant] = Voice(
            titles.title, titles.nav, titles.lead or header.lead, texts[file] or "", relative(file, root)
        )
    return voices


def _leads_out(path: Path, root: Path) -> bool:
    return path.is_symlink() and not path.resolve().is_relative_to(root.resolve())


def _text(path: Path, root: Path, problems: list[Problem]) -> str | None:
    """Markdown of one voice. One that is missing or empty is refused."""
    name = relative(path, root)
    if _leads_out(path, root):
        problems.append(Problem(name, 0, "", LEADS_OUT))
        return None
    try:
        text = read_text(path, root)
    except FileNotFoundError:
        problems.append(Problem(name, 0, "", "no such file: every section has a text"))
    except InputError as error:
        problems += error.problems
    else:
        if text.strip():
            return text
        problems.append(Problem(name, 1, "", "empty: write the text, or delete distorted.md to show clean.md"))
    return None
