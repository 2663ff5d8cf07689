"""The taxonomy file and the treatments agree, and a damaged file is refused with its line and field."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import taxonomy
from ledger.problems import InputError

ROOT = Path(__file__).parents[2]

GOOD = """\
[[category]]
id = "light"
label = "Light"
meaning = "Where it comes from."

[[category.sub_category]]
id = "leak"
label = "Leak"
meaning = "Where it should not."
phrases = ["one leak", "two leaks", "three leaks", "four leaks"]
treatment = true

[[category.sub_category]]
id = "grief"
label = "Grief"
meaning = "Somebody weeps."
phrases = ["crying", "weeping", "in tears", "sobbing"]
treatment = false
why_not = "Needs somebody."

[[category]]
id = "colour"
label = "Colour"
meaning = "Which ones."

[[category.sub_category]]
id = "cast"
label = "Cast"
meaning = "One tint."
phrases = ["green", "sick green", "yellow-green", "bilious"]
treatment = true
"""


def test_an_unknown_sub_category_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'leek', did you mean 'leak'"):
        taxonomy.load(write(tmp_path, GOOD), tmp_path)["leek"]


def test_a_good_file_is_read_whole(tmp_path: Path) -> None:
    whole = taxonomy.load(write(tmp_path, GOOD), tmp_path)
    assert [sub.id for sub in whole.sub_categories] == ["leak", "grief", "cast"]
    assert whole.treatments == ("leak", "cast")
    assert whole["grief"].why_not == "Needs somebody." and whole["cast"].category == "colour"


def write(folder: Path, text: str) -> Path:
    path = folder / "taxonomy.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("old", "new", "line", "complaint"),
    [
        (
            'label = "Cast"',
            'lable = "Cast"',
            28,
            "category[1].sub_category[0].lable: unknown key 'lable', did you mean 'label'?",
        ),
        ('label = "Cast"', "", 26, "category[1].sub_category[0].label: is missing"),
        ('label = "Cast"', 'label = "  "', 28, "category[1].sub_category[0].label: is empty"),
        ('label = "Cast"', "label = 3", 28, "category[1].sub_category[0].label: must be a text"),
        ('id = "cast"', 'id = "leak"', 27, "id 'leak' is already used by category[0].sub_category[0].id"),
        ('id = "cast"', 'id = "Ca st"', 27, "'Ca st' is no name: lower-case letters"),
        ('"bilious"]', '"green"]', 30, "phrase 'green' is already used by category[1].sub_category[0].phrases[0]"),
        (
            '"bilious"]',
            '"one leak"]',
            30,
            "'one leak' is already used by category[0].sub_category[0].phrases[0]",
        ),
        ('"bilious"]', '"Bilious!"]', 30, "'Bilious!' is no phrase of lower-case words"),
        ('"bilious"]', "7]", 30, "phrases[3]: must be a text, not 7"),
        (', "bilious"]', "]", 30, "phrases: needs at least 4"),
        (
            'phrases = ["green", "sick green", "yellow-green", "bilious"]',
            'phrases = "green"',
            30,
            "must be a list, not 'green'",
        ),
        ("treatment = false", "treatment = true", 19, "explains a missing treatment"),
        ('why_not = "Needs somebody."', "", 13, "must say why there is no treatment"),
        ("treatment = false", 'treatment = "no"', 18, "must be true or false"),
        ('id = "light"', 'id = "light"\ncolor = 1', 3, "category[0].color: unknown key 'color'"),
        ('id = "light"', "", 1, "category[0].id: is missing"),
    ],
)
def test_a_defect_is_named_with_its_line_and_field(
    tmp_path: Path, old: str, new: str, line: int, complaint: str
) -> None:
    assert GOOD.count(old) == 1
    path = write(tmp_path, GOOD.replace(old, new))
    with pytest.raises(InputError) as refused:
        taxonomy.load(path, path.parent)
    found = [problem for problem in refused.value.problems if complaint in str(problem)]
    assert [problem.line for problem in found] == [line], str(refused.value)
    assert f"{path.name}:{line} " in str(refused.value)


def test_all_defects_of_a_file_are_reported_together(tmp_path: Path) -> None:
    damaged = GOOD.replace("treatment = false", 'treatment = "no"').replace('id = "cast"', "id = 1")
    with pytest.raises(InputError) as refused:
        taxonomy.load(write(tmp_path, damaged), tmp_path)
    assert [problem.line for problem in refused.value.problems] == [18, 27]
    assert len(str(refused.value).splitlines()) == 2


@pytest.mark.parametrize(
    "text",
    ["", "category = 3", "category = []", "category = [1]", "[[category]]\nid = 'a'\nlabel = 'A'\nmeaning = 'B'"],
)
def test_a_file_without_categories_or_sub_categories_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"category|sub_category"):
        taxonomy.load(write(tmp_path, text), tmp_path)


def test_what_is_not_toml_is_refused_at_its_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"taxonomy\.toml:3: not TOML"):
        taxonomy.load(write(tmp_path, '[[category]]\nid = "a"\nlabel = oops\n'), tmp_path)
    truncated = write(tmp_path, GOOD[: GOOD.index("Somebody weeps")])
    with pytest.raises(InputError, match=r"taxonomy\.toml:\d+: not TOML"):
        taxonomy.load(truncated, tmp_path)


def test_a_missing_or_binary_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.toml: no such file"):
        taxonomy.load(tmp_path / "none.toml", tmp_path)
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not UTF-8"):
        taxonomy.load(binary, tmp_path)


@settings(max_examples=150)
@given(st.data())
def test_a_damaged_file_loads_or_is_refused_but_never_crashes(data: st.DataObject) -> None:
    lines = GOOD.splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        lines[at] = data.draw(
            st.sampled_from(
                [
                    "",
                    lines[at][:-3],
                    lines[at] + " 1",
                    "id = []",
                    "[[category]]",
                    "[category]",
                    "phrases = [{}]",
                    "\u0000",
                ]
            )
        )
    path = Path(data.draw(st.just("taxonomy-damaged.toml")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "read_bytes", lambda self: "\n".join(lines).encode())
        try:
            taxonomy.load(path, path.parent)
        except InputError as refused:
            assert all(problem.message for problem in refused.problems)


def test_reading_the_taxonomy_does_not_load_opencv(tmp_path: Path) -> None:
    """The page reads it on every build, also when there is no picture to treat."""
    code = (
        "import sys; from pathlib import Path; from ledger import taxonomy\n"
        "taxonomy.load(Path(sys.argv[1]), Path()); print(sorted({'cv2', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(write(tmp_path, GOOD))], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
