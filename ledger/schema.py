"""The types of the ledger: values, tables, exhibits, claims, runs.

`results/*.json` holds documents of type `Document`; `ledger.load` merges them into one `Ledger`. The JSON Schema of
`Document` is published with the site. Nothing here imports cv2 or torch. Annotations are not postponed: pydantic would
compile each by itself.
"""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, StringConstraints, model_validator

from ledger.problems import ID, form

Id = Annotated[str, StringConstraints(pattern=ID, max_length=200)]  # files are named by it
WORD = form(r"^[a-z][a-z0-9 -]*$", "is no word in lower-case letters")
WEB = form(r"^https?://[^\s<>\"']+$", "is no address: write https://...")
SHA256 = form(r"^[0-9a-f]{64}$", "is no sha256: 64 digits and letters from a to f")
ROWS = form(r"^rows/[a-z0-9][a-z0-9_.-]*\.csv\.gz$", "names no rows: write rows/NAME.csv.gz")
POINTER = form(r"^/", "is no JSON pointer: it begins with /")
Word = Annotated[str, StringConstraints(pattern=WORD)]
Web = Annotated[str, StringConstraints(pattern=WEB)]
Sha256 = Annotated[str, StringConstraints(pattern=SHA256)]


class Strict(BaseModel):
    """Unknown keys are errors; instances do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)  # built once, in what is read with it


class Source(Strict):
    """Where a value comes from. `where` says: reported - the place in the paper or page; recomputed - how, from which
    published scores; measured - the id of the run; pending - why there is no number yet."""

    kind: Literal["reported", "recomputed", "measured", "pending"]
    where: str = Field(min_length=1)
    url: Web | None = None


Statistic = Literal[
    "count", "mean", "share", "quantile", "contrast", "average", "wins", "rank", "place",
    "wilcoxon_p", "rank_biserial", "wilcoxon_r", "mcnemar_p",
    "correlation", "rank_correlation",
    "auroc", "auroc_between", "accuracy", "balanced_accuracy", "f1", "kappa",
]  # fmt: skip
Identifying = Literal["run", "row", "profile", "prompt_set", "prompt", "seed", "kind", "scorer", "label"]


class Selection(Strict):
    """Observations out of a file of rows: one number per picture or pair of pictures (ledger/measures.py)."""

    where: dict[Identifying, tuple[str, ...]] = {}  # column -> accepted texts; `gate*` accepts what begins with gate
    way: str  # of these rows the number
    less: str | None = None  # minus the number of this way, same prompt, seed and scorer
    above: FiniteFloat | None = None  # with one of these three an observation is 1 where it is > above,
    at_least: FiniteFloat | None = None  # >= at_least
    below: FiniteFloat | None = None  # and < below, else 0
    labels: Literal["mean", "sum"] = "mean"  # how the labels of one picture become one number

    @property
    def is_share(self) -> bool:
        return (self.above, self.at_least, self.below) != (None, None, None)


_ONE_SIDED = {"count", "mean", "share", "quantile"}  # statistics of one selection; all others compare two
_PLACES = {"rank", "place"}  # of a mean among the means of other rows, and among numbers from elsewhere
_TESTS = {"wilcoxon_p", "rank_biserial", "wilcoxon_r", "mcnemar_p"}
_WITHOUT_INTERVAL = {*_TESTS, *_PLACES, "count", "quantile"}
_WITH_WILSON = {"share", "average", "wins", "accuracy"}


class Measure(Strict):
    """How a value follows from rows: data that `ledger.measures` and the reader's browser evaluate alike."""

    rows: Annotated[str, StringConstraints(pattern=ROWS)]  # below results/
    statistic: Statistic
    of: Selection
    beside: Selection | None = None  # contrast: the reference; agreement: the truth; auroc_between: the negatives
    only: tuple[Selection, ...] = ()  # conditions: what counts is what each holds of, by all labels
    among: tuple[FiniteFloat, ...] = ()  # rank, place: means from elsewhere that the first is placed among as well
    cluster: Literal["prompt", "row", "scorer", "seed", "run", "observation"] = "prompt"  # what counts once
    quantile: float | None = Field(default=None, ge=0, le=1)
    alternative: Literal["two-sided", "greater", "less"] = "two-sided"  # of tests: greater, the first above the second
    interval: Literal["none", "wilson", "bootstrap", "t"] = "none"  # of 95 %
    seed: int = Field(default=0, ge=0, lt=2**32)  # of the bootstrap
    resamples: int = Field(default=10_000, ge=1, le=100_000)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        places = self.statistic in _PLACES
        if self.among and not places:
            raise ValueError(f"'among' goes with {' and '.join(sorted(_PLACES))}")
        if (self.beside is None) != (self.statistic in _ONE_SIDED) and not (places and self.among):
            raise ValueError(f"{self.statistic} {'needs no' if self.beside else 'needs'} 'beside'")
        if self.statistic == "share" and not self.of.is_share:
            raise ValueError("a share needs 'above', 'at_least' or 'below' in 'of'")
        if not all(one.is_share for one in self.only):
            raise ValueError("what 'only' selects needs 'above', 'at_least' or 'below'")
        if (self.quantile is None) != (self.statistic != "quantile"):
            raise ValueError("'quantile' goes with the statistic quantile")
        if self.interval != "none" and self.statistic in _WITHOUT_INTERVAL:
            raise ValueError(f"{self.statistic} has no interval")
        if self.interval != "none" and self.cluster == "observation":
            raise ValueError("single observations are not independent: an interval needs another cluster")
        if self.interval == "wilson" and self.statistic not in _WITH_WILSON:
            raise ValueError(f"Wilson's interval is for shares, not for {self.statistic}")
        if self.interval == "t" and self.statistic not in ("mean", "share", "contrast", "average"):
            raise ValueError(f"the t interval is for means, not for {self.statistic}")
        return self


