"""Proves a built site: what the issue of a page asks for, checked on the files that will be published.

Both variants carry the same values, claims, exhibits, sections and outgoing links; every number equals the ledger's;
prose types no number of its own; no broken link, anchor or asset; no third-party request, inline script or style;
alternative texts; heading order; budgets; the JSON validates. Pages that were read before are not read again.
"""

from __future__ import annotations

import gzip
import hashlib
import html
import json
import os
import posixpath
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from ledger.problems import Problem, did_you_mean, spell, toml_line

FACTS_VERSION = 4  # raise when `read_page` finds other facts in the same bytes
TAG = re.compile(r"<!--.*?-->|<(/?)([a-zA-Z][\w-]*)([^<>\"']*(?:(?:\"[^\"]*\"|'[^']*')[^<>\"']*)*)>", re.S)
ATTRIBUTE = re.compile(r"([^\s=\"'<>/]+)(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'<>]+)))?")
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
PLAIN_TAGS_THAT_COUNT = {"h1", "h2", "h3", "h4", "h5", "h6", "img", "svg"}  # even without an attribute
NOT_PROSE = {"data", "code", "pre", "svg", "script", "style", "time", "kbd", "samp"}
REQUESTS = {"object": ("data",), "use": ("href", "xlink:href"), "image": ("href", "xlink:href"), "a": ("ping",)}
PROSE = (("title",), ("thesis",), ("description",), ("lead",), ("note",))
PROSE_OF_A_VOICE = ("title", "nav", "lead")
NUMBER = re.compile(r"\d(?:[\d.,\u2009\u202f]*\d)?")
CSS_URL = re.compile(r"url\(\s*['\"]?([^'\")]+)['\"]?\s*\)|@import\s+['\"]([^'\"]+)")
EXTERNAL = re.compile(r"^(?:[a-z][a-z0-9+.-]*:)?//", re.I)
SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*:", re.I)


@dataclass
class Facts:
    """What `check` needs of one page; numbers beside names are lines."""

    ids: list[tuple[str, int]] = field(default_factory=list)
    links: list[tuple[str, int]] = field(default_factory=list)
    assets: list[tuple[str, int]] = field(default_factory=list)
    first_view: list[str] = field(default_factory=list)
    values: list[tuple[str, str, str, int]] = field(default_factory=list)  # id, value, text, line
    claims: dict[str, int] = field(default_factory=dict)
    exhibits: dict[str, int] = field(default_factory=dict)
    sections: list[tuple[str, int]] = field(default_factory=list)
    headings: list[tuple[int, int]] = field(default_factory=list)
    numbers: list[tuple[str, str, str]] = field(default_factory=list)  # section, number, text before it
    wrong: list[tuple[int, str]] = field(default_factory=list)
    has_policy: bool = False


def check(root: Path, out: Path) -> list[Problem]:
    """Every defect of the site at `out`, sorted by place; empty when it is sound. `root` supplies the allow-list and
    the texts, so that a number in prose is reported at its line of Markdown."""
    if not out.is_dir():
        return [Problem(_name(out, root), 0, "", "no such site: build it first")]
    files = _files(out)
    pages = _facts(root, out, files)
    where = _name(out, root)
    written = _settings(root)
    settings = written.get("check", {})
    if "404.html" in pages:
        _below(pages["404.html"], os.environ.get("SITE_URL") or written.get("address", ""))
    found = [
        *_policies(pages, where),
        *_links(pages, files, where),
        *_styles(out, files, where),
        *_parity(pages, where),
        *_values(pages, out, where),
        *_numbers(pages, root, settings.get("allow", [])),
        *_titles(root, settings.get("allow", [])),
        *_headings(pages, where),
        *_budgets(pages, out, files, where, settings),
        *_json(out, files, where),
    ]
    return sorted(set(found))


# -- reading pages -----------------------------------------------------------------------------------------------------


