"""What a reader can take away: ledger, schema, every table as CSV and JSON, rows behind values, the citation."""

from __future__ import annotations

import json

from ledger.problems import Problem, did_you_mean
from pages.load import Page, Site


def downloads(site: Site) -> dict[str, bytes]:
    """Address below site/ -> content of every download."""
    from ledger import book

    made = {
        "data/ledger.json": book.publication_json(site.ledger),
        "data/ledger.schema.json": _json(book.publication_schema()),
        f"data/{site.page.citation_key}.bib": bibtex(site.page),
    }
    for name, table in site.ledger.tables.items():
        made[f"data/tables/{name}.csv"] = book.table_csv(site.ledger, name)
        about = table.model_dump(mode="json", exclude_defaults=True, exclude={"rows"})
        made[f"data/tables/{name}.json"] = _json({"id": name, **about, "rows": book.table_records(site.ledger, name)})
    return {address: text.encode() for address, text in made.items()}


def rows(site: Site) -> tuple[dict[str, bytes], list[Problem]]:
    """Rows behind values: `rows = "rows/x.csv"` is results/rows/x.csv, published as data/rows/x.csv."""
    made: dict[str, bytes] = {}
    wrong: list[Problem] = []
    for name, value in site.ledger.values.items():
        address = f"data/{value.rows}"
        if value.rows is None or address in made:
            continue
        place = site.root / "results" / value.rows
        folder = (site.root / "results/rows").resolve()
        if not place.resolve().is_relative_to(folder) or not place.is_file():
            known = sorted(f"rows/{path.name}" for path in folder.glob("*"))
            message = f"no such file '{value.rows}' below results/{did_you_mean(value.rows, known)}"
            wrong.append(site.ledger.problem(("values", name, "rows"), message))
            continue
        made[address] = place.read_bytes()
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
        "url": next((page.links[key].url for key in ("openreview", "arxiv") if key in page.links), page.address),
        "note": ", ".join(part for part in (page.kind, page.honour) if part),
    }
    kind = "inproceedings" if page.booktitle else "misc"
    body = ",\n".join(f"  {name} = {{{_tex(text)}}}" for name, text in fields.items() if text)
    return f"@{kind}{{{page.citation_key},\n{body}\n}}\n"


def _last_first(name: str) -> str:
    *first, last = name.split()
    return f"{last}, {' '.join(first)}" if first else last


def _tex(text: str) -> str:
    for sign in "&%$#_{}":
        text = text.replace(sign, "\\" + sign)
    return text
