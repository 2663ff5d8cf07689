"""What results mean: values and their sources, statistics, claims and their verdicts, import of raw scores.

`load(root)` reads a publication, `ledger.import_scores` imports published scores, `ledger.metrics` has the statistics.
Importing this package loads neither pydantic nor numpy; the first use of a name below does.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ledger.book import Ledger as Ledger
    from ledger.book import UnknownValue as UnknownValue
    from ledger.book import percent as percent
    from ledger.book import show as show
    from ledger.reading import load as load

_HOME = {
    "Ledger": "ledger.book",
    "UnknownValue": "ledger.book",
    "load": "ledger.reading",
    "percent": "ledger.book",
    "show": "ledger.book",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'ledger' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
