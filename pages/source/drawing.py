"""The model with which readers draw in their browsers, where the project holds one: .cache/draw/draw.json and files.

Whoever makes it notes the digests of what it was made from. One of other weights than the project's is left out of the
site, with a note: the page is complete without it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pages.source.settings import Written

FOLDER = ".cache/draw"


class Menu(Written):
    """A list from which a part of the prompt is chosen; `groups` are (label, choices)."""

    name: str
    label: str
    optional: bool
    groups: list[tuple[str, list[str]]]


class Drawing(Written):
    """`model` and `addresses` are for scripts: what sampler and reader of words need, and which files to load."""

    sources: dict[str, str]  # file below the root -> sha256
    files: list[str]
    bytes: dict[str, int]  # runtime -> what a reader's browser loads with it
    menus: list[Menu]
    most: float  # end of the slider
    example: dict[str, str]  # menu -> choice
    prompt: str  # the example in words
    model: dict[str, Any]
    addresses: dict[str, Any]

    @property
    def megabytes(self) -> str:
        return f"{max(self.bytes.values()) / 1e6:.0f} MB"


def load(root: Path) -> tuple[Drawing | None, list[str]]:
    """The model of the project at `root`, if it has one of its own weights, and notes for the build log."""
    manifest = root / FOLDER / "draw.json"
    if not manifest.exists():
        return None, []
    again = "run `make web` to publish it"
    try:
        drawing = Drawing.model_validate_json(manifest.read_bytes())
    except ValidationError:
        return None, [f"{FOLDER}: the model for browsers is of another version of this project: {again}"]
    for place, digest in drawing.sources.items():
        if not (root / place).is_file() or hashlib.sha256((root / place).read_bytes()).hexdigest() != digest:
            return None, [f"{FOLDER}: the model for browsers was made before {place} changed: {again}"]
    return drawing, []
