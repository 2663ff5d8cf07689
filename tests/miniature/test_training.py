"""Every stage runs at tiny size, learns, continues after a cut, and hands over what the next one needs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from miniature.nets import flow, shapes


def losses(folder: Path, stage: str) -> list[float]:
    return [loss for _, loss in json.loads((folder / stage / "report.json").read_text())["losses"]]


@pytest.mark.parametrize("stage", ["autoencoder", "encoder", "generator", "judge", "tiny_decoder"])
def test_the_loss_falls(trained: Path, stage: str) -> None:
    found = losses(trained, stage)
    late = sum(found[-3:]) / len(found[-3:])
    assert late < 0.95 * found[0], found


def test_rewards_and_both_alignments_are_there_with_their_history(trained: Path) -> None:
    assert len(list((trained / "rewards").glob("*.safetensors"))) == 3
    for family in ("draft", "dpo"):
        assert json.loads((trained / "alignment" / f"{family}-s0.json").read_text())["history"]
        assert json.loads((trained / "alignment" / f"{family}-s0.unit.json").read_text())["unit"] > 0


def test_an_alignment_changes_the_velocity_and_strength_zero_does_not(trained: Path) -> None:
    from miniature.training.studio import Studio

    studio = Studio(trained, shapes.TINY)
    pictures = {}
    for strength in (0.0, 1.0, None):
        studio.align("dpo-s0" if strength is not None else None, strength or 0.0)
        pictures[strength] = studio.generate(["a cat in a room by day"], [1])
    assert torch.equal(pictures[0.0], pictures[None])
    assert not torch.equal(pictures[1.0], pictures[None])


def test_a_measurement_goes_on_with_the_pairs_that_are_missing(trained: Path) -> None:
    from miniature import measurement
    from miniature.report import rows

    setting = measurement.Setting("draft-s0", 1.0, 0)
    for every in (12, 8):
        measurement.run(trained, shapes.TINY, only=(setting,), every=every)
    (found,) = rows.measured_in(trained)
    assert found.pairs.tolist() == [0, 8, 12, 16] and found.run == rows.CPU
    assert found.scores.shape == (4, len(rows.SCORERS), 4) and np.isfinite(found.scores[:, 0]).all()
    assert found.apart is not None and found.feelings is not None and len(found.feelings) == 10


def test_a_stage_that_was_cut_off_goes_on_where_it_was(tmp_path: Path) -> None:
    from miniature.training.common import Stage

    weights = [torch.ones(3)]
    stage = Stage(tmp_path, "part", 100.0)
    stage.step, stage.spent = 7, 40.0
    weights[0][:] = 5
    stage.save(weights=weights, force=True)
    fresh = [torch.zeros(3)]
    again = Stage(tmp_path, "part", 100.0)
    assert again.restore(weights=fresh)
    assert again.step == 7 and 0.4 <= again.fraction < 0.45
    assert torch.equal(fresh[0], weights[0])


def test_a_lease_that_is_over_ends_the_run_and_the_same_command_goes_on(tmp_path: Path) -> None:
    from miniature.training import plan

    with pytest.raises(SystemExit) as end:
        plan.run(tmp_path, ("render",), "tiny", 1.0, 2, lease=0.01)
    assert end.value.code == 0 and not (tmp_path / "data" / "done").exists()
    plan.run(tmp_path, ("render",), "tiny", 1.0, 2)
    assert (tmp_path / "data" / "main.count").read_text() == str(plan.TINY_COUNTS[0])


def test_renders_that_are_there_are_not_rendered_again(tmp_path: Path) -> None:
    from miniature.training import renders
    from miniature.world import splits

    counts = splits.Counts(120, 0, 0, 0, 0)
    renders.render(tmp_path, counts, 32, 1)
    kept = renders.open_set(tmp_path, "main")["image"].copy()
    (tmp_path / "main.count").write_text(str(renders.CHUNK))
    broken = np.lib.format.open_memmap(tmp_path / "main-image.npy", "r+")
    broken[:] = 0
    renders.render(tmp_path, counts, 32, 1)
    again = renders.open_set(tmp_path, "main")["image"]
    assert not again[: renders.CHUNK].any() and np.array_equal(again[renders.CHUNK :], kept[renders.CHUNK :])


def test_our_sampler_is_that_of_the_stock_pipeline(trained: Path) -> None:
    """What is measured in batches must be what anyone draws with diffusers."""
    from diffusers import FluxPipeline

    from miniature.training import generator
    from miniature.world import vocabulary

    pipeline = FluxPipeline.from_pretrained(trained / "generator" / "model")
    pipeline.set_progress_bar_config(disable=True)
    prompt, size = "a cat in a room by day", shapes.TINY.image
    stock = pipeline(
        prompt,
        negative_prompt="",
        true_cfg_scale=flow.GUIDANCE,
        num_inference_steps=flow.STEPS,
        height=size,
        width=size,
        max_sequence_length=vocabulary.LENGTH,
        generator=torch.Generator().manual_seed(9),
        output_type="latent",
    ).images
    place = torch.device("cpu")
    parts = generator.load(trained, place)
    with torch.no_grad():
        text, empty = generator.read(parts, [prompt], place), generator.read(parts, [""], place)
        start = flow.noise([9], shapes.TINY.latent_channels, shapes.TINY.latent)
        ours = flow.sample(parts["transformer"], start, text, empty)
    assert torch.allclose(ours, stock, atol=2e-4)


def test_packed_latents_survive_the_round_trip() -> None:
    latents = torch.randn(2, 12, 8, 8)
    assert torch.equal(flow.unpack(flow.pack(latents)), latents)