class Value(Strict):
    """A number that the page may show. `value` is null exactly when the source is pending."""

    label: str = Field(min_length=1)  # "change of the score of model A": enough to read it alone
    value: FiniteFloat | None
    qualifier: Literal["", "<", ">", "≤", "≥", "≈"] = ""  # "< 0.0001": the source gives a bound or a rough figure
    unit: str  # "points", "share", "pictures"; empty for pure counts
    digits: int = Field(ge=0, le=6)  # decimals as printed
    source: Source
    n: int | None = Field(default=None, ge=0)  # samples behind it, failed and not-run ones left out
    clusters: int | None = Field(default=None, ge=0)  # independent ones among them: prompts, or trainings
    failed: int = Field(default=0, ge=0)  # samples that were tried in vain
    not_run: int = Field(default=0, ge=0)  # samples that were planned and not tried
    sd: FiniteFloat | None = Field(default=None, ge=0)
    interval: tuple[FiniteFloat, FiniteFloat] | None = None  # 95 %
    p: FiniteFloat | None = Field(default=None, ge=0, le=1)  # two- or one-sided as `source.where` says
    caveat: str | None = None
    agrees_with: Id | None = None  # a value that reports the same quantity independently
    rows: str | None = None  # download under site/data/ with the rows behind it
    measure: Measure | None = None  # how the value follows from those rows

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.value is None) != (self.source.kind == "pending"):
            raise ValueError("a value is null exactly when its source is pending")
        if self.interval and self.interval[0] > self.interval[1]:
            raise ValueError("interval needs its lower end first")
        return self


class Column(Strict):
    id: Id
    label: str
    unit: str = ""
    better: Literal["lower", "higher", "none"] = "none"  # direction, in the sense that `note` explains
    note: str = ""


class Row(Strict):
    id: Id
    label: str
    group: str = ""  # family: rows of one group stand together in charts
    kind: str = ""  # "base", "tuned", ... shown as a word, never as a colour alone
    note: str = ""


class Table(Strict):
    """Cells are not stored: the cell of row r, column c is the value `{table id}.{r}.{c}`; a missing value is an empty
    cell that says 'not reported'."""

    title: str
    caption: str
    row_label: str = "Row"  # heads the first column: what a row is
    columns: list[Column]
    rows: list[Row]
    note: str = ""


class Recipe(Strict):
    """What determines a generated picture, to the byte where the sampler allows it."""

    model: str
    revision: str  # commit or weights digest; "unpinned" when unknown
    adapter: str = ""
    seed: int | None = None
    steps: int | None = None
    guidance: float | None = None
    settings: dict[str, str | int | float | bool | None] = {}
    dtype: str = ""
    device: str = ""
    code: str = ""
    date: str = ""
    command: str = ""  # reproduces the bytes


