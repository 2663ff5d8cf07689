"""Templates + ledger -> pages. Jinja with StrictUndefined and autoescape; Markdown by the `markdown` package.

Every page sees these names (everything from the ledger is escaped where it is printed):

  variant, other      "clean" or "distorted", and the other one ("clean" on the pages that have no variant)
  here, twin          address of this page below site/, and of the same place in the other variant
  canonical           address below site/ of the page that search engines should keep: the clean one
  page                content/page.toml (pages.load.Page)
  sections            in order: id, number, title, nav, lead, badge, severity, seed, note, html (html on index pages)
  taxonomy, ledger    effects.taxonomy.Taxonomy and ledger.Ledger
  url(path)           relative link to `path` below site/
  asset(path)         the same for templates/static/path, which is published with its hash in the name
  absolute(path)      address with page.address before it, for canonical links and cards
  marked(text)        a claim's sentence_marked, because_marked or in_miniature_because_marked, numbers as value(id)
  has(id), show(value)         whether the ledger has the value `id`; a Value as it is printed
  label(id)           label of a taxonomy sub-category
  exhibit_url(id), value_url(id), claim_url(id)
  picture(exhibit, picture=None)     `Shown`: state, sources [(type, srcset)], src, width, height, alt, label, full
  treated(exhibit, picture, treatment, severity, seed)     the same treated; `untreated` links to the picture as filed
  plate(name)         `Shown` of a plate of pages/plates.py (state "absent" when there is none of that name)
  card(exhibit=None)  absolute address of the social card of the page, or of an exhibit's own picture
  meta(), social(exhibit=None), json_ld(exhibit=None)      [(name, content)] of Highwire and OpenGraph tags; JSON-LD

and, on their pages: `exhibit_id`, `exhibit`, `previous`, `next`, `home` (exhibits); `groups` [Group] (the list of all
numbers, data/values.html) and `group`, `entries` [(id, value)] (the pages of that list, data/values/GROUP.html).

Authors' functions - each renders templates/parts/NAME.html, or templates/VARIANT/parts/NAME.html where that exists -
also work in templates. Inside a part their arguments are variables, and `section` is the section being rendered:

  value(id)                    id, value, text          inline
  link(key)                    no part: the address
  table(id, columns=None)      id, table, columns, rows
  chart(id)                    id, chart (title, description, svg)     nothing when the ledger lacks its values
  exhibit(id)                  exhibit_id, exhibit
  exhibits(set)                set, members [(id, exhibit)]
  claim(id) / claims(section)  claim_id, claim / section_id, members [(id, claim)]
  audit()                      members [(id, claim)], counts {verdict: number}
  knob() wall()                members [(id, exhibit)] of the sets "knob" and "wall"
  catalogue()                  exhibit_id, picture_id, severities, seed, groups [(category, [(sub, [Shown] or None)])]
  downloads() bibtex() runs() announcements()     files [(label, address, note)] / text / members / -
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import jinja2
from markupsafe import Markup, escape

from ledger.problems import InputError, Problem, did_you_mean, relative
from pages import metadata, tracing
from pages.load import VARIANTS, Section, Site, Variant
from pages.pictures import FOLDERS, code_digest, read_json, write_whole

if TYPE_CHECKING:
    from ledger import Ledger
    from ledger.schema import Exhibit, Picture
    from pages.pictures import PictureBook, Plate, Rendition

TOKEN = re.compile("\ue000([0-9]+)\ue001")
ALONE = re.compile("<p>\\s*\ue000([0-9]+)\ue001\\s*</p>")
EXTENSIONS = ["tables", "attr_list", "md_in_html", "sane_lists", "def_list"]


@dataclass(frozen=True)
class Shown:
    """A picture as a template shows it. `state` is "here", or one for which a wall label stands in: "unverified"
    (remote, never fetched), "pinned" (fetched once, not on this machine), "absent"."""

    state: str
    alt: str = ""
    label: str = ""
    sources: tuple[tuple[str, str], ...] = ()
    src: str = ""
    width: int = 0
    height: int = 0
    full: str = ""
    untreated: str = ""
    treatment: str = ""
    severity: float = 0.0
    seed: int = 0
    as_filed: bool = False


@dataclass(frozen=True)
class View:
    """A section in one variant."""

    id: str
    number: int
    title: str
    nav: str
    lead: str
    badge: tuple[str, ...]
    severity: float
    seed: int
    note: str
    html: Markup = Markup("")  # noqa: RUF009 - immutable


@dataclass(frozen=True)
class Group:
    """Values that share a page of the list of all numbers: those of a table, or those of an exhibit."""

    id: str
    title: str
    ids: tuple[str, ...]
    of_exhibit: bool


@dataclass
class Renderer:
    """Renders one site. `problems` grows while pages are rendered; `notes` is for the build log."""

    site: Site
    book: PictureBook
    assets: dict[str, str] = field(default_factory=dict)  # path below templates/static -> address below site/
    remote: dict[str, str] = field(default_factory=dict)  # "exhibit/picture" -> fetched file below the root
    pinned: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    plates: dict[str, Plate] = field(default_factory=dict)
    homes: dict[str, str] = field(default_factory=dict)  # exhibit -> id of the section that shows it

    def __post_init__(self) -> None:
        root = self.site.root
        cache = root / ".cache/jinja"
        cache.mkdir(parents=True, exist_ok=True)
        self.env = jinja2.Environment(
            loader=jinja2.ChoiceLoader(
                [jinja2.FileSystemLoader(root / "templates"), jinja2.FunctionLoader(self._written)]
            ),
            undefined=jinja2.StrictUndefined,
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            bytecode_cache=jinja2.FileSystemBytecodeCache(str(cache)),
        )
        self.digests = tracing.Digests(self.site.ledger)
        self.value_html: dict[tuple[str, str, str], Markup] = {}
        self.markdown: dict[str, str] = {}  # digest of expanded Markdown -> HTML
        self.common = self._common()
        self.cache_file = root / ".cache/rendered.json"
        known = read_json(self.cache_file)
        self.units: dict[str, Any] = known.get("units", {}) if known.get("common") == self.common else {}
        self.fresh: dict[str, Any] = {}

    def _common(self) -> str:
        """Digest of what every page depends on: code, templates, assets, page.toml, headers of sections, taxonomy."""
        here, templates = Path(__file__).parents[1], self.site.root / "templates"
        code = [code_digest(here / package) for package in ("pages", "ledger", "effects")]
        texts = [path.read_text(encoding="utf-8", errors="replace") for path in sorted(templates.rglob("*.html"))]
        names = [str(path.relative_to(templates)) for path in sorted(templates.rglob("*.html"))]
        headers = [replace(section, voices={}) for section in self.site.sections]
        voices = [(v.title, v.nav, v.lead) for section in self.site.sections for v in section.voices.values()]
        software = [sys.version, jinja2.__version__, version("markdown")]
        page, taxonomy = self.site.page, self.site.taxonomy
        return tracing.digest([code, texts, names, headers, voices, page, taxonomy, self.assets, software])

    def cached(self, key: str, scope: Scope, arguments: object, make: Callable[[], str]) -> str:
        """`make()`, or what it gave before if nothing that it read has changed since."""
        asked, unit, works = tracing.digest(arguments), self.units.get(key), len(self.book.work)
        if (
            unit
            and unit["arguments"] == asked
            and all(scope.replay(tuple(read)) == was for *read, was in unit["reads"])
        ):
            self.fresh[key] = unit
            scope.reads |= {tuple(read): was for *read, was in unit["reads"]}
            for exhibit in unit["shows"]:
                scope.shown(exhibit)
            self.notes += unit["notes"]
            return str(unit["html"])
        while len(self.book.work) > works:  # pictures that only the outdated page asked for
            self.book.work.popitem()
        problems, notes = len(self.problems), len(self.notes)
        outer, scope.reads, scope.shows = (scope.reads, scope.shows), {}, []
        html = make()
        if len(self.problems) == problems:
            reads = [[*read, was or self.digests(read)] for read, was in scope.reads.items()]
            self.fresh[key] = {
                "arguments": asked, "reads": reads, "html": html, "shows": scope.shows, "notes": self.notes[notes:]
            }  # fmt: skip
        scope.reads, scope.shows = {**outer[0], **scope.reads}, [*outer[1], *scope.shows]
        return html

    def save(self) -> None:
        """Keep what was rendered for the next build."""
        if self.fresh != self.units:
            content = {"common": self.common, "units": self.fresh}
            write_whole(self.cache_file, json.dumps(content, ensure_ascii=False).encode(errors="surrogatepass"))

    def _written(self, name: str) -> tuple[str, str, Callable[[], bool]] | None:
        """Loader of section texts, `content/sections/...`."""
        for section in self.site.sections:
            for voice in section.voices.values():
                if name == voice.file:
                    return voice.text, str(self.site.root / name), lambda: True
        return None

    # -- pages -------------------------------------------------------------------------------------------------------

    def pages(self) -> Iterator[tuple[str, str]]:
        """(address below site/, HTML) of every page of both variants and of the pages around them."""
        for variant in VARIANTS:
            yield from self._variant(variant)
        for name in ("index.html", "404.html"):
            template = "door.html" if name == "index.html" else name
            yield name, self._page(template, Scope(self, "clean", name))
        yield from self._values()

    def _values(self) -> Iterator[tuple[str, str]]:
        """The list of all numbers: a page a group, so that looking one up fetches little, and the list of groups."""
        found = groups(self.site.ledger)
        for group in found:
            here = f"data/values/{group.id}.html"
            scope = Scope(self, "clean", here)

            def page(scope: Scope = scope, group: Group = group) -> str:
                entries = [(name, scope.ledger.value(name)) for name in group.ids]
                return self._page("values-group.html", scope, group=group, entries=entries)

            yield here, self.cached(here, scope, group, page)
        yield "data/values.html", self._page("values.html", Scope(self, "clean", "data/values.html"), groups=found)

    def _variant(self, variant: Variant) -> Iterator[tuple[str, str]]:
        here = f"{variant}/index.html"
        scope = Scope(self, variant, here)
        views = [scope.section_view(section) for section in self.site.sections]
        yield here, self._page(f"{variant}/index.html", scope, sections=views)
        bare = [scope.header_view(section) for section in self.site.sections]
        exhibits = list(self.site.ledger.exhibits.items())
        for number, (name, exhibit) in enumerate(exhibits):
            here = f"{variant}/exhibit/{name}.html"
            home = next((view for view in bare if view.id == self.homes.get(name)), None)
            beside = {
                "exhibit_id": name,
                "home": home,
                "previous": exhibits[number - 1][0] if number else None,
                "next": exhibits[number + 1][0] if number + 1 < len(exhibits) else None,
            }
            one = Scope(self, variant, here, home)

            def page(one: Scope = one, exhibit: Exhibit = exhibit, beside: dict[str, Any] = beside) -> str:
                one.reads["item", "exhibits", beside["exhibit_id"]] = ""
                return self._page(f"{variant}/exhibit.html", one, sections=bare, exhibit=exhibit, **beside)

            yield here, self.cached(here, one, beside, page)

    def _page(self, template: str, scope: Scope, **names: Any) -> str:
        sections = [scope.header_view(section) for section in self.site.sections] if "sections" not in names else []
        return self.render(template, {"sections": sections, **scope.names(), **names}) + "\n"

    def render(self, template: str, names: dict[str, Any]) -> str:
        """One template; a mistake in it becomes a Problem with the template's file and line."""
        try:
            return self.env.get_template(template).render(names)
        except jinja2.TemplateSyntaxError as error:
            self.problems.append(Problem(_file(error.name), error.lineno, "", error.message or "syntax error"))
        except jinja2.TemplateNotFound as error:
            self.problems.append(Problem(_file(template), 0, "", f"no such template '{error.name}'"))
        except Exception as error:  # whatever a text makes Python do is named at its line
            file, line, deeper = _where(error.__traceback__, self.site.root)
            self.problems.append(Problem(file or _file(template), line, "", f"{type(error).__name__}: {error}{deeper}"))
        return ""

    def wrong(self, message: str) -> None:
        """Record a defect at the template line that is being executed."""
        frame = sys._getframe(1)
        stack: Any = frame
        while stack is not None:
            template = stack.f_globals.get("__jinja_template__")
            if template is not None:
                self.problems.append(
                    Problem(_file(template.name), template.get_corresponding_lineno(stack.f_lineno), "", message)
                )
                return
            stack = stack.f_back
        self.problems.append(Problem("templates", 0, "", message))

    def to_html(self, text: str) -> str:
        """Markdown -> HTML; tokens of private-use characters pass through."""
        key = hashlib.sha256(text.encode()).hexdigest()
        if key not in self.markdown:
            import markdown

            self.markdown[key] = markdown.markdown(text, extensions=EXTENSIONS, output_format="html")
        return self.markdown[key]


