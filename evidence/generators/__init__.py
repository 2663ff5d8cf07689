"""Generators: `requests -> pictures`, by the adapter of their row (evidence.adapters), imported when it is loaded."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from evidence.adapters import ADAPTERS, Arm

if TYPE_CHECKING:
    from evidence.models import Row
    from evidence.types import Generator


def load(
    row: Row, profile: str = "controlled", device: str = "cpu", *, arm: Arm = "plain", sharing: Generator | None = None
) -> Generator:
    """A generator under one profile of its row.

    `arm` chooses between the settings for the plain and the wide-spectrum picture, which differ only in `as-published`
    profiles of some rows. `sharing` is a generator loaded before: its weights are used again where they are those of
    this row, also for another strength of its LoRA.
    Raises rows.Unavailable, weights.WeightsChanged, or KeyError for an unknown profile.
    """
    adapter = ADAPTERS[row.adapter]
    made = getattr(importlib.import_module(f"evidence.generators.{adapter.module}"), adapter.name)
    settings = row.settings(profile, arm)
    if isinstance(sharing, made) and sharing.row.needs == row.needs:
        return sharing.under(settings, row)  # type: ignore[no-any-return]
    return made(row, settings, device)  # type: ignore[no-any-return]
