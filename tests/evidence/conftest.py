from __future__ import annotations

import os

import pytest

from evidence.cards import Cards
from tests.evidence import small

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")


@pytest.fixture(scope="session")
def small_cards(tmp_path_factory: pytest.TempPathFactory) -> Cards:
    """A small real participants, made once: see tests/evidence/small.py."""
    return small.cards(tmp_path_factory.mktemp("small"))
