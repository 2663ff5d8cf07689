"""What `check` needs to know of one page. A page, or an exhibit on it, whose bytes were read before is not read again.

The scanner knows HTML as our templates write it: quoted attributes, closed elements. Facts name things, not lines:
where a thing stands is looked up when there is something to say about it.
"""

from __future__ import annotations

import hashlib
import html
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pydantic_core import from_json

from pages.cache.fingerprint import IMPORTED, is_current
from pages.cache.store import load_cache, save_cache

TAG = re.compile(r"<!--.*?-->|<(/?)([a-zA-Z][\w-]*)([^<>\"']*(?:(?:\"[^\"]*\"|'[^']*')[^<>\"']*)*)>", re.S)
ATTRIBUTE = re.compile(r"([^\s=\"'<>/]+)(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'<>]+)))?")
INERT = ("application/ld+json", "application/json")  # scripts that are data: no policy forbids them
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
PLAIN_TAGS_THAT_COUNT = {"h1", "h2", "h3", "h4", "h5", "h6", "img", "svg"}  # even without an attribute
NOT_PROSE = {"data", "code", "math", "pre", "svg", "script", "style", "time", "kbd", "samp"}
REQUESTS = {"object": ("data",), "use": ("href", "xlink:href"), "image": ("href", "xlink:href"), "a": ("ping",)}
NUMBER = re.compile(r"\d(?:[\d.,\u2009\u202f]*\d)?")
ELSEWHERE = re.compile(r"^(?:[a-z][a-z0-9+.-]*:|//)", re.I)
WEB = ("https://", "http://")


Names = dict[str, None]  # a set that keeps its order


@dataclass
class Facts:
    """Links and assets are addresses below site/, whatever way they are written on the page."""

    ids: list[str] = field(default_factory=list)
    links: Names = field(default_factory=dict)  # "page" or "page#anchor"
    assets: Names = field(default_factory=dict)
    outgoing: Names = field(default_factory=dict)
    first_view: Names = field(default_factory=dict)
    values: dict[tuple[str, str, str], None] = field(default_factory=dict)  # id, value, text
    claims: Names = field(default_factory=dict)
    exhibits: Names = field(default_factory=dict)
    sections: list[str] = field(default_factory=list)
    headings: list[tuple[int, int]] = field(default_factory=list)  # level, line
    numbers: list[tuple[str, str, str]] = field(default_factory=list)  # section, number, text around it
    wrong: list[tuple[int, str]] = field(default_factory=list)  # line, message
    read_before: Names = field(default_factory=dict)  # digests of exhibits
    has_policy: bool = False

    def include(self, other: Facts, line: int) -> None:
        """The facts of an exhibit that begins in `line`."""
        self.ids += other.ids
        self.headings += [(level, line + below - 1) for level, below in other.headings]
        self.wrong += [(line + below - 1, message) for below, message in other.wrong]
        for name in ("links", "assets", "outgoing", "first_view", "values", "claims", "exhibits"):
            getattr(self, name).update(getattr(other, name))


class PageFactsCache:
    """Facts read before. `base` is the path of the published site: 404.html, served at any depth, links from there."""

    def __init__(self, file: Path, base: str) -> None:
        self.file, self.base = file, base
        known = load_cache(file, from_json)
        self.before = known if known.get("made") == [IMPORTED, base] else {"pages": {}, "exhibits": {}}
        self.pages: dict[str, tuple[str, Any]] = {}
        self.exhibits: dict[str, Any] = {}

    def page(self, address: str, digest: str, place: str) -> Facts:
        """Facts of the page at `place`, whose bytes have that digest."""
        known = self.before["pages"].get(address)
        if known is not None and known[0] == digest:
            facts = _facts(known[1])
            self.exhibits.update((one, self.before["exhibits"][one]) for one in facts.read_before)
            self.pages[address] = known
        else:
            base = self.base if address == "404.html" else ""
            facts = read_page(Path(place).read_text(encoding="utf-8", errors="replace"), address, base, self)
            self.pages[address] = (digest, _plain(facts))
        return facts

    def exhibit(self, text: str, page: str) -> tuple[str, Facts]:
        """(digest, facts) of an exhibit's figure; they depend on where links in it start from."""
        key = hashlib.sha256(f"{page.rpartition('/')[0]} {text}".encode()).hexdigest()
        known = self.exhibits.get(key) or self.before["exhibits"].get(key)
        facts = _facts(known) if known else read_page(text, page)
        self.exhibits[key] = known or _plain(facts)
        return key, facts

    def save(self) -> None:
        content = {"made": [IMPORTED, self.base], "pages": self.pages, "exhibits": self.exhibits}
        if content != self.before and is_current():
            save_cache(self.file, content)


