"""The configuration of a page, as pydantic models: content/page.toml, section.toml and charts.toml.

Unknown keys are errors; links are http(s) or mailto. Annotations are not postponed: pydantic would compile each by
itself.
"""

import datetime
import re
import unicodedata
from typing import Annotated, Literal, Self
from urllib.parse import quote, urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    RootModel,
    StringConstraints,
    field_validator,
    model_validator,
)

from ledger.problems import form

Variant = Literal["clean", "distorted"]
VARIANTS: tuple[Variant, Variant] = ("clean", "distorted")
SAFE_SCHEMES = ("https://", "http://", "mailto:")
SceneName = Literal[
    "none", "opening_page", "wall", "dial", "typed", "drawing", "figures", "contact_sheet", "gloss", "struck_out",
    "tray", "snapshots", "verdicts", "far_away", "carbon",
]  # fmt: skip
Layout = Literal["level", "small", "wide", "narrow"]
Severity = Annotated[float, Field(ge=0, le=1)]

# Forms of texts, and what is said of a text that has another one.
ORCID = form(
    r"^((https?://orcid\.org/)?\d{4}-\d{4}-\d{4}-\d{3}[\dX])?$", "is no ORCID: write it as 0000-0002-1825-0097"
)
DATE = form(r"^(\d{4}(/\d{2}(/\d{2})?)?)?$", "is no date: write 2026, 2026-05 or 2026-05-01")
ARXIV = form(
    r"^(\d{4}\.\d{4,5}(v\d+)?|[a-z-]+(\.[A-Z]{2})?/\d{7}(v\d+)?)?$", "is no arXiv number: write it as 2601.00001"
)
LANGUAGE = form(r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$", "is no language tag: write en, de, pt-BR or zh-Hans")
KEY = form(r"^[a-z0-9-]*$", "is no key: lower-case letters, digits and hyphens")
CITATION_KEY = form(r"^[A-Za-z0-9:_-]+$", "is no key for BibTeX here: letters, digits, ':', '_' and '-'")
VIDEO = form(r"^(.+\.(mp4|webm))?$", "is no video for browsers: a file of content/files/ that ends in .mp4 or .webm")
POSTER = form(r"^(.+\.(jpg|jpeg|png|webp|avif))?$", "is no picture: a file of content/files/, such as poster.jpg")
SECTION = form(r"^[a-z][a-z0-9-]*$", "is no id of a section: lower-case letters, digits and hyphens, a letter first")
CELLS = form(r"^[a-z0-9_-]+\.[^\s]+\.(\*|[a-z0-9_]+)$", "names no cells: write table.row.column, with * for every one")
CHART = form(r"^[a-z][a-z0-9_-]*$", "is no name of a chart: lower-case letters, digits, '-' and '_', a letter first")


def absolute(address: str) -> str:
    """The address of a site in plain letters, ending in a slash. ValueError when it is none."""
    parts = urlsplit(address)
    host = parts.hostname or ""
    if parts.scheme not in ("https", "http") or not all(host.removesuffix(".").split(".")):
        raise ValueError("must start with https:// or http:// and name a host")
    if "?" in address or "#" in address or re.search(r"[\s<>\"'\\]", address):
        raise ValueError("must be a plain address, without ?, #, \\, quotes and spaces")
    if "@" in parts.netloc:
        raise ValueError("must not hold a user or a password: every page would show them")
    host = f"[{host}]" if ":" in host else ".".join(map(_plain_label, host.split(".")))
    port = "" if parts.port is None else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}{quote(parts.path, safe='/%:@!$&()*+,;=~').rstrip('/')}/"


def _plain_label(label: str) -> str:
    """A part of the name of a host as name servers, sitemaps and cards know it."""
    label = unicodedata.normalize("NFC", label)
    return label if label.isascii() else f"xn--{label.encode('punycode').decode()}"