def read_page(text: str) -> Facts:
    """Facts of one HTML page as our templates write it (quoted attributes, closed elements)."""
    facts, stack, at, line = Facts(), list[tuple[str, bool, str]](), 0, 1
    prose, parts, section, counted = 0, 0, "", 0
    value: tuple[str, str, int] | None = None
    words: list[str] = []
    for match in TAG.finditer(text):
        between = text[at : match.start()]
        if prose > 0 and not parts and between.strip() and not any(skip for _, skip, _ in stack):
            _prose_numbers(facts, section, html.unescape(between))
        if value is not None:
            words.append(between)
        line += text.count("\n", counted, match.start())
        counted = at_start = match.start()
        at = match.end()
        tag = (match[2] or "").lower()
        if not tag:  # a comment; what a part drew is not prose
            parts += match[0].startswith("<!--part ")
            parts -= match[0] == "<!--/part-->"
            continue
        if match[1]:
            while stack:
                name, _, kind = stack.pop()
                prose -= kind == "prose"
                if kind == "section":
                    section = ""
                if kind == "value" and value is not None:
                    facts.values.append((value[0], value[1], html.unescape("".join(words)).strip(), value[2]))
                    value, words = None, []
                if name == tag:
                    break
            continue
        attributes = _attributes(match[3]) if match[3] else {}
        if attributes or tag in PLAIN_TAGS_THAT_COUNT:
            _tag(facts, tag, attributes, line)
        kind = ""
        if "data-section" in attributes:
            section, kind = attributes.get("id", ""), "section"
            facts.sections.append((section, line))
        elif "data-prose" in attributes:
            kind, prose = "prose", prose + 1
        elif tag == "data" and "data-ref" in attributes:
            kind, value, words = "value", (attributes["data-ref"], attributes.get("value", ""), line), []
        if tag in ("script", "style"):
            end = text.find(f"</{tag}", at)
            if tag == "style" or ("src" not in attributes and attributes.get("type") != "application/ld+json"):
                facts.wrong.append((line, f"inline <{tag}>: the content policy forbids it"))
            at = counted = end if end >= 0 else len(text)
            line += text.count("\n", at_start, at)
        if tag not in VOID and not match[3].endswith("/"):
            stack.append((tag, tag in NOT_PROSE or "data-part" in attributes, kind))
    return facts


def _attributes(text: str) -> dict[str, str]:
    found = ATTRIBUTE.finditer(text.rstrip("/"))
    return {match[1].lower(): _plain(match[2] or match[3] or match[4] or "") for match in found}


def _tag(facts: Facts, tag: str, attributes: dict[str, str], line: int) -> None:
    """What one start tag contributes."""
    if identity := attributes.get("id"):
        facts.ids.append((identity, line))
    if "data-claim" in attributes:
        facts.claims.setdefault(attributes["data-claim"], line)
    if "data-exhibit" in attributes and tag == "figure":
        facts.exhibits.setdefault(attributes["data-exhibit"], line)
    if len(tag) == 2 and tag[0] == "h" and tag[1] in "123456":
        facts.headings.append((int(tag[1]), line))
    facts.wrong += [(line, f"inline {name}: the policy forbids it") for name in attributes if name.startswith("on")]
    if "style" in attributes:
        facts.wrong.append((line, f"inline style on <{tag}>: the content policy forbids it"))
    if tag == "meta" and attributes.get("http-equiv", "").lower() == "content-security-policy":
        facts.has_policy = "default-src 'self'" in attributes.get("content", "")
    if tag in ("a", "area") and "href" in attributes:
        facts.links.append((attributes["href"], line))
    requests = ("src", "poster", *REQUESTS.get(tag, ()))
    loaded = [attributes[name] for name in requests if attributes.get(name, "#")[0] != "#"]
    sets = f"{attributes.get('srcset', '')},{attributes.get('imagesrcset', '')}"
    loaded += [part.split()[0] for part in sets.split(",") if part.strip()]
    rel = attributes.get("rel", "").split()
    if tag == "link" and "canonical" not in rel and "href" in attributes:
        (facts.links if {"alternate", "prev", "next"} & {*rel} else facts.assets).append((attributes["href"], line))
        if {"stylesheet", "preload"} & {*rel}:
            facts.first_view.append(attributes["href"])
    facts.assets += [(address, line) for address in loaded]
    if tag == "script" and "src" in attributes:
        facts.first_view.append(attributes["src"])
    if tag == "img":
        if not attributes.get("alt", "").strip() and "data-decorative" not in attributes:
            facts.wrong.append((line, f"picture '{attributes.get('src', '')}' has no alternative text"))
        if not (attributes.get("width") and attributes.get("height")):
            facts.wrong.append((line, f"picture '{attributes.get('src', '')}' has no width and height"))
        if attributes.get("loading") != "lazy":
            facts.first_view.append(attributes.get("src", ""))
    named = attributes.get("aria-label") or attributes.get("aria-labelledby") or "aria-hidden" in attributes
    if tag == "svg" and not named:
        facts.wrong.append((line, "drawing without a name: give it aria-labelledby or aria-hidden"))


