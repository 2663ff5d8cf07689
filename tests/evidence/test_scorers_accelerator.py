"""Every local scorer on an accelerator, in its card's number format, against the CPU in float32. Skipped without
one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from evidence import scorers
from tests.evidence.golden.folders import MAKERS, PICTURES, PROMPTS

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no accelerator on this machine")


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("dtype", ["float32", "card"])
def test_an_accelerator_scores_as_the_cpu(
    name: str, dtype: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half precision is judged against the spread of the scores of these three pairs: an order would survive it. The
    eleven scores of the judge lie in 0..2 and hardly differ at random weights: there it is a twentieth of that. cuDNN
    would convolve float32 in TF32, which has the ten bits of float16."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    card = MAKERS[name](tmp_path)
    changed = card.model_copy(update={"batch": 1 if card.adapter in ("hpsv3", "blip-itm") else 2})
    if dtype == "float32":
        changed = changed.model_copy(update={"dtype": "float32"})
    expected, found = (
        np.array([list(s.values()) if isinstance(s, dict) else [s] for s in scorer.score(PICTURES, PROMPTS)])
        for scorer in (scorers.load(card), scorers.load(changed, "cuda"))
    )
    spread = 1.0 if name == "j-judge" else np.ptp(expected, axis=0).max()
    assert np.abs(found - expected).max() < spread * (1e-3 if dtype == "float32" else 0.1)
    again = scorers.load(changed, "cuda").score(PICTURES, PROMPTS)
    assert again == scorers.load(changed, "cuda").score(PICTURES, PROMPTS), "not deterministic"