class Written(BaseModel):
    """What people write: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Linked(Written):
    """Something that may carry an address; `javascript:` and its kin are refused."""

    url: str = ""

    @field_validator("url")
    @classmethod
    def _safe(cls, url: str) -> str:
        if url and not url.startswith(SAFE_SCHEMES):
            raise ValueError(f"'{url[:60]}' is not an http(s) or mailto address")
        return url


class Author(Linked):
    """`url` is a home page; `at` names affiliations."""

    name: str = Field(min_length=1)
    at: list[str] = []
    contact: bool = False
    corresponding: bool = False
    equal: bool = False  # contributed equally with the others who say so
    orcid: str = Field(default="", pattern=ORCID)

    @field_validator("orcid")
    @classmethod
    def _number_alone(cls, orcid: str) -> str:
        return orcid.rpartition("/")[2]


class Link(Linked):
    """A link of the title page; texts refer to one that has a key."""

    key: str = ""
    label: str = Field(min_length=1)
    url: str = Field(min_length=1)


class Announcement(Linked):
    name: str
    text: str


class Credit(Linked):
    name: str
    text: str = ""
    licence: str = ""


class Checks(Written):
    """What `check` allows: numbers that prose may type, and budgets in kB."""

    allow: list[str] = []
    first_view_kb: int = Field(default=400, gt=0)
    page_kb: int = Field(default=1500, gt=0)
    picture_kb: int = Field(default=400, gt=0)


class Catalogue(Written):
    """The photograph that the catalogue of treatments shows, and at which severities."""

    exhibit: str
    picture: str = "original"
    severities: list[Severity] = Field(default=[0.2, 0.4, 0.6, 0.8, 1.0], min_length=1)
    seed: int = Field(default=7, ge=0)


class Pictures(Written):
    """How pictures are published: see pages.images.jobs.Codec."""

    widths: tuple[Annotated[int, Field(ge=1, le=16_383)], ...] = Field(default=(360, 720, 1280), min_length=1)
    avif_quality: int = Field(default=60, ge=1, le=100)
    avif_speed: int = Field(default=9, ge=0, le=10)
    fallback_quality: int = Field(default=80, ge=1, le=100)
    max_pixels: int = Field(default=40_000_000, gt=0)


class Treated(Written):
    """Treatments, and how hard and with what seed they are applied in the distorted variant."""

    badge: list[str] = []
    severity: Severity = 0.0
    seed: int = Field(default=1, ge=0)


class Masthead(Treated):
    """The title page of the distorted variant; `stamp` is a word printed on it."""

    badge: list[str] = ["film_artifacts", "exposure_extremes"]
    severity: Severity = 0.6
    stamp: str = ""


class Naming(Written):
    """What a variant is called: "the NAME"; `text` describes it on the entry page."""

    name: str = Field(min_length=1)
    text: str = ""


class Variants(Written):
    clean: Naming = Naming(name="clean copy")
    distorted: Naming = Naming(name="distorted copy")


class Door(Written):
    """The page at the address of the site, where a reader chooses a variant. Treatments with severities."""

    text: str = ""
    treatments: dict[str, Severity] = {"exposure_extremes": 0.6, "analog_degradation": 0.5}
    seed: int = Field(default=1, ge=0)


class Teaser(Written):
    """What is shown below the title: an exhibit, a picture of content/pictures/, or a video of content/files/ with the
    picture that stands for it."""

    exhibit: str = ""
    picture: str = ""
    video: str = Field(default="", pattern=VIDEO)
    poster: str = Field(default="", pattern=POSTER)
    alt: str = ""
    caption: str = ""

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        if [bool(self.exhibit), bool(self.picture), bool(self.video)].count(True) != 1:
            raise ValueError("needs one of exhibit, picture and video")
        if not self.exhibit and not self.alt:
            raise ValueError("needs alt: what it shows, for those who cannot see it")
        if self.poster and not self.video:
            raise ValueError("poster goes with video")
        return self


class Score(Written):
    """What a score beside pictures is called, and what it measures."""

    label: str = Field(min_length=1)
    meaning: str = ""


class Axis(Written):
    """An axis of pictures in a series: with numbers it is turned, with words it is chosen."""

    label: str = Field(min_length=1)
    zero: str = ""  # what stands at 0
    end: float | None = None  # where the slider ends until the reader opens what lies beyond
    beyond: str = ""  # what lies beyond the end
    filter: str = ""  # its label among filters, where that differs
    values: dict[str, str] = {}  # names of its values
    short: dict[str, str] = {}  # the same where there is little room


class Verdicts(Written):
    """How the page speaks of what a judge found in pictures."""

    by: str = "The judge sees"
    nothing: str = "nothing it knows"
    lost: str = "no longer"
    asked: str = "of what was asked"


class Stamp(Written):
    """A word printed on the pictures of a set in the distorted variant, with a score of theirs."""

    set: str
    word: str = Field(min_length=1)
    score: str = ""


class Page(Written):
    """content/page.toml."""

    title: str = Field(min_length=1)
    emphasis: str = ""  # the end of the title that is set apart
    cited_title: str = ""  # as the paper is published, where that differs
    kind: str = ""
    venue: str = ""
    honour: str = ""
    thesis: str = ""
    description: str = Field(min_length=1)
    language: str = Field(default="en", pattern=LANGUAGE)
    direction: Literal["ltr", "rtl"] = "ltr"
    address: str = ""
    key: str = Field(default="", pattern=KEY)  # under which browsers remember choices
    citation_key: str = Field(default="paper", pattern=CITATION_KEY)
    booktitle: str = ""
    year: int = Field(ge=1900, le=2200)
    published: str = Field(default="", pattern=DATE)
    arxiv: str = Field(default="", pattern=ARXIV)
    affiliations: dict[str, str] = {}
    authors: list[Author] = Field(min_length=1)
    links: list[Link] = []
    announcements: list[Announcement] = []
    sponsors: list[Credit] = []
    credits: list[Credit] = []
    variants: Variants = Variants()
    door: Door | Literal[False] = Door()
    masthead: Masthead = Masthead()
    teaser: Teaser | None = None
    stamps: list[Stamp] = []
    highlight: list[str] = []  # kinds of rows that tables and charts set off
    scores: dict[str, Score] = {}
    axes: dict[str, Axis] = {}
    verdicts: Verdicts = Verdicts()
    catalogue: Catalogue | None = None
    pictures: Pictures = Pictures()
    check: Checks = Checks()

    @field_validator("published", mode="before")
    @classmethod
    def _slashes(cls, date: object) -> object:
        """2026-05-01 as well as 2026/05/01, which is Google Scholar's form; TOML has dates of its own."""
        return str(date).replace("-", "/") if isinstance(date, (datetime.date, str)) else date

    @field_validator("address")
    @classmethod
    def _absolute(cls, address: str) -> str:
        return absolute(address) if address else ""

    @property
    def storage(self) -> str:
        """Tells this paper's choices from another's in one browser."""
        return self.key or self.address or self.citation_key

    @property
    def place(self) -> list[str]:
        """Where the paper appeared, of what is known."""
        return [part for part in (self.kind, self.venue) if part]

    def score(self, name: str) -> str:
        """The label of a score."""
        return self.scores[name].label if name in self.scores else name.replace("_", " ")


