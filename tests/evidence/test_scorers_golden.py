"""Our adapters against the official implementations, run once in their own old environment (golden/make_golden.py)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evidence import scorers
from evidence.scorers.blip import ImageRewardScorer
from evidence.scorers.clip import CheckpointScorer
from evidence.scorers.hpsv3 import Hpsv3Scorer
from tests.evidence.golden.folders import GOLDEN, MAKERS, PICTURES, PROMPTS, golden


def loaded(name: str, folder: Path) -> Any:
    return scorers.load(MAKERS[name](folder))


@pytest.fixture
def hpsv2(tmp_path: Path) -> CheckpointScorer:
    return loaded("hpsv21", tmp_path)


@pytest.fixture
def imagereward(tmp_path: Path) -> ImageRewardScorer:
    return loaded("imagereward", tmp_path)


@pytest.fixture
def hpsv3(tmp_path: Path) -> Hpsv3Scorer:
    return loaded("hpsv3", tmp_path)


def test_hpsv21_scores_as_the_official_package(hpsv2: CheckpointScorer) -> None:
    assert np.allclose(hpsv2.score(PICTURES, PROMPTS), golden("hpsv2")["scores"], atol=1e-5)


def test_hpsv21_frames_pictures_that_are_not_square_as_the_official_package(hpsv2: CheckpointScorer) -> None:
    """A centre crop would lose what lies at the ends; zero bars after normalisation would be grey."""
    ours, theirs = hpsv2.pixels(PICTURES).numpy(), golden("hpsv2")["pixels"].astype(np.float32)
    assert np.abs(ours - theirs).max() < 2e-3  # kept as float16
    black = -np.array([0.48145466, 0.4578275, 0.40821073]) / np.array([0.26862954, 0.26130258, 0.27577711])
    assert np.allclose(ours[1][:, 0, 0], black) and np.allclose(ours[2][:, 0, 0], black)


def test_hpsv21_reads_the_official_token_ids(hpsv2: CheckpointScorer) -> None:
    ids, official = hpsv2.text.ids(PROMPTS).numpy(), golden("hpsv2")["ids"].astype(np.int64)
    ends = (official == 513).argmax(axis=1)
    for card, end in enumerate(ends):  # after the end token they pad with 0, the stock tokenizer with the end token
        assert list(ids[card, : end + 1]) == list(official[card, : end + 1])


def test_imagereward_scores_as_the_official_package(imagereward: ImageRewardScorer) -> None:
    official = golden("imagereward")["scores"]
    assert np.allclose(imagereward.score(PICTURES, PROMPTS), official, atol=1e-4)


def test_hpsv3_scores_as_the_official_package(hpsv3: Hpsv3Scorer) -> None:
    """Element 0 of its two outputs, at the reward token, on positions without a picture grid."""
    assert np.allclose(hpsv3.score(PICTURES, PROMPTS), golden("hpsv3")["scores"][:, 0], atol=1e-5)


def test_hpsv3_in_a_padded_batch_scores_as_alone(hpsv3: Hpsv3Scorer) -> None:
    hpsv3.batch = 3
    assert np.allclose(hpsv3.score(PICTURES, PROMPTS), golden("hpsv3")["scores"][:, 0], atol=1e-5)


def test_hpsv3_builds_the_official_token_ids(hpsv3: Hpsv3Scorer) -> None:
    framed = [hpsv3.chat.resized(image, hpsv3.pixels) for image in PICTURES]
    turn = hpsv3.chat.turns(framed, [hpsv3.text(prompt) for prompt in PROMPTS])
    assert np.array_equal(turn.ids.numpy(), golden("hpsv3")["ids"])
    assert np.array_equal(turn.grid.numpy(), golden("hpsv3")["grid"])


def test_hpsv3_on_grid_positions_would_be_another_scorer(hpsv3: Hpsv3Scorer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control for the two tests above: with the stock class's own positions the scores leave the tolerance."""
    backbone = hpsv3.model.backbone
    forward = type(backbone).forward

    def on_the_grid(*args: Any, position_ids: Any, **inputs: Any) -> Any:
        kinds = (inputs["input_ids"] == hpsv3.chat.placeholder).long()
        return forward(backbone, *args, mm_token_type_ids=kinds, **inputs)

    monkeypatch.setattr(backbone, "forward", on_the_grid)
    found = hpsv3.score(PICTURES, PROMPTS)
    assert np.abs(np.array(found) - golden("hpsv3")["scores"][:, 0]).max() > 1e-3


@pytest.mark.parametrize(("column", "threshold"), [(0, 0.3), (1, 0.01)])
def test_mps_scores_as_the_published_code_at_both_its_thresholds(tmp_path: Path, column: int, threshold: float) -> None:
    """Scores reach 25 here (a cosine times about 88), so 1e-4 is 4e-6 of them."""
    card = MAKERS["mps"](tmp_path).model_copy(update={"threshold": threshold})
    found = scorers.load(card).score(PICTURES, PROMPTS)
    assert np.allclose(found, golden("mps")["scores"][:, column], atol=1e-4)
    assert not np.allclose(found, golden("mps")["scores"][:, 1 - column], atol=1e-2), "the threshold changes nothing"


def test_golden_files_stay_small() -> None:
    """They are read in every review: above 100 kB they would be weights, not figures."""
    assert all(file.stat().st_size < 100_000 for file in GOLDEN.glob("*.npz"))
    assert {file.stem for file in GOLDEN.glob("*.npz")} == {"hpsv2", "imagereward", "hpsv3", "mps"}
