"""Our adapters against the official implementations, run once in their own old environment (golden/make_golden.py)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from evidence import scorers
from evidence.scorers.blip import ImageRewardScorer
from evidence.scorers.clip import CheckpointScorer
from evidence.scorers.hpsv3 import Hpsv3Scorer
from tests.evidence.golden import layouts

GOLDEN = Path(layouts.__file__).parent
ROWS = scorers.read()
PICTURES = [Image.fromarray(layouts.picture(i)) for i in range(len(layouts.SIZES))]


def golden(name: str) -> Any:
    return np.load(GOLDEN / f"{name}.npz")


def official_state(name: str) -> dict[str, torch.Tensor]:
    """Recipe weights under the official keys and shapes. Integer buffers of old releases count up, as they did."""
    state = {}
    for line in golden(name)["shapes"]:
        key, _, text = str(line).partition(" ")
        shape = tuple(int(n) for n in text.split(",") if n)
        positions = key.endswith("position_ids")
        state[key] = torch.arange(shape[1])[None] if positions else torch.from_numpy(layouts.weight(key, shape))
    return state


@pytest.fixture
def hpsv2(tmp_path: Path) -> CheckpointScorer:
    torch.save({"state_dict": official_state("hpsv2"), "epoch": 1}, tmp_path / "HPS_v2.1_compressed.pt")
    layouts.clip_tokenizer(tmp_path, 77)
    where = {"weights": f"local-dir:{tmp_path}", "base": f"local-dir:{tmp_path}"}
    row = ROWS["hpsv21"].model_copy(update=where | {"vision_heads": 2, "text_heads": 4})
    scorer = scorers.load(row)
    assert isinstance(scorer, CheckpointScorer)
    return scorer


@pytest.fixture
def imagereward(tmp_path: Path) -> ImageRewardScorer:
    torch.save(official_state("imagereward"), tmp_path / "ImageReward.pt")
    vocabulary = layouts.bert_tokenizer(tmp_path, 512)
    (tmp_path / "med_config.json").write_text(json.dumps(layouts.MED | {"vocab_size": vocabulary + 2}))
    where = {"weights": f"local-dir:{tmp_path}", "base": f"local-dir:{tmp_path}", "vision_heads": 4}
    scorer = scorers.load(ROWS["imagereward"].model_copy(update=where))
    assert isinstance(scorer, ImageRewardScorer)
    return scorer


@pytest.fixture
def hpsv3(tmp_path: Path) -> Hpsv3Scorer:
    save_file(official_state("hpsv3"), tmp_path / "HPSv3.safetensors")
    layouts.qwen_tokenizer(tmp_path)
    layouts.write_json(tmp_path / "config.json", layouts.QWEN2_VL)
    layouts.write_json(tmp_path / "preprocessor_config.json", layouts.QWEN2_PATCHES)
    (tmp_path / "instruction.txt").write_text(layouts.HPSV3_TEMPLATE)
    where = {"weights": f"local-dir:{tmp_path}", "base": f"local-dir:{tmp_path}", "pixels": layouts.HPSV3_PIXELS}
    where |= {"template": str(tmp_path / "instruction.txt"), "template_sha256": ""}
    scorer = scorers.load(ROWS["hpsv3"].model_copy(update=where))
    assert isinstance(scorer, Hpsv3Scorer)
    return scorer


def test_hpsv21_scores_as_the_official_package(hpsv2: CheckpointScorer) -> None:
    assert np.allclose(hpsv2.score(PICTURES, layouts.PROMPTS), golden("hpsv2")["scores"], atol=1e-5)


def test_hpsv21_frames_pictures_that_are_not_square_as_the_official_package(hpsv2: CheckpointScorer) -> None:
    """A centre crop would lose what lies at the ends; zero bars after normalisation would be grey."""
    ours, theirs = hpsv2.pixels(PICTURES).numpy(), golden("hpsv2")["pixels"].astype(np.float32)
    assert np.abs(ours - theirs).max() < 2e-3  # kept as float16
    black = -np.array([0.48145466, 0.4578275, 0.40821073]) / np.array([0.26862954, 0.26130258, 0.27577711])
    assert np.allclose(ours[1][:, 0, 0], black) and np.allclose(ours[2][:, 0, 0], black)


def test_hpsv21_reads_the_official_token_ids(hpsv2: CheckpointScorer) -> None:
    ids, official = hpsv2.text.ids(layouts.PROMPTS).numpy(), golden("hpsv2")["ids"].astype(np.int64)
    ends = (official == 513).argmax(axis=1)
    for row, end in enumerate(ends):  # after the end token they pad with 0, the stock tokenizer with the end token
        assert list(ids[row, : end + 1]) == list(official[row, : end + 1])


def test_imagereward_scores_as_the_official_package(imagereward: ImageRewardScorer) -> None:
    official = golden("imagereward")["scores"]
    assert np.allclose(imagereward.score(PICTURES, layouts.PROMPTS), official, atol=1e-4)


def test_hpsv3_scores_as_the_official_package(hpsv3: Hpsv3Scorer) -> None:
    """Element 0 of its two outputs, at the reward token, on positions without a picture grid."""
    assert np.allclose(hpsv3.score(PICTURES, layouts.PROMPTS), golden("hpsv3")["scores"][:, 0], atol=1e-5)


def test_hpsv3_in_a_padded_batch_scores_as_alone(hpsv3: Hpsv3Scorer) -> None:
    hpsv3.batch = 3
    assert np.allclose(hpsv3.score(PICTURES, layouts.PROMPTS), golden("hpsv3")["scores"][:, 0], atol=1e-5)


def test_hpsv3_builds_the_official_token_ids(hpsv3: Hpsv3Scorer) -> None:
    framed = [hpsv3.chat.resized(image, hpsv3.pixels) for image in PICTURES]
    turn = hpsv3.chat.turns(framed, [hpsv3.text(prompt) for prompt in layouts.PROMPTS])
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
    found = hpsv3.score(PICTURES, layouts.PROMPTS)
    assert np.abs(np.array(found) - golden("hpsv3")["scores"][:, 0]).max() > 1e-3


def test_golden_files_stay_small() -> None:
    """They are read in every review: above 100 kB they would be weights, not figures."""
    assert all(file.stat().st_size < 100_000 for file in GOLDEN.glob("*.npz"))
    assert {file.stem for file in GOLDEN.glob("*.npz")} == {"hpsv2", "imagereward", "hpsv3"}
