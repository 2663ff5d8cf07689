"""The ledger that is committed: what was transcribed, what was recomputed, what the claims come to."""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

import ledger
from ledger.claims.rules import RULES

ROOT = Path(__file__).resolve().parents[2]


@cache
def book() -> ledger.Ledger:
    return ledger.load(ROOT)


def test_table_d1_has_twenty_rows_and_seven_are_pending_with_a_reason() -> None:
    rows = [row.id for row in book().tables["generators"].rows]
    changes = [book().value(f"generators.{row}.delta_hpsv3") for row in rows]
    pending = [value for value in changes if value.value is None]
    assert len(rows) == 20
    assert len(pending) == 7
    assert all(len(value.source.where) > 20 for value in pending)


@pytest.mark.parametrize(
    ("id", "printed"),
    [
        ("generators.flux-dev.delta_hpsv3", "−3.165"),
        ("generators.gpt-image-15.hpsv3_after", "−1.175"),
        ("reward_models.hpsv3.auroc", "0.385"),
        ("emotion_choice.hpsv3.anger", "0.190"),
        ("image_to_image.dance-flux.delta_hpsv3", "3.13"),
        ("page.scream_hpsv3", "5.23"),
        ("page.pair_confidence", "≥\u00a095"),
        ("tests.dance-flux.hpsv3_p", "<\u00a010⁻¹⁰"),
        ("exhibits.scream.original.hpsv3", "5.23"),
    ],
)  # fmt: skip
def test_a_transcribed_number_is_printed_as_published(id: str, printed: str) -> None:
    assert ledger.show(book().value(id)) == printed


def test_forty_four_of_forty_six_published_numbers_follow_from_the_raw_scores() -> None:
    """Two columns of Nano Banana differ: some of its pairs were drawn again after those scores were cached."""
    reported = [id for id in book().values if id.startswith(("generators.", "tests."))]
    checked = {id: book().agrees(id) for id in reported}
    differing = {id for id, agrees in checked.items() if agrees is False}
    assert differing == {"generators.nano-banana.delta_hpsv2", "generators.nano-banana.delta_imagereward"}
    assert sum(agrees is True for agrees in checked.values()) == 44


def test_ten_models_of_three_hundred_pairs_make_three_thousand() -> None:
    counts = [value.value for id, value in book().values.items() if re.fullmatch(r"recomputed\.[\w-]+\.pairs", id)]
    assert sorted(count for count in counts if count is not None) == [300.0] * 10 + [3000.0, 3300.0]


def test_every_value_says_where_it_comes_from_and_recomputed_ones_how_sure_they_are() -> None:
    for id, value in book().values.items():
        if id.startswith("recomputed.") and ".delta_hpsv3" in id and "_q" not in id:
            assert value.interval is not None and value.n, id
        assert value.source.where.strip(), id


def test_a_number_is_typed_once() -> None:
    """Two reported values may be equal, but not with one label and one source."""
    seen = Counter(
        (value.label, value.source.where) for value in book().values.values() if value.source.kind == "reported"
    )
    assert [key for key, count in seen.items() if count > 1] == []


def test_no_two_columns_or_rows_of_a_table_print_one_heading() -> None:
    """Rows that share a label are told apart by their group, which the page prints beside it."""
    for id, table in book().tables.items():
        for headings in ([column.label for column in table.columns], [(row.group, row.label) for row in table.rows]):
            assert len(headings) == len(set(headings)), id


def test_the_argument_is_counted_apart_from_bookkeeping_and_from_our_own_caveats() -> None:
    """36 contradictions in red misreported a paper whose slips are mostly counts and legends."""
    by_weight = {
        weight: Counter(claim.verdict for claim in book().claims.values() if claim.weight == weight)
        for weight in ("argument", "detail", "caveat")
    }
    assert by_weight["argument"] == {"holds": 16, "holds in part": 10, "cannot be checked": 13, "contradicted": 5}
    assert set(by_weight["caveat"]) == {"holds"}, "a caveat is a sentence of this page, and has to hold"
    contradicted = {
        id for id, claim in book().claims.items() if (claim.weight, claim.verdict) == ("argument", "contradicted")
    }
    assert contradicted == {
        "blip-base-of-many", "one-test-set", "lapis-very-bottom", "danceflux-one-look", "newspeak-unanimous",
    }  # fmt: skip


def test_every_family_claim_names_playground() -> None:
    family = book().claims["moves-less-within-family"]
    assert family.verdict == "holds in part"
    assert family.because.startswith("Four of six hold. Against: ΔHPSv3 of Playground 2.5 (−4.170)")


def test_diffusion_dpo_is_judged_beside_reward_back_propagation() -> None:
    """Its reward does not rise, and its loss of requests cannot be told from zero: no verdict may leave it out."""
    claims = book().claims
    judged = ("reward-rises", "objective-not-model")
    assert [found.verdict for id in judged if (found := claims[id].second)] == ["reproduced in part"] * 2


