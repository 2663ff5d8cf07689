"""One tiny training run and one unpacking of the shipped weights for all tests of the miniature."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped weights as stock folders."""
    from miniature.shipping import pack

    return pack.unpack(tmp_path_factory.mktemp("shipped") / "miniature")


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every stage at tiny size, as `train` runs them."""
    from miniature.training import plan

    folder = tmp_path_factory.mktemp("trained")
    plan.run(folder, tuple(stage for stage in plan.STAGES if stage != "measure"), "tiny", 0.35, 2)
    return folder
