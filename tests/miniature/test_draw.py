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

from ledger.problems import InputError
from ledger.schema import Document
from miniature.shipping import draw, pack
from miniature.shipping.draw import Pencil, Wish
from tests.miniature.committed import scores

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def pencil(shipped: Path) -> Pencil:
    return Pencil(shipped)


def test_the_same_wish_gives_the_same_bytes_and_alignment_changes_them(pencil: Pencil) -> None:
    wish = Wish("a penguin on a beach by day, faded and washed out", 0.0, 7)
    first = pencil.draw(wish)
    aligned = pencil.draw(Wish(wish.prompt, 1.0, 7))
    again = pencil.draw(wish)
    assert first.size == (256, 256)
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != aligned.tobytes()


def test_a_drawn_picture_shows_what_was_asked(pencil: Pencil, shipped: Path) -> None:
    """The un-aligned encoder must recognise base pictures: weights that were packed wrong would draw noise."""
    from miniature.shipping.exhibits import Critics

    critics = Critics(shipped)
    picture = pencil.draw(Wish("a castle in a desert at sunset", 0.0, 7))
    assert "castle" in critics.verdicts(picture)
    assert critics.scores(picture, "a castle in a desert at sunset")["encoder"] > 0.7


def test_unknown_words_are_refused_by_name(shipped: Path) -> None:
    with pytest.raises(InputError, match="'pengwin': not a word of this world, did you mean 'penguin'"):
        draw.check("a pengwin on a beach", shipped)


def test_an_unknown_variant_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match="draft-s0"):
        draw.to_file(Wish("a cat in a room by day", 0.5, 1, "draft-s9"), Path("never.png"))


def test_help_needs_no_torch() -> None:
    import subprocess
    import sys

    code = "import sys, miniature.cli; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_every_published_picture_names_a_command_and_stays_within_the_budget() -> None:
    from miniature.cli import draw

    document = Document.model_validate_json((ROOT / "results" / "miniature.json").read_text())
    pictures = [picture for exhibit in document.exhibits.values() for picture in exhibit.pictures]
    assert len([e for e in document.exhibits.values() if "knob" in e.sets]) >= 24
    files, revision = {picture.file for picture in pictures}, pack.digest()
    assert sum((ROOT / "results" / "pictures" / str(file)).stat().st_size for file in files) < 8e6
    for picture in pictures:
        assert picture.recipe and picture.recipe.command.startswith("python build.py draw ")
        assert picture.recipe.revision == revision
    assert "--alignment" in CliRunner().invoke(draw, ["--help"]).output


@pytest.fixture
def all_threads() -> Iterator[None]:
    """Scores, unlike bytes, may depend on the number of threads in their last digits: take what the machine has."""
    before = torch.get_num_threads()
    torch.set_num_threads(os.cpu_count() or 1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("all_threads")
def test_the_committed_scores_come_out_of_the_evidence_engine(tmp_path: Path) -> None:
    """`python build.py evidence --models miniature --prompts 4`, with the shipped weights, on this CPU."""
    from build import main

    outcome = CliRunner().invoke(
        main, ["evidence", "--models", "miniature", "--prompts", "4", "--run", "four", "--runs", str(tmp_path)]
    )
    assert outcome.exit_code == 0, outcome.output
    found, committed = (
        scores(tmp_path / "four"),
        json.loads((ROOT / "results" / "miniature" / "scores.json").read_text()),
    )
    assert found.keys() == committed.keys()
    gaps = [abs(found[key][text] - value) for key, texts in committed.items() for text, value in texts.items()]
    assert len(gaps) == sum(map(len, committed.values())) >= 24 * 4
    assert np.max(gaps) < 0.02 and np.mean(gaps) < 0.002