def _plain(text: str) -> str:
    return html.unescape(text) if "&" in text else text


def _prose_numbers(facts: Facts, section: str, text: str) -> None:
    for match in NUMBER.finditer(text):
        start = max(0, match.start() - 40)
        facts.numbers.append((section, match[0], text[start : match.end() + 24]))


def _files(out: Path) -> dict[str, None]:
    """Addresses of all files of the site, in order."""
    found, start = list[str](), len(str(out)) + 1
    for folder, _, names in os.walk(out):
        below = folder[start:].replace(os.sep, "/")
        found += [f"{below}/{name}" if below else name for name in names]
    return dict.fromkeys(sorted(found))


def _facts(root: Path, out: Path, files: Iterable[str]) -> dict[str, Facts]:
    """Facts of every page, from the cache where its bytes were read before."""
    cache_file = root / ".cache/facts.json"
    try:
        cache = json.loads(cache_file.read_bytes())
    except (OSError, ValueError):
        cache = {}
    known, fresh, pages = cache.get("pages", {}) if cache.get("version") == FACTS_VERSION else {}, {}, {}
    for address in files:
        if not address.endswith(".html"):
            continue
        content = (out / address).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        if digest not in fresh:
            fresh[digest] = known.get(digest) or vars(read_page(content.decode()))
        pages[address] = Facts(**fresh[digest])
    if fresh.keys() != known.keys():
        from pages.files import write_whole

        write_whole(cache_file, json.dumps({"version": FACTS_VERSION, "pages": fresh}).encode())
    return pages


# -- rules -------------------------------------------------------------------------------------------------------------


def _policies(pages: dict[str, Facts], where: str) -> Iterator[Problem]:
    for page, facts in pages.items():
        yield from (Problem(f"{where}/{page}", line, "", message) for line, message in facts.wrong)
        if not facts.has_policy:
            yield Problem(f"{where}/{page}", 1, "", "no Content-Security-Policy with default-src 'self'")
        seen: dict[str, int] = {}
        for name, line in facts.ids:
            if name in seen:
                yield Problem(f"{where}/{page}", line, "", f"id '{name}' is taken already in line {seen[name]}")
            seen.setdefault(name, line)


