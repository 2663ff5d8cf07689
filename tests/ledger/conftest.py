"""A small project on disk, to be damaged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Project = Callable[..., Path]


def number(value: float | None = 1.0, **more: Any) -> dict[str, Any]:
    """A value as results/*.json spells it."""
    kind = "pending" if value is None else "reported"
    return {
        "label": "A number",
        "value": value,
        "unit": "points",
        "digits": 3,
        "source": {"kind": kind, "where": "Table 1"},
        **more,
    }


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Writes documents (name -> JSON or text) and claims, and gives the root."""

    def write(claims: str = "", **documents: Any) -> Path:
        (tmp_path / "results").mkdir(exist_ok=True)
        (tmp_path / "content").mkdir(exist_ok=True)
        for name, document in documents.items():
            text = document if isinstance(document, str) else json.dumps(document, indent=1)
            (tmp_path / "results" / f"{name}.json").write_text(text, encoding="utf-8")
        if claims:
            (tmp_path / "content" / "claims.toml").write_text(claims, encoding="utf-8")
        return tmp_path

    return write
