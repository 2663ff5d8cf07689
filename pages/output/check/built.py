"""A built site as the rules see it: its files and the facts of its pages."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from ledger.problems import Problem
from pages.output.check.facts import Facts, PageFactsCache


class Built:
    """The site at `out`, called `where` in messages. `files`: address -> sha256 and bytes."""

    def __init__(self, out: Path, where: str, files: Mapping[str, tuple[str, int]], cache: PageFactsCache) -> None:
        self.out, self.where, self.files = out, where, files
        self.pages: dict[str, Facts] = {
            address: cache.page(address, digest, f"{out}/{address}")
            for address, (digest, _) in files.items()
            if address.endswith(".html")
        }

    def size(self, address: str) -> int:
        return self.files[address][1]

    def problem(self, address: str, message: str, *needles: str) -> Problem:
        """A defect of a file, at the line where the first of `needles` stands that stands anywhere."""
        return Problem(f"{self.where}/{address}", self._line(address, needles), "", message)

    def _line(self, address: str, needles: tuple[str, ...]) -> int:
        text = (self.out / address).read_text(encoding="utf-8", errors="replace") if needles else ""
        places = (text.find(form) for needle in needles for form in (needle, html.escape(needle)))
        at = next((place for place in places if place >= 0), -1)
        return text.count("\n", 0, at) + 1 if at >= 0 else 0

    def defects(self) -> Iterator[Problem]:
        """What is wrong with a page whatever the others hold: policy, ids, order of headings, what `facts` saw."""
        for page, facts in self.pages.items():
            place = f"{self.where}/{page}"
            yield from (Problem(place, line, "", message) for line, message in facts.wrong)
            if not facts.has_policy:
                yield Problem(place, 1, "", "no Content-Security-Policy with default-src 'self'")
            if len({*facts.ids}) < len(facts.ids):
                yield from self._repeated_ids(page, facts.ids)
            tops = [line for level, line in facts.headings if level == 1]
            if len(tops) != 1:
                yield Problem(place, tops[1] if tops else 1, "", f"{len(tops)} headings of level 1, a page has one")
            for (before, _), (level, line) in zip(facts.headings, facts.headings[1:], strict=False):
                if level > before + 1:
                    yield Problem(place, line, "", f"heading of level {level} follows level {before}")

    def _repeated_ids(self, page: str, ids: list[str]) -> Iterator[Problem]:
        text = (self.out / page).read_text(encoding="utf-8", errors="replace")
        for name in {name for name in ids if ids.count(name) > 1}:
            found = re.finditer(rf"""\bid=["']?{re.escape(html.escape(name))}["'\s>]""", text)
            first, *more = [text.count("\n", 0, match.start()) + 1 for match in found] or [1]
            for line in more:
                yield Problem(f"{self.where}/{page}", line, "", f"id '{name}' is taken already in line {first}")

    @cached_property
    def addresses(self) -> dict[str, None]:
        """Every file, and every anchor of every page as "page#anchor"."""
        found = dict.fromkeys(self.files)
        for page, facts in self.pages.items():
            found.update(dict.fromkeys([f"{page}#{name}" for name in facts.ids]))
        return found

    @cached_property
    def publication(self) -> Any:
        """data/ledger.json as the schema reads it. OSError or ValueError when it cannot be read so."""
        from ledger.schema import Publication

        return Publication.model_validate_json((self.out / "data/ledger.json").read_bytes())
