"""The page on which readers draw: data for its scripts, and the files that these load on request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from pages.source.drawing import FOLDER, Drawing

if TYPE_CHECKING:
    from pages.rendering.context import TemplateContext

PLACE = "assets/draw/"
SCRIPTS = "js/draw/"
WORKER, OFFLINE = SCRIPTS + "engine.js", SCRIPTS + "offline.js"
SERVICE = "draw-offline.js"  # at the root: a service worker serves nothing above its own address


def files(root: Path, drawing: Drawing | None) -> dict[str, str]:
    """Address below site/ -> file, named by its content."""
    return {PLACE + name: str(root / FOLDER / name) for name in drawing.files} if drawing else {}


def scripts(static: Mapping[str, tuple[str, bytes]], drawing: Drawing | None) -> dict[str, bytes]:
    """Address below site/ -> script, of those whose names carry no hash."""
    return {SERVICE: static[OFFLINE][1]} if drawing else {}


def told(scope: TemplateContext, drawing: Drawing) -> Markup:
    """The content of the page's JSON script; `<` cannot close the element."""
    addresses = {
        **drawing.addresses,
        "bytes": drawing.bytes,
        "offline": scope.at.url(SERVICE),
        "folder": scope.at.url(PLACE),
        "worker": scope.asset(WORKER),
        "scripts": [scope.asset(name) for name in scope.services.assets if name.startswith(SCRIPTS)],
    }
    text = json.dumps({"model": drawing.model, "addresses": addresses, "exhibits": _exhibits(scope)}, sort_keys=True)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def _exhibits(scope: TemplateContext) -> dict[str, list[tuple[str, str]]]:
    """Link and words for it of the exhibits that show a prompt."""
    found: dict[str, dict[str, str]] = {}
    for name, exhibit in scope.ledger.exhibits.items():
        shows = exhibit.pictures[0].label if len(exhibit.pictures) == 1 else f"{len(exhibit.pictures)} pictures"
        for prompt in {picture.prompt for picture in exhibit.pictures} - {None, ""}:
            found.setdefault(prompt, {})[scope.at.exhibit_url(name)] = f"{exhibit.title}: {shows}"
    return {prompt: list(links.items()) for prompt, links in found.items()}
