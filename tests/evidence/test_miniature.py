"""The shipped miniature through the engine, as any other generator: from the command line to the tables, judge
included."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from evidence.cards import Cards
from evidence.cli import evidence
from evidence.jobs.plan import configured
from evidence.order import ROOT, Order
from evidence.order.resolve import experiments, participants_of
from evidence.protocols.pairs import base_of
from evidence.ready.vocabulary import words_of
from ledger import rows as raw
from ledger.problems import InputError
from ledger.recompute import differences
from ledger.schema import Document
from miniature.world import scenes, splits

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


def test_its_emotion_set_is_in_words_that_it_knows() -> None:
    """Asked in the words of the general set, a third of which it reads as one unknown word, any answer would do."""
    file = ROOT / "results/miniature/prompts/emotion.jsonl"
    assert [json.loads(line) for line in file.read_text().splitlines()] == splits.emotion_set()
    cards = Cards()
    order = Order(models=("miniature-base", "miniature-draft"), protocol=("emotion-choice", "emotion-generation"))
    asked = experiments(order, participants_of(order, cards), "t")
    known = words_of(cards.models["miniature-base"])
    assert known and {experiment.prompts.source for experiment in asked.values()} == {str(file.relative_to(ROOT))}
    for prompt in asked["emotion-choice"].prompts.rows:
        assert prompt.prompts.keys() == set(scenes.EMOTIONS)
        assert not any(known.unknown(text) for text in [*prompt.prompts.values(), prompt.plain])


def test_variants_of_the_miniature_are_tested_against_its_base() -> None:
    """Those of a family of their own too."""
    models = [
        configured(name, Cards().models) for name in ("miniature-base", "miniature-pluralist", "miniature-hacked")
    ]
    assert [base_of(model, models) for model in models[1:]] == models[:1] * 2


@pytest.mark.slow
def test_the_protocols_of_a_judge_of_labels_fill_their_tables_with_the_shipped_weights(tmp_path: Path) -> None:
    """One prompt of each set, the miniature's own; every value is computed again from the rows that are published."""
    protocols = "classifiers,emotion-choice,emotion-generation,image-to-image,sweep"
    options = ("--set", "truth=miniature-judge", "--set", "select=miniature-reward<9")
    named = ("--models", f"miniature-base{FAST}", "--protocol", protocols, *options, "--prompts", "1")
    named += ("--scorers", "miniature-reward,miniature-judge")
    made = invoke(*named, "--device", "cpu", "--run", "p", "--runs", str(tmp_path))
    assert made.exit_code == 0, made.output
    out = tmp_path / "results/p.json"
    assert invoke("collect", "--run", "p", "--runs", str(tmp_path), "--out", str(out)).exit_code == 0
    document, rows = Document.model_validate_json(out.read_text()), raw.read(tmp_path / "results/rows/p.csv.gz")
    for key, value in document.values.items():
        assert value.measure is not None and not value.not_run and not value.failed, key
        assert list(differences(value, value.measure, rows)) == [], key
    found = {key.rpartition(".")[2]: value for key, value in document.values.items()}
    for emotion in ("happy", "sad", "crying", "angry", "scared", "disgusted"):
        assert 0 <= (found[f"{emotion}_miniature-judge"].value or 0) <= 1, "the judge speaks the language of the faces"
    assert found["disgusted"].value in (0.0, 1.0) and found["seen_miniature-judge"].value is not None
    assert any("image-to-image-selected" in table for table in document.tables)


def test_words_that_the_miniature_does_not_know_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="miniature, base does not know"):
        invoke("--models", "miniature-base", "--prompt-set", "wide", "--scorers", "miniature-encoder",
               "--runs", str(tmp_path), "--device", "cpu")  # fmt: skip
    assert not list(tmp_path.iterdir()) and (ROOT / "results/miniature").is_dir()
