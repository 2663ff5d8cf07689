"""Templates + ledger -> pages. Jinja with StrictUndefined and autoescape; what templates see is in context.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup

from ledger.problems import Problem
from pages.cache.fragments import FragmentCache, Trace
from pages.cache.recording import Digests
from pages.images.resolve import ImageResolver
from pages.output.publish import Tree
from pages.rendering import drawing_page, errors, notation
from pages.rendering.context import TemplateContext
from pages.rendering.sections import View, view_of
from pages.rendering.typography import typeset
from pages.rendering.values_index import Group, groups
from pages.source.load import Site
from pages.source.settings import VARIANTS, Variant
from pages.source.theme import theme

if TYPE_CHECKING:
    from pages.images.jobs import GeneratedImage
    from pages.images.library import ImageLibrary
    from pages.source.drawing import Drawing


@dataclass
class Renderer:
    """Renders one site. `problems` grows while pages are rendered; `notes` is for the build log."""

    site: Site
    book: ImageLibrary
    assets: Mapping[str, str]  # path below templates/static -> address below site/
    plates: Mapping[str, GeneratedImage]
    tree: Tree  # what the last build left: pages that did not change stay as they lie there
    frame: str  # digest of code, templates and settings
    drawing: Drawing | None = None  # the model for readers' browsers
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    homes: dict[str, str] = field(default_factory=dict)  # exhibit -> id of the section that shows it

    def __post_init__(self) -> None:
        root = self.site.root
        bytecode = root / ".cache/jinja"
        bytecode.mkdir(parents=True, exist_ok=True)
        self.env = jinja2.Environment(
            loader=jinja2.ChoiceLoader([jinja2.FileSystemLoader(theme(root)), jinja2.FunctionLoader(self._written)]),
            undefined=jinja2.StrictUndefined,
            autoescape=True,
            auto_reload=False,  # nobody edits a template while a site is rendered
            trim_blocks=True,
            lstrip_blocks=True,
            bytecode_cache=jinja2.FileSystemBytecodeCache(str(bytecode)),
        )
        self.env.filters["typeset"] = typeset
        # in a text, `{#id}` names a heading or a picture
        self.text_env = self.env.overlay(comment_start_string="{##", comment_end_string="##}")
        self.hanging = ImageResolver(self.site, self.book, self.plates, self.problems)
        give = Digests(self.site.ledger, self.hanging.fingerprint)
        self.memory = FragmentCache(root / ".cache/rendered", self.frame, self.tree, give, self.hanging.want)
        self.value_html: dict[tuple[str, str, str, bool], Markup] = {}

    def _written(self, name: str) -> tuple[str, str, Callable[[], bool]] | None:
        """Loader of section texts, `content/sections/...`."""
        for section in self.site.sections:
            for voice in section.voices.values():
                if name == voice.file:
                    return notation.read(voice.text).text, str(self.site.root / name), lambda: True
        return None

    # -- pages -------------------------------------------------------------------------------------------------------

    def pages(self) -> Iterator[tuple[str, bytes | None]]:
        """(address below site/, HTML) of every page; None for one that may stay as it lies there."""
        for variant in VARIANTS:
            yield self._index(variant)
            yield from self._exhibits(variant)
            yield from self._drawing(variant)
        yield "index.html", self._page("door.html", TemplateContext(self, "clean", "index.html"))
        yield "404.html", self._page("404.html", TemplateContext(self, "clean", "404.html"))
        yield from self._numbers()

    def _index(self, variant: Variant) -> tuple[str, bytes]:
        here = f"{variant}/index.html"
        scope = TemplateContext(self, variant, here)
        views = [scope.section_view(section) for section in self.site.sections]
        return here, self._page(here, scope, sections=views)

    def _drawing(self, variant: Variant) -> Iterator[tuple[str, bytes]]:
        """The page on which readers draw, where there is a model for it."""
        if self.drawing is None:
            return
        here = f"{variant}/draw/index.html"
        scope = TemplateContext(self, variant, here)
        yield here, self._page("draw.html", scope, told=drawing_page.told(scope, self.drawing))

    def _exhibits(self, variant: Variant) -> Iterator[tuple[str, bytes | None]]:
        """The permalink pages of a variant."""
        views = {section.id: view_of(section, variant) for section in self.site.sections}
        names = list(self.site.ledger.exhibits)
        for name, before, after in zip(names, [None, *names], [*names[1:], None], strict=False):
            yield self._exhibit(variant, name, views.get(self.homes.get(name, "")), before, after)

    def _exhibit(
        self, variant: Variant, name: str, home: View | None, before: str | None, after: str | None
    ) -> tuple[str, bytes | None]:
        here = f"{variant}/exhibit/{name}.html"

        def make() -> tuple[bytes, Trace]:
            scope = TemplateContext(self, variant, here, home)
            beside = {"exhibit_id": name, "home": home, "previous": before, "next": after}
            exhibit = scope.ledger.exhibits[name]
            return self._page(f"{variant}/exhibit.html", scope, exhibit=exhibit, **beside), scope.trace

        return here, self.memory.file_at(here, (home.id if home else "", before, after), make)

    def _numbers(self) -> Iterator[tuple[str, bytes | None]]:
        """The list of all numbers."""
        found = groups(self.site.ledger)
        for group in found:
            yield self._group(group)
        here = "data/values.html"
        yield here, self._page("values.html", TemplateContext(self, "clean", here), groups=found)

    def _group(self, group: Group) -> tuple[str, bytes | None]:
        here = f"data/values/{group.id}.html"

        def make() -> tuple[bytes, Trace]:
            scope = TemplateContext(self, "clean", here)
            entries = [(name, scope.ledger.value(name)) for name in group.ids]
            return self._page("values-group.html", scope, group=group, entries=entries), scope.trace

        return here, self.memory.file_at(here, group, make)

    def _page(self, template: str, scope: TemplateContext, **names: Any) -> bytes:
        sections = [view_of(section, scope.at.variant) for section in self.site.sections]
        html = self.render(template, {"sections": sections, **scope.names(), **names}) + "\n"
        self.notes += scope.trace.notes
        return html.encode()

    # -- pieces of pages ---------------------------------------------------------------------------------------------

    def render(self, template: str, names: dict[str, Any]) -> str:
        """One template; a mistake in it becomes a Problem with the template's file and line."""
        try:
            env = self.text_env if template.startswith("content/") else self.env
            return env.get_template(template).render(names)
        except Exception as error:  # whatever a text makes Python do is named at its line
            self.problems.append(errors.from_exception(error, template, self.site.root))
        return ""

    def reuse(self, key: str, arguments: object, scope: TemplateContext, make: Callable[[], str]) -> str:
        """`make()`, or what it gave before if nothing that it read has changed since."""
        unit = self.memory.find(key, arguments)
        if unit is not None:
            scope.trace.include(key, unit)
            scope.hang(unit.shows)
            return unit.text
        outer, scope.trace = scope.trace, Trace()
        text = make()
        self.memory.keep(key, arguments, text, scope.trace)
        outer.include(key, scope.trace)
        scope.trace = outer
        return text

    def wrong(self, message: str) -> None:
        """Record a defect at the template line that is being executed."""
        self.problems.append(errors.at_current_line(message))