class Scope:
    """The names that one page sees: everything that depends on where the page stands."""

    def __init__(self, renderer: Renderer, variant: Variant, here: str, section: View | None = None) -> None:
        self.r, self.variant, self.here, self.section = renderer, variant, here, section
        self.site = renderer.site
        self.ledger: Any = tracing.Traced(renderer.site.ledger, self._read)
        self.reads: dict[tracing.Read, str] = {}  # what was looked up; the digest where it is not the ledger's
        self.shows: list[str] = []
        self.up = urlsplit(self.site.page.address).path if here == "404.html" else "../" * here.count("/")
        self.folder = posixpath.dirname(here)
        self.kept: list[str] = []
        self.in_text = False

    def _read(self, read: tracing.Read) -> None:
        self.reads.setdefault(read, "")

    def replay(self, read: tracing.Read) -> str:
        """The digest that looking up `read` again gives."""
        match read:
            case ("picture", exhibit, picture, treatment, severity, seed):
                return tracing.digest(self._show(exhibit, picture, treatment, float(severity), int(seed)))
            case ("plate", name):
                return tracing.digest(self._plate(name))
            case ("card", exhibit):
                return tracing.digest(self._card(exhibit))
            case _:
                return self.r.digests(read)

    # -- addresses ---------------------------------------------------------------------------------------------------

    def url(self, path: str) -> str:
        target, hash_mark, anchor = path.partition("#")
        if target == self.here and anchor:
            return "#" + anchor
        if self.here == "404.html" and self.site.page.address:  # hosts serve it for addresses at any depth
            return urlsplit(self.site.page.address).path + path
        return _relative(target, self.folder) + hash_mark + anchor

    def asset(self, path: str) -> str:
        if path not in self.r.assets:
            self.r.wrong(f"no such asset '{path}'{did_you_mean(path, self.r.assets)}")
            return ""
        return self.url(self.r.assets[path])

    def absolute(self, path: str) -> str:
        path = path.removesuffix("index.html") if path.endswith("/index.html") or path == "index.html" else path
        return self.site.page.address + path

    def link(self, key: str) -> str:
        if key not in self.site.page.links:
            self.r.wrong(f"no link '{key}' in content/page.toml{did_you_mean(key, self.site.page.links)}")
            return ""
        return self.site.page.links[key].url

    def exhibit_url(self, name: str) -> str:
        return self.url(f"{self.variant}/exhibit/{name}.html")

    def value_url(self, name: str) -> str:
        return self.url(f"data/values/{group_of(name)}.html#{name}")

    def claim_url(self, name: str) -> str:
        return self.url(f"{self.variant}/index.html#claim-{name}")

    @property
    def twin(self) -> str:
        other = "distorted" if self.variant == "clean" else "clean"
        inside = self.here.startswith(f"{self.variant}/")
        return self.here.replace(f"{self.variant}/", f"{other}/", 1) if inside else f"{other}/index.html"

    def card(self, exhibit: str | None = None) -> str:
        """Absolute address of an exhibit's first picture that is at hand, else of the card of the page."""
        address = self._card(exhibit or "")
        self.reads["card", exhibit or ""] = tracing.digest(address)
        return address

    def _card(self, exhibit: str) -> str:
        for picture in self.ledger.exhibits[exhibit].pictures if exhibit else ():
            file = file_of(picture, exhibit, self.site.root, self.r.remote)
            if file is not None:
                try:
                    return self.absolute(self.r.book.file(file).src)
                except (OSError, ValueError):
                    break
        plate = self.r.plates.get("card")
        return self.absolute(self.r.book.plate(plate).src) if plate else ""

    def meta(self) -> list[tuple[str, str]]:
        return metadata.highwire(self.site.page)

    def social(self, exhibit: str | None = None) -> list[tuple[str, str]]:
        one = self.ledger.exhibits[exhibit] if exhibit else None
        return metadata.social(self.site.page, self.absolute(self.canonical), self.card(exhibit), one)

    def json_ld(self, exhibit: str | None = None) -> Markup:
        one = self.ledger.exhibits[exhibit] if exhibit else None
        return metadata.json_ld(self.site.page, self.absolute(self.canonical), one)

    @property
    def canonical(self) -> str:
        """The clean page is the one that search engines should keep."""
        return self.here.replace("distorted/", "clean/", 1) if self.here.startswith("distorted/") else self.here

    def label(self, name: str) -> str:
        for category in self.site.taxonomy.categories:
            for sub in category.sub_categories:
                if sub.id == name:
                    return str(sub.label)
        return name.replace("_", " ")

    # -- pictures ----------------------------------------------------------------------------------------------------

    def picture(self, exhibit: str, picture: str | None = None) -> Shown:
        return self._seen(exhibit, picture, "", 0.0, 0)

    def treated(self, exhibit: str, picture: str | None, treatment: str, severity: float, seed: int = 1) -> Shown:
        return self._seen(exhibit, picture, treatment, severity, seed)

    def _seen(self, exhibit: str, picture: str | None, treatment: str, severity: float, seed: int) -> Shown:
        shown = self._show(exhibit, picture or "", treatment, severity, seed)
        self.reads["picture", exhibit, picture or "", treatment, repr(severity), str(seed)] = tracing.digest(shown)
        return shown

    def _show(self, exhibit: str, picture: str, treatment: str, severity: float, seed: int) -> Shown:
        """The picture as it is, or treated where `treatment` names one."""
        found = self._picture(exhibit, picture or None)
        if found is None:
            return Shown("absent")
        one, file = found
        if file is None:
            pinned = f"{exhibit}/{one.id}" in self.r.pinned
            return Shown("pinned" if pinned else "unverified" if one.remote else "absent", one.alt, one.label)
        try:
            plain = self._from(self.r.book.file(file), one.alt, one.label)
            if not treatment:
                return plain
            made = self._from(self.r.book.treated(file, treatment, severity, seed), one.alt, one.label)
        except (OSError, ValueError):
            return Shown("absent", one.alt, one.label)  # already a Problem: pages.build inspects every picture
        made = replace(made, treatment=treatment, severity=severity, seed=seed)
        return replace(made, untreated=plain.full, as_filed=False)

    def plate(self, name: str) -> Shown:
        shown = self._plate(name)
        self.reads["plate", name] = tracing.digest(shown)
        return shown

    def _plate(self, name: str) -> Shown:
        plate = self.r.plates.get(name)
        if plate is None:
            return Shown("absent")
        try:
            rendition = self.r.book.plate(plate)
        except (OSError, ValueError) as error:
            self.r.problems.append(Problem("pages/plates.py", 0, name, str(error)))
            return Shown("absent")
        return self._from(rendition, plate.alt, plate.name)

    def _picture(self, exhibit: str, picture: str | None) -> tuple[Picture, str | None] | None:
        known = self.ledger.exhibits
        if exhibit not in known:
            self.r.wrong(f"no exhibit '{exhibit}'{did_you_mean(exhibit, known)}")
            return None
        pictures = {one.id: one for one in known[exhibit].pictures}
        one = pictures.get(picture) if picture is not None else known[exhibit].pictures[0]
        if one is None:
            self.r.wrong(f"exhibit '{exhibit}' has no picture '{picture}'{did_you_mean(picture or '', pictures)}")
            return None
        return one, file_of(one, exhibit, self.site.root, self.r.remote)

    def _from(self, made: Rendition, alt: str, label: str) -> Shown:
        return Shown(
            "here",
            alt,
            label,
            tuple((kind, srcset.replace("{root}", self.up)) for kind, srcset in made.sources),
            self.url(made.src),
            made.width,
            made.height,
            self.url(made.full),
            as_filed=made.bytes_as_filed,
        )

    # -- authors' functions ------------------------------------------------------------------------------------------

    def part(self, name: str, **names: Any) -> Markup:
        """templates/VARIANT/parts/NAME.html or templates/parts/NAME.html; a token for it while Markdown is written."""
        before, self.in_text = self.in_text, False
        choices = [f"{self.variant}/parts/{name}.html", f"parts/{name}.html"]
        template = self.r.env.select_template(choices)
        html = Markup(self.r.render(template.name or "", {**self.names(), **names}).strip())
        self.in_text = before
        return self._keep(Markup(f"<!--part {name}-->{html}<!--/part-->") if before else html)

    def _keep(self, html: Markup) -> Markup:
        """The HTML itself in a template, a token for it in a text."""
        if not self.in_text:
            return html
        self.kept.append(html)
        return Markup(f"\ue000{len(self.kept) - 1}\ue001")

    def value(self, name: str) -> Markup:
        import ledger

        try:
            value = self.ledger.value(name)
        except KeyError as error:
            self.r.wrong(str(error.args[0]))
            return Markup("?")
        place = (self.folder, self.variant, name)
        if place not in self.r.value_html:  # this part sees what is the same for all pages of a folder, nothing else
            names = {"id": name, "value": value, "text": ledger.show(value), "value_url": self.value_url}
            names |= {"show": ledger.show, "variant": self.variant, "page": self.site.page}
            self.r.value_html[place] = Markup(self.r.render("parts/value.html", names).strip())
        return self._keep(self.r.value_html[place])

    def has(self, name: str) -> bool:
        try:
            self.ledger.value(name)
        except KeyError:
            return False
        return True

    def marked(self, text: str) -> Markup:
        """A claim's `*_marked` text: every `{value id}` in it becomes that value, the rest is escaped."""
        parts = re.split(r"\{([a-z0-9][a-z0-9_.-]*)\}", text)
        return Markup("").join(self.value(part) if index % 2 else escape(part) for index, part in enumerate(parts))

    def table(self, name: str, columns: list[str] | None = None, folded: bool = False) -> Markup:
        table = self._one("table", name, self.ledger.tables)
        if table is None:
            return Markup("")
        known = {column.id: column for column in table.columns}
        for column in columns or ():
            if column not in known:
                self.r.wrong(f"table '{name}' has no column '{column}'{did_you_mean(column, known)}")
        chosen = [known[c] for c in columns if c in known] if columns else list(table.columns)
        return self.part("table", id=name, table=table, columns=chosen, rows=table.rows, folded=folded)

    def chart(self, name: str) -> Markup:
        from pages import charts

        if name not in charts.CHARTS:
            self.r.wrong(f"no chart '{name}'{did_you_mean(name, charts.CHARTS)}")
            return Markup("")
        chart = charts.draw(name, self.ledger)
        if chart is None:
            self.r.notes.append(f"chart '{name}' is not drawn: the ledger has none of its values")
            return Markup("")
        return self.part("chart", id=name, chart=chart)

    def exhibit(self, name: str) -> Markup:
        exhibit = self._one("exhibit", name, self.ledger.exhibits)
        if exhibit is None:
            return Markup("")
        self.shown(name)
        key = f"{self.here}#{self.section.id if self.section else ''}#{name}"
        in_text, self.in_text = self.in_text, False
        html = self.r.cached(key, self, name, lambda: self.part("exhibit", exhibit_id=name, exhibit=exhibit))
        self.in_text = in_text
        return self._keep(Markup(f"<!--part exhibit-->{html}<!--/part-->") if in_text else Markup(html))

    def exhibits(self, name: str) -> Markup:
        members = self._members(name)
        if not members:
            known = {one for exhibit in self.ledger.exhibits.values() for one in exhibit.sets}
            self.r.wrong(f"no exhibit is in the set '{name}'{did_you_mean(name, known)}")
        return self.part("exhibits", set=name, members=members)

    def claim(self, name: str) -> Markup:
        claim = self._one("claim", name, self.ledger.claims)
        return Markup("") if claim is None else self.part("claim", claim_id=name, claim=claim)

    def claims(self, section: str) -> Markup:
        known = {one.id for one in self.site.sections}
        if section not in known:
            self.r.wrong(f"no section '{section}'{did_you_mean(section, known)}")
        members = [(name, claim) for name, claim in self.ledger.claims.items() if claim.section == section]
        return self.part("claims", section_id=section, members=members)

    def audit(self) -> Markup:
        members = list(self.ledger.claims.items())
        counts: dict[str, int] = {}
        for _, claim in members:
            counts[claim.verdict] = counts.get(claim.verdict, 0) + 1
        return self.part("audit", members=members, counts=counts)

    def knob(self) -> Markup:
        return self._optional_set("knob")

    def wall(self) -> Markup:
        return self._optional_set("wall")

    def catalogue(self) -> Markup:
        chosen = self.site.page.catalogue
        if chosen is None:
            self.r.notes.append("the catalogue is not drawn: content/page.toml has no [catalogue]")
            return Markup("")
        groups = []
        for category in self.site.taxonomy.categories:
            entries = []
            for sub in category.sub_categories:
                made = None
                if sub.treatment:
                    made = [
                        self.treated(chosen.exhibit, chosen.picture, sub.id, severity, chosen.seed)
                        for severity in chosen.severities
                    ]
                entries.append((sub, made))
            groups.append((category, entries))
        return self.part(
            "catalogue",
            exhibit_id=chosen.exhibit,
            picture_id=chosen.picture,
            severities=chosen.severities,
            seed=chosen.seed,
            groups=groups,
        )

    def downloads(self) -> Markup:
        files = [
            ("The whole ledger", self.url("data/ledger.json"), "JSON"),
            ("Its schema", self.url("data/ledger.schema.json"), "JSON Schema"),
            ("Every value with its source", self.url("data/values.html"), "HTML"),
            ("Citation", self.url(f"data/{self.site.page.citation_key}.bib"), "BibTeX"),
        ]
        for name, table in self.ledger.tables.items():
            for form in ("csv", "json"):
                files.append((table.title, self.url(f"data/tables/{name}.{form}"), form.upper()))
        return self.part("downloads", files=files)

    def bibtex(self) -> Markup:
        from pages.downloads import bibtex

        return self.part("bibtex", text=bibtex(self.site.page))

    def runs(self) -> Markup:
        return self.part("runs", members=list(self.ledger.runs.items()))

    def announcements(self) -> Markup:
        return self.part("announcements")

    def _optional_set(self, name: str) -> Markup:
        members = self._members(name)
        if not members:
            self.r.notes.append(f"'{name}' is not shown: no exhibit is in that set")
            return Markup("")
        return self.part(name, members=members)

    def _members(self, name: str) -> list[tuple[str, Exhibit]]:
        members = [(one, exhibit) for one, exhibit in self.ledger.exhibits.items() if name in exhibit.sets]
        for one, _ in members:
            self.shown(one)
        return members

    def shown(self, exhibit: str) -> None:
        """Note that this page, in this section, shows an exhibit."""
        self.shows.append(exhibit)
        if self.section is not None:
            self.r.homes.setdefault(exhibit, self.section.id)

    def _one(self, kind: str, name: object, known: Any) -> Any:
        name = str(name)
        if name in known:
            return known[name]
        self.r.wrong(f"no {kind} '{name}'{did_you_mean(name, known)}")
        return None

    # -- sections ----------------------------------------------------------------------------------------------------

    def header_view(self, section: Section) -> View:
        voice = section.voices[self.variant]
        return View(
            section.id,
            section.number,
            voice.title,
            voice.nav,
            voice.lead,
            section.badge,
            section.severity,
            section.seed,
            section.note,
        )

    def section_view(self, section: Section) -> View:
        """The section with its text."""
        self.section = self.header_view(section)
        voice = section.voices[self.variant]
        html = self.r.cached(
            f"{self.here}#{section.id}", self, [voice.text, voice.file], lambda: self._text(voice.file)
        )
        view = replace(self.section, html=Markup(html))
        self.section = None
        return view

    def _text(self, file: str) -> str:
        """A text as HTML: Jinja first, parts as tokens, then Markdown, then the parts in their places."""
        self.kept, self.in_text = [], True
        text = self.r.render(file, self.names())
        self.in_text = False
        html, kept = self.r.to_html(text), dict(enumerate(self.kept))
        for pattern in (ALONE, TOKEN):
            html = pattern.sub(lambda match: kept.get(int(match[1]), ""), html)
        return html

    def names(self) -> dict[str, Any]:
        import ledger

        functions: tuple[Callable[..., Any], ...] = (
            self.url, self.asset, self.absolute, self.link, self.exhibit_url, self.value_url, self.claim_url,
            self.card, self.meta, self.social, self.json_ld, self.label, self.has, self.marked,
            self.picture, self.treated, self.plate,
            self.value, self.table, self.chart, self.exhibit, self.exhibits, self.claim, self.claims, self.audit,
            self.knob, self.wall, self.catalogue, self.downloads, self.bibtex, self.runs, self.announcements,
        )  # fmt: skip
        return {
            **{function.__name__: function for function in functions},
            "show": ledger.show,
            "variant": self.variant,
            "other": "distorted" if self.variant == "clean" else "clean",
            "here": self.here,
            "twin": self.twin,
            "canonical": self.canonical,
            "page": self.site.page,
            "taxonomy": self.site.taxonomy,
            "ledger": self.ledger,
            "section": self.section,
        }


