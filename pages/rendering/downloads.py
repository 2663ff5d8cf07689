"""Downloads: ledger, schema, every table as CSV and JSON, rows behind values, the citation."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from ledger.names import on_disk
from ledger.problems import Problem, did_you_mean
from pages.cache.recording import Record, RecordingLedger
from pages.source.settings import Page
from pages.source.site import Site

if TYPE_CHECKING:
    from ledger import Ledger

SUFFIXES = ("Jr", "Sr", "II", "III", "IV")  # of names
TEX = str.maketrans(
    {**{sign: f"\\{sign}" for sign in "&%$#_{}"}, "\\": r"\textbackslash{}", "~": r"\textasciitilde{}",
     "^": r"\textasciicircum{}"}
)  # fmt: skip


def downloads(site: Site) -> dict[str, Callable[[Record], bytes]]:
    """Address below site/ -> the function that writes a download."""
    from ledger import book

    writers: dict[str, Callable[[Any], str]] = {
        "data/ledger.json": lambda known: book.publication_json(known.whole()),
        "data/ledger.schema.json": lambda _: _json(book.publication_schema()),
        f"data/{site.page.citation_key}.bib": lambda _: bibtex(site.page),
    }
    for name in site.ledger.tables:
        writers[f"data/tables/{name}.csv"] = partial(book.table_csv, id=name)
        writers[f"data/tables/{name}.json"] = partial(_table, name=name)

    def written(write: Callable[[Any], str], record: Record) -> bytes:
        return write(RecordingLedger(site.ledger, record.read)).encode()

    return {address: partial(written, write) for address, write in writers.items()}


def _table(known: Ledger, name: str) -> str:
    from ledger import book

    about = known.tables[name].model_dump(mode="json", exclude_defaults=True, exclude={"rows"})
    return _json({"id": name, **about, "rows": book.table_records(known, name)})


def files(site: Site) -> dict[str, bytes]:
    """What authors publish as it is: everything below content/files/."""
    return {f"files/{path}": file.read_bytes() for path, file in site.files.items()}


def rows(site: Site) -> tuple[dict[str, bytes], list[Problem]]:
    """Rows behind values: results/rows/x.csv.gz is published as data/rows/x.csv.gz, beside the schema of rows.

    The rows of a measure may be absent from a copy; a file that a value names by `rows` may not.
    """
    folder = (site.root / "results/rows").resolve()
    made: dict[str, bytes] = {}
    wrong: list[Problem] = []
    for name, value in site.ledger.values.items():
        for wanted in (value.rows, value.measure.rows if value.measure else None):
            if wanted is None:
                continue
            address = f"data/{wanted}"
            if address in made:
                continue
            place = site.root / (on_disk(site.root, f"results/{wanted}") or f"results/{wanted}")
            if place.resolve().is_relative_to(folder) and place.is_file():
                made[address] = place.read_bytes()
            elif wanted == value.rows:
                known = sorted(f"rows/{path.name}" for path in folder.glob("*"))
                message = f"no such file '{wanted}' below results/{did_you_mean(wanted, known)}"
                wrong.append(site.ledger.problem(("values", name, "rows"), message))
    if made:
        from ledger.rows import schema_text

        made["data/rows/schema.json"] = schema_text().encode()
    return made, wrong


def _json(content: object) -> str:
    return json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def bibtex(page: Page) -> str:
    """The citation of the paper."""
    fields = {
        "title": page.cited_title or page.title,
        "author": " and ".join(_last_first(author.name) for author in page.authors),
        "booktitle": page.booktitle,
        "year": str(page.year),
        "eprint": page.arxiv,
        "archivePrefix": "arXiv" if page.arxiv else "",
        "url": page.links[0].url if page.links else page.address,
        "note": ", ".join(part for part in (page.kind, page.honour) if part),
    }
    kind = "inproceedings" if page.booktitle else "misc"
    said = {name: text if name == "url" else _tex(text) for name, text in fields.items() if text}
    body = ",\n".join(f"  {name} = {{{text}}}" for name, text in said.items())
    return f"@{kind}{{{page.citation_key},\n{body}\n}}\n"


def _last_first(name: str) -> str:
    """As BibTeX writes names: "van der Berg, Anna", "Cruz, Jr., Juan"."""
    words = name.split()
    after = [words.pop()] if len(words) > 2 and words[-1].rstrip(".") in SUFFIXES else []
    at = next((at for at, word in enumerate(words[1:-1], 1) if word[0].islower()), len(words) - 1)
    return ", ".join(part for part in (" ".join(words[at:]), *after, " ".join(words[:at])) if part)


def _tex(text: str) -> str:
    return text.translate(TEX)
