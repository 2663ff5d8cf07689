"""Errors point at the line that a person has to change."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.problems import InputError, Problem, did_you_mean, json_line, repeated_keys, spell, toml_line
from ledger.text import read_json, read_text, read_toml

TREES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.floats(allow_nan=False)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=12,
)

TOML = """title = "x"

[[claims]]
id = "a"
[[claims]]
id = "b"
rests_on = [
  "c",
]
options = { than = "d" }
[links.code]
url = "e"
"""


def paths(tree: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    steps = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [path] + [deeper for key, branch in steps for deeper in paths(branch, (*path, key))]


@given(tree=TREES, data=st.data())
@settings(max_examples=120)
def test_the_line_of_a_json_value_is_where_changing_it_changes_the_text(tree: Any, data: st.DataObject) -> None:
    """Replaces the value at a path by a mark and looks for the mark's line: it must be the line that was named."""
    path = data.draw(st.sampled_from(paths(tree)))
    text = json.dumps(tree, indent=1)
    if not path:
        assert json_line(text, path) == 1
        return
    marked = json.loads(text)
    holder = marked
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = "\u2603 mark"
    lines = json.dumps(marked, indent=1, ensure_ascii=False).split("\n")
    assert json_line(text, path) == next(n for n, line in enumerate(lines, 1) if "\u2603 mark" in line)


def test_a_missing_json_key_is_placed_at_its_nearest_ancestor() -> None:
    assert json_line('{\n"a": {\n"b": 1\n}\n}', ("a", "c", "d")) == 2


@given(tree=TREES)
@settings(max_examples=80)
def test_json_that_python_wrote_repeats_no_key(tree: Any) -> None:
    assert repeated_keys(json.dumps(tree)) == []


def test_repeated_keys_are_found_at_any_depth_with_their_lines() -> None:
    text = '{"a": [{"x": 1,\n"x": {"y": 1,\n"y": 2}}],\n"a": 3}'
    assert repeated_keys(text) == [(("a", 0, "x"), 2), (("a", 0, "x", "y"), 3), (("a",), 4)]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("title",), 1),
        (("claims", 0, "id"), 4),
        (("claims", 1, "id"), 6),
        (("claims", 1, "rests_on"), 7),
        (("claims", 1, "rests_on", 0), 7),
        (("claims", 1, "options", "than"), 10),
        (("claims", 1, "absent"), 5),
        (("links", "code", "url"), 12),
        (("claims",), 3),
        (("claims", 1), 5),
        (("claims", 1, "options"), 10),
        (("links",), 11),
        ((), 1),
        (("nowhere",), 1),
    ],
)
def test_the_line_of_a_toml_key(path: tuple[str | int, ...], line: int) -> None:
    assert toml_line(TOML, path) == line


def test_a_problem_reads_as_file_line_field_and_message() -> None:
    path = spell(("exhibits", 1, "pictures", 0, "file"))
    said = "no such picture '0001-cleen.jpg'" + did_you_mean("0001-cleen.jpg", ["0001-clean.jpg", "x.png"])
    assert str(Problem("results/exhibits.json", 1234, path, said)) == (
        "results/exhibits.json:1234 exhibits[1].pictures[0].file: "
        "no such picture '0001-cleen.jpg', did you mean '0001-clean.jpg'?"
    )


def test_all_problems_of_a_run_stand_in_one_error_once_and_in_order() -> None:
    late, early = Problem("b", 1, "", "x"), Problem("a", 9, "", "y")
    assert InputError([late, early, late]).problems == (early, late)


def test_a_byte_order_mark_is_no_part_of_a_text(tmp_path: Path) -> None:
    """Notepad and PowerShell write one: a heading must not turn into a paragraph, nor TOML into an error."""
    (tmp_path / "a.toml").write_bytes(b"\xef\xbb\xbf[a]\r\nb = 1\r\n")
    assert read_toml(tmp_path / "a.toml", tmp_path) == ("[a]\nb = 1\n", {"a": {"b": 1}})
    (tmp_path / "a.toml").write_bytes(2 * b"\xef\xbb\xbf" + b"a = 1\n" + b"\xef\xbb\xbf[b]\n")  # two files joined
    assert read_toml(tmp_path / "a.toml", tmp_path) == ("a = 1\n[b]\n", {"a": 1, "b": {}})
    (tmp_path / "a.json").write_bytes(b'\xef\xbb\xbf{"b": 1}')
    assert read_json(tmp_path / "a.json", tmp_path)[1] == {"b": 1}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a = 1\nb = \xe9\n", "a.toml:2: not UTF-8 text"),
        (b"\xef\xbb\xbfa = 1\n\nb = \xe9\n", "a.toml:3: not UTF-8 text"),
        (b"a = 1\nb =\n", "a.toml:2: not TOML: Invalid value"),
        (b"a = " + b"[" * 99999, "a.toml"),
        ("a = 1\nb = 2\n".encode("utf-16"), "a.toml:1: not UTF-8 text"),
        ("a = 1\nb = 2\n".encode("utf-16-be"), "a.toml:1: holds a zero byte, as UTF-16 does"),
    ],
)
def test_a_text_that_cannot_be_read_is_named_with_its_line(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "a.toml").write_bytes(content)
    with pytest.raises(InputError, match=re.escape(said)):
        read_toml(tmp_path / "a.toml", tmp_path)


@pytest.mark.parametrize("name", ["clean.md", "page.toml", "a.csv", "references.bib"])
@pytest.mark.parametrize("base", ["", "||||||| 1a2b3c\nolder\n"])
def test_a_merge_conflict_is_one_in_any_text(tmp_path: Path, name: str, base: str) -> None:
    """Markdown would publish both sides, the first of them as a heading."""
    file = tmp_path / name
    file.write_text(f"a\n\n<<<<<<< HEAD\nours\n{base}=======\ntheirs\n>>>>>>> topic\n")
    with pytest.raises(InputError, match=rf"^{name}:3: a merge conflict that nobody has resolved$"):
        read_text(file, tmp_path)
    file.write_text("A heading\n=======\n\n`<<<<<<< HEAD` and `>>>>>>> topic` stand around a conflict.\n")
    assert read_text(file, tmp_path).startswith("A heading")


def test_a_zero_character_is_no_text_of_json(tmp_path: Path) -> None:
    """HTML cannot hold it; four letters behind an escaped backslash are something else."""
    (tmp_path / "a.json").write_text('{"a": "\\\\u0000",\n"b": "\\u0000"}')
    with pytest.raises(InputError, match=r"^a\.json:2: \\u0000 is no character of a text$"):
        read_json(tmp_path / "a.json", tmp_path)
    (tmp_path / "a.json").write_text('{"a": "\\\\u0000"}')
    assert read_json(tmp_path / "a.json", tmp_path)[1] == {"a": "\\u0000"}


def test_a_merge_conflict_is_called_one(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{\n<<<<<<< HEAD\n"a": 1\n')
    with pytest.raises(InputError, match=r"^a\.json:2: a merge conflict that nobody has resolved$"):
        read_json(tmp_path / "a.json", tmp_path)