def _links(pages: dict[str, Facts], files: Mapping[str, None], where: str) -> Iterator[Problem]:
    anchors = {page: {name for name, _ in facts.ids} for page, facts in pages.items()}
    for page, facts in pages.items():
        place = f"{where}/{page}"
        for address, line in facts.assets:
            if EXTERNAL.match(address) or SCHEME.match(address):
                yield Problem(place, line, "", f"'{address[:100]}' would be requested from a third party")
            elif (target := _resolve(page, address)[0]) not in files:
                yield Problem(place, line, "", f"no such file '{target}'{did_you_mean(target, files)}")
        for address, line in facts.links:
            if EXTERNAL.match(address) or SCHEME.match(address):
                if not address.lower().startswith(("https://", "http://", "mailto:")):
                    yield Problem(place, line, "", f"link to '{address[:100]}': only http(s) and mailto are allowed")
                continue
            target, anchor = _resolve(page, address)
            if target not in files:
                yield Problem(place, line, "", f"broken link to '{target}'{did_you_mean(target, files)}")
            elif anchor and target in anchors and anchor not in anchors[target]:
                near = did_you_mean(anchor, anchors[target])
                yield Problem(place, line, "", f"no anchor '#{anchor}' in {target}{near}")


def _resolve(page: str, address: str) -> tuple[str, str]:
    """(address below site/, anchor) of a relative link."""
    path, _, anchor = address.partition("#")
    return _joined(page.rpartition("/")[0], path.partition("?")[0]) if path else page, unquote(anchor)


@cache
def _joined(folder: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(folder, unquote(path)))


def _styles(out: Path, files: Iterable[str], where: str) -> Iterator[Problem]:
    for name in (name for name in files if name.endswith(".css")):
        text = (out / name).read_text(encoding="utf-8")
        for match in CSS_URL.finditer(text):
            address = match[1] or match[2]
            line = text.count("\n", 0, match.start()) + 1
            if address.startswith(("#", "data:")):
                continue
            if EXTERNAL.match(address):
                yield Problem(f"{where}/{name}", line, "", f"'{address}' would be requested from a third party")
            elif not (out / _resolve(name, address)[0]).is_file():
                yield Problem(f"{where}/{name}", line, "", f"no such file '{address}'")


def _parity(pages: dict[str, Facts], where: str) -> Iterator[Problem]:
    """The two variants carry the same evidence, page by page."""
    for page, clean in pages.items():
        if not page.startswith("clean/"):
            continue
        twin = page.replace("clean/", "distorted/", 1)
        if twin not in pages:
            yield Problem(f"{where}/{page}", 0, "", f"has no twin {twin}")
            continue
        other = pages[twin]
        for kind, ours, theirs in (
            ("value", {v[0]: v[3] for v in clean.values}, {v[0]: v[3] for v in other.values}),
            ("claim", clean.claims, other.claims),
            ("exhibit", clean.exhibits, other.exhibits),
            ("outgoing link", _outgoing(clean), _outgoing(other)),
        ):
            yield from (
                Problem(f"{where}/{twin}", 0, "", f"lacks {kind} '{one}' of {page}")
                for one in ours.keys() - theirs.keys()
            )
            yield from (
                Problem(f"{where}/{twin}", line, "", f"has {kind} '{one}', which {page} lacks")
                for one, line in theirs.items()
                if one not in ours
            )
        if [name for name, _ in clean.sections] != [name for name, _ in other.sections]:
            yield Problem(f"{where}/{twin}", 0, "", f"its sections are not those of {page}, in the same order")
    for page in pages:
        if page.startswith("distorted/") and page.replace("distorted/", "clean/", 1) not in pages:
            yield Problem(f"{where}/{page}", 0, "", "has no twin in clean/")


def _outgoing(facts: Facts) -> dict[str, int]:
    return {address: line for address, line in facts.links if address.lower().startswith(("http://", "https://"))}


