"""What a run has to do, and which change re-runs what."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from evidence.cards import Cards
from evidence.devices import fitting
from evidence.jobs.plan import (
    Comparison,
    Participants,
    PictureFile,
    PictureSpec,
    Plan,
    Requirements,
    Scoring,
    build,
    configured,
    ledger_id,
)
from evidence.order import Order
from evidence.order.families import expand
from evidence.order.resolve import experiments, participants_of, planned
from evidence.order.sweep import tuned
from evidence.samples import identity, source_digest
from ledger.problems import InputError
from tests.evidence import small

ROOT = Path(__file__).resolve().parents[2]


def plan_of(cards: Cards, folder: Path, **asked: object) -> Plan:
    order = Order(models=("small",), prompt_set=str(small.prompt_file(folder / "p.jsonl")), **asked)  # type: ignore[arg-type]
    return planned(order, participants_of(order, cards), "t")


def changed(cards: Cards, **fields: object) -> Cards:
    return dataclasses.replace(cards, models={"small": cards.models["small"].model_copy(update=fields)})


def test_a_pair_is_two_pictures_of_one_seed_and_four_scores(small_cards: Cards, tmp_path: Path) -> None:
    plan = plan_of(small_cards, tmp_path, prompts=1)
    original, distorted = plan.pictures.values()
    assert original.spec.seed == distorted.spec.seed and original.spec.kind == "plain" and distorted.spec.kind == "wide"
    scored = [
        (job.spec.kind, prompt)
        for key, job in plan.pictures.items()
        for s, prompt in plan.scorings[key]
        if s == "small-clip"
    ]
    plain, wide = original.spec.prompt, distorted.spec.prompt
    assert scored == [("plain", plain), ("plain", wide), ("wide", plain), ("wide", wide)]


def test_prompts_have_seeds_of_their_own_and_repeats_others(small_cards: Cards, tmp_path: Path) -> None:
    seeds = {job.spec.seed for job in plan_of(small_cards, tmp_path, seeds=2).pictures.values()}
    assert len(seeds) == 6 and all(seed is not None and 0 <= seed < 2**31 for seed in seeds)
    free = plan_of(small_cards, tmp_path, seeds=0).pictures.values()
    assert {job.spec.seed for job in free} == {None}


def test_a_judge_of_labels_scores_each_picture_once(small_cards: Cards, tmp_path: Path) -> None:
    plan = plan_of(small_cards, tmp_path, prompts=1)
    assert [pair for pairs in plan.scorings.values() for pair in pairs if pair[0] == "small-labels"] == [
        ("small-labels", "")
    ] * 2


def test_a_changed_setting_re_runs_just_what_it_changes(small_cards: Cards, tmp_path: Path) -> None:
    before = plan_of(small_cards, tmp_path)
    profile = small_cards.models["small"].profiles["controlled"].model_copy(update={"steps": 3})
    after = plan_of(changed(small_cards, profiles={"controlled": profile}), tmp_path)
    assert not before.pictures.keys() & after.pictures.keys()
    longer = plan_of(small_cards, tmp_path, seeds=2)
    assert before.pictures.keys() < longer.pictures.keys()


@pytest.mark.parametrize("field", ["label", "family", "licence", "note", "memory_gib", "tflop", "usd_per_picture"])
def test_what_no_pixel_depends_on_re_runs_nothing(small_cards: Cards, tmp_path: Path, field: str) -> None:
    other: object = 5.0 if field in ("memory_gib", "tflop", "usd_per_picture") else "other"
    assert (
        plan_of(small_cards, tmp_path).pictures.keys()
        == plan_of(changed(small_cards, **{field: other}), tmp_path).pictures.keys()
    )


def test_weights_that_changed_on_disk_are_other_weights(tmp_path: Path) -> None:
    cards = small.cards(tmp_path)
    before = plan_of(cards, tmp_path)
    config = tmp_path / "weights/flux/model_index.json"
    config.write_text(config.read_text() + " ")
    assert not before.pictures.keys() & plan_of(cards, tmp_path).pictures.keys()


def test_a_better_sentence_is_the_same_code_and_a_changed_line_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_digest, "ROOT", tmp_path)

    def version(text: str) -> str:
        (tmp_path / "evidence").mkdir(exist_ok=True)
        (tmp_path / "evidence/one.py").write_text(text)
        (tmp_path / "evidence/two.py").write_text("X = 1\n")
        source_digest.source_digest.cache_clear()
        return source_digest.source_digest("evidence.one")

    first = version('"""Doc."""\nfrom evidence import two\n\ndef f():\n    """Says."""\n    return two.X\n')
    assert first == version('"""Other."""\nfrom evidence import two  # note\ndef f():\n    return two.X\n')
    assert first != version("from evidence import two\ndef f():\n    return two.X + 1\n")
    assert version("") == version('"""A package."""\n')
    before = version("from evidence.two import X\n")
    (tmp_path / "evidence/two.py").write_text("X = 2\n")
    source_digest.source_digest.cache_clear()
    assert before != source_digest.source_digest("evidence.one"), "an imported module determines the sample too"
    source_digest.source_digest.cache_clear()


def test_overrides_stand_in_the_name(small_cards: Cards) -> None:
    one = configured("small-aligned@steps=5,lora_scale=0.5,negative=true", small_cards.models)
    assert one.card.settings()["steps"] == 5 and one.card.lora_scale == 0.5 and one.negative
    assert (
        not configured("small", small_cards.models).negative
        and configured("small@method=vsf", small_cards.models).negative
    )
    assert ledger_id("Small@method=vsf,steps=5") == "small-method-vsf-steps-5"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("smal", "did you mean 'small'"),
        ("small@stepz=3", "did you mean 'steps'"),
        ("small@steps", "is not setting=value"),
    ],
)
def test_a_wrong_name_is_told_with_the_nearest(small_cards: Cards, name: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        participants_of(Order(models=(name,)), small_cards)


def test_a_family_stands_for_its_rows_and_a_sweep_for_its_points(small_cards: Cards) -> None:
    assert expand(("Small",), small_cards) == ["small", "small-aligned"]
    order = Order(models=("small",), sweep={"vsf_scale": ("1", "2"), "steps": ("3",)})
    names = list(participants_of(order, small_cards).models)
    assert names == ["small@method=vsf,vsf_scale=1", "small@method=vsf,vsf_scale=2", "small@steps=3"]


def cast(cards: Cards) -> Participants:
    return participants_of(Order(models=("small", "small-aligned")), cards)


def test_pictures_that_others_start_from_come_first(small_cards: Cards) -> None:
    first = PictureSpec("small-aligned", "a", "wide", 1)
    second = PictureSpec("small", "b", "wide", 1, source=first)
    plan = build(cast(small_cards), Requirements(scorings=(Scoring(second, "small-clip", "b"),)))
    assert [(model, len(jobs)) for model, _, jobs in plan.groups()] == [("small-aligned", 1), ("small", 1)]
    assert second != PictureSpec("small", "b", "wide", 1)
    assert plan.participants.key(second) != plan.participants.key(PictureSpec("small", "b", "wide", 1))


def test_what_two_protocols_want_is_done_once(small_cards: Cards, tmp_path: Path) -> None:
    once = plan_of(small_cards, tmp_path)
    both = plan_of(small_cards, tmp_path, protocol=("pairs", "sweep"))
    assert once.pictures.keys() == both.pictures.keys() and once.scorings == both.scorings


def test_a_given_picture_is_named_by_its_bytes(small_cards: Cards, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"the same")
    plan = build(
        cast(small_cards),
        Requirements(scorings=tuple(Scoring(PictureFile(tmp_path / n), "small-clip", "x") for n in "ab")),
    )
    assert len(plan.given) == 1 == plan.n_scorings and not plan.pictures


def test_the_order_of_a_comparison_is_a_fair_coin_that_stays(small_cards: Cards) -> None:
    """Position bias averages out, and a repeated run asks the same question."""
    cards = dataclasses.replace(cast(small_cards), judges={"j": Cards().scorers["llm-judge"]})
    orders = [cards.verdict("j", f"a{n}", f"b{n}", "p")["order"] for n in range(400)]
    assert 150 < sum(orders) < 250
    assert orders == [cards.verdict("j", f"a{n}", f"b{n}", "p")["order"] for n in range(400)]
    assert (
        Comparison(PictureSpec("small", "a", "plain", 1), PictureSpec("small", "b", "wide", 1), "j", "p").judge == "j"
    )


def test_a_plan_needs_no_torch() -> None:
    """A plan and its price can be printed where nothing is installed to run it."""
    script = (
        "import sys; from evidence import run, cli, estimate, collect; from evidence.ready import doctor\n"
        "from evidence.cards import Cards; from evidence.order import Order, resolve\n"
        "order = Order(models=('flux-dev', 'nano-banana'), prompts=2)\n"
        "resolve.planned(order, resolve.participants_of(order, Cards()), 't')\n"
        "sys.exit(bool({'torch', 'transformers', 'diffusers', 'openai', 'ray'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize(("gib", "size"), [(None, 1), (24.0, 1), (40.0, 1), (80.0, 4)])
def test_a_batch_holds_what_fits_beside_the_weights(gib: float | None, size: int) -> None:
    """FLUX at a megapixel: one without a GPU, four at most, since more fill the card no better."""
    card = Cards().models["flux-dev"].model_copy(update={"memory_gib": 34.0})
    assert fitting(card, card.settings(), gib) == size


def test_batch_and_compilation_stand_in_the_name_because_they_move_pixels() -> None:
    cards = Cards()
    told = tuned(["flux-dev", "glm-image", "nano-banana"], cards, "controlled", batch="2", compiled=True, gpu_gib=80.0)
    assert told == ["flux-dev@batch=2,compile=true", "glm-image@compile=true", "nano-banana"]
    assert tuned(["flux-dev"], cards, "controlled", batch="auto", compiled=True, gpu_gib=None) == ["flux-dev"]
    assert tuned(["sdxl@steps=4"], cards, "controlled", batch="2", gpu_gib=None) == ["sdxl@steps=4,batch=2"]
    assert tuned(["flux-dev-vsf"], cards, "controlled", batch="2", gpu_gib=None) == ["flux-dev-vsf"], "sampled apart"


def test_a_family_that_knows_few_words_brings_its_own_prompts(small_cards: Cards, tmp_path: Path) -> None:
    small.prompt_file(tmp_path / "wide.jsonl", 2)
    own = {name: card.model_copy(update={"prompts": str(tmp_path)}) for name, card in small_cards.models.items()}
    cards, order = Cards(own, small_cards.scorers), Order(models=("small", "small-aligned"))
    found = experiments(order, participants_of(order, cards), "t")["pairs"].prompts
    assert [row.id for row in found.rows] == ["p0", "p1"]
    named = Order(models=("small",), prompt_set="critical")
    assert experiments(named, participants_of(named, cards), "t")["pairs"].prompts.name == "critical"
    shipped = experiments(order, participants_of(order, small_cards), "t")["pairs"].prompts
    assert shipped.name == "wide" and len(shipped.rows) == 300


def test_an_option_that_no_protocol_reads_is_refused(small_cards: Cards) -> None:
    """A misspelt one was taken without a word, and stood in the ids of the values."""
    order = Order(models=("small",), protocol=("pairs", "image-to-image"), options={"source": "small"})
    found = experiments(order, participants_of(order, small_cards), "t")
    assert found["image-to-image"].options == {"source": "small"} and not found["pairs"].options
    misspelt = order.model_copy(update={"options": {"sorce": "small"}})
    with pytest.raises(InputError, match="is no option of pairs, image-to-image, did you mean 'source'"):
        experiments(misspelt, participants_of(misspelt, small_cards), "t")


def test_scores_and_pictures_depend_on_the_code_that_computes_them_and_on_no_other() -> None:
    """A new column of prompt sets must not score everything anew, nor another time limit pay for pictures again."""
    for module in ("evidence.scorers.digits", "evidence.generators.openrouter_chat", "evidence.judges.pairwise"):
        read = set(source_digest._closure(module))
        assert not read & {"evidence.prompts", "evidence.generators.http_base", "evidence.generators.transport"}
    assert "evidence.steering.vsf" in source_digest._closure("evidence.generators.flux")


def test_names_that_would_share_an_id_are_refused(small_cards: Cards) -> None:
    """Values are filed by id: the second generator would overwrite the first one's."""
    twin = small_cards.models["small"].model_copy(update={"id": "Small"})
    cards = dataclasses.replace(small_cards, models={**small_cards.models, "Small": twin})
    with pytest.raises(InputError, match="gives the id 'small', as 'small' does"):
        participants_of(Order(models=("small", "Small")), cards)


def test_the_release_of_a_library_that_computes_is_part_of_a_key(
    small_cards: Cards, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = plan_of(small_cards, tmp_path).pictures.keys()
    monkeypatch.setattr(identity, "releases", lambda *names: dict.fromkeys(names, "another"))
    assert not before & plan_of(small_cards, tmp_path).pictures.keys()
