"""Sources -> everything that a site is made of, as values: nothing is written, nothing is encoded, nothing is cached.

Jinja with StrictUndefined and autoescape; what templates see is in context.py. A page does not order its pictures: its
record names what it looked up, and the plan holds the encode jobs of those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup

from ledger.problems import Problem
from ledger.text import ENCODING
from pages.cache.recording import OutputSource, Read, Record, Unchanged, digest
from pages.images.jobs import EncodeJob
from pages.images.resolve import ImageResolver, ResolvedImage
from pages.rendering import downloads, drawing_page, errors, exhibits_index, metadata, notation, series
from pages.rendering.assets import assets
from pages.rendering.context import TemplateContext
from pages.rendering.exhibit_titles import titles
from pages.rendering.sections import View, view_of
from pages.rendering.typography import roman, typeset
from pages.rendering.values_index import Group, groups
from pages.source.drawing import Drawing
from pages.source.settings import VARIANTS, Variant
from pages.source.site import Site
from pages.source.theme import theme

if TYPE_CHECKING:
    from ledger.schema import Exhibit

LARGE_SETS = ("knob", "wall")


@dataclass
class Plan:
    """A whole site. Addresses are below site/."""

    pages: dict[str, bytes | Unchanged] = field(default_factory=dict)
    downloads: dict[str, bytes | Unchanged] = field(
        default_factory=dict
    )  # data, style sheets, scripts, fonts, what hosts ask for
    copies: dict[str, str] = field(default_factory=dict)  # address -> file that is published as it is
    image_jobs: dict[str, EncodeJob] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def files(self) -> dict[str, bytes | Unchanged]:
        return {**self.pages, **self.downloads}

    def keep(self, record: Record) -> None:
        """What the making of a file found wrong, and what it noted."""
        self.problems += record.problems
        self.notes += record.notes


def render(
    site: Site,
    images: ImageResolver,
    outputs: OutputSource | None = None,
    compiled: jinja2.BytecodeCache | None = None,
) -> Plan:
    """The whole site. `outputs` may give a file, or a part of one, as it was made before with the record of what it
    depends on, and `compiled` the code of a template; without them everything is made."""
    outputs = outputs or OutputSource()
    plan = Plan(notes=list(site.notes), problems=list(site.problems))
    static = assets(theme(site.root) / "static")
    addresses = {name: address for name, (address, _) in static.items()}
    renderer = Renderer(site, images, outputs, addresses, compiled)
    section_of_exhibit: dict[str, str] = {}
    called, looked = digest(site.called), dict[Read, None]()
    for address, arguments, write in renderer.pages(section_of_exhibit):
        plan.pages[address], record = outputs.file(address, [arguments, called], write)
        section_of_exhibit.update({**record.exhibits_shown, **section_of_exhibit})
        looked |= record.reads
        plan.keep(record)
    writers = downloads.downloads(site) | {exhibits_index.ADDRESS: partial(exhibits_index.index, site, renderer.image)}
    for address, write in writers.items():
        plan.downloads[address], record = outputs.file(address, "", write)
        looked |= record.reads
        plan.keep(record)
    plan.image_jobs = {job.key: job for read in looked for job in images.jobs(read)}
    plan.problems += images.problems
    plan.notes = [*dict.fromkeys(plan.notes)]
    rows, lost = downloads.rows(site)
    plan.problems += lost
    plan.downloads |= {**rows, **dict(static.values()), **downloads.files(site)}
    plan.downloads |= drawing_page.scripts(static, site.drawing)
    plan.copies = drawing_page.files(site.root, site.drawing)
    if site.problems:  # what the theme stumbles over may follow from them
        plan.problems = [one for one in plan.problems if not one.file.startswith("templates/")]
    plan.downloads |= metadata.for_hosts(site.page, [*plan.pages], addresses)
    return plan


class Renderer:
    """The pages of one site, each as a function that renders it."""

    def __init__(
        self,
        site: Site,
        images: ImageResolver,
        outputs: OutputSource,
        assets: Mapping[str, str],
        compiled: jinja2.BytecodeCache | None,
    ) -> None:
        self.site, self.images, self.outputs, self.assets = site, images, outputs, assets
        self.numbers: dict[tuple[str, ...], Markup] = {}
        loaders = [jinja2.FileSystemLoader(theme(site.root), ENCODING), jinja2.FunctionLoader(self._written)]
        self.env = jinja2.Environment(
            loader=jinja2.ChoiceLoader(loaders),
            undefined=jinja2.StrictUndefined,
            autoescape=True,
            bytecode_cache=compiled,
            auto_reload=False,  # nobody edits a template while a site is rendered
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.env.filters |= {"typeset": typeset, "roman": roman}
        # in a text, `{#id}` names a heading or a picture
        self.text_env = self.env.overlay(comment_start_string="{##", comment_end_string="##}")

    def _written(self, name: str) -> tuple[str, str, Callable[[], bool]] | None:
        """Loader of section texts, `content/sections/...`."""
        for section in self.site.sections:
            for voice in section.voices.values():
                if name == voice.file:
                    return notation.read(voice.text).text, str(self.site.root / name), lambda: True
        return None

    # -- what a context needs --------------------------------------------------------------------------------------

    def render(self, record: Record, templates: Sequence[str], names: dict[str, Any]) -> str:
        """The first of `templates` that there is; a mistake in it becomes a problem with its file and line."""
        env = self.text_env if templates[0].startswith("content/") else self.env
        try:
            template = env.select_template(templates)
            return template.render(names)
        except Exception as error:  # whatever a text makes Python do is named at its line
            record.problems.append(errors.from_exception(error, templates[-1], self.site.root, names))
        return ""

    def image(self, record: Record, read: tuple[str, ...]) -> ResolvedImage:
        record.read(read)
        return self.images.find(read)

    # -- pages -----------------------------------------------------------------------------------------------------

    def pages(self, section_of_exhibit: Mapping[str, str]) -> Iterator[tuple[str, object, Callable[[Record], bytes]]]:
        """Of every page: its address, what beside its look-ups decides about it, and the function that renders it.
        `section_of_exhibit` names the section that shows an exhibit, and is known once the index pages are rendered."""
        texts = [voice.text for section in self.site.sections for voice in section.voices.values()]
        for variant in VARIANTS:
            yield f"{variant}/index.html", texts, partial(self._index, variant)
        for variant in VARIANTS:
            yield from self._exhibits(variant, section_of_exhibit)
            for name in self.site.ledger.tables:
                yield f"{variant}/tables/{name}.html", "", partial(self._table, variant, name)
            if self.site.ledger.claims:
                yield f"{variant}/audit.html", "", partial(self._audit, variant)
            if self.site.ledger.exhibits:
                yield f"{variant}/exhibits/index.html", "", partial(self._exhibits_index, variant)
            for name in self._large_sets():
                yield f"{variant}/exhibits/{name}.html", "", partial(self._set, variant, name)
            if self.site.drawing is not None:
                yield f"{variant}/draw/index.html", "", partial(self._drawing, variant, self.site.drawing)
        for here, template in (("index.html", "door.html"), ("404.html", "404.html")):
            yield here, "", partial(self._plain, here, template, {})
        found = groups(self.site.ledger)
        for group in found:
            yield f"data/values/{group.id}.html", group, partial(self._group, group)
        yield "data/values.html", found, partial(self._plain, "data/values.html", "values.html", {"groups": found})

    def _index(self, variant: Variant, record: Record) -> bytes:
        here = f"{variant}/index.html"
        context = TemplateContext(self, record, variant, here)
        views = [context.section_view(section) for section in self.site.sections]
        return self._page(here, context, sections=views)

    def _exhibits(
        self, variant: Variant, section_of_exhibit: Mapping[str, str]
    ) -> Iterator[tuple[str, object, Callable[[Record], bytes]]]:
        """The permalink pages of a variant."""
        views = {section.id: view_of(section, variant) for section in self.site.sections}
        looks = {name: digest(view) for name, view in views.items()}
        titled = titles(self.site.ledger.exhibits)
        contrast: dict[str, tuple[series.Side, series.Side]] = {}
        for kind in self._large_sets():
            contrast |= series.contrasts(self.site.page, [*self._members(kind)])
        names = list(titled)
        for name, before, after in zip(names, [None, *names], [*names[1:], None], strict=False):
            home = section_of_exhibit.get(name, "")
            beside: dict[str, Any] = {"exhibit_id": name, "previous": before, "next": after}
            beside["contrast"] = contrast.get(name)
            beside["titles"] = {one: titled[one] for one in (before, name, after) if one}
            write = partial(self._exhibit, variant, name, views.get(home), beside)
            yield f"{variant}/exhibit/{name}.html", [beside, looks.get(home)], write

    def _exhibit(self, variant: Variant, name: str, home: View | None, beside: dict[str, Any], record: Record) -> bytes:
        context = TemplateContext(self, record, variant, f"{variant}/exhibit/{name}.html", home)
        exhibit = context.ledger.exhibits[name]
        return self._page(f"{variant}/exhibit.html", context, exhibit=exhibit, home=home, **beside)

    def _exhibits_index(self, variant: Variant, record: Record) -> bytes:
        """The page on which readers search and compare exhibits."""
        context = TemplateContext(self, record, variant, f"{variant}/exhibits/index.html")
        facets = exhibits_index.facets(self.site)
        names = {"facets": facets, "options": exhibits_index.options(self.site, facets)}
        names |= {"scores": exhibits_index.scores(self.site), "members": [*context.ledger.exhibits.items()]}
        return self._page("exhibits.html", context, **names)

    def _table(self, variant: Variant, name: str, record: Record) -> bytes:
        context = TemplateContext(self, record, variant, f"{variant}/tables/{name}.html")
        return self._page("table.html", context, id=name)

    def _audit(self, variant: Variant, record: Record) -> bytes:
        context = TemplateContext(self, record, variant, f"{variant}/audit.html")
        return self._page("audit.html", context, **context.weighed())

    def _large_sets(self) -> list[str]:
        """Sets that have a page of their own, beside what the page of the paper shows of them."""
        known = {one for exhibit in self.site.ledger.exhibits.values() for one in exhibit.sets}
        return [name for name in LARGE_SETS if name in known]

    def _members(self, kind: str) -> Iterator[tuple[str, Exhibit]]:
        return ((name, exhibit) for name, exhibit in self.site.ledger.exhibits.items() if kind in exhibit.sets)

    def _set(self, variant: Variant, name: str, record: Record) -> bytes:
        context = TemplateContext(self, record, variant, f"{variant}/exhibits/{name}.html")
        members = [(one, context.ledger.exhibits[one]) for one, _ in self._members(name)]
        return self._page(
            "exhibits-set.html", context, set=name, members=members, **series.axes(self.site.page, members)
        )

    def _drawing(self, variant: Variant, drawing: Drawing, record: Record) -> bytes:
        """The page on which readers draw."""
        context = TemplateContext(self, record, variant, f"{variant}/draw/index.html")
        return self._page("draw.html", context, told=drawing_page.told(context, drawing))

    def _group(self, group: Group, record: Record) -> bytes:
        context = TemplateContext(self, record, "clean", f"data/values/{group.id}.html")
        entries = [(name, context.ledger.value(name)) for name in group.ids]
        return self._page("values-group.html", context, group=group, entries=entries)

    def _plain(self, here: str, template: str, names: dict[str, Any], record: Record) -> bytes:
        """A page that has no variant."""
        return self._page(template, TemplateContext(self, record, "clean", here), **names)

    def _page(self, template: str, context: TemplateContext, **names: Any) -> bytes:
        sections = [view_of(section, context.at.variant) for section in self.site.sections]
        names = {"sections": sections, **context.names(), **names}
        return (self.render(context.record, [template], names) + "\n").encode()
