"""Every stage runs at tiny size, learns, continues after a cut, and hands over what the next one needs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from miniature.cli import miniature
from miniature.nets import flow, shapes
from miniature.training.plan import STAGES

ROOT = Path(__file__).parents[2]


def losses(folder: Path, stage: str) -> list[float]:
    return [loss for _, loss in json.loads((folder / stage / "report.json").read_text())["losses"]]


def test_the_help_of_train_names_every_stage() -> None:
    """A stage that the help leaves out could not be asked for by name."""
    told = CliRunner().invoke(miniature, ["train", "--help"]).output
    assert set(STAGES) - set(re.findall(r"\w+", told)) == set()


@pytest.mark.parametrize("stage", ["autoencoder", "encoder", "generator", "judge", "tiny_decoder"])
def test_the_loss_falls(trained: Path, stage: str) -> None:
    found = losses(trained, stage)
    late = sum(found[-3:]) / len(found[-3:])
    assert late < 0.95 * found[0], found


def test_rewards_and_both_alignments_are_there_with_their_history(trained: Path) -> None:
    assert len(list((trained / "rewards").glob("*.safetensors"))) == 3
    for family in ("draft", "dpo"):
        assert json.loads((trained / "alignment" / f"{family}-s0.json").read_text())["history"]
        assert json.loads((trained / "alignment" / f"{family}.unit.json").read_text())["unit"] > 0


def test_an_alignment_changes_pictures_and_strength_zero_does_not(trained: Path, tmp_path: Path) -> None:
    from evidence.jobs.plan import PictureSpec, Scoring
    from miniature.training.instrument import JUDGE, Instrument

    instrument, drawn = Instrument(trained, shapes.TINY), []
    for arm, scale in ((None, 0.0), ("dpo-s0", 0.0), ("dpo-s0", 4.0), ("placebo-dpo-s0", 4.0)):
        model = instrument.generator(arm, scale)
        wanted = PictureSpec(model.name, "a cat in a room by day", "plain", 1)
        drawn.append(instrument.observe(model, [Scoring(wanted, JUDGE, "")], tmp_path / "samples").pixels(wanted))
    assert drawn[0] is not None and drawn[0] == drawn[1]
    assert len(set(drawn[1:])) == 3


def test_pictures_that_are_measured_are_those_that_training_looks_at(trained: Path, tmp_path: Path) -> None:
    """Rewards and previews are learnt from the sampler of `flow`; evidence is drawn by the engine."""
    from evidence.jobs.plan import PictureSpec, Scoring
    from miniature.training import generator
    from miniature.training.common import as_bytes
    from miniature.training.instrument import JUDGE, Instrument

    prompt, place = "a cat in a room by day", torch.device("cpu")
    instrument, parts = Instrument(trained, shapes.TINY), generator.load(trained, place)
    model = instrument.generator()
    wanted = PictureSpec(model.name, prompt, "plain", 9)
    stored = instrument.observe(model, [Scoring(wanted, JUDGE, "")], tmp_path / "samples")
    measured = np.asarray(stored.store.picture(stored.participants.key(wanted)), np.int16)
    with torch.no_grad():
        text, empty = generator.read(parts, [prompt], place), generator.read(parts, [""], place)
        start = flow.noise([9], shapes.TINY.latent_channels, shapes.TINY.latent)
        seen = as_bytes(flow.decode(parts["vae"], flow.sample(parts["transformer"], start, text, empty)))[0]
    assert np.abs(measured - seen).max() <= 1


def test_a_measurement_goes_on_with_the_prompts_that_are_missing(trained: Path) -> None:
    from ledger import rows
    from miniature.training import measure

    setting = measure.Setting("placebo-draft-s0", 1.0)
    found = []
    for count in (2, 3):
        measure.run(trained, shapes.TINY, only=(setting,), count=count)
        found.append(rows.read(trained / "measured" / "placebo-draft-s0@1-n0.csv.gz").all)
    assert {row.prompt for row in found[1] if row.prompt_set == measure.SET} == {"000", "001", "002"}
    assert set(found[0]) < set(found[1])
    assert not (trained / "measured" / "samples" / "placebo-draft-s0@1-n0").exists(), "pictures outlive their rows"
    assert {row.way for row in found[1]} >= {
        "asked",
        "plain-objects",
        "plain-unasked",
        "plain-apart",
        "oiop",
        "didp",
        "emotion",
        "happy",
    }


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
    """What training learns from must be what anyone draws with diffusers."""
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


def test_missing_inputs_are_named_before_anything_runs(tmp_path: Path) -> None:
    """A stage that waits for ever, or asks a hub for a model of that name."""
    from ledger.problems import InputError
    from miniature.training import plan

    for stage, need in (("generator", "autoencoder"), ("judge", "autoencoder"), ("alignment", "rewards")):
        with pytest.raises(InputError, match=f"{stage}: needs the stage {need}, which has not run here"):
            plan.run(tmp_path, (stage,), "tiny", 1.0, 1)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_which_another_run_works_is_refused(tmp_path: Path) -> None:
    from ledger.problems import InputError
    from miniature.training import plan

    with plan.run_lock(tmp_path), pytest.raises(InputError, match="another run is training here"):
        plan.run(tmp_path, ("render",), "tiny", 1.0, 1)


@pytest.mark.parametrize("minutes", ["0", "-5", "nan", "inf", "soon"])
def test_minutes_are_a_finite_number_above_zero(minutes: str, tmp_path: Path) -> None:
    from click.testing import CliRunner

    from miniature.cli import train

    for option in ("--minutes", "--lease"):
        outcome = CliRunner().invoke(train, ["--folder", str(tmp_path), option, minutes])
        assert outcome.exit_code == 2 and "is no number above 0" in outcome.output
    assert list(tmp_path.iterdir()) == []


def test_a_stage_ends_with_the_run_that_started_it(tmp_path: Path) -> None:
    """After `kill -9` of the parent, orphans went on writing into the folder."""
    import os
    import signal
    import subprocess
    import sys
    import time

    code = f"plan.run(Path({str(tmp_path)!r}), ('render',), 'full', 9.0, 1)"
    code = f"from pathlib import Path; from miniature.training import plan; {code}"
    run = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2])
    counted = tmp_path / "data" / "evaluation.count"
    until = time.monotonic() + 120
    while not counted.exists() and time.monotonic() < until:
        time.sleep(0.2)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    found = [1]
    while found and time.monotonic() < until:
        listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
        found = [line for line in listed.splitlines() if str(tmp_path) in line and "training.plan" in line]
        time.sleep(0.2)
    assert found == []


def test_a_render_that_was_cut_is_not_done_and_goes_on(tmp_path: Path) -> None:
    from miniature.training import renders
    from miniature.world import splits

    counts = splits.Counts(240, 0, 0, 0, 0)
    renders.render(tmp_path, counts, 32, 1, seconds=0.0)
    assert (tmp_path / "ended").exists() and not (tmp_path / "done").exists()
    assert renders.render(tmp_path, counts, 32, 1)["main"] == 240 and (tmp_path / "done").exists()


def test_an_arm_that_was_cut_off_ends_as_if_it_had_not_been(trained: Path, tmp_path: Path) -> None:
    """Randomness is a function of seed and step: the same factors after a restart, for a fixed number of steps."""
    import shutil
    from dataclasses import replace

    from safetensors.torch import load_file

    from miniature.training import alignment

    arm = replace(alignment.TINY_ARMS[0], name="draft-cut", steps=4, batch=2)
    for name in ("generator", "rewards", "encoder"):
        shutil.copytree(trained / name, tmp_path / name)
    alignment.train(tmp_path, shapes.TINY, arm)
    whole = load_file(tmp_path / "alignment" / "draft-cut.safetensors")
    weights = alignment._save
    try:

        def cut(*given: object) -> None:
            weights(*given)  # type: ignore[arg-type]
            raise KeyboardInterrupt

        alignment._save = cut  # type: ignore[assignment]
        with pytest.raises(KeyboardInterrupt):
            alignment.train(tmp_path, shapes.TINY, arm)
    finally:
        alignment._save = weights
    assert (tmp_path / "alignment" / "draft-cut.state.pt").exists()
    report = alignment.train(tmp_path, shapes.TINY, arm)
    again = load_file(tmp_path / "alignment" / "draft-cut.safetensors")
    assert report["trained"] == 4 and all(torch.equal(whole[key], again[key]) for key in whole)


def test_a_placebo_has_the_same_norm_and_other_rows() -> None:
    """It stands for any change of that size: the factors of an arm with the rows of every B in another order."""
    from miniature.nets import lowrank

    chance = torch.Generator().manual_seed(0)
    stored = {f"layer.lora_{side}.weight": torch.randn(6, 6, generator=chance) for side in "AB"}
    made = lowrank.placebo(stored, 0)
    assert torch.equal(made["layer.lora_A.weight"], stored["layer.lora_A.weight"])
    one, other = (factors["layer.lora_B.weight"] for factors in (stored, made))
    assert not torch.equal(one, other) and torch.equal(one.sort(0).values, other.sort(0).values)
    assert one.norm().item() == pytest.approx(other.norm().item())
    assert torch.equal(made["layer.lora_B.weight"], lowrank.placebo(stored, 0)["layer.lora_B.weight"])


def test_packing_what_was_unpacked_changes_nothing(trained: Path, tmp_path: Path) -> None:
    """Alignment and measurement would run on other weights than those that are shipped."""
    from miniature.shipping import pack

    pack.pack(trained, tmp_path / "packed", rewards=(), arms=())
    pack.resume(tmp_path / "again", tmp_path / "packed")
    pack.pack(tmp_path / "again", tmp_path / "twice", rewards=(), arms=())
    assert pack.digest(tmp_path / "packed") == pack.digest(tmp_path / "twice")


def test_a_job_leaves_rows_and_arms_in_few_small_files(trained: Path, tmp_path: Path) -> None:
    """One run on a rented machine: what does not come back in eight files is lost."""
    from ledger import rows
    from miniature.shipping import pack
    from miniature.training import job

    pack.pack(trained, tmp_path / "packed", rewards=(), arms=())
    left = job.run(tmp_path / "work", tmp_path / "out", 1200.0, "tiny", 2, tmp_path / "packed")
    assert len(left) <= 8 and all(path.stat().st_size < 16e6 for path in left)
    found = {row.row for row in rows.read(tmp_path / "out" / "miniature-job.csv.gz").all}
    assert {"base", "draft-s0@1", "placebo-draft-s0@1"} <= found
    assert pack.restore(pack.load_file(tmp_path / "out" / "alignment.safetensors"))


def test_a_job_whose_variants_were_not_reached_leaves_what_there_is(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calibrating without them was an error that ended the job, with nothing to take back."""
    from miniature.shipping import pack
    from miniature.training import job

    pack.pack(trained, tmp_path / "packed", rewards=(), arms=())
    monkeypatch.setattr(job, "SHARES", {"calibrate": 1.0})
    left = job.run(tmp_path / "work", tmp_path / "out", 1200.0, "tiny", 2, tmp_path / "packed")
    assert {path.name for path in left} >= {"reports.json", "logs.tar.gz"}


def test_a_job_installs_every_library_that_measuring_imports() -> None:
    """On a machine without network a missing one ends the run after the training is paid for."""
    import subprocess
    import sys
    import tomllib

    from miniature.training import job

    adapters = "evidence.generators.flux, evidence.scorers.clip, evidence.scorers.classifier"
    code = f"import sys, miniature.training.measure, {adapters}; print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    tier = {
        re.split(r"[\W_]*[=<>\[]", name)[0].replace("-", "_") for name in project["optional-dependencies"]["evidence"]
    }
    optional = {"scipy", "sentencepiece"}  # imported by other libraries where they are there
    assert tier & set(told.split()) - optional <= set(job.LIBRARIES)
