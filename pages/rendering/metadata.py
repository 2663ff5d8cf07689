"""Metadata of the pages: Highwire and OpenGraph tags, JSON-LD, sitemap, robots, web manifest."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

from markupsafe import Markup

from pages.source.settings import Author, Page

if TYPE_CHECKING:
    from ledger.schema import Exhibit

# Icons of the theme, as a web manifest describes them.
ICONS = {
    "img/icon.svg": {"sizes": "any", "type": "image/svg+xml"},
    "img/icon-180.png": {"sizes": "180x180", "type": "image/png"},
}


def highwire(page: Page) -> list[tuple[str, str]]:
    """`citation_*` tags: how Google Scholar, Zotero and their kin find a paper."""
    tags = [("citation_title", page.cited_title or page.title)]
    for author in page.authors:
        tags.append(("citation_author", author.name))
        tags += [("citation_author_institution", page.affiliations[name]) for name in author.at]
        if author.orcid:
            tags.append(("citation_author_orcid", f"https://orcid.org/{author.orcid}"))
    if page.published:
        tags.append(("citation_publication_date", page.published))
    if page.booktitle:
        tags.append(("citation_conference_title", page.booktitle))
    if page.arxiv:
        tags.append(("citation_arxiv_id", page.arxiv))
        tags.append(("citation_pdf_url", f"https://arxiv.org/pdf/{page.arxiv}"))
    return tags


class Card(NamedTuple):
    """The picture that stands for a page elsewhere: its absolute address, size in pixels, media type, description; an
    exhibit's own, or the one drawn for the page."""

    address: str
    width: int
    height: int
    form: str
    alt: str
    of_exhibit: bool


def social(page: Page, address: str, card: Card | None, exhibit: Exhibit | None) -> list[tuple[str, str]]:
    """OpenGraph tags; `address` and the card's are absolute where page.toml has an address."""
    title = f"{exhibit.title} - {page.title}" if exhibit else page.title
    tags = [
        ("og:type", "article"),
        ("og:title", title),
        ("og:description", exhibit.caption if exhibit else page.description),
        ("og:url", address),
        ("og:locale", page.language.replace("-", "_")),
    ]
    if card is not None:
        tags += [
            ("og:image", card.address),
            ("og:image:type", card.form),
            ("og:image:width", str(card.width)),
            ("og:image:height", str(card.height)),
            ("og:image:alt", card.alt),
        ]
    return tags


def json_ld(page: Page, address: str, card: Card | None, exhibit: Exhibit | None) -> Markup:
    """schema.org description as the content of a JSON-LD script; `<` cannot close the element. Of the paper, or of an
    exhibit that is a part of it."""
    paper: dict[str, Any] = {
        "@type": "ScholarlyArticle",
        "headline": page.cited_title or page.title,
        "description": page.description,
        "author": [_person(author, page) for author in page.authors],
        "datePublished": page.published.replace("/", "-") or str(page.year),
        "inLanguage": page.language,
        "url": page.address if exhibit else address,
    }
    if page.arxiv:
        paper["sameAs"] = f"https://arxiv.org/abs/{page.arxiv}"
    thing = paper if exhibit is None else _artwork(exhibit, address, card) | {"isPartOf": paper}
    text = json.dumps({"@context": "https://schema.org", **thing}, ensure_ascii=False, sort_keys=True)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def _person(author: Author, page: Page) -> dict[str, Any]:
    person: dict[str, Any] = {"@type": "Person", "name": author.name}
    if author.at:
        person["affiliation"] = [{"@type": "Organization", "name": page.affiliations[name]} for name in author.at]
    if author.url:
        person["url"] = author.url
    if author.orcid:
        person["sameAs"] = f"https://orcid.org/{author.orcid}"
    return person


def _artwork(exhibit: Exhibit, address: str, card: Card | None) -> dict[str, Any]:
    about = {
        "@type": "VisualArtwork" if exhibit.kind == "painting" else "CreativeWork",
        "name": exhibit.title,
        "description": exhibit.caption,
        "creditText": exhibit.credit,
        "copyrightNotice": exhibit.licence,
        "url": address,
    }
    if card is None or not card.of_exhibit:
        return about
    picture = {"contentUrl": card.address, "encodingFormat": card.form, "width": card.width, "height": card.height}
    return about | {"image": {"@type": "ImageObject", **picture, "caption": card.alt}}


def for_hosts(page: Page, addresses: Iterable[str], assets: Mapping[str, str]) -> dict[str, bytes]:
    """What search engines, static hosts and browsers ask for; `assets` says where a theme's file is published.
    A sitemap holds absolute addresses, so there is none without the address of the site."""
    listed = [here for here in addresses if here.endswith(".html") and not here.startswith(("distorted/", "404"))]
    found = {".nojekyll": b"", "robots.txt": robots(page), "manifest.webmanifest": manifest(page, assets)}
    return found | ({"sitemap.xml": sitemap(page, sorted(listed))} if page.address else {})


def sitemap(page: Page, addresses: list[str]) -> bytes:
    """The clean pages: the distorted ones name them as canonical."""
    lines = [f"<url><loc>{escape(page.address + _short(one))}</loc></url>" for one in addresses]
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
    return (head + "\n".join(lines) + "\n</urlset>\n").encode()


def robots(page: Page) -> bytes:
    where = f"Sitemap: {page.address}sitemap.xml\n" if page.address else ""
    return f"User-agent: *\nAllow: /\n{where}".encode()


def manifest(page: Page, assets: Mapping[str, str]) -> bytes:
    """The W3C web app manifest: what a device calls the site and which icon it gets on a home screen. Its addresses are
    relative to the manifest, so that it holds under any path."""
    about = {
        "name": page.title,
        "description": page.description,
        "lang": page.language,
        "dir": page.direction,
        "start_url": "./",
        "scope": "./",
        "display": "browser",
        "background_color": "#ffffff",
        "theme_color": "#ffffff",
        "icons": [icon | {"src": assets[path]} for path, icon in ICONS.items() if path in assets],
    }
    return json.dumps(about, ensure_ascii=False, indent=1).encode()


def _short(address: str) -> str:
    return address.removesuffix("index.html")
