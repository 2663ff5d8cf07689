"""What templates and texts see.

Every page sees these names (everything from the ledger is escaped where it is printed):

  variant, other      "clean" or "distorted", and the other one ("clean" on the pages that have no variant)
  here, twin          address of this page below site/, and of the same place in the other variant
  canonical           address below site/ of the page that search engines should keep: the clean one
  page                content/page.toml (pages.source.settings.Page)
  sections            in order: pages.rendering.sections.View (html on index pages)
  called              function -> id of the first section whose text calls it
  taxonomy, ledger    ledger.taxonomy.Taxonomy and ledger.Ledger
  url(path)           relative link to `path` below site/
  asset(path)         the same for templates/static/path, which is published with its hash in the name
  absolute(path)      address with page.address before it, for canonical links and cards
  text | typeset      quotes, dashes and spaces of print, for captions; texts of sections have them already
  marked(text)        a claim's sentence_marked, because_marked or second.because_marked, numbers as value(id)
  is_first(exhibit)   whether this page has not shown it yet: then its place is `#exhibit-ID`
  has(id), show(value)         whether the ledger has the value `id`; a Value as it is printed
  drawing             pages.source.drawing.Drawing, the model for readers' browsers, or None
  label(id)           label of a taxonomy sub-category
  exhibit_url(id), value_url(id), claim_url(id)
  picture(exhibit, picture=None)     `Shown`: state, sources [(type, srcset)], src, width, height, alt, label, full
  treated(exhibit, picture, treatment, severity, seed)     the same treated; `untreated` links to the picture as filed
  plate(name)         `Shown` of a plate of pages/images/headers.py (state "absent" when there is none of that name)
  card(exhibit=None)  absolute address of the social card of the page, or of an exhibit's own picture
  meta(), social(exhibit=None), json_ld(exhibit=None)      [(name, content)] of Highwire and OpenGraph tags; JSON-LD

and, on their pages: `exhibit_id`, `exhibit`, `previous`, `next`, `home`, `titles` {id: a title that no
other exhibit has} of these three, `contrast` (series.py) (exhibits); `groups` [Group] (the list of all
numbers, data/values.html) and `group`, `entries` [(id, value)] (the pages of that list, data/values/GROUP.html).

Authors' functions - each renders templates/parts/NAME.html, or templates/VARIANT/parts/NAME.html where that exists -
also work in templates. Inside a part their arguments are variables, and `section` is the section being rendered:

  value(id)                    id, value, text, sign    inline; `sign` is " %" after a percentage, or " points"
  percent(id)                  the same in part "value": a share in per cent, a difference of shares in points
  link(key)                    no part: the address
  table(id, columns=None)      id, table, columns, rows, pending, best (tables.py)
  chart(id)                    id, chart (title, description, svg, narrow), layout, tables     nothing without values
  exhibit(id)                  exhibit_id, exhibit
  exhibits(set)                set, members [(id, exhibit)], count (of the whole set), layout
  claim(id) / claims(section)  claim_id, claim / section_id, members [(id, claim)]
  verdicts() / audit()         members [(id, claim)] of the argument, counts {verdict: number}, details, caveats
  knob() wall()                members [(id, exhibit)] of the sets "knob" and "wall", and their axes (series.py)
  catalogue()                  exhibit_id, picture_id, severities, seed, groups [(category, [(sub, [Shown] or None)])]
  ref("table:ID", text=None)   no part: a link to a section, table, exhibit or claim, under its title
  file(path)                   no part: the address of a file of content/files/
  references()                 members [Reference], what the texts of this variant cite
  rights()                     groups [Rights]: pictures of others, and who says that they may be shown
  downloads() bibtex() runs()  files [(label, address, note)] / text / members
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, get_args

from markupsafe import Markup, escape

import ledger
from ledger.book import SHARES, percent_sign
from ledger.problems import Problem, did_you_mean
from ledger.schema import Weight
from pages.cache.recording import OutputSource, Read, Record, RecordingLedger, digest
from pages.images.resolve import ResolvedImage
from pages.rendering import errors, markdown, metadata, series, tables
from pages.rendering.mistakes import mistakes
from pages.rendering.sections import View, view_of
from pages.rendering.shown import Shown, shown
from pages.rendering.text_functions import TextFunctions
from pages.rendering.typography import typeset
from pages.rendering.urls import Addresses
from pages.source.settings import Variant
from pages.source.site import Section, Site

if TYPE_CHECKING:
    from ledger.schema import Column, Exhibit, Row, Value
    from ledger.taxonomy import SubCategory
    from pages.source.settings import Catalogue


class Services(Protocol):
    """What a context needs of whoever renders the site."""

    site: Site
    assets: Mapping[str, str]  # path below templates/static -> address below site/
    numbers: dict[tuple[str, ...], Markup]  # rendered values that look the same on many pages
    outputs: OutputSource

    def render(self, record: Record, templates: Sequence[str], names: dict[str, Any]) -> str: ...
    def image(self, record: Record, read: Read) -> ResolvedImage: ...


class TemplateContext:
    """The names that one page sees: everything that depends on where the page stands. What the page looks up, shows and
    gets wrong stands in `record` afterwards."""

    def __init__(
        self, services: Services, record: Record, variant: Variant, here: str, section: View | None = None
    ) -> None:
        self.services, self.record, self.site, self.section = services, record, services.site, section
        self.at = Addresses(variant, here, self.site.page.address)
        self.ledger: Any = RecordingLedger(self.site.ledger, lambda read: self.record.read(read))
        self.kept: list[str] = []
        self.anchored: set[str] = set()
        self.times = Counter[str]()
        self.in_text = False
        self.texts = TextFunctions(self)

    def wrong(self, message: str) -> None:
        """Record a defect at the line of the template or text that is being rendered."""
        self.record.problems.append(errors.at_current_line(message))

    # -- addresses and metadata --------------------------------------------------------------------------------------

    def asset(self, path: str) -> str:
        if path not in self.services.assets:
            self.wrong(f"no such asset '{path}'{did_you_mean(path, self.services.assets)}")
            return ""
        return self.at.url(self.services.assets[path])

    def link(self, key: str) -> str:
        known = {link.key: link.url for link in self.site.page.links if link.key}
        if key not in known:
            self.wrong(f"no link '{key}' in content/page.toml{did_you_mean(key, known)}")
            return ""
        return known[key]

    def meta(self) -> list[tuple[str, str]]:
        """Tags of the paper, on the pages that are the paper."""
        return metadata.highwire(self.site.page) if self.at.here.endswith("index.html") else []

    def social(self, exhibit: str | None = None) -> list[tuple[str, str]]:
        one = self.ledger.exhibits[exhibit] if exhibit else None
        return metadata.social(self.site.page, self.at.absolute(self.at.canonical), self._card(exhibit), one)

    def json_ld(self, exhibit: str | None = None) -> Markup:
        one = self.ledger.exhibits[exhibit] if exhibit else None
        return metadata.json_ld(self.site.page, self.at.absolute(self.at.canonical), self._card(exhibit), one)

    def card(self, exhibit: str | None = None) -> str:
        card = self._card(exhibit)
        return card.address if card else ""

    def _card(self, exhibit: str | None) -> metadata.Card | None:
        found = self._look(("card", exhibit or ""))
        if found.made is None:
            return None
        address, width, height, form = found.made.fallback
        own = found.made.plate is None
        return metadata.Card(self.at.absolute(address), width, height, form, found.alt, own)

    def label(self, name: str) -> str:
        for sub in self.site.taxonomy.sub_categories:
            if sub.id == name:
                return str(sub.label)
        return name.replace("_", " ")

    # -- pictures ----------------------------------------------------------------------------------------------------

    def picture(self, exhibit: str, picture: str | None = None) -> Shown:
        return self.treated(exhibit, picture, "", 0.0, 0)

    def treated(self, exhibit: str, picture: str | None, treatment: str, severity: float, seed: int = 1) -> Shown:
        known = self.ledger.exhibits
        if exhibit not in known:
            self.wrong(f"no exhibit '{exhibit}'{did_you_mean(exhibit, known)}")
            return Shown("absent")
        pictures = [one.id for one in known[exhibit].pictures]
        if picture is not None and picture not in pictures:
            self.wrong(f"exhibit '{exhibit}' has no picture '{picture}'{did_you_mean(picture, pictures)}")
        found = self._look(("picture", exhibit, picture or "", treatment, repr(severity), str(seed)))
        return shown(found, self.at, treatment, severity, seed)

    def plate(self, name: str) -> Shown:
        return shown(self._look(("plate", name)), self.at)

    def content_file(self, path: str) -> Shown:
        """A picture file of content/ that no exhibit names."""
        return shown(self._look(("file", path)), self.at)

    def _look(self, read: Read) -> ResolvedImage:
        return self.services.image(self.record, read)

    # -- authors' functions ------------------------------------------------------------------------------------------

    def part(self, name: str, **names: Any) -> Markup:
        """templates/VARIANT/parts/NAME.html or templates/parts/NAME.html."""
        choices = [f"{self.at.variant}/parts/{name}.html", f"parts/{name}.html"]
        return Markup(self.services.render(self.record, choices, {**self.names(), **names}).strip())

    def _piece(self, name: str, asked: object, make: Callable[[], str]) -> Markup:
        """A part that depends on nothing but its place, `asked` and what it looks up."""
        key = f"{self.at.here} {self.section.id if self.section else ''} {name} {asked}"
        return self.placed(name, lambda: self._recalled(key, asked, make))

    def _recalled(self, key: str, asked: object, make: Callable[[], str]) -> str:
        """`make()`, with a record of its own, which may be one of an earlier time."""

        def made(record: Record) -> str:
            self.record, page = record, self.record
            try:
                return make()
            finally:
                self.record = page

        text, record = self.services.outputs.piece(key, asked, made)
        self.record.include(key, record)
        return text

    def placed(self, name: str, make: Callable[[], str]) -> Markup:
        """A part where it was called. In a text its name stands around it, so that `check` tells what a part drew from
        what a person wrote."""
        in_text, self.in_text = self.in_text, False
        html = make()
        self.in_text = in_text
        return self.keep(Markup(f"<!--part {name}-->{html}<!--/part-->")) if in_text and html else Markup(html)

    def keep(self, html: Markup) -> Markup:
        """The HTML itself in a template, a token for it in a text."""
        if not self.in_text:
            return html
        self.kept.append(html)
        return Markup(markdown.token(len(self.kept) - 1))

    def value(self, name: str) -> Markup:
        return self._number(name, ledger.show)

    def percent(self, name: str) -> Markup:
        return self._number(name, ledger.percent)

    def _number(self, name: str, printed: Callable[[Value], str]) -> Markup:
        try:
            value = self.ledger.value(name)
        except KeyError as error:
            self.wrong(str(error))
            return Markup("?")
        as_share = printed is ledger.percent
        if as_share and value.unit not in SHARES:
            self.wrong(f"value '{name}' is no share but has the unit '{value.unit}': use value('{name}')")
        place = (self.at.value_url(name), self.at.variant, name, str(as_share))
        if place not in self.services.numbers:  # this part sees what its key names, nothing else
            names = {"id": name, "value": value, "text": printed(value), "value_url": self.at.value_url}
            sign = percent_sign(value) if as_share else "%" if value.unit == "%" and value.value is not None else ""
            names["sign"] = f" {sign}" if sign else ""
            names |= {"show": ledger.show, "variant": self.at.variant, "page": self.site.page}
            self.services.numbers[place] = Markup(
                self.services.render(self.record, ["parts/value.html"], names).strip()
            )
        return self.keep(self.services.numbers[place])

    def has(self, name: str) -> bool:
        return self.ledger.get(name) is not None

    def marked(self, text: str) -> Markup:
        """A claim's `*_marked` text: every `{value id}` and `{share %}` becomes that value, the rest is escaped."""
        parts = re.split(r"\{([a-z0-9][a-z0-9_.-]*(?: %)?)\}", text)
        return Markup("").join(
            self._number(part.removesuffix(" %"), ledger.percent if part.endswith(" %") else ledger.show)
            if number % 2
            else escape(typeset(part, "0" * (number > 0)))
            for number, part in enumerate(parts)
        )

    def table(self, name: str, columns: list[str] | str | None = None, folded: bool = False) -> Markup:
        columns = [columns] if isinstance(columns, str) else columns

        def make() -> str:
            table = self._one("table", name, self.ledger.tables)
            if table is None:
                return ""
            known = {column.id: column for column in table.columns}
            for column in columns or ():
                if column not in known:
                    self.wrong(f"table '{name}' has no column '{column}'{did_you_mean(column, known)}")
            if folded:
                return self.part("table-link", id=name, table=table, again=again)
            chosen = [known[c] for c in columns if c in known] if columns else list(table.columns)
            arranged = tables.arrange(table.rows, chosen, self._numbers(name, table.rows, chosen))
            return self.part("table", id=name, table=table, columns=chosen, again=again, **vars(arranged))

        again = self._again(f"table {name}")
        return self._piece("table", (name, columns, folded, again), make)

    def _numbers(self, table: str, rows: list[Row], columns: list[Column]) -> dict[tuple[str, str], float]:
        """The cells that have a number."""
        cells = ((row.id, column.id) for row in rows for column in columns)
        found = {(row, column): self.ledger.cell(table, row, column) for row, column in cells}
        return {place: value.value for place, value in found.items() if value and value.value is not None}

    def chart(self, name: str) -> Markup:
        from pages.charts import figures

        spec = self.site.charts.get(name)
        if spec is None:
            known = did_you_mean(name, self.site.charts) or ": declare it in content/charts.toml"
            self.wrong(f"no chart '{name}'{known}")
            return Markup("")

        def make() -> str:
            try:
                chart = figures.draw(name + again, spec, self.ledger, self.site.page.highlight)
            except ValueError as error:
                self.wrong(f"chart '{name}': {error}")
                return ""
            if chart is None:
                self.record.notes.append(f"chart '{name}' is not drawn: its values are pending, or all of them zero")
                return ""
            tables = dict.fromkeys(pattern.partition(".")[0] for pattern in spec.cells.values())
            return self.part("chart", id=name, chart=chart, layout=spec.layout, tables=list(tables), again=again)

        again = self._again(f"chart {name}")
        return self._piece("chart", (name, again), make)

    def exhibit(self, name: str, **how: Any) -> Markup:
        """`how` holds further variables of the part, by the place where it is shown."""
        how["anchored"] = self.is_first(name)

        def make() -> str:
            exhibit = self._one("exhibit", name, self.ledger.exhibits)
            if exhibit is None:
                return ""
            self.record_exhibit_use([name])
            return self.part("exhibit", exhibit_id=name, exhibit=exhibit, **how)

        return self._piece("exhibit", (name, how), make)

    def is_first(self, exhibit: str) -> bool:
        """Whether this page shows the exhibit for the first time: that place is the one that `#exhibit-ID` names."""
        first = exhibit not in self.anchored
        self.anchored.add(exhibit)
        return first

    def _again(self, thing: str) -> str:
        """What tells the ids of a thing that this page shows again from those of the first: nothing, "-2", "-3"."""
        self.times[thing] += 1
        return f"-{self.times[thing]}" if self.times[thing] > 1 else ""

    def exhibits(self, name: str) -> Markup:
        members = self._members(name)
        if not members:
            known = {one for exhibit in self.ledger.exhibits.values() for one in exhibit.sets}
            self.wrong(f"no exhibit is in the set '{name}'{did_you_mean(name, known)}")
        layout = self.section.look.layout.get(name, "") if self.section else ""
        shown = members[: self.section.look.first.get(name)] if self.section else members
        names = {"set": name, "members": shown, "count": len(members), "layout": layout}
        return self.placed("exhibits", lambda: self.part("exhibits", **names))

    def claim(self, name: str) -> Markup:
        def make() -> str:
            claim = self._one("claim", name, self.ledger.claims)
            return "" if claim is None else self.part("claim", claim_id=name, claim=claim)

        return self._piece("claim", name, make)

    def claims(self, section: str) -> Markup:
        known = {one.id for one in self.site.sections}
        if section not in known:
            self.wrong(f"no section '{section}'{did_you_mean(section, known)}")

        def make() -> str:
            claims = self.ledger.claims.items()
            members = [(name, one) for name, one in claims if one.section == section and one.weight != "detail"]
            return self.part("claims", section_id=section, members=members)

        return self._piece("claims", section, make)

    def verdicts(self) -> Markup:
        return self._piece("verdicts", "", lambda: self.part("verdicts", **self.weighed()))

    def audit(self) -> Markup:
        return self._piece("audit", "", lambda: self.part("audit", **self.weighed()))

    def weighed(self) -> dict[str, Any]:
        """Claims by their weight; only those of the argument are counted."""
        claims = self.ledger.claims.items()
        weights = {weight: [(name, one) for name, one in claims if one.weight == weight] for weight in get_args(Weight)}
        counts = Counter(claim.verdict for _, claim in weights["argument"])
        return {
            "members": weights["argument"],
            "details": weights["detail"],
            "caveats": weights["caveat"],
            "counts": counts,
        }

    def knob(self) -> Markup:
        return self._series("knob")

    def wall(self) -> Markup:
        return self._series("wall")

    def catalogue(self) -> Markup:
        chosen = self.site.page.catalogue

        def treatments(sub: SubCategory, chosen: Catalogue) -> list[Shown] | None:
            if not sub.treatment:
                return None
            place = (chosen.exhibit, chosen.picture, sub.id)
            return [self.treated(*place, severity, chosen.seed) for severity in chosen.severities]

        def make() -> str:
            if chosen is None:
                self.wrong("there is no catalogue: declare [catalogue] in content/page.toml, or leave out the call")
                return ""
            groups = [
                (category, [(sub, treatments(sub, chosen)) for sub in category.sub_categories])
                for category in self.site.taxonomy.categories
            ]
            photograph = {"exhibit_id": chosen.exhibit, "picture_id": chosen.picture}
            return self.part("catalogue", **photograph, severities=chosen.severities, seed=chosen.seed, groups=groups)

        return self._piece("catalogue", "", make)

    def downloads(self) -> Markup:
        url = self.at.url

        def make() -> str:
            files = [
                ("The whole ledger", url("data/ledger.json"), "JSON"),
                ("Its schema", url("data/ledger.schema.json"), "JSON Schema"),
                ("Every value with its source", url("data/values.html"), "HTML"),
                ("Citation", url(f"data/{self.site.page.citation_key}.bib"), "BibTeX"),
            ]
            for name, table in self.ledger.tables.items():
                files += [(table.title, url(f"data/tables/{name}.{form}"), form.upper()) for form in ("csv", "json")]
            return self.part("downloads", files=files)

        return self._piece("downloads", "", make)

    def bibtex(self) -> Markup:
        from pages.rendering.downloads import bibtex

        return self._piece("bibtex", "", lambda: self.part("bibtex", text=bibtex(self.site.page)))

    def runs(self) -> Markup:
        return self._piece("runs", "", lambda: self.part("runs", members=list(self.ledger.runs.items())))

    def rights(self) -> Markup:
        from pages.rendering.rights import rights

        groups = rights(self.site)
        return self.placed("rights", lambda: self.part("rights", groups=groups) if groups else "")

    def _series(self, name: str) -> Markup:
        def make() -> str:
            members = self._members(name)
            if not members:
                self.wrong(f"no exhibit is in the set '{name}': put some into it, or leave out the call")
                return ""
            axes = series.axes(self.site.page, members)
            if name == "knob" and not axes["turned"]:
                self.wrong("no picture of the set 'knob' has an axis with numbers that page.toml names: [axes.NAME]")
                return ""
            return self.part(name, members=members, **axes)

        return self._piece(name, "", make)

    def _members(self, name: str) -> list[tuple[str, Exhibit]]:
        members = [(one, exhibit) for one, exhibit in self.ledger.exhibits.items() if name in exhibit.sets]
        self.record_exhibit_use(one for one, _ in members)
        return members

    def record_exhibit_use(self, exhibits: Iterable[str]) -> None:
        """Note that this page, in this section, shows these exhibits."""
        for exhibit in exhibits:
            if self.section is not None:
                self.record.exhibits_shown.setdefault(exhibit, self.section.id)

    def _one(self, kind: str, name: object, known: Any) -> Any:
        name = str(name)
        if name in known:
            return known[name]
        self.wrong(f"no {kind} '{name}'{did_you_mean(name, known)}")
        return None

    # -- sections ----------------------------------------------------------------------------------------------------

    def section_view(self, section: Section) -> View:
        """The section with its text."""
        self.section, voice = view_of(section, self.at.variant), section.voices[self.at.variant]
        self.texts.voice = voice
        found = mistakes(voice.text)
        self.record.problems += [Problem(voice.file, line, "", message) for line, message in found]
        html = self._text(voice.file)
        view = replace(self.section, html=Markup(html))
        self.section = self.texts.voice = None
        return view

    def _text(self, file: str) -> str:
        """A text as HTML: Jinja first, parts as tokens, then Markdown, then the parts in their places."""
        self.kept, self.in_text = [], True
        text = self.services.render(self.record, [file], self.names())
        self.in_text = False
        prefix = self.section.id if self.section else ""
        html = self._recalled(f"markdown {prefix} {digest(text)}", "", lambda: markdown.to_html(text, prefix))
        return markdown.with_parts(html, self.kept)

    def names(self) -> dict[str, Any]:
        at = self.at
        functions: tuple[Callable[..., Any], ...] = (
            at.url, at.absolute, at.exhibit_url, at.value_url, at.claim_url, self.asset, self.link,
            self.card, self.meta, self.social, self.json_ld, self.label, self.has, self.marked, self.is_first,
            self.picture, self.treated, self.plate,
            self.value, self.percent, self.table, self.chart, self.exhibit, self.exhibits,
            self.claim, self.claims, self.verdicts, self.audit, self.knob, self.wall, self.catalogue,
            self.downloads, self.bibtex, self.runs, self.rights,
        )  # fmt: skip
        return {
            **{function.__name__: function for function in functions},
            **self.texts.names(),
            "show": ledger.show,
            "variant": at.variant,
            "other": at.other,
            "here": at.here,
            "twin": at.twin,
            "canonical": at.canonical,
            "page": self.site.page,
            "taxonomy": self.site.taxonomy,
            "ledger": self.ledger,
            "section": self.section,
            "called": self.site.called,
            "drawing": self.site.drawing,
        }