def _values(pages: dict[str, Facts], out: Path, where: str) -> Iterator[Problem]:
    """Every number shown is the ledger's, as the ledger prints it."""
    import ledger
    from ledger.schema import Publication

    try:
        published = Publication.model_validate_json((out / "data/ledger.json").read_bytes())
    except (OSError, ValueError):
        return  # `_json` says what is wrong with it
    known = dict(published.values)
    for name, exhibit in published.exhibits.items():
        for picture in exhibit.pictures:
            known |= {f"exhibits.{name}.{picture.id}.{score}": value for score, value in picture.scores.items()}
    printed: dict[str, tuple[str, str]] = {}
    for page, facts in pages.items():
        for name, raw, text, line in facts.values:
            if name not in known:
                message = f"value '{name}' is not in the ledger{did_you_mean(name, known)}"
                yield Problem(f"{where}/{page}", line, "", message)
                continue
            if name not in printed:
                value = known[name]
                printed[name] = ("" if value.value is None else str(value.value), ledger.show(value))
            if (raw, text) != printed[name]:
                message = f"value '{name}' reads {text} ({raw}), the ledger has {printed[name][1]} ({printed[name][0]})"
                yield Problem(f"{where}/{page}", line, "", message)
        for kind, names, all_names in (
            ("exhibit", facts.exhibits, published.exhibits),
            ("claim", facts.claims, published.claims),
        ):
            for name, line in names.items():
                if name not in all_names:
                    yield Problem(f"{where}/{page}", line, "", f"{kind} '{name}' is not in the ledger")


def _numbers(pages: dict[str, Facts], root: Path, allow: Iterable[str]) -> Iterator[Problem]:
    """Prose types no number of its own; reported at the line of Markdown where it stands."""
    folders = _folders(root)
    allowed = sorted(allow, key=len, reverse=True)
    for variant in ("clean", "distorted"):
        facts = pages.get(f"{variant}/index.html")
        for section, number, around in facts.numbers if facts else ():
            if _is_allowed(number, around, allowed):
                continue
            file = root / "content/sections" / folders.get(section, section) / f"{variant}.md"
            yield Problem(
                _name(file, root),
                _line_of(file, number, around),
                "",
                f"'{number}' is typed in prose: refer to a ledger value, or allow it in page.toml, [check] allow",
            )


def _titles(root: Path, allow: Iterable[str]) -> Iterator[Problem]:
    """Titles, leads and notes are prose too: the ones of page.toml and of every section.toml."""
    allowed = sorted(allow, key=len, reverse=True)
    for file in [root / "content/page.toml", *sorted((root / "content/sections").glob("*/section.toml"))]:
        try:
            text = file.read_text(encoding="utf-8")
            written = tomllib.loads(text)
        except (OSError, ValueError):
            continue
        for path in (*PROSE, *((variant, key) for variant in ("clean", "distorted") for key in PROSE_OF_A_VOICE)):
            place: Any = written
            for key in path:
                place = place.get(key, "") if isinstance(place, dict) else ""
            for match in NUMBER.finditer(place) if isinstance(place, str) else ():
                if not _is_allowed(match[0], place, allowed):
                    message = f"'{match[0]}' is typed in prose: refer to a ledger value, or allow it in [check] allow"
                    yield Problem(_name(file, root), toml_line(text, path), spell(path), message)


def _is_allowed(number: str, around: str, allowed: list[str]) -> bool:
    """Whether some allowed phrase that stands in the text contains the number."""
    for phrase in allowed:
        for match in re.finditer(rf"(?<!\w){re.escape(phrase)}(?![.,]?\d)", around):
            inner = [match.start() + m.start() for m in re.finditer(re.escape(number), match[0])]
            if any(around.startswith(number, at) for at in inner) or number in phrase:
                return True
    return False


