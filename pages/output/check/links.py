"""Every link, anchor and asset leads to a file of the site; style sheets ask for nothing elsewhere."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from ledger.problems import Problem, did_you_mean
from pages.output.check.built import Built
from pages.output.check.facts import joined

CSS_URL = re.compile(r"url\(\s*['\"]?([^'\")]+)['\"]?\s*\)|@import\s+['\"]([^'\"]+)")
EXTERNAL = re.compile(r"^(?:[a-z][a-z0-9+.-]*:)?//", re.I)


def links(site: Built) -> Iterator[Problem]:
    known = site.addresses
    for page, facts in site.pages.items():
        for target in (target for target in facts.assets if target not in known):
            message = f"no such file '{target}'{did_you_mean(target, site.files)}"
            yield site.problem(page, message, *_spellings(page, target))
        for target in (target for target in facts.links if target not in known):
            file, _, anchor = target.partition("#")
            written = _spellings(page, target)
            if file not in site.files:
                yield site.problem(page, f"broken link to '{file}'{did_you_mean(file, site.files)}", *written)
            elif file in site.pages and "=" not in anchor:  # `#set=gallery` is a state of the page, no place on it
                near = did_you_mean(anchor, site.pages[file].ids)
                yield site.problem(page, f"no anchor '#{anchor}' in {file}{near}", *written)


def _spellings(page: str, target: str) -> tuple[str, ...]:
    """How a page may write a link, the likeliest first."""
    file, mark, anchor = target.partition("#")
    relative = posixpath.relpath(file, posixpath.dirname(page) or ".")
    return (f'"#{anchor}"',) * (file == page) + (f'"{relative}{mark}{anchor}"', relative + mark + anchor, file)


def styles(site: Built) -> Iterator[Problem]:
    for name in (name for name in site.files if name.endswith(".css")):
        text = (site.out / name).read_text(encoding="utf-8", errors="replace")
        for match in CSS_URL.finditer(text):
            address = match[1] or match[2]
            line = text.count("\n", 0, match.start()) + 1
            if address.startswith(("#", "data:")):
                continue
            if EXTERNAL.match(address):
                message = f"'{address}' would be requested from a third party"
                yield Problem(f"{site.where}/{name}", line, "", message)
            elif joined(posixpath.dirname(name), re.split("[?#]", address)[0]) not in site.files:
                yield Problem(f"{site.where}/{name}", line, "", f"no such file '{address}'")
