"""Whole runs on the small participants: resume, kill, cards that cannot run, services that misbehave, verdicts,
provenance."""

from __future__ import annotations

import dataclasses
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from safetensors.torch import load_file, save_file

from evidence import collect, generators, run
from evidence.cards import Cards
from evidence.collect import Collected
from evidence.engines import Options, Tally
from evidence.interfaces import Request
from evidence.jobs.plan import Plan
from evidence.jobs.retry import RetryPolicy
from evidence.order import Order, orders, store_of
from evidence.progress import RunProgress
from evidence.protocols import PROTOCOLS
from evidence.samples.store import Store, png_bytes
from ledger import rows as raw
from ledger.problems import InputError
from ledger.recompute import differences
from ledger.schema import Document
from tests.evidence import small
from tests.evidence.golden.folders import face_itm
from tests.evidence.tiny import service
from tests.evidence.tiny.hub import Hub
from tests.evidence.tiny.service import Service, html, says

ROOT = Path(__file__).resolve().parents[2]
KEY = "sk-or-v1-0123456789abcdef-secret"


class Workbench:
    """One run folder and what is asked of it."""

    def __init__(self, folder: Path, cards: Cards) -> None:
        self.folder, self.cards, self.said = folder, cards, list[str]()
        self.prompts = small.prompt_file(folder / "p.jsonl")

    @property
    def store(self) -> Store:
        return store_of("t", self.folder)

    def go(self, *models: str, engine: str = "local", **asked: object) -> tuple[Plan, Tally]:
        order = Order(models=models, **({"prompt_set": str(self.prompts)} | asked))  # type: ignore[arg-type]
        options = Options(parallel=1, retries=RetryPolicy(attempts=3, sleep=lambda _: None))
        report = RunProgress(self.said.append)
        return run.execute(order, "t", options, report, engine_name=engine, cards=self.cards, runs=self.folder)

    def collect(self, **told: object) -> Document:
        return self.collected(**told).document

    def collected(self, **told: object) -> Collected:
        return collect.collect(orders("t", self.folder), "t", self.store, cards=self.cards, **told)  # type: ignore[arg-type]

    def written(self) -> dict[str, int]:
        return {path.name: path.stat().st_mtime_ns for path in self.store.root.rglob("*.*")}


@pytest.fixture
def bench(tmp_path: Path, small_cards: Cards) -> Workbench:
    return Workbench(tmp_path, small_cards)


def test_a_second_run_does_nothing(bench: Workbench) -> None:
    plan, tally = bench.go("small", "small-aligned")
    before = bench.written()
    assert len(plan.pictures) == 12 and plan.n_scorings == 36 and len(before) == 60 and not tally.unavailable
    bench.go("small", "small-aligned")
    assert bench.written() == before


def test_pictures_of_the_engine_are_those_of_the_generator(bench: Workbench) -> None:
    """Overlapped stages, prompts embedded once: not a byte of difference from asking one by one."""
    plan, _ = bench.go("small")
    generator = generators.load(bench.cards.models["small"])
    for job in plan.pictures.values():
        (image,) = generator.generate([Request(job.spec.prompt, job.spec.seed)])
        assert bench.store.picture(job.key).tobytes() == image.tobytes()


def test_a_scorer_that_comes_later_draws_nothing_again(bench: Workbench) -> None:
    bench.go("small", scorers=("small-clip",))
    before = bench.written()
    bench.go("small", scorers=("small-clip", "small-labels"))
    after = bench.written()
    assert {name: after[name] for name in before} == before and len(after) - len(before) == 6


def test_a_broken_scorer_costs_its_scores_and_nothing_else(bench: Workbench) -> None:
    """And once it is mended only its scores are missing."""
    broken = bench.cards.scorers["small-clip"].model_copy(update={"weights": f"local-dir:{bench.folder}/nowhere"})
    whole = bench.cards
    bench.cards = dataclasses.replace(whole, scorers={**whole.scorers, "small-clip": broken})
    _, tally = bench.go("small")
    assert set(tally.unavailable) == {"small-clip"} and len(bench.written()) == 18
    before, bench.cards = bench.written(), whole
    bench.go("small")
    after = bench.written()
    assert {name: after[name] for name in before} == before and len(after) == 30