class Text(Strict):
    """A text of others, such as a prompt: where it stands in a JSON file of the same source. It is never committed."""

    file: str = Field(min_length=1)
    pointer: Annotated[str, StringConstraints(pattern=POINTER)]  # JSON pointer (RFC 6901)
    sha256: Sha256  # of the file


class Remote(Strict):
    """A picture that is not shipped, fetched by `python build.py fetch`.

    Either at an address of its own (`url`, `page`, `licence`), or a file of a source in content/sources.toml (`source`,
    `group`, `path`, `sha256`, `bytes`); `ledger.load` then fills in the address, the page about it and the rights.
    """

    url: Web = ""
    page: Web = ""
    licence: str = ""
    source: Id | None = None
    group: Id | None = None
    path: str = ""
    sha256: Sha256 | None = None
    bytes: int | None = Field(default=None, gt=0)
    width: int | None = Field(default=None, gt=0)
    height: int | None = Field(default=None, gt=0)
    prompt: Text | None = None
    shown: Literal["free", "accept"] = "free"  # may anybody show it, or a publisher who accepts its group?

    @model_validator(mode="after")
    def _has_one_address(self) -> Self:
        own = (self.url, self.page, self.licence)
        filed = (self.source, self.group, self.path, self.sha256, self.bytes)
        if not all(filed) and (any(filed[:3]) or not all(own)):
            raise ValueError("needs either url, page and licence, or source, group, path, sha256 and bytes")
        return self


class Picture(Strict):
    """`file` is a path below results/pictures/ or content/pictures/; null for a remote picture nobody has fetched."""

    id: Id  # unique in its exhibit: "original", "distorted", "step-3"
    label: str  # shown on the plate
    alt: str = Field(min_length=1)
    file: str | None = None
    sha256: Sha256 | None = None  # of the file
    original_sha256: Sha256 | None = None  # of the lossless picture that the recipe reproduces
    width: int | None = Field(default=None, gt=0)
    height: int | None = Field(default=None, gt=0)
    prompt: str = ""
    scores: dict[Id, Value] = {}  # value id: exhibits.{exhibit}.{picture}.{score}
    scores_from: dict[Id, Id] = {}  # score -> value that holds it already; `ledger.load` copies it into `scores`
    axes: dict[str, str | float] = {}  # where it stands in a series: {"model": "tuned", "strength": 0.5}
    verdicts: list[str] = []  # what a judge found in it
    recipe: Recipe | None = None
    remote: Remote | None = None


class Exhibit(Strict):
    title: str
    kind: Word  # "painting", "photograph", "pair", "series", "figure", "video": any word
    caption: str
    credit: str
    licence: str
    pictures: list[Picture] = Field(min_length=1)
    tags: list[Id] = []  # taxonomy sub-categories
    sets: list[Id] = []  # where the page shows it, in words of its own
    source_url: Web | None = None
    caveat: str | None = None


Verdict = Literal["holds", "holds in part", "contradicted", "cannot be checked"]
Repetition = Literal["reproduced", "reproduced in part", "not reproduced", "opposite"]
Weight = Literal["argument", "detail", "caveat"]  # a detail is a count, a label, a legend; a caveat limits the evidence


class SecondVerdict(Strict):
    """What a second setting, such as a small model of one's own, says to the same sentence."""

    setting: str
    verdict: Repetition
    because: str
    because_marked: str
    rests_on: list[Id]


class Claim(Strict):
    """A sentence of the page. `verdict` and `because` are computed by `ledger.claims`, never typed."""

    sentence: str
    where: str  # the place on the page or in the paper
    section: Id  # of our page
    weight: Weight = "argument"
    rests_on: list[Id]
    verdict: Verdict
    because: str
    sentence_marked: str = ""  # the same two texts with `{value id}` in place of each number, for links to provenance
    because_marked: str = ""
    second: SecondVerdict | None = None


class Run(Strict):
    """Provenance of measured values."""

    title: str
    date: str
    command: str
    code: str  # commit or tree digest
    hardware: str
    software: dict[str, str]
    seeds: list[int] = []
    seconds: float | None = None
    note: str = ""


class Document(Strict):
    """One file of results/. Ids are unique over all files."""

    values: dict[Id, Value] = {}
    tables: dict[Id, Table] = {}
    exhibits: dict[Id, Exhibit] = {}
    runs: dict[Id, Run] = {}


class Publication(Document):
    """The whole ledger as the site offers it: all documents merged, claims judged."""

    claims: dict[Id, Claim] = {}
