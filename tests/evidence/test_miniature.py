"""The shipped miniature through the engine, as any other generator: from the command line to the tables, judge
included."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from evidence.cli import evidence
from evidence.order import ROOT
from ledger.problems import InputError
from ledger.schema import Document

FAST = "@steps=1,true_cfg_scale=1.0"  # pictures of the shipped weights, if not good ones


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(evidence, list(arguments), catch_exceptions=False)


@pytest.mark.slow
def test_the_miniature_fills_tables_on_a_processor_and_its_command_repeats_it(tmp_path: Path) -> None:
    """Four prompts. Its own prompts and scorers are taken without naming them; the printed command asks for the
    same."""
    models = f"miniature-base{FAST},miniature-draft{FAST}"
    made = invoke("--models", models, "--prompts", "4", "--device", "cpu", "--run", "m", "--runs", str(tmp_path))
    assert made.exit_code == 0, made.output
    out = tmp_path / "results/m.json"
    assert invoke("collect", "--run", "m", "--runs", str(tmp_path), "--out", str(out)).exit_code == 0
    document = Document.model_validate_json(out.read_text())
    cells = {key.removeprefix("m.pairs."): value for key, value in document.values.items() if "m.pairs." in key}
    rewards = {"miniature-reward", "miniature-reward-gate95", "miniature-reward-pluralist"}
    found = {key.split(".")[-1].partition("_")[2] for key in cells}
    assert found == {"miniature-encoder", "miniature-judge", *rewards}
    assert all(value.value is not None and value.n == 4 and not value.failed for value in cells.values())
    assert sum("follow_miniature-judge" in key for key in cells) == 2, "the judge speaks the language of the tags"
    again = shlex.split(document.runs["run-m"].command)
    assert again[:3] == ["python", "build.py", "evidence"]
    dry = invoke(*again[3:], "--dry-run", "--runs", str(tmp_path)).output
    counts = re.findall(r"^miniature\S* +(?:generate|score) +(\d+) +(\d+) ", dry, re.MULTILINE)
    assert len(counts) == 7 and all(int(total) and due == "0" for total, due in counts), dry


def test_words_that_the_miniature_does_not_know_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="miniature, base does not know"):
        invoke("--models", "miniature-base", "--prompt-set", "wide", "--scorers", "miniature-encoder",
               "--runs", str(tmp_path), "--device", "cpu")  # fmt: skip
    assert not list(tmp_path.iterdir()) and (ROOT / "results/miniature").is_dir()