@pytest.mark.parametrize(
    ("claim", "verdict"),
    [
        ("scream-below-clean", "holds"),
        ("matisse-in-clean-range", "contradicted"),
        ("ten-generators", "holds in part"),
        ("pairs-3300", "holds in part"),
        ("hpsv3-below-random", "holds"),
        ("hpsv3-emotion-below-chance", "holds in part"),
        ("differences-significant", "holds in part"),
        ("one-test-set", "contradicted"),
        ("worse-than-own-encoder", "holds"),
        ("published-numbers-rederived", "holds"),
        ("lapis-rank", "holds"),
        ("lapis-very-bottom", "contradicted"),
        ("gallery-nano", "contradicted"),
        ("real-gap", "cannot be checked"),
        ("user-aligned-to-model", "cannot be checked"),
        ("added-after-the-paper", "holds"),
        ("failures-retried", "holds"),
        ("hpsv3-range", "holds"),
        ("bottom-twelve", "cannot be checked"),
        ("curating-agent", "cannot be checked"),
        ("vsf-shown", "cannot be checked"),
        ("danceflux-polished-preferred", "holds in part"),
        ("newspeak-unanimous", "contradicted"),
    ],
)  # fmt: skip
def test_what_the_ledger_makes_of_a_claim(claim: str, verdict: str) -> None:
    assert book().claims[claim].verdict == verdict, book().claims[claim].because


@pytest.mark.parametrize(
    ("file", "id", "number", "claim", "verdict"),
    [
        ("reward_models", "reward_models.gpt-5-chat.accuracy", 0.8, "worse-than-outside-judge", "holds in part"),
        ("generators", "generators.dance-flux.delta_hpsv3", -3.9, "moves-less-within-family", "holds in part"),
        ("reward_models", "reward_models.hpsv3.auroc", 0.6, "hpsv3-below-random", "holds in part"),
        ("emotion", "emotion_choice.hpsv3.anger", 0.3, "anger-81", "contradicted"),
        ("real_art", "leaderboard.lapis.hpsv3", -1.0, "lapis-very-bottom", "holds"),
        ("real_art", "leaderboard.lapis.hpsv3", 5.0, "lapis-rank", "contradicted"),
    ],
)  # fmt: skip
def test_a_changed_number_of_the_committed_ledger_changes_the_verdict(
    tmp_path: Path, file: str, id: str, number: float, claim: str, verdict: str
) -> None:
    for folder in ("results", "content"):
        (tmp_path / folder).mkdir()
    for source in [*(ROOT / "results").glob("*.json"), *(ROOT / "content").glob("*.toml")]:
        (tmp_path / source.relative_to(ROOT)).write_bytes(source.read_bytes())
    document = tmp_path / "results" / f"{file}.json"
    tree = json.loads(document.read_text(encoding="utf-8"))
    tree["values"][id]["value"] = number
    document.write_text(json.dumps(tree), encoding="utf-8")
    assert ledger.load(tmp_path).claims[claim].verdict == verdict


def test_no_verdict_and_no_unused_rule_is_written_down() -> None:
    text = (ROOT / "content" / "claims.toml").read_text(encoding="utf-8")
    assert "verdict =" not in text
    assert [rule for rule in RULES if f'rule = "{rule}"' not in text] == []


def test_claims_print_no_braces_and_no_machine_words() -> None:
    for id, claim in book().claims.items():
        for text in (claim.sentence, claim.where, claim.because, claim.second.because if claim.second else ""):
            assert "{" not in text and "None" not in text.replace("None of", ""), (id, text)


def test_every_picture_of_the_authors_is_pinned_with_its_rights_and_described() -> None:
    """An address without a hash could hang another picture under the caption; without a group, one nobody may show."""
    exhibits = book().exhibits
    sets = Counter(name for exhibit in exhibits.values() for name in exhibit.sets)
    counted = ("canon", "lapis", "real", "gallery", "newspeak", "danceflux", "emotion-figure", "real-sheet")
    assert [sets[name] for name in counted] == [2, 12, 16, 12, 5, 8, 1, 1]
    pictures = [(id, picture) for id, exhibit in exhibits.items() for picture in exhibit.pictures]
    assert [id for id, picture in pictures if len(picture.alt) <= 20 or "not reproduced" in picture.alt] == []
    remote = [(id, picture.remote) for id, picture in pictures if picture.remote is not None]
    assert [id for id, picture in pictures if picture.file is None and picture.remote is None] == []
    groups = Counter(one.group for _, one in remote)
    assert groups == {"public-domain": 2, "authors": 60, "ava": 17, "lapis": 12}
    assert [id for id, one in remote if not (one.sha256 and one.width and one.height)] == []
    assert {id for id, one in remote if one.shown == "free"} == {"scream", "luxe"}
    assert {id for id, one in remote if one.prompt is None} == {
        "scream", "luxe", "emotion-figure", "real-figure", "demo-figure",
    }  # fmt: skip


def test_no_prompt_or_caption_of_others_is_committed() -> None:
    """They come with the pictures, from the same source, where the publisher accepts its group."""
    for id, exhibit in book().exhibits.items():
        assert not [one.id for one in exhibit.pictures if one.remote is not None and one.prompt], id


def test_the_engine_and_the_page_quote_the_same_leaderboard() -> None:
    """The board that measured works are placed on is the one that the page shows."""
    from evidence.protocols.leaderboard import boards

    quoted = {id: entry.mean for id, entry in boards()["hpsv3"].entries.items()}
    assert quoted == {id: book().value(f"leaderboard.{id}.hpsv3").value for id in quoted} and len(quoted) == 11
