"""All figures as one document: results/miniature.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ledger.schema import Document, Run
from miniature.figures import contrasts, parts, rewards, tables
from miniature.figures.core import Figures, merged
from miniature.shipping import pack


def document(results: Path) -> Document:
    """All values, tables and runs that the rows below `results` support."""
    figures = Figures(results)
    code = f"weights {pack.digest(results / 'miniature')[:16]}"
    runs = Document(runs={name: Run(**run, code=code) for name, run in figures.told["runs"].items()})
    made = (part(figures) for part in (tables.document, contrasts.document, rewards.document, parts.document))
    return merged([runs, *made])


def write(results: Path) -> str:
    """Write results/miniature.json, keeping the exhibits that are in it; a line on what was written."""
    target = results / "miniature.json"
    before: dict[str, Any] = json.loads(target.read_text()) if target.exists() else {}
    whole = document(results).model_copy(
        update={"exhibits": Document.model_validate({"exhibits": before.get("exhibits", {})}).exhibits}
    )
    target.write_text(whole.model_dump_json(indent=1, exclude_defaults=True) + "\n")
    return f"{target}: {len(whole.values)} values, {len(whole.tables)} tables, {len(whole.exhibits)} exhibits"