def group_of(name: str) -> str:
    """The page of the list of all numbers that a value stands on, told from its id alone so that links stay."""
    first, _, rest = name.partition(".")
    return f"{first}.{rest.partition('.')[0]}" if first == "exhibits" else first


def groups(known: Ledger) -> list[Group]:
    """Every group with the ids of its values, tables before exhibits, each in order of ids."""
    members: dict[str, list[str]] = {}
    for name in sorted(known.ids()):
        members.setdefault(group_of(name), []).append(name)
    found = []
    for group, names in members.items():
        exhibit = known.exhibits.get(group.removeprefix("exhibits.")) if group.startswith("exhibits.") else None
        table = known.tables.get(group)
        title = exhibit.title if exhibit else table.title if table else group.replace("_", " ").capitalize()
        found.append(Group(group, title, tuple(names), exhibit is not None))
    return sorted(found, key=lambda group: group.of_exhibit)


@cache
def _relative(target: str, folder: str) -> str:
    return posixpath.relpath(target, folder or ".")


def file_of(picture: Picture, exhibit: str, root: Path, remote: dict[str, str]) -> str | None:
    """Path below the root of a picture's file: in results/pictures/ or content/pictures/, or what `fetch` brought."""
    if picture.file is None:
        return remote.get(f"{exhibit}/{picture.id}")
    folders = tuple(f"{folder}/" for folder in FOLDERS)
    if picture.file.startswith(folders):
        return picture.file
    return next(
        (folder + picture.file for folder in folders if (root / folder / picture.file).exists()),
        folders[0] + picture.file,
    )


def render(renderer: Renderer) -> dict[str, bytes]:
    """Every page of the site. InputError when a template or a text is wrong, with all defects."""
    made = {here: html.encode() for here, html in renderer.pages()}
    if renderer.problems:
        raise InputError(renderer.problems)
    return made


def _file(name: str | None) -> str:
    return name if name and name.startswith("content/") else f"templates/{name}"


def _where(trace: TracebackType | None, root: Path) -> tuple[str, int, str]:
    """File and line of the innermost template of a traceback, and where in our code below it the error arose."""
    place, deeper = ("", 0), ""
    while trace is not None:
        names, file = trace.tb_frame.f_globals, Path(trace.tb_frame.f_code.co_filename)
        if "__jinja_exception__" in names or "__jinja_template__" in names:
            place, deeper = (relative(file, root), trace.tb_lineno), ""
        elif file.parent == Path(__file__).parent:
            deeper = f" (raised in pages/{file.name}:{trace.tb_lineno})"
        trace = trace.tb_next
    return *place, deeper if place[0] else ""
