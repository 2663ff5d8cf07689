"""The cards of models.toml: all of table D.1, nothing guessed, every mistake named with its line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from evidence.cards import models
from evidence.registry import GENERATORS
from ledger.problems import InputError

TABLE = [
    "flux-dev",
    "dance-flux",
    "pref-flux",
    "flux-krea",
    "sdxl",
    "playground",
    "sd35m",
    "sd35m-geneval",
    "sd35m-pickscore",
    "nano-banana",
    "gpt-image-15",
    "qwen-image",
    "seeddream4",
    "flux2-klein-9b",
    "z-image",
    "z-image-turbo",
    "glm-image",
    "alchemist",
    "longcat-image",
    "flux-dev-vsf",
]

GOOD = """
[a]
label = "A"
family = "F"
alignment = "base"
adapter = "flux"
weights = "local-dir:x"
[a.profiles.controlled]
dtype = "float32"
steps = 2
guidance = 3.5
size = 256
"""


@pytest.fixture(scope="module")
def cards() -> dict[str, models.ModelCard]:
    return models.load()


def problems(text: str, tmp_path: Path) -> list[str]:
    file = tmp_path / "models.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(InputError) as caught:
        models.load(file, tmp_path)
    return [str(problem) for problem in caught.value.problems]


def test_every_row_of_the_table_is_there(cards: dict[str, models.ModelCard]) -> None:
    assert set(TABLE) <= set(cards)
    assert len(TABLE) == 20


def test_every_row_can_be_sampled_under_both_profiles(cards: dict[str, models.ModelCard]) -> None:
    for name in TABLE:
        assert {"controlled", "as-published"} <= set(cards[name].profiles)
        for profile in cards[name].profiles:
            assert (
                cards[name].settings(profile, "plain").keys()
                == GENERATORS[cards[name].adapter].settings.model_fields.keys()
            )


def test_the_controlled_profile_treats_both_pictures_alike(cards: dict[str, models.ModelCard]) -> None:
    for card in cards.values():
        assert card.settings() == card.settings("controlled", "plain") == card.settings("controlled", "wide")


@pytest.mark.parametrize("name", ["sd35m", "sd35m-geneval", "sd35m-pickscore", "alchemist"])
def test_the_published_asymmetry_is_kept_where_it_was(name: str, cards: dict[str, models.ModelCard]) -> None:
    plain, wide = (cards[name].settings("as-published", kind) for kind in ("plain", "wide"))
    assert (plain["steps"], plain["guidance"]) == (40, 4.0)
    assert (wide["steps"], wide["guidance"]) == (32, 6.0)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("flux-dev", {"dtype": "float16", "steps": 32, "guidance": 3.5}),
        ("dance-flux", {"dtype": "bfloat16", "steps": 32, "guidance": 3.5}),
        ("flux-krea", {"dtype": "float16", "steps": 32}),
        ("sdxl", {"dtype": "float16", "steps": 50, "guidance": 5.0}),
        ("playground", {"steps": 50, "guidance": 3.0}),
        ("z-image-turbo", {"steps": 8, "guidance": 1.0}),
        ("glm-image", {"steps": 50, "guidance": 5.0}),
        ("longcat-image", {"steps": 50, "guidance": 4.0, "cfg_renorm": True}),
        ("flux2-klein-9b", {"steps": 4, "guidance": 0.0}),
        ("flux-dev-vsf", {"method": "vsf", "vsf_scale": 2.0, "guidance": 0.0, "max_sequence_length": 256}),
        ("qwen-image", {"steps": 50, "guidance": 4.0, "fast": True, "seeded": False}),
    ],
)
def test_published_settings_are_as_published(
    name: str, expected: dict[str, object], cards: dict[str, models.ModelCard]
) -> None:
    assert expected.items() <= cards[name].settings("as-published").items()


def test_a_distilled_z_image_is_sampled_without_guidance(cards: dict[str, models.ModelCard], tmp_path: Path) -> None:
    assert cards["z-image-turbo"].settings()["guidance"] == 0.0
    text = GOOD.replace('"flux"', '"z-image"').replace("local-dir:x", 'local-dir:x"\ndistilled = true\nnote = "')
    (problem,) = problems(text, tmp_path)
    assert problem.startswith("models.toml:13 a.profiles.controlled.guidance: a distilled Z-Image")


def test_what_nobody_says_is_listed_and_left_out(cards: dict[str, models.ModelCard]) -> None:
    for name in TABLE:
        card = cards[name]
        assert "revision" in card.unknown
        if card.revision == "unpinned":
            assert "@" not in card.weights
        for field in ("memory_gib", "usd_per_picture"):
            assert (getattr(card, field) is None) or field not in card.unknown
        if card.gated is None and not card.remote:
            assert any("gating" in fact for fact in card.unknown)


def test_qwen_image_has_a_local_alternative(cards: dict[str, models.ModelCard]) -> None:
    alternatives = [card for card in cards.values() if card.alternative_to == "qwen-image"]
    assert [card.remote for card in alternatives] == [False]


def test_families_hold_a_base_for_their_aligned_models(cards: dict[str, models.ModelCard]) -> None:
    """Flux, SDXL and SD3.5M are compared within the family."""
    for family in ("Flux", "SDXL", "SD3.5M"):
        kinds = {card.alignment for card in cards.values() if card.family == family}
        assert {"base", "aligned"} <= kinds


def test_an_unknown_key_is_named_with_line_and_nearest_name(tmp_path: Path) -> None:
    assert problems(GOOD.replace("label", "lable"), tmp_path) == [
        "models.toml:3 a.lable: unknown key 'lable', did you mean 'label'?",
    ]
    assert problems(GOOD.replace("steps", "stepz"), tmp_path) == [
        "models.toml:8 a.profiles.controlled: adapter 'flux' needs 'steps'",
        "models.toml:10 a.profiles.controlled.stepz: adapter 'flux' does not read it, did you mean 'steps'?",
    ]


def test_a_setting_that_the_adapter_does_not_read_is_an_error(tmp_path: Path) -> None:
    assert problems(GOOD + "cfg_renorm = true\n", tmp_path) == [
        "models.toml:13 a.profiles.controlled.cfg_renorm: adapter 'flux' does not read it"
    ]


def test_a_setting_that_the_adapter_needs_is_missed(tmp_path: Path) -> None:
    assert problems(GOOD.replace("steps = 2\n", ""), tmp_path) == [
        "models.toml:8 a.profiles.controlled: adapter 'flux' needs 'steps'"
    ]


def test_a_negative_prompt_that_flux_would_ignore_is_an_error(tmp_path: Path) -> None:
    text = GOOD + 'negative_prompt = "sharp"\n'
    assert "is ignored unless true_cfg_scale is above 1" in problems(text, tmp_path)[0]
    (tmp_path / "models.toml").write_text(text + "true_cfg_scale = 2.0\n")
    assert models.load(tmp_path / "models.toml", tmp_path)["a"].settings()["negative_prompt"] == "sharp"


def test_vsf_and_classifier_free_guidance_exclude_each_other(tmp_path: Path) -> None:
    text = GOOD + 'method = "vsf"\nvsf_scale = 2.0\ntrue_cfg_scale = 2.0\n'
    assert "replaces classifier-free guidance" in problems(text, tmp_path)[0]


def test_an_adapter_and_an_address_are_checked(tmp_path: Path) -> None:
    assert "did you mean 'flux'?" in problems(GOOD.replace('"flux"', '"fluxx"'), tmp_path)[0]
    assert "neither hf-hub:" in problems(GOOD.replace("local-dir:x", "someone/x"), tmp_path)[0]


def test_different_pictures_under_controlled_are_an_error(tmp_path: Path) -> None:
    assert "the same settings for both pictures" in problems(GOOD + "plain = { steps = 3 }\n", tmp_path)[0]


def test_a_row_may_be_like_another_but_states_its_own_licence(tmp_path: Path) -> None:
    file = tmp_path / "models.toml"
    file.write_text(
        GOOD.replace('alignment = "base"', 'alignment = "base"\nlicence = "MIT"\ngated = true\nnote = "n"')
        + '[b]\nlike = "a"\nlabel = "B"\nlora = "local-dir:y"\n[b.profiles.controlled]\nsteps = 4\n'
    )
    card = models.load(file, tmp_path)["b"]
    assert (card.settings()["steps"], card.settings()["guidance"], card.weights) == (4, 3.5, "local-dir:x")
    assert (card.licence, card.gated, card.note) == ("", None, "")
    assert "no other card 'aa', did you mean 'a'?" in problems(GOOD + '[b]\nlike = "aa"\n', tmp_path)[0]
    assert "no other card 'b'" in problems(GOOD + '[b]\nlike = "b"\n', tmp_path)[0]


def test_an_unknown_profile_lists_the_known_ones(cards: dict[str, models.ModelCard]) -> None:
    with pytest.raises(KeyError, match="only controlled, as-published"):
        cards["sdxl"].settings("published")


def test_reading_the_rows_does_not_load_torch() -> None:
    code = (
        "import sys; from evidence.cards import models; models.load()\n"
        "assert not {'torch', 'diffusers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_a_row_needs_no_more_than_the_readme_says(tmp_path: Path) -> None:
    """Adapter, weights, licence and one profile; it is called by its id and compared with no family."""
    file = tmp_path / "models.toml"
    profile = 'dtype = "float32"\nsteps = 2\nguidance = 3.5\nsize = 32\n'
    own = (
        f'[mine]\nadapter = "flux"\nweights = "local-dir:mine"\nlicence = "none"\n[mine.profiles.controlled]\n{profile}'
    )
    file.write_text(own + '[other]\nlike = "mine"\nlora = "local-dir:lora"\n', "utf-8")
    cards = models.load(file)
    assert [(card.label, card.family, card.alignment) for card in cards.values()] == [
        ("mine", "", "unknown"),
        ("other", "", "unknown"),
    ]
