"""Functions that the notation of authors' texts stands for (notation.py), and `ref`, `file` and `references`."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, unquote

from markupsafe import Markup

from ledger.names import composed
from ledger.problems import did_you_mean
from pages.rendering import notation, verbatim
from pages.rendering.typography import typeset

if TYPE_CHECKING:
    from pages.rendering.shown import Shown
    from pages.rendering.urls import Addresses
    from pages.source.references import Reference
    from pages.source.site import Site, Voice

WEB = ("https://", "http://", "//")


class Context(Protocol):
    """What these functions need of the page they stand on."""

    site: Site
    at: Addresses

    def wrong(self, message: str) -> None: ...
    def keep(self, html: Markup) -> Markup: ...
    def placed(self, name: str, make: Callable[[], str]) -> Markup: ...
    def part(self, name: str, **names: Any) -> Markup: ...
    def content_file(self, path: str) -> Shown: ...


class TextFunctions:
    """Functions of the texts of one page; `voice` is the text that is being rendered."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.voice: Voice | None = None
        self.listed = False  # whether the page has a list of references, to which citations lead

    def names(self) -> dict[str, Callable[..., Markup | str]]:
        functions: tuple[Callable[..., Markup | str], ...] = (
            self.verbatim,
            self.cite,
            self.references,
            self.image,
            self.ref,
            self.file,
        )
        return {function.__name__: function for function in functions}

    def verbatim(self, number: int) -> Markup:
        """Piece `number` of the text: code or TeX."""
        assert self.voice is not None
        try:
            return self.context.keep(verbatim.html(notation.read(self.voice.text).pieces[number]))
        except ValueError as error:
            self.context.wrong(str(error))
            return Markup("")

    def cite(self, keys: Sequence[tuple[str, str]]) -> Markup:
        """Author and year in parentheses, each linked to its entry in the list of references."""
        known: Mapping[str, Reference] = self.context.site.references
        links = []
        for key, place in keys:
            if key not in known:
                file = "content/references.bib"
                hint = did_you_mean(key, known) if known else ": there is no such file, or it is empty"
                self.context.wrong(f"no reference '{key}' in {file}{hint}")
                continue
            one = known[key]
            where = f", {typeset(place)}" if place else ""
            url = self.context.at.url(f"{self.context.at.variant}/index.html#ref-{key}")
            links.append(Markup('<a href="{}">{}, {}</a>{}').format(url, one.short, one.year, where))
        inner = Markup("; ").join(links)
        return self.context.keep(Markup('<span class="citation" data-part="citation">({})</span>').format(inner))

    def references(self) -> Markup:
        """The list of everything that the texts of this variant cite, by author and year."""
        site, variant = self.context.site, self.context.at.variant
        cited = {key for section in site.sections for key in notation.cited(section.voices[variant].text)}
        listed = sorted((site.references[key] for key in cited if key in site.references), key=_by_author)
        first, self.listed = not self.listed, True
        return self.context.placed(
            "references", lambda: self.context.part("references", members=listed, anchored=first)
        )

    def image(self, path: str, alt: str, caption: str = "") -> Markup:
        """A picture of content/, by its path from the section's folder or from content/pictures/."""
        if path.startswith(WEB):
            self.context.wrong(f"'{path}' is on another site: put the picture into content/pictures/")
            return Markup("")
        if not alt.strip():
            self.context.wrong(f"the picture '{path}' needs an alternative text: ![what it shows]({path})")
            return Markup("")
        folder = posixpath.dirname(self.voice.file) if self.voice else "content"
        shown = self._picture(path, folder)
        if shown.state != "here":
            missing = f"no picture '{path}' beside the text or in content/pictures/ ({shown.label})"
            self.context.wrong(shown.label if _is_there(shown) else missing)
            return Markup("")
        shown = replace(shown, alt=alt)
        return self.context.placed("image", lambda: self.context.part("image", shown=shown, caption=caption))

    def _picture(self, path: str, folder: str) -> Shown:
        """From the folder of the text or content/pictures/, by its name or as addresses write it, `%20` for a space."""
        tried: list[Shown] = []
        for name in dict.fromkeys((path, unquote(path))):
            for place in (folder, "content/pictures", *([""] if name.startswith("content/") else [])):
                tried.append(self.context.content_file(posixpath.normpath(posixpath.join(place, name))))
                if tried[-1].state == "here":
                    return tried[-1]
        return next((one for one in tried if _is_there(one)), tried[1])

    def ref(self, name: str, text: str = "") -> Markup:
        """A link to `section:ID`, `table:ID`, `exhibit:ID` or `claim:ID`, under its title."""
        kind, _, identity = name.partition(":")
        site, at = self.context.site, self.context.at
        index = f"{at.variant}/index.html"
        sections = {one.id: one for one in site.sections}
        kinds: dict[str, tuple[Mapping[str, Any], Callable[[], tuple[str, str]]]] = {
            "section": (sections, lambda: (f"{index}#{identity}", sections[identity].voices[at.variant].title)),
            "table": (site.ledger.tables, lambda: (f"{index}#table-{identity}", site.ledger.tables[identity].title)),
            "exhibit": (
                site.ledger.exhibits,
                lambda: (f"{at.variant}/exhibit/{identity}.html", site.ledger.exhibits[identity].title),
            ),
            "claim": (
                site.ledger.claims,
                lambda: (f"{at.variant}/audit.html#claim-{identity}", site.ledger.claims[identity].sentence),
            ),
        }
        if kind not in kinds:
            self.context.wrong(f"ref('{name}') begins with none of {', '.join(kinds)}{did_you_mean(kind, kinds)}")
            return Markup("")
        known, target = kinds[kind]
        if identity not in known:
            self.context.wrong(f"no {kind} '{identity}'{did_you_mean(identity, known)}")
            return Markup("")
        path, title = target()
        link = Markup('<a href="{}" data-part="ref">{}</a>').format(at.url(path), typeset(text or title))
        return self.context.keep(link)

    def file(self, path: str) -> str:
        """Relative address of a file of content/files/."""
        known = self.context.site.files
        names = (composed(name) for name in (path, unquote(path)))
        if (name := next((name for name in names if name in known), None)) is None:
            self.context.wrong(f"no file 'content/files/{path}'{did_you_mean(path, known)}")
            return ""
        return self.context.at.url(f"files/{quote(name)}")


def _is_there(shown: Shown) -> bool:
    """Whether a picture that cannot be shown is a file: what is said of one begins with its name."""
    return shown.label.startswith("'")


def _by_author(reference: Reference) -> tuple[str, str, str]:
    return (reference.short.casefold(), reference.year, reference.key)