def _line_of(file: Path, number: str, around: str) -> int:
    """The line of a text that holds the number, the one that shares most words with its surroundings."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    words = set(re.findall(r"\w+", around))
    best = [(len(words & set(re.findall(r"\w+", text))), -n) for n, text in enumerate(lines, 1) if number in text]
    return -max(best)[1] if best else 0


def _headings(pages: dict[str, Facts], where: str) -> Iterator[Problem]:
    for page, facts in pages.items():
        place = f"{where}/{page}"
        tops = [line for level, line in facts.headings if level == 1]
        if len(tops) != 1:
            yield Problem(place, tops[1] if tops else 1, "", f"{len(tops)} headings of level 1, a page has one")
        for (before, _), (level, line) in zip(facts.headings, facts.headings[1:], strict=False):
            if level > before + 1:
                yield Problem(place, line, "", f"heading of level {level} follows level {before}")


def _budgets(
    pages: dict[str, Facts], out: Path, files: Iterable[str], where: str, settings: dict[str, Any]
) -> Iterator[Problem]:
    """kB over the wire: text as gzip -6 makes it, pictures and fonts as they are."""
    first_kb, page_kb = settings.get("first_view_kb", 400), settings.get("page_kb", 1500)
    weights: dict[str, int] = {}
    for page, facts in pages.items():
        raw = (out / page).stat().st_size
        if raw > page_kb * 1000:
            yield Problem(f"{where}/{page}", 0, "", f"{raw / 1000:.0f} kB of HTML, the budget is {page_kb} kB")
        if page not in ("index.html", "clean/index.html", "distorted/index.html"):
            continue
        total = _wire(out / page)
        for address in dict.fromkeys(facts.first_view):
            target = _resolve(page, address)[0]
            if target not in weights and (out / target).is_file():
                weights[target] = _wire(out / target)
            total += weights.get(target, 0)
        if total > first_kb * 1000:
            message = f"first view weighs {total / 1000:.0f} kB, the budget is {first_kb} kB"
            yield Problem(f"{where}/{page}", 0, "", message)
    for name in (name for name in files if name.startswith("assets/pictures/")):
        size = os.stat(f"{out}/{name}").st_size  # noqa: PTH116 - thousands of them
        if size > settings.get("picture_kb", 400) * 1000:
            yield Problem(f"{where}/{name}", 0, "", f"{size / 1000:.0f} kB, the budget of a picture is exceeded")


def _wire(path: Path) -> int:
    content = path.read_bytes()
    return len(gzip.compress(content, 6)) if path.suffix in (".html", ".css", ".js", ".json", ".svg") else len(content)


def _json(out: Path, files: Mapping[str, None], where: str) -> Iterator[Problem]:
    """The published ledger is what its schema says, and its schema is JSON."""
    from pydantic import ValidationError

    from ledger.problems import json_line
    from ledger.schema import Publication

    if "data/ledger.json" not in files:
        yield Problem(f"{where}/data/ledger.json", 0, "", "no such file")
    for address in (address for address in files if address.endswith(".json")):
        name = f"{where}/{address}"
        text = (out / address).read_text(encoding="utf-8")
        try:
            json.loads(text)
        except ValueError as error:
            yield Problem(name, getattr(error, "lineno", 0), "", f"invalid JSON: {error}")
            continue
        if address != "data/ledger.json":
            continue
        try:
            Publication.model_validate_json(text)
        except ValidationError as error:
            for item in error.errors(include_url=False):
                yield Problem(name, json_line(text, item["loc"]), spell(item["loc"]), item["msg"])


def _settings(root: Path) -> dict[str, Any]:
    try:
        return tomllib.loads((root / "content/page.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _below(facts: Facts, address: str) -> None:
    """Read links that begin with the path of the site as links from its root: 404.html is served at any depth."""
    base = urlsplit(address).path.rstrip("/") + "/"
    for links in (facts.links, facts.assets):
        links[:] = [(link.removeprefix(base), line) for link, line in links]


def _folders(root: Path) -> dict[str, str]:
    """Section id -> folder of content/sections."""
    found = {}
    for path in sorted((root / "content/sections").glob("*/section.toml")):
        try:
            found[tomllib.loads(path.read_text(encoding="utf-8"))["id"]] = path.parent.name
        except (ValueError, KeyError):
            continue
    return found


def _name(path: Path, root: Path) -> str:
    from ledger.problems import relative

    return relative(path, root)
