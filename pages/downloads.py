"""What a reader can take away: the ledger, its schema, every table as CSV and JSON, provenance for the dialog, BibTeX.

Cells of a CSV that a spreadsheet would run as a formula are quoted with an apostrophe, unless they are numbers.
"""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from pages.load import Page, Site

if TYPE_CHECKING:
    from ledger.schema import Table, Value

PARTS = ("value", "n", "sd", "low", "high", "p", "source", "where", "caveat")


def downloads(site: Site) -> dict[str, bytes]:
    """Address below site/ -> content of every download."""
    from ledger.schema import Document

    ledger, made = site.ledger, dict[str, bytes]()
    made["data/ledger.json"] = _json(
        {
            "values": {name: _plain(value) for name, value in sorted(ledger.values.items())},
            "tables": {name: _plain(table) for name, table in ledger.tables.items()},
            "exhibits": {name: _plain(exhibit) for name, exhibit in ledger.exhibits.items()},
            "claims": {name: _plain(claim) for name, claim in ledger.claims.items()},
            "runs": {name: _plain(run) for name, run in ledger.runs.items()},
        }
    )
    made["data/ledger.schema.json"] = _json(Document.model_json_schema())
    for name, table in ledger.tables.items():
        cells = {
            (row.id, column.id): ledger.values.get(f"{name}.{row.id}.{column.id}")
            for row in table.rows
            for column in table.columns
        }
        made[f"data/tables/{name}.csv"] = _csv(table, cells)
        made[f"data/tables/{name}.json"] = _json(_table(name, table, cells))
    made[f"data/{site.page.citation_key}.bib"] = bibtex(site.page).encode()
    return made


def bibtex(page: Page) -> str:
    """The citation of the paper."""
    fields = {
        "title": page.title,
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


def _plain(model: Any) -> Any:
    return model.model_dump(mode="json", exclude_defaults=True)


def _json(content: object) -> bytes:
    return (json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode()


def _csv(table: Table, cells: dict[tuple[str, str], Value | None]) -> bytes:
    """One line a cell: a number without its n, interval and source is not worth taking away."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["row", "label", "group", "kind", "column", "unit", "better", *PARTS])
    for row in table.rows:
        for column in table.columns:
            value = cells[row.id, column.id]
            if value is None:
                continue
            low, high = value.interval or (None, None)
            numbers = [value.value, value.n, value.sd, low, high, value.p]
            texts = [row.id, row.label, row.group, row.kind, column.id, value.unit, column.better]
            ends = [value.source.kind, value.source.where, value.caveat or ""]
            writer.writerow([*map(_safe, texts), *("" if one is None else one for one in numbers), *map(_safe, ends)])
    return out.getvalue().encode()


def _safe(text: str) -> str:
    return "'" + text if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _table(name: str, table: Table, cells: dict[tuple[str, str], Value | None]) -> dict[str, Any]:
    rows = []
    for row in table.rows:
        values = {column.id: cells[row.id, column.id] for column in table.columns}
        rows.append(
            {**_plain(row), "cells": {key: _plain(value) for key, value in values.items() if value is not None}}
        )
    return {"id": name, **{key: part for key, part in _plain(table).items() if key != "rows"}, "rows": rows}