def test_a_row_without_weights_is_one_line_and_the_others_go_on(bench: Workbench) -> None:
    lost = bench.cards.models["small"].model_copy(update={"id": "lost", "weights": f"local-dir:{bench.folder}/lost"})
    bench.cards = dataclasses.replace(bench.cards, models={**bench.cards.models, "lost": lost})
    _, tally = bench.go("lost", "small")
    assert set(tally.unavailable) == {"lost"} and len([s for s in bench.said if s.startswith("lost: skipped")]) == 1
    assert "not on this disk" in tally.unavailable["lost"] and "mend:" in tally.unavailable["lost"]
    document = bench.collect()
    value = document.values["t-p.pairs.lost.delta_small-clip"]
    assert value.value is None and "3 not run" in value.source.where
    assert document.values["t-p.pairs.small.delta_small-clip"].n == 3


def test_a_gated_row_is_one_line_that_says_where_to_accept(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    gated = bench.cards.models["small"].model_copy(update={"weights": "hf-hub:someone/gated"})
    bench.cards = dataclasses.replace(bench.cards, models={**bench.cards.models, "gated": gated})
    with Hub({"someone/gated": bench.folder}, gated={"someone/gated"}) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        _, tally = bench.go("gated", "small", prompts=1)
    assert "someone/gated is gated" in tally.unavailable["gated"] and "hf auth login" in tally.unavailable["gated"]
    assert len([r for r in bench.store.records() if r.stage == "generate"]) == 2


def test_a_generator_that_draws_blanks_gives_failures_and_no_files(bench: Workbench) -> None:
    """The decoder of this one knows one colour; its pictures are counted, and neither kept nor scored."""
    small_row = bench.cards.models["small"]
    home = bench.folder / "blank"
    shutil.copytree(Path(small_row.weights.removeprefix("local-dir:")), home)
    file = home / "vae/diffusion_pytorch_model.safetensors"
    weights = load_file(file)
    weights["decoder.conv_out.weight"] *= 0
    save_file(weights, file, {"format": "pt"})
    blank = small_row.model_copy(update={"weights": f"local-dir:{home}"})
    bench.cards = dataclasses.replace(bench.cards, models={**bench.cards.models, "blank": blank})
    plan, _ = bench.go("blank@batch=3", "small", prompts=1, scorers=("small-clip",))
    told = run.progress(plan, bench.store)
    assert told["generate", "blank@batch=3"]["failed"] == 2 and told["generate", "small"]["done"] == 2
    assert told["score", "small-clip"]["missing"] == 4
    drawn = {job.spec.model for key, job in plan.pictures.items() if bench.store.png_path(key).exists()}
    assert drawn == {"small"}


def test_a_row_too_large_for_this_machine_is_not_tried(bench: Workbench) -> None:
    big = bench.cards.models["small"].model_copy(update={"memory_gib": 9999.0})
    bench.cards = dataclasses.replace(bench.cards, models={"small": big})
    _, tally = bench.go("small")
    assert tally.unavailable["small"].startswith("needs 9999 GiB, cpu has")


RUN = """
import sys
from pathlib import Path
from evidence import run
from evidence.cards import cards_of
from evidence.engines import Options
from evidence.order import Order
from evidence.progress import RunProgress
folder = Path(sys.argv[1])
cards = cards_of(Path(sys.argv[2]))
order = Order(models=("small", "small-aligned"), prompt_set=str(folder / "many.jsonl"), scorers=("small-clip",))
print("ready", flush=True)
run.execute(order, "t", Options(), RunProgress(print), cards=cards, runs=folder)
"""


@pytest.mark.slow
def test_a_run_killed_in_the_middle_goes_on_where_it_was(bench: Workbench, small_cards: Cards) -> None:
    """A real run in a process of its own, killed with SIGKILL while it draws; nothing it finished is made again."""
    home = Path(small_cards.models["small"].weights.removeprefix("local-dir:")).parents[1]
    many = small.prompt_file(bench.folder / "many.jsonl", 10)
    command = [sys.executable, "-c", RUN, str(bench.folder), str(home)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while len(list(bench.store.root.glob("??/*.json"))) < 15 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = bench.written()
    whole = {record.key for record in bench.store.records()}
    assert 15 <= len(whole) < 40 + 80 and len(before) > len(whole)
    plan, _ = bench.go("small", "small-aligned", prompt_set=str(many), scorers=("small-clip",))
    after = bench.written()
    assert all(after[f"{key}.json"] == before[f"{key}.json"] for key in whole)
    told = run.progress(plan, bench.store)
    assert {counts["done"] for counts in told.values()} == {20, 80} and not any(c["missing"] for c in told.values())


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch, bench: Workbench) -> Iterator[Service]:
    """Nano Banana's card and the pairwise judge, answered by a server of our own."""
    with Service([]) as server:
        monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
        monkeypatch.setenv("OPENROUTER_BASE_URL", f"{server.url}/api/v1")
        own = Cards()
        judge = own.scorers["llm-judge"].model_copy(update={"base_url": f"{server.url}/api/v1"})
        bench.cards = dataclasses.replace(
            bench.cards,
            models={**bench.cards.models, "nano-banana": own.models["nano-banana"]},
            scorers={**bench.cards.scorers, "llm-judge": judge},
        )
        yield server


def test_a_service_that_misbehaves_is_counted_honestly(bench: Workbench, remote: Service) -> None:
    """429 and 500 are tried again, 400 never, a black picture is no picture; pairs that lack one count as missing."""
    good = says(service.chat(service.picture()))
    refused = says({"error": {"message": f"moderation, key {KEY}"}}, 400)
    black = says(service.chat(service.picture((0, 0, 0))))
    busy, down = says({"error": {"message": "slow down"}}, 429, Retry_After="1"), says({"error": {}}, 500)
    remote.answers += [busy, good, down, html(), good, refused, *[black] * 3, good]
    plan, _ = bench.go("nano-banana", scorers=("small-clip",))
    records = [bench.store.get(key) for key in plan.pictures]
    assert sorted(r.status for r in records if r) == ["done"] * 4 + ["failed"] * 2
    reasons = sorted(r.result["reason"] for r in records if r and r.status == "failed")
    assert any("400" in reason or "moderation" in reason for reason in reasons)
    assert max(r.made["attempts"] for r in records if r) == 3
    everything = "".join(path.read_text() for path in bench.folder.rglob("*.json")) + "".join(bench.said)
    assert KEY not in everything and "0123456789abcdef" not in everything
    document = bench.collect()
    value = document.values["t-p.pairs.nano-banana.delta_small-clip"]
    assert (value.n, value.failed, value.not_run) == (2, 1, 0), "a picture that failed fails its pair"
    assert "failed:" in document.runs["run-t"].note and "none" not in document.runs["run-t"].note


def test_a_run_on_a_service_goes_on_with_what_may_work_now(bench: Workbench, remote: Service) -> None:
    """A 503 is tried again by the next run, a 400 is not, unless that is asked for."""
    remote.answers += [says({"error": {}}, 400), says({"error": {}}, 503)]
    bench.go("nano-banana", scorers=("small-clip",), prompts=1)
    asked = len(remote.received)
    remote.answers[:] = [says(service.chat(service.picture()))]
    plan, _ = bench.go("nano-banana", scorers=("small-clip",), prompts=1)
    assert len(remote.received) == asked + 1
    assert sorted(r.status for key in plan.pictures if (r := bench.store.get(key))) == ["done", "failed"]


def test_verdicts_keep_ties_and_record_their_order(bench: Workbench, remote: Service) -> None:
    choice = {"role": "assistant", "content": json.dumps({"selection": -1})}
    told = {"id": "x", "object": "chat.completion", "created": 1, "model": "m"}
    remote.answers += [says(told | {"choices": [{"index": 0, "finish_reason": "stop", "message": choice}]})]
    plan, _ = bench.go("small", judges=("llm-judge",), scorers=("small-clip",), protocol=("pairs", "classifiers"))
    records = [r for r in bench.store.records() if r.stage == "judge"]
    assert len(records) == len(plan.comparisons) == 3 and {r.result["verdict"] for r in records} == {-1}
    assert all(r.result["order"] == r.identity["order"] for r in records)
    document = bench.collect()
    win = document.values["t-p.pairs.small.win_llm-judge"]
    assert win.value == 0.0 and win.n == 3, "a tie is no win"
    assert document.values["t-p-truth-llm-judge.classifiers-non-tie.small-clip.accuracy"].value is None, (
        "ties leave no pair"
    )


def test_values_know_their_run_and_pictures_their_recipe(bench: Workbench) -> None:
    bench.go("small", prompts=2)
    found = bench.collected(exhibits=1)
    document = found.document
    cut = {key.removeprefix("t-p.truncated."): value.n for key, value in document.values.items() if "truncated" in key}
    assert cut == dict.fromkeys(("small.plain", "small.wide", "small-clip.plain", "small-clip.wide"), 2)
    made = document.runs["run-t"]
    assert made.software["torch"] and made.hardware and len(made.seeds) == 2
    (exhibit,) = document.exhibits.values()
    for picture in exhibit.pictures:
        assert picture.recipe is not None and picture.recipe.seed is not None and picture.recipe.steps == 2
        assert picture.recipe.revision.startswith("sha256:") and picture.recipe.code and picture.recipe.date
        assert str(picture.file).endswith(".webp") and picture.original_sha256 != picture.sha256
    collect.write(found, bench.folder / "t.json", "t")
    assert {path.name for path in (bench.folder / "pictures").iterdir()} == {p.file for p in exhibit.pictures}
    assert Document.model_validate_json((bench.folder / "t.json").read_text()) == document


def test_a_service_records_no_seed_that_it_was_never_sent(bench: Workbench, remote: Service) -> None:
    remote.answers += [says(service.chat(service.picture()))]
    bench.go("nano-banana", scorers=("small-clip",), prompts=1)
    document = bench.collect(exhibits=1)
    recipes = [picture.recipe for exhibit in document.exhibits.values() for picture in exhibit.pictures]
    assert len(recipes) == 2 and all(recipe is not None and recipe.seed is None for recipe in recipes)


def test_a_damaged_picture_costs_its_scores_and_is_named(bench: Workbench) -> None:
    """A flipped bit or a cut file: one sample is lost until it is made again, and the run goes on."""
    bench.go("small", scorers=("small-labels",))
    cut, flipped = sorted(bench.store.root.glob("??/*.png"))[:2]
    cut.write_bytes(cut.read_bytes()[:-200])
    flipped.write_bytes(png_bytes(Image.linear_gradient("L").resize((32, 32))))
    plan, _ = bench.go("small", scorers=("small-clip",))
    told = run.progress(plan, bench.store)["score", "small-clip"]
    assert (told["done"], told["failed"]) == (8, 4)
    reasons = {str(r.result["reason"]) for r in bench.store.records() if r.status == "failed"}
    assert all(any(str(path) in reason for reason in reasons) for path in (cut, flipped))
    said: list[str] = []
    bench.collect(exhibits=3, say=said.append)
    assert any(str(cut) in line for line in said) and any(str(flipped) in line for line in said)
    for path in (cut, flipped):
        path.unlink()
    plan, _ = bench.go("small", scorers=("small-clip",))
    assert run.progress(plan, bench.store)["score", "small-clip"]["done"] == 12


def test_a_damaged_record_is_made_again_and_named(bench: Workbench) -> None:
    bench.go("small", prompts=1, scorers=("small-clip",))
    record = next(r for r in bench.store.records() if r.stage == "score")
    path = bench.store.json_path(record.key)
    path.write_text(path.read_text().replace('"score": ', '"scores": '))
    said: list[str] = []
    assert bench.collect(say=said.append).values["t-p.pairs.small.delta_small-clip"].not_run <= 1
    assert any(str(path) in line for line in said)
    bench.go("small", prompts=1, scorers=("small-clip",))
    assert bench.store.get(record.key) == dataclasses.replace(record, made=bench.store.get(record.key).made)  # type: ignore[union-attr]


def test_an_edit_waits_for_its_input_and_does_not_fail_for_good(bench: Workbench, remote: Service) -> None:
    """A service that is down for a while must not settle what is made of its pictures."""
    down, good = says({"error": {}}, 503), says(service.chat(service.picture()))
    remote.answers += [down, down, down, good]
    asked = {
        "protocol": ("image-to-image",),
        "prompts": 1,
        "scorers": ("small-clip",),
        "options": {"source": "nano-banana"},
    }
    bench.go("nano-banana", "small", **asked)
    failed = [r for r in bench.store.records() if r.status == "failed" and r.stage == "generate"]
    assert len(failed) == 2 and all(record.retryable for record in failed)
    plan, _ = bench.go("nano-banana", "small", **asked)
    assert all(c["done"] == c.total() for c in run.progress(plan, bench.store).values())


def test_prompt_sets_and_profiles_have_tables_of_their_own(bench: Workbench) -> None:
    """Two orders of one run never meet in a cell; those that differ in length alone do, each pair once."""
    other = small.prompt_file(bench.folder / "other.jsonl", 2)
    bench.go("small", prompts=1, scorers=("small-clip",))
    bench.go("small", prompts=2, scorers=("small-clip",))
    bench.go("small", prompt_set=str(other), scorers=("small-clip",))
    values = bench.collect().values
    found = {key: value.n for key, value in values.items() if "delta" in key}
    assert found == {"t-p.pairs.small.delta_small-clip": 2, "t-other.pairs.small.delta_small-clip": 2}


def test_every_value_of_every_protocol_follows_from_the_rows_published_with_it(bench: Workbench) -> None:
    """What the command recomputes for a reader: all agree, to the last printed digit."""
    faces = {"happy": "a happy man", "sad": "a sad man"}
    line = {"plain": "a cat", "wide": "a faded, blurred cat", "tags": ["intentional_blur"], "image": "a.png"}
    for name in "ab":
        Image.linear_gradient("L").resize((32, 32)).save(bench.folder / f"{name}.png")
    lines = [{**line, "id": f"p{n}", "topic": "war", "prompts": faces, "image": f"{'ab'[n]}.png"} for n in range(2)]
    own = bench.folder / "own.jsonl"
    own.write_text("".join(json.dumps(one) + "\n" for one in lines))
    options = {"source": "small", "truth": "small-labels", "select": "small-clip<9"}
    bench.go("small", "small-aligned", protocol=tuple(PROTOCOLS), prompt_set=str(own), options=options)
    found = bench.collected()
    collect.write(found, bench.folder / "results/t.json", "t")
    rows = raw.read(bench.folder / "results/rows/t.csv.gz")
    protocols = {table.split(".")[1] for table in found.document.tables}
    assert all(any(one.startswith(name) for one in protocols) for name in PROTOCOLS), protocols
    assert "t-own.pairs" in found.document.tables, "options of one protocol stand in the ids of no other"
    for key, value in found.document.values.items():
        assert value.measure is not None and value.measure.rows == value.rows == "rows/t.csv.gz", key
        assert list(differences(value, value.measure, rows)) == [], key


def test_faces_are_found_and_matched_in_a_run(bench: Workbench) -> None:
    """With a detector of random weights in the published layout: boxes somewhere, or none."""
    card = face_itm(bench.folder / "face")
    blind = card.model_copy(update={"id": "blind", "threshold": 0.9})
    bench.cards = dataclasses.replace(bench.cards, scorers={"blip-l-face": card, "blind": blind})
    line = {"id": "f", "plain": "a man", "prompts": {"sad": "a sad man", "happy": "a happy man"}}
    (bench.folder / "faces.jsonl").write_text(json.dumps(line))
    asked = {"prompt_set": str(bench.folder / "faces.jsonl"), "scorers": ("blip-l-face", "blind")}
    bench.go("small", protocol=("emotion-generation",), **asked)
    values = bench.collect().values
    start = "t-faces.emotion-generation.small."
    assert 0 < (values[f"{start}sad_blip-l-face"].value or 0) < 1 and values[f"{start}faces_blip-l-face"].value == 1.0
    lost = values[f"{start}happy_blind"]
    assert lost.value is None and "in 1 of 1 pictures it finds none" in (lost.caveat or "") and not lost.failed
    with pytest.raises(InputError, match="blind: scores faces alone, protocol 'pairs' whole pictures: leave it out"):
        bench.go("small", scorers=("blind",))


def test_orders_with_two_sources_and_two_truths_have_tables_of_their_own(bench: Workbench, remote: Service) -> None:
    """Who they are follows from who takes part; the same run then has both, and neither order names one."""
    remote.answers += [says(service.chat(service.picture()))]
    judge = bench.cards.scorers["llm-judge"]
    second = judge.model_copy(update={"id": "second", "model": "second"})
    bench.cards = dataclasses.replace(bench.cards, scorers={**bench.cards.scorers, "second": second})
    for model, named in (("small", "llm-judge"), ("small-aligned", "second")):
        asked = {"protocol": ("image-to-image", "classifiers"), "scorers": ("small-clip",), "judges": (named,)}
        bench.go(model, prompts=1, **asked)
    tables = set(bench.collect().tables)
    for ending in ("truth-llm-judge.classifiers-non-tie", "truth-second.classifiers-non-tie",
                   "source-small.image-to-image", "source-small-aligned.image-to-image"):  # fmt: skip
        assert f"t-p-{ending}" in tables, tables
    commands = [command for _, command in orders("t", bench.folder)]
    assert all("--set truth=" in command and "--set source=" in command for command in commands)


def test_an_option_that_names_who_cannot_run_is_told_before_the_first_picture(bench: Workbench) -> None:
    lost = bench.cards.models["small"].model_copy(update={"id": "lost", "weights": f"local-dir:{bench.folder}/lost"})
    bench.cards = dataclasses.replace(bench.cards, models={**bench.cards.models, "lost": lost})
    with pytest.raises(InputError, match=r"source=lost: cannot run here: .* is not on this disk"):
        bench.go("lost", "small", protocol=("image-to-image",), options={"source": "lost"})
    assert not bench.store.root.exists()


def test_a_label_that_an_annotator_lacks_is_refused_before_the_first_picture(bench: Workbench) -> None:
    line = {"id": "a", "plain": "a cat", "wide": "a blurred cat", "tags": ["intentional_blurr"]}
    (bench.folder / "odd.jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(InputError, match="no label of Small judge, did you mean 'treatment:intentional_blur'"):
        bench.go("small", prompt_set=str(bench.folder / "odd.jsonl"))
    assert not bench.store.root.exists() and not (bench.folder / "t").exists()
