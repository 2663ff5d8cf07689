"""The two variants carry the same evidence, and every number shown is the ledger's, as the ledger prints it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from ledger.problems import Problem, did_you_mean, explain, json_line
from pages.output.check.built import Built

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import ValidationError

    from pages.output.check.facts import Facts

TEXTS = "; its texts are content/sections/*/distorted.md"
CARRIED = (  # what it is called, the attribute it is found by, where facts keep it
    ("value", "data-ref", lambda facts: {name: None for name, _, _ in facts.values}),
    ("claim", "data-claim", lambda facts: facts.claims),
    ("exhibit", "data-exhibit", lambda facts: facts.exhibits),
    ("outgoing link", "href", lambda facts: facts.outgoing),
)


def parity(site: Built) -> Iterator[Problem]:
    """Page by page, both variants carry the same."""
    for page, clean in site.pages.items():
        if page.startswith("clean/"):
            twin = page.replace("clean/", "distorted/", 1)
            if twin in site.pages:
                yield from _alike(site, page, twin, clean, site.pages[twin])
            else:
                yield site.problem(page, f"has no twin {twin}")
        elif page.startswith("distorted/") and page.replace("distorted/", "clean/", 1) not in site.pages:
            yield site.problem(page, "has no twin in clean/")


def _alike(site: Built, page: str, twin: str, clean: Facts, other: Facts) -> Iterator[Problem]:
    for kind, attribute, carried in CARRIED:
        ours, theirs = carried(clean), carried(other)
        for said in _missing(kind, sorted(ours.keys() - theirs.keys())):
            yield site.problem(twin, f"lacks {said} of {page}{TEXTS if page == 'clean/index.html' else ''}")
        for one in theirs.keys() - ours.keys():
            yield site.problem(twin, f"has {kind} '{one}', which {page} lacks", f'{attribute}="{one}"')
    if clean.sections != other.sections:
        yield site.problem(twin, f"its sections are not those of {page}, in the same order")


def _missing(kind: str, names: list[str]) -> Iterator[str]:
    """What is missing, a table of numbers in one line."""
    for table, members in groupby(names, key=lambda name: name.partition(".")[0]):
        of_table = [*members]
        if kind == "value" and len(of_table) > 2:
            yield f"{len(of_table)} values '{table}.*', such as '{of_table[0]}',"
        else:
            yield from (f"{kind} '{name}'" for name in of_table)


def values(site: Built) -> Iterator[Problem]:
    """Pages show nothing that the ledger lacks or prints otherwise."""
    from ledger.book import SHARES, Ledger, percent, show

    try:
        published = site.publication
    except (OSError, ValueError):
        return  # `json_files` says what is wrong with it
    known = published.values | Ledger(exhibits=published.exhibits).scores
    printed = {
        name: (name, "" if value.value is None else str(value.value), show(value)) for name, value in known.items()
    }
    right = {*printed.values()}
    right |= {(name, printed[name][1], percent(value)) for name, value in known.items() if value.unit in SHARES}
    for page, facts in site.pages.items():
        for name, raw, text in (one for one in facts.values if one not in right):
            if name not in known:
                message = f"value '{name}' is not in the ledger{did_you_mean(name, known)}"
            else:
                _, ours, shown = printed[name]
                message = f"value '{name}' reads {text} ({raw}), the ledger has {shown} ({ours})"
            yield site.problem(page, message, f'data-ref="{name}">{text}', f'data-ref="{name}"')
        for kind, names, there in (
            ("exhibit", facts.exhibits, published.exhibits),
            ("claim", facts.claims, published.claims),
        ):
            for name in (name for name in names if name not in there):
                yield site.problem(page, f"{kind} '{name}' is not in the ledger", f'data-{kind}="{name}"')


def json_files(site: Built) -> Iterator[Problem]:
    """The published ledger is what its schema says, and all else that ends in .json is JSON."""
    from pydantic import ValidationError

    if "data/ledger.json" not in site.files:
        yield site.problem("data/ledger.json", "no such file")
    for address in (address for address in site.files if address.endswith(".json")):
        name = f"{site.where}/{address}"
        try:
            if address == "data/ledger.json":
                _ = site.publication
            else:
                json.loads((site.out / address).read_bytes())
        except ValidationError as error:
            yield from _refused(error, site.out / address, name)
        except (ValueError, RecursionError) as error:
            yield Problem(name, getattr(error, "lineno", 0), "", f"invalid JSON: {error}")


def _refused(error: ValidationError, file: Path, name: str) -> list[Problem]:
    """What the published ledger has otherwise than its schema says."""
    from ledger.schema import Publication

    text = file.read_text(encoding="utf-8", errors="replace")
    try:
        written = json.loads(text)
    except (ValueError, RecursionError) as broken:
        return [Problem(name, getattr(broken, "lineno", 0), "", f"invalid JSON: {broken}")]
    return explain(error, Publication, name, written, lambda path: json_line(text, path))
