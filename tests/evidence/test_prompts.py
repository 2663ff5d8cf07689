"""Prompt sets: what ships, what a set of one's own must look like, what the hub gives."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from evidence import prompts
from evidence.dimensions import DIMENSIONS
from evidence.prompts import grammar, hub
from ledger.problems import InputError
from tests.evidence.tiny.hub import Hub


def test_the_shipped_sets_are_what_the_grammar_writes_today() -> None:
    """Byte by byte: nobody edits them by hand."""
    for path, text in grammar.files().items():
        assert path.read_text("utf-8") == text, f"run python -m evidence.prompts.grammar: {path.name} differs"


def test_three_hundred_different_pairs_of_readable_length() -> None:
    rows = prompts.load("wide").rows
    assert len(rows) == 300 == len({row.plain for row in rows})
    assert all(len(row.wide.split()) <= 70 and row.plain in row.wide for row in rows)
    assert all(2 <= len(row.dimensions) <= 4 and row.negative for row in rows)
    opening = sum(not row.wide.startswith(row.plain) for row in rows)
    assert 100 <= opening <= 200, "about half of them open with an effect"


def test_every_dimension_and_every_sub_category_is_asked_for_often() -> None:
    rows = prompts.load("wide").rows
    dimensions = Counter(dimension for row in rows for dimension in row.dimensions)
    assert set(dimensions) == set(DIMENSIONS) and min(dimensions.values()) >= 60
    tags = Counter(tag for row in rows for tag in row.tags)
    assert len(tags) == 28 and min(tags.values()) >= 15


def test_faces_and_political_subjects_ship_too() -> None:
    faces, subjects = prompts.load("emotion").rows, prompts.load("critical").rows
    assert len(faces) == 30 and all(set(f.prompts) == {"angry", "fearful", "happy", "sad"} for f in faces)
    assert Counter(s.topic for s in subjects) == dict.fromkeys(
        ("anti-war", "pollution", "inequality", "censorship", "tech-overuse"), 20
    )
    assert not any(" a angry" in text for face in faces for text in face.prompts.values())


def test_fewer_prompts_are_the_first_ones_and_another_data_set(tmp_path: Path) -> None:
    whole, part = prompts.load("wide"), prompts.load("wide", 4)
    assert part.rows == whole.rows[:4] and part.digest != whole.digest
    assert prompts.load("wide", 4).digest == part.digest


def test_a_set_of_ones_own_is_refused_with_every_mistake_and_its_line(tmp_path: Path) -> None:
    lines = [
        {"id": "a", "plain": "x", "wid": "y"},
        {"id": "b", "plain": "x", "dimensions": ["clariti"]},
        {"id": "b", "plain": "x"},
    ]
    file = tmp_path / "own.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines) + "{broken\n")
    with pytest.raises(InputError) as caught:
        prompts.load(str(file))
    told = "\n".join(map(str, caught.value.problems))
    assert ":1 wid: unknown key 'wid', did you mean 'wide'?" in told and "did you mean 'clarity'?" in told
    assert ":3 id: 'b' stands in line 2 already" in told and ":4: not JSON" in told


def test_an_unknown_set_names_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'critical'"):
        prompts.load("critcal")


def test_a_published_set_keeps_its_misspelt_columns_and_loses_its_repeats() -> None:
    """The released benchmark repeats each prompt once per model."""
    rows = [
        {"original_prompt": "a dog", "disorted_long_prompt": "a dim dog", "selected": '["clarity", "emotion"]'},
        {"original_prompt": "a dog", "disorted_long_prompt": "a dim dog", "selected": '["clarity", "emotion"]'},
        {"original_prompt": "a cat", "disorted_long_prompt": "a dim cat", "selected": "richness\nmain object"},
    ]
    found = hub.read("weathon/anti_aesthetics_dataset", rows)
    assert [(row.plain, row.wide) for row in found] == [("a dog", "a dim dog"), ("a cat", "a dim cat")]
    assert found[0].dimensions == ["clarity", "emotion"] and found[1].dimensions == ["main object", "richness"]


def test_a_hub_that_cannot_be_reached_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(InputError, match=r"the hub gives no data set .* the shipped set needs no hub") as caught:
        prompts.load("hub:weathon/anti_aesthetics_dataset")
    assert len(caught.value.problems) == 1


def test_columns_that_nobody_published_are_not_guessed() -> None:
    with pytest.raises(InputError, match="no prompt columns are known"):
        prompts.load("hub:weathon/score_comparsion")


def test_a_published_set_comes_from_a_hub_that_can_be_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its parquet files at one commit, which is told as the source."""
    import pyarrow
    from huggingface_hub import constants
    from pyarrow import parquet

    name = "weathon/aas_benchmark_final"
    shard = {
        "prompt_original": ["a dog", "a dog"],
        "prompt_distorted": ["dim dog"] * 2,
        "selected_dims": ['["emotion"]'] * 2,
    }
    (tmp_path / "set/data").mkdir(parents=True)
    parquet.write_table(pyarrow.table(shard | {"image": [b"", b""]}), tmp_path / "set/data/train-00000.parquet")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    with Hub({name: tmp_path / "set"}) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        found = prompts.load(f"hub:{name}")
    assert [(row.plain, row.wide, row.dimensions) for row in found.rows] == [("a dog", "dim dog", ["emotion"])]
    assert found.source == f"hub:{name}@{server.commit(name)}"