def _plain(facts: Facts) -> dict[str, Any]:
    """As JSON holds it."""
    return {**{part.name: getattr(facts, part.name) for part in fields(Facts)}, "values": [*facts.values]}


def _facts(plain: dict[str, Any]) -> Facts:
    return Facts(**{**plain, "values": dict.fromkeys(map(tuple, plain["values"]))})


def read_page(text: str, page: str = "", base: str = "", cache: PageFactsCache | None = None) -> Facts:
    """Facts of one HTML page, or of a figure. Links that begin with `base` are read as links from the site's root."""
    reader = _Reader(text, page, base)
    at = 0
    for start, end in _exhibits(text) if cache else ():
        reader.scan(at, start)
        at = start
        if cache and reader.parts:  # a part drew it, whole: no prose in it
            key, facts = cache.exhibit(text[start:end], page)
            reader.facts.include(facts, reader.line(start))
            reader.facts.read_before[key] = None
            at = end
    reader.scan(at, len(text))
    return reader.facts


def _exhibits(text: str) -> Iterator[tuple[int, int]]:
    """Where figures of exhibits begin and end that hold no other figure."""
    end = 0
    while (start := text.find("<figure ", end)) >= 0:
        inner = text.find(">", start)
        end = text.find("</figure>", start) + len("</figure>")
        if text.find("<figure", inner, end) < 0 <= text.find("data-exhibit=", start, inner) and end > inner:
            yield start, end
        end = max(end, inner)