class VoiceHeader(Written):
    title: str = Field(min_length=1)
    nav: str = Field(min_length=1)
    lead: str = ""


class Scene(Written):
    """What is drawn above a section of the distorted variant: see pages.images.scenes. One without what it needs is the
    opening page."""

    name: SceneName = "opening_page"
    height: int = Field(default=0, ge=0, le=1200)  # 0: the scene's own
    values: list[str] = []
    photographs: str = ""  # a set of exhibits


class SectionHeader(Treated):
    """section.toml."""

    id: str = Field(pattern=SECTION)
    lead: str = ""
    note: str = ""
    opening: bool = False  # part of the first screen
    columns: Literal[1, 2] = 1
    layout: dict[str, Layout] = {}  # set of exhibits -> its arrangement
    first: dict[str, Annotated[int, Field(ge=1)]] = {}  # set of exhibits -> how many of them the section shows
    specimen: str = ""  # an exhibit that cards of treatments show treated
    stamp: str = ""  # a word on an undamaged sheet
    scene: Scene | None = None
    clean: VoiceHeader
    distorted: VoiceHeader | None = None  # without it the titles of the clean variant

    @property
    def drawn(self) -> str:
        """The scene above the section, or nothing. Without a word, what is treated has an opening page."""
        name = self.scene.name if self.scene else "opening_page" if self.badge else "none"
        return "" if name == "none" else name


Cells = Annotated[str, StringConstraints(pattern=CELLS)]


class Rule(Written):
    """A line across a chart, such as chance."""

    at: FiniteFloat
    label: str = Field(min_length=1)


class ChartSpec(Written):
    """One entry of content/charts.toml. Cells are named `table.row.column`; `*` stands for every row or column."""

    type: Literal["dots", "bars", "dumbbells", "curves", "histograms"]
    title: str = Field(min_length=1)
    description: str = Field(min_length=1)
    values: Cells
    beside: Cells | None = None  # dots: a second, open mark on the same row
    change: Cells | None = None  # dumbbells: `values` less this is where a row starts
    start: Cells | None = None  # dumbbells: where a row starts, where no change is known
    interval: Cells | None = None  # dumbbells: the cell whose interval the change has
    across: Cells | None = None  # curves: the position of a point; without it the number in its row's label
    axis: str = ""
    up: str = ""  # curves: name of the upright axis
    domain: tuple[FiniteFloat, FiniteFloat] | None = None
    rules: list[Rule] = []
    group: Literal["", "group", "kind", "row"] = "group"  # rows that stand together
    heads: bool = False  # name each group above its rows
    order: Literal["table", "groups", "descending", "ascending"] = "table"
    highlight: list[str] | None = None  # kinds or ids of rows; without it page.toml's `highlight`
    layout: Literal["", "beside"] = ""  # beside: next to the table that follows

    @model_validator(mode="after")
    def _fits_its_type(self) -> Self:
        if self.type == "dumbbells" and (self.change is None) == (self.start is None):
            raise ValueError("dumbbells need either change or start")
        if self.domain and self.domain[0] >= self.domain[1]:
            raise ValueError("domain needs its lower end first")
        for name, types in CHART_OPTIONS.items():
            if name in self.model_fields_set and self.type not in types:
                raise ValueError(f"{name} is for {' and '.join(types)}, not for {self.type}")
        return self

    @property
    def cells(self) -> dict[str, str]:
        """Field -> pattern of every field that names cells."""
        named = {name: getattr(self, name) for name in ("values", "beside", "change", "start", "interval", "across")}
        return {name: pattern for name, pattern in named.items() if pattern}


ROWS = ("dots", "bars", "dumbbells")
CHART_OPTIONS = {
    **dict.fromkeys(("domain", "rules", "group", "order", "heads", "highlight"), ROWS),
    "beside": ("dots",),
    "change": ("dumbbells",),
    "start": ("dumbbells",),
    "interval": ("dumbbells",),
    "across": ("curves",),
    "up": ("curves",),
}


class Charts(RootModel[dict[Annotated[str, StringConstraints(pattern=CHART)], ChartSpec]]):
    """content/charts.toml."""
