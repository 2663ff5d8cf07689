"""Which templates a publication is rendered with: its own folder templates/, or the theme that comes with the tool."""

from __future__ import annotations

from pathlib import Path

THEME = Path(__file__).parents[2] / "templates"
FONTS = THEME / "static/fonts"  # what drawn pictures are lettered with


def theme(root: Path) -> Path:
    """The folder of templates and static files for the publication at `root`."""
    own = root / "templates"
    return own if own.is_dir() else THEME
