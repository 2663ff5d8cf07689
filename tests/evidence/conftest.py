from __future__ import annotations

import os

import pytest

from evidence.run import Rows
from tests.evidence import small

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")


@pytest.fixture(scope="session")
def small_rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """A small real cast, made once: see tests/evidence/small.py."""
    return small.rows(tmp_path_factory.mktemp("small"))
