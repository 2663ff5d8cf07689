"""Drawing on a laptop: known words only, the same bytes twice, and the committed scores through the evidence engine."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from ledger.problems import InputError
from miniature.shipping import draw
from miniature.shipping.draw import MiniaturePipeline, PictureRequest
from tests.miniature.committed import scores

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def pipeline(shipped: Path) -> MiniaturePipeline:
    return MiniaturePipeline(shipped)


def test_the_same_request_gives_the_same_bytes_and_alignment_changes_them(pipeline: MiniaturePipeline) -> None:
    request = PictureRequest("a penguin on a beach by day, faded and washed out", 0.0, 7)
    first = pipeline.draw(request)
    aligned = pipeline.draw(PictureRequest(request.prompt, 1.0, 7))
    again = pipeline.draw(request)
    assert first.size == (256, 256)
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != aligned.tobytes()


def test_a_drawn_picture_shows_what_was_asked(pipeline: MiniaturePipeline, shipped: Path) -> None:
    """The un-aligned encoder must recognise base pictures: weights that were packed wrong would draw noise."""
    from miniature.shipping.critics import Critics

    critics = Critics(shipped)
    picture = pipeline.draw(PictureRequest("a castle in a desert at sunset", 0.0, 7))
    assert "castle" in critics.verdicts(picture, "a castle in a desert at sunset")
    assert critics.scores(picture, "a castle in a desert at sunset")["encoder"] > 0.7


PLAIN = "a cat in a room by day"


@pytest.mark.parametrize(
    ("asked", "out", "told"),
    [
        (
            PictureRequest("a pengwin on a beach"),
            "x.png",
            "'pengwin': not a word of this world, did you mean 'penguin'",
        ),
        (PictureRequest(PLAIN, negative="grainny"), "x.png", "--negative 'grainny': not a word of this world"),
        (
            PictureRequest(" ".join([PLAIN] * 6)),
            "x.png",
            "'in a room by day a cat in a room by day': does not fit: a prompt has room for 30 words",
        ),
        (PictureRequest(""), "x.png", "is empty"),
        (PictureRequest(PLAIN, float("nan")), "x.png", "--alignment nan: must be a number from 0 to 3"),
        (PictureRequest(PLAIN, float("inf")), "x.png", "--alignment inf: must be a number from 0 to 3"),
        (PictureRequest(PLAIN, 3.5), "x.png", "--alignment 3.5: must be a number from 0 to 3"),
        (PictureRequest(PLAIN, seed=-1), "x.png", "--seed -1: must be at least 0"),
        (PictureRequest(PLAIN, seed=10**20), "x.png", "--seed 10{20}: must be at least 0 and below"),
        (PictureRequest(PLAIN, 0.0, 1, "draft-s9"), "x.png", "draft-s9: no such variant.*draft-s0"),
        (PictureRequest(PLAIN), "x.jpg", "give the name the ending .png"),
        (PictureRequest(PLAIN), "x", "give the name the ending .png"),
        (PictureRequest(PLAIN), "no/folder/x.png", "there is no folder"),
        (PictureRequest(PLAIN), "folder.png", "is a folder: name a file"),
    ],
)
def test_what_would_fail_or_draw_something_else_is_refused_before_anything_is_loaded(
    asked: PictureRequest, out: str, told: str, shipped: Path, tmp_path: Path
) -> None:
    """A black picture with a digest, a cut prompt or a traceback after a minute of work."""
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(InputError, match=told):
        draw.check([asked], [tmp_path / out], shipped)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.png"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a c\xe4t".encode("latin-1"), "prompts.txt:1: not UTF-8"),
        ("a cat\n".encode("utf-16"), "prompts.txt:1: not UTF-8"),
    ],
)
def test_a_file_of_prompts_is_read_as_every_text_is(tmp_path: Path, content: bytes, told: str) -> None:
    from miniature.cli import draw as command

    (tmp_path / "prompts.txt").write_bytes(content)
    with pytest.raises(InputError, match=told):
        CliRunner().invoke(
            command,
            ["--prompts", str(tmp_path / "prompts.txt"), "-o", str(tmp_path / "sheet.png")],
            catch_exceptions=False,
        )
    assert [path.name for path in tmp_path.iterdir()] == ["prompts.txt"]


def test_several_prompts_and_seeds_are_drawn_side_by_side_as_they_are_alone(
    pipeline: MiniaturePipeline, tmp_path: Path
) -> None:
    """`--prompts FILE --count 2`: numbered files, the bytes of single pictures."""
    from miniature.cli import draw as command

    (tmp_path / "prompts.txt").write_text(f"{PLAIN}\n\na fox in a meadow by day\n")
    told = ["--prompts", str(tmp_path / "prompts.txt"), "--count", "2", "--alignment", "1", "--seed", "5"]
    outcome = CliRunner().invoke(command, [*told, "-o", str(tmp_path / "sheet.png")])
    assert outcome.exit_code == 0, outcome.output
    assert sorted(path.name for path in tmp_path.glob("*.png")) == [f"sheet-{n}.png" for n in (1, 2, 3, 4)]
    alone = pipeline.draw(PictureRequest("a fox in a meadow by day", 1.0, 6))
    with Image.open(tmp_path / "sheet-4.png") as last:
        assert last.tobytes() == alone.tobytes()
    assert "loaded in" in outcome.output and outcome.output.count("sha256") == 4


def test_help_needs_no_torch() -> None:
    import subprocess
    import sys

    code = "import sys, miniature.cli; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.fixture
def all_threads() -> Iterator[None]:
    """Scores, unlike bytes, may depend on the number of threads in their last digits: take what the machine has."""
    before = torch.get_num_threads()
    torch.set_num_threads(os.cpu_count() or 1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("all_threads")
def test_the_committed_scores_come_out_of_the_evidence_engine(tmp_path: Path) -> None:
    """`python build.py evidence --models miniature`, with the shipped weights, on this CPU: the first of four prompts,
    whose pictures pass through all models and all scorers."""
    from build import main

    outcome = CliRunner().invoke(
        main, ["evidence", "--models", "miniature", "--prompts", "1", "--run", "one", "--runs", str(tmp_path)]
    )
    assert outcome.exit_code == 0, outcome.output
    found, committed = (
        scores(tmp_path / "one"),
        json.loads((ROOT / "results" / "miniature" / "scores.json").read_text()),
    )
    assert len(found) * 4 == len(committed) and all(
        texts.keys() == committed[key].keys() for key, texts in found.items()
    )
    assert {key.partition(" | ")[0] for key in found} == {key.partition(" | ")[0] for key in committed}
    gaps = [abs(value - committed[key][text]) for key, texts in found.items() for text, value in texts.items()]
    assert np.max(gaps) < 0.02 and np.mean(gaps) < 0.002
