"""kB over the wire: text as gzip -6 makes it, pictures and fonts as they are. Budgets: content/page.toml, [check].

The first view is the page, its scripts and style sheets, the pictures that are not lazy, and every font that a style
sheet names for the screen: which of them a page uses is not known before it is laid out.
"""

from __future__ import annotations

import gzip
import posixpath
import re
from collections.abc import Iterator
from typing import Any

from ledger.problems import Problem
from pages.images.jobs import PLACE
from pages.output.check.built import Built

COMPRESSED = (".html", ".css", ".js", ".json", ".svg")
FONT = re.compile(r"""url\(["']?([^"')]+\.woff2)""")
DOORS = ("index.html", "clean/index.html", "distorted/index.html")


def budgets(site: Built, settings: dict[str, Any]) -> Iterator[Problem]:
    first_kb, page_kb = settings.get("first_view_kb", 400), settings.get("page_kb", 1500)
    picture_kb = settings.get("picture_kb", 400)
    for page in site.pages:
        if site.size(page) > page_kb * 1000:
            message = f"{site.size(page) / 1000:.0f} kB of HTML, the budget is {page_kb} kB"
            yield site.problem(page, message)
    for page in (page for page in DOORS if page in site.pages):
        named = [address for address in site.pages[page].first_view if address in site.files]
        fonts = [font for sheet in named if sheet.endswith(".css") for font in _fonts(site, sheet)]
        asked = dict.fromkeys([page, *named, *fonts])
        if sum(map(site.size, asked)) <= first_kb * 1000:
            continue  # fits as it is
        total = sum(_wire(site, address) for address in asked)
        if total > first_kb * 1000:
            yield site.problem(page, f"first view weighs {total / 1000:.0f} kB, the budget is {first_kb} kB")
    for name in (name for name in site.files if name.startswith(PLACE)):
        if site.size(name) > picture_kb * 1000:
            yield site.problem(name, f"{site.size(name) / 1000:.0f} kB, the budget of a picture is exceeded")


def _fonts(site: Built, sheet: str) -> Iterator[str]:
    for address in FONT.findall((site.out / sheet).read_text(encoding="utf-8")):
        target = posixpath.normpath(posixpath.join(posixpath.dirname(sheet), address))
        if target in site.files:
            yield target


def _wire(site: Built, address: str) -> int:
    if not address.endswith(COMPRESSED):
        return site.size(address)
    return len(gzip.compress((site.out / address).read_bytes(), 6))
