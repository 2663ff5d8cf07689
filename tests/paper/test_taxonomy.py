"""The published taxonomy and the treatments agree."""

from __future__ import annotations

from pathlib import Path

import effects
from evidence import prompts
from ledger import taxonomy

ROOT = Path(__file__).parents[2]
FILE = ROOT / "content" / "taxonomy.toml"


def test_the_published_taxonomy_has_five_categories_and_twenty_eight_sub_categories_in_order() -> None:
    whole = taxonomy.load(FILE, ROOT)
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
    whole = taxonomy.load(FILE, ROOT)
    assert whole.treatments == tuple(effects.TREATMENTS)
    for name, treatment in effects.TREATMENTS.items():
        sub = whole[name]
        assert (treatment.name, treatment.category, treatment.label) == (sub.id, sub.category, sub.label)


def test_the_one_without_a_treatment_says_why() -> None:
    missing = [sub for sub in taxonomy.load(FILE, ROOT).sub_categories if not sub.treatment]
    assert [sub.id for sub in missing] == ["negative_personal_emotion"]
    assert "subject" in missing[0].why_not


def test_no_phrase_is_part_of_another_treatments_phrase() -> None:
    """Otherwise a caption would ask for two things at once."""
    said = [(phrase, sub.id) for sub in taxonomy.load(FILE, ROOT).sub_categories for phrase in sub.phrases]
    assert not [(a, b) for a, one in said for b, other in said if one != other and f" {a} " in f" {b} "]


def test_the_shipped_prompts_ask_for_every_sub_category_and_for_nothing_else() -> None:
    asked = {tag for row in prompts.load("wide").rows for tag in row.tags}
    assert asked == {sub.id for sub in taxonomy.load(FILE, ROOT).sub_categories}
