"""The taxonomy file and the treatments agree, and a damaged file is refused with its line and field."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import effects
from ledger import taxonomy

ROOT = Path(__file__).parents[2]
FILE = ROOT / "content" / "taxonomy.toml"

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


def test_the_published_taxonomy_has_five_categories_and_twenty_eight_sub_categories_in_order() -> None:
    whole = taxonomy.load(FILE)
    assert [category.id for category in whole.categories] == [
        "clarity_and_focus",
        "color_and_tone",
        "lighting_and_exposure",
        "composition_and_structure",
        "emotion_and_subject",
    ]
    assert [len(category.sub_categories) for category in whole.categories] == [6, 5, 5, 5, 7]
    assert len(whole.sub_categories) == 28


def test_every_sub_category_that_acts_on_pixels_has_a_treatment_and_no_other_does() -> None:
    whole = taxonomy.load(FILE)
    assert whole.treatments == tuple(effects.TREATMENTS)
    for name, treatment in effects.TREATMENTS.items():
        sub = whole[name]
        assert (treatment.name, treatment.category, treatment.label) == (sub.id, sub.category, sub.label)


def test_the_one_without_a_treatment_says_why() -> None:
    missing = [sub for sub in taxonomy.load(FILE).sub_categories if not sub.treatment]
    assert [sub.id for sub in missing] == ["negative_personal_emotion"]
    assert "subject" in missing[0].why_not


def test_no_phrase_is_part_of_another_treatments_phrase() -> None:
    """Otherwise a caption would ask for two things at once."""
    said = [(phrase, sub.id) for sub in taxonomy.load(FILE).sub_categories for phrase in sub.phrases]
    assert not [(a, b) for a, one in said for b, other in said if one != other and f" {a} " in f" {b} "]


def test_an_unknown_sub_category_is_refused_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="'light_leek', did you mean 'light_leak'"):
        taxonomy.load(FILE)["light_leek"]


def test_a_good_file_is_read_whole(tmp_path: Path) -> None:
    whole = taxonomy.load(write(tmp_path, GOOD))
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
            "category[1].sub_category[0].lable: unknown key, did you mean 'label'?",
        ),
        ('label = "Cast"', "", 26, "category[1].sub_category[0].label: must be a text that is not empty"),
        ('label = "Cast"', 'label = "  "', 28, "category[1].sub_category[0].label: must be a text"),
        ('label = "Cast"', "label = 3", 28, "category[1].sub_category[0].label: must be a text"),
        ('id = "cast"', 'id = "leak"', 27, "id 'leak' is already used by category[0].sub_category[0].id"),
        ('id = "cast"', 'id = "Ca st"', 27, "'Ca st' is not an id"),
        ('"bilious"]', '"green"]', 30, "phrase 'green' is already used by category[1].sub_category[0].phrases"),
        ('"bilious"]', '"one leak"]', 30, "phrase 'one leak' is already used by category[0].sub_category[0].phrases"),
        ('"bilious"]', '"Bilious!"]', 30, "'Bilious!' is not a phrase"),
        ('"bilious"]', "7]", 30, "7 is not a phrase"),
        (', "bilious"]', "]", 30, "must be a list of 4 to 8 phrases"),
        ('phrases = ["green", "sick green", "yellow-green", "bilious"]', 'phrases = "green"', 30, "4 to 8 phrases"),
        ("treatment = false", "treatment = true", 19, "explains a missing treatment"),
        ('why_not = "Needs somebody."', "", 13, "must say why there is no treatment"),
        ("treatment = false", 'treatment = "no"', 18, "must be true or false"),
        ('id = "light"', 'id = "light"\ncolor = 1', 3, "category[0].color: unknown key"),
        ('id = "light"', "", 1, "category[0].id: must be a text"),
    ],
)
def test_a_defect_is_named_with_its_line_and_field(
    tmp_path: Path, old: str, new: str, line: int, complaint: str
) -> None:
    assert GOOD.count(old) == 1
    path = write(tmp_path, GOOD.replace(old, new))
    with pytest.raises(taxonomy.TaxonomyError) as refused:
        taxonomy.load(path)
    found = [problem for problem in refused.value.problems if complaint in str(problem)]
    assert [problem.line for problem in found] == [line], str(refused.value)
    assert f"{path.as_posix()}:{line} " in str(refused.value)


def test_all_defects_of_a_file_are_reported_together(tmp_path: Path) -> None:
    damaged = (
        GOOD.replace('"crying"', '"one leak"')
        .replace("treatment = false", 'treatment = "no"')
        .replace('id = "cast"', "id = 1")
    )
    with pytest.raises(taxonomy.TaxonomyError) as refused:
        taxonomy.load(write(tmp_path, damaged))
    assert [problem.line for problem in refused.value.problems] == [17, 18, 27]
    assert len(str(refused.value).splitlines()) == 3


@pytest.mark.parametrize(
    "text",
    ["", "category = 3", "category = []", "category = [1]", "[[category]]\nid = 'a'\nlabel = 'A'\nmeaning = 'B'"],
)
def test_a_file_without_categories_or_sub_categories_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(taxonomy.TaxonomyError, match="at least one"):
        taxonomy.load(write(tmp_path, text))


def test_what_is_not_toml_is_refused_at_its_line(tmp_path: Path) -> None:
    with pytest.raises(taxonomy.TaxonomyError, match=r"taxonomy\.toml:3: not TOML"):
        taxonomy.load(write(tmp_path, '[[category]]\nid = "a"\nlabel = oops\n'))
    truncated = write(tmp_path, GOOD[: GOOD.index("Somebody weeps")])
    with pytest.raises(taxonomy.TaxonomyError, match=r"taxonomy\.toml:\d+: not TOML"):
        taxonomy.load(truncated)


def test_a_missing_or_binary_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(taxonomy.TaxonomyError, match=r"none\.toml:1: cannot be read"):
        taxonomy.load(tmp_path / "none.toml")
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(taxonomy.TaxonomyError, match="not UTF-8"):
        taxonomy.load(binary)


@settings(max_examples=150, deadline=None)
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
        patch.setattr(Path, "read_text", lambda self, encoding: "\n".join(lines))
        try:
            taxonomy.load(path)
        except taxonomy.TaxonomyError as refused:
            assert all(problem.line >= 1 and problem.message for problem in refused.problems)


def test_reading_the_taxonomy_does_not_load_opencv() -> None:
    """The page reads it on every build, also when there is no picture to treat."""
    code = (
        "import sys; from pathlib import Path; from ledger import taxonomy\n"
        "taxonomy.load(Path('content/taxonomy.toml')); print(sorted({'cv2', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
