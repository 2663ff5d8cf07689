"""Raw rows: whole after a round trip, gathered from both ways of measuring, and enough to make every number again."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from ledger.schema import Document
from miniature import measurement
from miniature.report import document as report
from miniature.report import engine, rows
from miniature.report.rows import SCORERS, SWEPT, WAYS, Measured, Setting, Swept
from miniature.world import splits

RESULTS = Path(__file__).parents[2] / "results"


def test_every_number_on_the_page_comes_out_of_the_rows_in_the_repository() -> None:
    committed = Document.model_validate_json((RESULTS / "miniature.json").read_text())
    made = report.document(RESULTS)
    assert made.values == committed.values and made.tables == committed.tables and made.runs == committed.runs
    linked = {value.rows for value in made.values.values() if value.rows}
    assert linked == {f"rows/{file}" for file in rows.FILES}
    contrasts = [value for name, value in made.values.items() if name.startswith("miniature.contrast.")]
    assert contrasts and all(value.caveat and value.interval and value.rows for value in contrasts)


def some(setting: Setting, pairs: list[int]) -> Measured:
    rng = np.random.default_rng(0)
    flags = rng.random((2, len(pairs), len(splits.labels()))) < 0.5
    scores = rng.normal(size=(len(pairs), len(SCORERS), len(WAYS))).round(rows.DECIMALS)
    scores[:, -1] = np.nan  # a scorer that took no part
    feelings = rng.random((rows.FEELINGS, len(splits.labels()))) < 0.5
    return Measured(setting, rows.CPU, np.array(pairs), flags[0], flags[1], scores, scores[:, 0, 0], feelings)


def test_rows_survive_the_way_into_files_and_back_and_their_bytes_stay(tmp_path: Path) -> None:
    """Labels of two words, a scorer that is missing, a setting with and one without a way."""
    settings = [Setting("base", 0.0, "0"), Setting("draft-s0", 0.375, "1", "negative")]
    one = [some(setting, [0, 7, 123]) for setting in settings]
    swept = Swept(("encoder", "gate95-low-s0"), {kind: np.full((2, 3, 4), 0.12345) for kind in SWEPT})
    rows.write(tmp_path, one, swept)
    before = [(tmp_path / file).read_bytes() for file in rows.FILES]
    back, rewards = rows.read(tmp_path)
    for first, second in zip(one, back, strict=True):
        assert (first.setting, first.run) == (second.setting, second.run)
        for name in ("pairs", "plain", "requested", "scores", "apart", "feelings"):
            assert np.array_equal(getattr(first, name), getattr(second, name), equal_nan=name == "scores"), name
    assert rewards.names == swept.names and np.array_equal(rewards.scores["moods"], swept.scores["moods"])
    rows.write(tmp_path, back[::-1], rewards)
    assert before == [(tmp_path / file).read_bytes() for file in rows.FILES]


def test_a_setting_is_measured_in_pieces_that_add_up() -> None:
    def piece(pairs: list[int]) -> dict[str, Any]:
        numbers = np.array(pairs, float)
        found = np.repeat(numbers[:, None] % 2 == 0, 3, 1)
        return {
            "run": rows.CPU,
            "pairs": np.array(pairs),
            "found_plain": found,
            "found_requested": ~found,
            "plain": numbers[:, None],
            "scores": np.stack([np.repeat(numbers[:, None], 4, 1)] * 2),
            "scorers": np.array(["encoder", "gatenone-low-s0"]),
        }

    whole = measurement.merge(piece([0, 3, 6]) | {"found_emotion": np.ones((2, 3), bool)}, piece([1, 4]))
    assert whole["pairs"].tolist() == [0, 1, 3, 4, 6] == whole["scores"][1, :, 0].tolist()
    assert whole["found_plain"][:, 0].tolist() == [True, False, False, True, True]
    assert whole["found_emotion"].shape == (2, 3)


def sample(stage: str, identity: dict[str, Any], **told: Any) -> dict[str, Any]:
    return {"stage": stage, "status": "done", "identity": identity, "made": told.pop("made", {}), "result": told}


def test_rows_of_the_engine_pair_pictures_by_seed_and_wait_for_all_scores() -> None:
    """Two pairs share a plain prompt: the pictures of each have its own seed."""
    pair, labels = rows.prompts()[0], splits.labels()
    settings = {"true_cfg_scale": 3.0, "method": "none"}
    samples = []
    for number, text in enumerate((pair.original, pair.requested)):
        drawn = {"prompt": text, "seed": 5, "settings": settings, "lora": "", "negative": ""}
        samples.append(sample("generate", drawn, pixels=f"p{number}"))
        for scorer in engine.ENGINE_SCORERS:
            for at, prompt in enumerate((pair.original, pair.requested)):
                asked = {"picture": f"p{number}", "prompt": prompt}
                samples.append(sample("score", asked, made={"scorer": scorer}, score=number + at / 10))
        seen = {"picture": f"p{number}", "prompt": ""}
        samples.append(
            sample("score", seen, made={"scorer": "miniature-judge"}, score=dict.fromkeys(labels, 0.5 * number))
        )
    stranger = {"prompt": pair.original, "seed": 6, "settings": settings, "lora": "", "negative": ""}
    samples.append(sample("generate", stranger, pixels="another"))
    (found,) = engine.measured(samples)
    assert found.setting == Setting("base", 0.0, "engine") and found.pairs.tolist() == [0]
    assert not found.plain.any() and found.requested.all()
    assert found.scores[0, SCORERS.index("encoder")].tolist() == [0.0, 0.1, 1.0, 1.1]
    assert np.isnan(found.scores[0, SCORERS.index("gatenone-low-s1")]).all()
    assert not list(engine.measured(samples[:-2]))


def test_a_negative_row_takes_plain_pictures_from_the_row_without_and_nothing_else() -> None:
    """The protocol passes a negative prompt to requested pictures alone; one that is not drawn yet is no pair yet."""
    settings, samples = {"true_cfg_scale": 3.0, "method": "none"}, []
    for number, pair in enumerate(rows.prompts()[:2]):
        asked = (pair.original, ""), (pair.requested, ""), *([(pair.requested, "sharp")] if number == 0 else [])
        for text, negative in asked:
            pixels = f"{number}{text}{negative}"
            drawn = {"prompt": text, "seed": number, "settings": settings, "lora": "", "negative": negative}
            samples.append(sample("generate", drawn, pixels=pixels))
            for scorer, prompt in product(engine.ENGINE_SCORERS, (pair.original, pair.requested)):
                told = {"picture": pixels, "prompt": prompt}
                samples.append(sample("score", told, made={"scorer": scorer}, score=float(bool(negative))))
            seen, verdict = {"picture": pixels, "prompt": ""}, dict.fromkeys(splits.labels(), 0.0)
            samples.append(sample("score", seen, made={"scorer": "miniature-judge"}, score=verdict))
    found = {one.setting.way: one for one in engine.measured(samples)}
    assert found[""].pairs.tolist() == [0, 1] and found["negative"].pairs.tolist() == [0]
    assert found["negative"].scores[0, SCORERS.index("encoder")].tolist() == [0, 0, 1, 1]
