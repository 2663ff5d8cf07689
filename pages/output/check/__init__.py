"""Checks a built site, on the files that will be published.

Both variants carry the same values, claims, exhibits, sections and outgoing links; every number equals the ledger's;
prose types no number of its own; no broken link, anchor or asset; no third-party request, inline script or style;
alternative texts; heading order; budgets; the JSON validates. Pages that were read before are not read again.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ledger.problems import Problem, relative
from ledger.text import ENCODING
from pages.cache.store import FileDigests
from pages.output.check import budgets, evidence, links, prose
from pages.output.check.built import Built
from pages.output.check.facts import PageFactsCache, read_page
from pages.source.settings import absolute

__all__ = ["check", "read_page"]


def check(
    root: Path, folder: Path, files: Mapping[str, tuple[str, int]] | None = None, where: Path | None = None
) -> list[Problem]:
    """Every defect of the site in `folder`, sorted by place; empty when it is sound. `root` supplies the allow-list and
    the texts, so that a number in prose is reported at its line of Markdown. `files` holds sha256 and bytes of every
    file, where they are known; `where` is the place of the site in messages."""
    place = relative(where or folder, root)
    if not folder.is_dir():
        return [Problem(place, 0, "", "no such site: build it first")]
    written = _settings(root)
    settings = written.get("check", {})
    address = os.environ.get("SITE_URL") or written.get("address", "")
    try:
        base = urlsplit(absolute(address)).path if address else "/"
    except ValueError as error:
        return [
            Problem("SITE_URL" if os.environ.get("SITE_URL") else "content/page.toml", 0, "", f"'{address}' {error}")
        ]
    cache = PageFactsCache(root / ".cache/facts.json", base)
    if files is None:
        there = FileDigests(folder)
        files = {name: (there(name), there.size(name)) for name in there.look()}
    site = Built(folder, place, dict(sorted(files.items())), cache)
    found: Iterator[Problem] = (
        problem
        for rule in (links.links, links.styles, evidence.parity, evidence.json_files, evidence.values)
        for problem in rule(site)
    )
    names = [written[key] for key in ("title", "cited_title") if written.get(key)]
    allow = [*settings.get("allow", []), *names]  # a title is a name, whatever digits stand in it
    problems = {*site.defects(), *found, *prose.numbers(site, root, allow)}
    problems |= {*prose.titles(root, allow), *budgets.budgets(site, settings)}
    cache.save()
    return sorted(problems)


def _settings(root: Path) -> dict[str, Any]:
    try:
        return tomllib.loads((root / "content/page.toml").read_text(encoding=ENCODING))
    except (OSError, ValueError):
        return {}