@pytest.mark.parametrize("id_", ["Übung 1", "a b", "A/B", ""])
def test_an_id_that_could_not_stand_in_the_ledger_is_refused_at_once(tmp_path: Path, id_: str) -> None:
    file = tmp_path / "own.jsonl"
    file.write_text(json.dumps({"id": id_, "plain": "x", "tags": ["Intentional Blur"]}) + "\n")
    with pytest.raises(InputError) as caught:
        prompts.load(str(file))
    told = "\n".join(map(str, caught.value.problems))
    assert f":1 id: '{id_}' is no id: ids hold" in told and ":1 tags[0]: 'Intentional Blur' is no id" in told


@pytest.mark.parametrize("separator", ["\u2028", "\u0085"])
def test_a_line_separator_inside_a_prompt_is_part_of_it(tmp_path: Path, separator: str) -> None:
    file = tmp_path / "own.jsonl"
    file.write_text(json.dumps({"id": "a", "plain": f"x{separator}y"}, ensure_ascii=False) + "\n", "utf-8")
    assert prompts.load(str(file)).rows[0].plain == f"x{separator}y"


@pytest.mark.parametrize(("content", "told"), [
    ('{"id": "a", "plain": "x"}\n'.encode("utf-16"), ":1: not UTF-8"),
    ('{"id": "a", "plain": "x"}\n{"id": "b", "plain": "\xe4"}'.encode("latin-1"), ":2: not UTF-8"),
    (b'{"id": "a", "plian": "x"}', ":1 plian: unknown key 'plian', did you mean 'plain'?"),
    (b'{"id": "a", "plain": 3}', ":1 plain: must be a text, not 3"),
    (b'{"id": "a", "plain": "x", "plain": "y"}', ":1 plain: this key is spelled twice"),
    (b'{"id": "a", "plain": "x"}\n{"id": "b", "plain": "y\\u0000"}', ":2: \\u0000 is no character of a text"),
    (b'{"id": "a", "plain": "x"}\n' + b"[" * 99999, ":2: not JSON"),
    (b'{"id": "%s", "plain": "x"}' % (b"a" * 201), ":1 id: "),
    (b"\n\n", ": holds no prompt"),
    (b'{"id": "a", "plain": "x", "image": "."}', "a: '.' is a folder"),
    (b'{"id": "a", "plain": "x", "image": "none.png"}', "a: 'none.png' does not exist"),
    (b'{"id": "a", "plain": "x", "image": "own.jsonl"}', "a: 'own.jsonl' is not a picture"),
])  # fmt: skip
def test_a_set_in_another_encoding_or_without_its_pictures_names_file_and_line(
    tmp_path: Path, content: bytes, told: str
) -> None:
    file = tmp_path / "own.jsonl"
    file.write_bytes(content)
    with pytest.raises(InputError) as caught:
        prompts.load(str(file))
    assert told in "\n".join(map(str, caught.value.problems))


def test_a_set_saved_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    file = tmp_path / "own.jsonl"
    file.write_text('{"id": "a", "plain": "x"}\n', "utf-8-sig")
    assert prompts.load(str(file)).rows[0].id == "a"
