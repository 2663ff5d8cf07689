"""Relative links from one page, which work below any folder and from files."""

from __future__ import annotations

import posixpath
from functools import cache
from urllib.parse import urlsplit

from pages.rendering.values_index import group_of
from pages.source.settings import Variant


class Addresses:
    """Links of the page at `here` (below site/) in `variant`; `address` is the site's own, or empty."""

    def __init__(self, variant: Variant, here: str, address: str) -> None:
        self.variant, self.here, self.address = variant, here, address
        self.folder = posixpath.dirname(here)
        # hosts serve 404.html for addresses at any depth, from where relative links lead nowhere
        self.up = urlsplit(address).path if here == "404.html" else "../" * here.count("/")

    def url(self, path: str) -> str:
        target, hash_mark, anchor = path.partition("#")
        if target == self.here and anchor:
            return "#" + anchor
        if self.here == "404.html" and self.address:
            return self.up + path
        return _relative(target, self.folder) + hash_mark + anchor

    def absolute(self, path: str) -> str:
        path = path.removesuffix("index.html") if path.endswith("/index.html") or path == "index.html" else path
        return self.address + path

    def exhibit_url(self, name: str) -> str:
        return self.url(f"{self.variant}/exhibit/{name}.html")

    def value_url(self, name: str) -> str:
        return self.url(f"data/values/{group_of(name)}.html#{name}")

    def claim_url(self, name: str) -> str:
        return self.url(f"{self.variant}/audit.html#claim-{name}")

    @property
    def other(self) -> Variant:
        return "distorted" if self.variant == "clean" else "clean"

    @property
    def twin(self) -> str:
        """The same place in the other variant."""
        inside = self.here.startswith(f"{self.variant}/")
        return self.here.replace(f"{self.variant}/", f"{self.other}/", 1) if inside else f"{self.other}/index.html"

    @property
    def canonical(self) -> str:
        """The clean page is the one that search engines should keep."""
        return self.here.replace("distorted/", "clean/", 1) if self.here.startswith("distorted/") else self.here


@cache
def _relative(target: str, folder: str) -> str:
    """`posixpath.relpath` for addresses below site/, without its questions to the file system."""
    here, there = folder.split("/") if folder else [], target.split("/")
    shared = len(posixpath.commonprefix([here, there[:-1]]))
    return "/".join([".."] * (len(here) - shared) + there[shared:])
