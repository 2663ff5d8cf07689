"""Every link, anchor and asset leads to a file of the site; style sheets ask for nothing elsewhere."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from ledger.problems import Problem, did_you_mean
from pages.check.built import Built
from pages.check.facts import joined

CSS_URL = re.compile(r"url\(\s*['\"]?([^'\")]+)['\"]?\s*\)|@import\s+['\"]([^'\"]+)")
EXTERNAL = re.compile(r"^(?:[a-z][a-z0-9+.-]*:)?//", re.I)


def links(site: Built) -> Iterator[Problem]:
    known = site.addresses
    for page, facts in site.pages.items():
        for target in facts.assets.keys() - known.keys():
            yield site.problem(page, f"no such file '{target}'{did_you_mean(target, site.notes)}", facts.assets[target])
        for target in facts.links.keys() - known.keys():
            file, _, anchor = target.partition("#")
            written = (f'"{facts.links[target]}"', facts.links[target])
            if file not in site.notes:
                yield site.problem(page, f"broken link to '{file}'{did_you_mean(file, site.notes)}", *written)
            elif file in site.pages:
                near = did_you_mean(anchor, site.pages[file].ids)
                yield site.problem(page, f"no anchor '#{anchor}' in {file}{near}", *written)


def styles(site: Built) -> Iterator[Problem]:
    for name in (name for name in site.notes if name.endswith(".css")):
        text = (site.out / name).read_text(encoding="utf-8")
        for match in CSS_URL.finditer(text):
            address = match[1] or match[2]
            line = text.count("\n", 0, match.start()) + 1
            if address.startswith(("#", "data:")):
                continue
            if EXTERNAL.match(address):
                message = f"'{address}' would be requested from a third party"
                yield Problem(f"{site.where}/{name}", line, "", message)
            elif joined(posixpath.dirname(name), re.split("[?#]", address)[0]) not in site.notes:
                yield Problem(f"{site.where}/{name}", line, "", f"no such file '{address}'")