class _Reader:
    """Walks over the tags of a page and keeps the elements that are open."""

    def __init__(self, text: str, page: str, base: str) -> None:
        self.text, self.page, self.base = text, page, base
        self.facts = Facts()
        self.open: list[tuple[str, bool, str]] = []  # name, holds no prose, kind
        self.prose = self.parts = 0
        self.section = ""
        self.value: tuple[str, str] | None = None
        self.words: list[str] = []
        self.counted = (0, 1)  # an offset and its line

    def line(self, at: int) -> int:
        before, line = self.counted
        self.counted = (at, line + self.text.count("\n", before, at))
        return self.counted[1]

    def scan(self, start: int, end: int) -> None:
        """The text from `start` to `end`, which lie between tags."""
        text, at = self.text, start
        for match in TAG.finditer(text, start, end):
            if match.start() > at:
                self._between(text[at : match.start()])
            at = match.end()
            tag = (match[2] or "").lower()
            if not tag:  # a comment; what a part drew is not prose
                self.parts += match[0].startswith("<!--part ")
                self.parts -= match[0] == "<!--/part-->"
            elif match[1]:
                self._close(tag)
            else:
                self._begin(tag, match[3], match.start())
                if tag in ("script", "style"):
                    inner = text.find(f"</{tag}", at)
                    at = inner if inner >= 0 else len(text)
        if end > at:
            self._between(text[at:end])

    def _between(self, words: str) -> None:
        if self.value is not None:
            self.words.append(words)
        if self.prose > 0 and not self.parts and words.strip() and not any(bare for _, bare, _ in self.open):
            words = html.unescape(words)
            for match in NUMBER.finditer(words):
                around = words[max(0, match.start() - 40) : match.end() + 24]
                self.facts.numbers.append((self.section, match[0], around))

    def _close(self, tag: str) -> None:
        while self.open:
            name, _, kind = self.open.pop()
            if kind == "prose":
                self.prose -= 1
            elif kind == "section":
                self.section = ""
            elif kind == "value" and self.value is not None:
                self.facts.values[(*self.value, html.unescape("".join(self.words)).strip())] = None
                self.value, self.words = None, []
            if name == tag:
                break

    def _begin(self, tag: str, written: str, at: int) -> None:
        attributes = _attributes(written) if written else {}
        if attributes or tag in PLAIN_TAGS_THAT_COUNT:
            self._tag(tag, attributes, at)
        kind = ""
        if "data-section" in attributes:
            self.section, kind = attributes.get("id", ""), "section"
            self.facts.sections.append(self.section)
        elif "data-prose" in attributes:
            kind, self.prose = "prose", self.prose + 1
        elif tag == "data" and "data-ref" in attributes:
            kind, self.value, self.words = "value", (attributes["data-ref"], attributes.get("value", "")), []
        if tag == "style" or (tag == "script" and "src" not in attributes and attributes.get("type") not in INERT):
            self._wrong(at, f"inline <{tag}>: the content policy forbids it")
        if tag not in VOID and not written.endswith("/"):
            self.open.append((tag, tag in NOT_PROSE or "data-part" in attributes, kind))

    def _wrong(self, at: int, message: str) -> None:
        self.facts.wrong.append((self.line(at), message))

    def _tag(self, tag: str, attributes: dict[str, str], at: int) -> None:
        """What one start tag contributes."""
        facts = self.facts
        if identity := attributes.get("id"):
            facts.ids.append(identity)
        if "data-claim" in attributes:
            facts.claims[attributes["data-claim"]] = None
        if tag == "figure" and "data-exhibit" in attributes:
            facts.exhibits[attributes["data-exhibit"]] = None
        if len(tag) == 2 and tag[0] == "h" and tag[1] in "123456":
            facts.headings.append((int(tag[1]), self.line(at)))
        for name in attributes:
            if name.startswith("on"):
                self._wrong(at, f"inline {name}: the policy forbids it")
        if "style" in attributes:
            self._wrong(at, f"inline style on <{tag}>: the content policy forbids it")
        if tag == "meta" and attributes.get("http-equiv", "").lower() == "content-security-policy":
            facts.has_policy = "default-src 'self'" in attributes.get("content", "")
        self._requests(tag, attributes, at)
        if tag == "img":
            self._picture(attributes, at)
        named = attributes.get("aria-label") or attributes.get("aria-labelledby") or "aria-hidden" in attributes
        if tag == "svg" and not named:
            self._wrong(at, "drawing without a name: give it aria-labelledby or aria-hidden")

    def _picture(self, attributes: dict[str, str], at: int) -> None:
        source = attributes.get("src", "")
        if not attributes.get("alt", "").strip() and "data-decorative" not in attributes:
            self._wrong(at, f"picture '{source}' has no alternative text")
        if not (attributes.get("width") and attributes.get("height")):
            self._wrong(at, f"picture '{source}' has no width and height")
        if attributes.get("loading") != "lazy":
            self.facts.first_view[self._resolved(source)] = None

    def _requests(self, tag: str, attributes: dict[str, str], at: int) -> None:
        """Addresses that the page links to, and those that a browser asks for by itself."""
        if tag in ("a", "area") and "href" in attributes:
            self._link(attributes["href"], at)
        for name in ("src", "poster", *REQUESTS.get(tag, ())):
            if not attributes.get(name, "#"):
                self._wrong(at, f"empty {name}")
            elif name in attributes and not attributes[name].startswith("#"):
                self._asset(attributes[name], at)
        for name in ("srcset", "imagesrcset"):
            if name in attributes:
                for part in attributes[name].split(","):
                    if part.strip():
                        self._asset(part.split()[0], at)
        rel = attributes.get("rel", "").split() if tag == "link" else []
        if rel and "canonical" not in rel and "href" in attributes:
            if {"alternate", "prev", "next"} & {*rel}:
                self._link(attributes["href"], at)
            else:
                self._asset(attributes["href"], at)
            if {"stylesheet", "preload"} & {*rel}:
                self.facts.first_view[self._resolved(attributes["href"])] = None
        if tag == "script" and "src" in attributes:
            self.facts.first_view[self._resolved(attributes["src"])] = None

    def _link(self, address: str, at: int) -> None:
        if not ELSEWHERE.match(address):
            self.facts.links[self._resolved(address)] = None
        elif address.lower().startswith((*WEB, "mailto:")):
            if address.lower().startswith(WEB):
                self.facts.outgoing[address] = None
        else:
            self._wrong(at, f"link to '{address[:100]}': only http(s) and mailto are allowed")

    def _asset(self, address: str, at: int) -> None:
        if ELSEWHERE.match(address):
            self._wrong(at, f"'{address[:100]}' would be requested from a third party")
        else:
            self.facts.assets[self._resolved(address.partition("#")[0])] = None

    def _resolved(self, address: str) -> str:
        """Address below site/, with its anchor, of a relative link."""
        path, mark, anchor = address.removeprefix(self.base).partition("#")
        target = joined(posixpath.dirname(self.page), path.partition("?")[0]) if path else self.page
        return f"{target}#{unquote(anchor)}" if mark and anchor else target


@cache
def joined(folder: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(folder, unquote(path)))


def _attributes(text: str) -> dict[str, str]:
    found = ATTRIBUTE.finditer(text.rstrip("/"))
    return {match[1].lower(): _unescaped(match[2] or match[3] or match[4] or "") for match in found}


def _unescaped(text: str) -> str:
    return html.unescape(text) if "&" in text else text
