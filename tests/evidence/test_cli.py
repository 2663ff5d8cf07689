"""The command line: plans, status, doctor, collect; every help with an example; no key in any of it."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result

import build
from evidence.cards import Cards
from evidence.cli import evidence
from evidence.protocols import PROTOCOLS, load
from evidence.ready import doctor
from ledger.problems import InputError
from ledger.schema import Document
from tests.evidence import small

ROOT = Path(__file__).resolve().parents[2]
KEY = "sk-0123456789abcdefghij"


@pytest.fixture
def own(small_cards: Cards) -> str:
    """The folder with the cards of the small participants."""
    return str(Path(small_cards.models["small"].weights.removeprefix("local-dir:")).parents[1])


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(evidence, list(arguments))


@pytest.mark.parametrize("command", [[], ["status"], ["doctor"], ["collect"]])
def test_every_help_has_an_example(command: list[str]) -> None:
    told = invoke(*command, "--help")
    assert told.exit_code == 0 and "python build.py evidence" in told.output


def test_the_readme_lists_every_protocol_and_its_options() -> None:
    """A protocol that no guide names would not be found by anybody."""
    text = (ROOT / "README.md").read_text("utf-8")
    for name in PROTOCOLS:
        (line,) = re.findall(rf"^\| `{name}` \|.*$", text, re.MULTILINE)
        assert all(f"`{option}`" in line for option in getattr(load(name), "OPTIONS", ())), name


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys; from click.testing import CliRunner; from evidence.cli import evidence\n"
        "assert CliRunner().invoke(evidence, ['--help']).exit_code == 0\n"
        "sys.exit(bool({'torch', 'pydantic', 'numpy', 'cv2', 'ray', 'diffusers'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False).returncode == 0


def test_it_is_mounted_in_the_projects_command_line() -> None:
    told = CliRunner().invoke(build.main, ["evidence", "--models", "flux-dev", "--prompts", "2", "--dry-run"])
    assert told.exit_code == 0 and "flux-dev" in told.output


def test_a_dry_run_prints_the_plan_and_makes_nothing(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    asked = "flux-dev,dance-flux,nano-banana"
    told = invoke("--models", asked, "--prompts", "300", "--judges", "llm-judge", "--dry-run", "--runs", str(runs))
    assert told.exit_code == 0 and not runs.exists()
    memory = f"{Cards().models['flux-dev'].memory_gib:.1f}"
    lines = {line.split()[0]: line.split() for line in told.output.splitlines() if line}
    assert lines["flux-dev"][1:5] == ["generate", "600", "600", memory] and lines["nano-banana"][-1] == "unknown"
    assert lines["hpsv3"][1:4] == ["score", "3600", "3600"] and lines["llm-judge"][1:4] == ["judge", "900", "900"]
    total = next(line for line in told.output.splitlines() if line.startswith("to do:"))
    assert "1800 pictures" in total and "900 verdicts" in total and f"largest card {float(memory):.0f} GiB" in total
    assert "GB of disk" in total and "and what is unknown" in total
    assert "guess for one H100, by its operations: flux-dev, dance-flux" in told.output


def test_every_figure_of_a_plan_is_an_estimate_or_unknown_with_the_reason() -> None:
    """Of every card that ships: no blank, and no figure of another architecture."""
    cards = Cards()
    judges = ",".join(name for name, card in cards.scorers.items() if card.remote)
    local = [card for card in cards.scorers.values() if not card.remote]
    faces, whole = (",".join(c.id for c in local if (c.role == "face-matcher") is of) for of in (True, False))
    dry = ("--prompts", "10", "--dry-run", "--run", "never-made")
    told = invoke("--models", ",".join(cards.models), "--scorers", whole, "--judges", judges, *dry).output.splitlines()
    asked = ("--models", "flux-dev", "--scorers", faces, "--protocol", "emotion-generation")
    told += invoke(*asked, *dry).output.splitlines()
    lines = {
        cells[0]: cells
        for line in told
        if len(cells := line.split()) >= 9 and cells[0] in {*cards.models, *cards.scorers}
    }
    assert lines.keys() == {*cards.models, *cards.scorers}
    reasons = [line for line in told if line.startswith("unknown ")]
    for name, cells in lines.items():
        memory, hours, usd = cells[4], cells[5], cells[-1]
        for figure, word in ((memory, "GPU memory"), (hours, "hours"), (usd, "USD")):
            said = any(
                line.startswith(f"unknown {word}") and name in line.split(": ")[-1].split(", ") for line in reasons
            )
            assert said == (figure == "unknown"), (name, word, figure)
    hours_of = {name: float(cells[5]) for name, cells in lines.items() if cells[5] != "unknown"}
    assert hours_of["alchemist"] > hours_of["sd35m"] > 0 and hours_of["hpsv3"] > 0, "a model of four times the size"
    assert "miniature-base" not in hours_of, "FLUX.1-dev's operations are not those of the miniature"


def test_from_the_first_picture_to_the_ledger(own: str, tmp_path: Path) -> None:
    prompts = str(small.prompt_file(tmp_path / "p.jsonl"))
    common = ["--cards", own, "--runs", str(tmp_path)]
    made = invoke("--models", "small", "--prompt-set", prompts, "--device", "cpu", *common)
    assert made.exit_code == 0, made.output
    assert re.search(r"generate +small +6 done\n", made.output) and "evidence collect" in made.output
    assert re.search(r"score +small-clip +12 done", invoke("status", *common).output)
    dry = invoke("--models", "small", "--prompt-set", prompts, "--dry-run", *common).output
    assert re.search(r"small +generate +6 +0", dry) and "timed in this run: small" in dry
    out = tmp_path / "results" / "measured.json"
    filed = invoke("collect", "--out", str(out), "--exhibits", "1", *common)
    assert filed.exit_code == 0, filed.output
    document = Document.model_validate_json(out.read_text())
    assert document.values["measured-p.pairs.small.delta_small-clip"].n == 3
    assert list((out.parent / "pictures").glob("*.webp"))


def test_failures_are_listed_with_their_errors(own: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    monkeypatch.setenv("OPENROUTER_BASE_URL", "http://127.0.0.1:9/api")
    monkeypatch.setattr("time.sleep", lambda _: None)
    common = ["--cards", own, "--runs", str(tmp_path)]
    asked = ["--models", "nano-banana", "--prompts", "1", "--scorers", "small-clip", "--device", "cpu"]
    made = invoke(*asked, *common)
    told = invoke("status", "--failures", *common)
    assert "2 failed" in made.output and told.output.count("(5 attempts)") == 2 and "nano-banana" in told.output
    written = "".join(path.read_text() for path in tmp_path.rglob("*.json"))
    assert KEY not in made.output + told.output + written and KEY not in "".join(map(str, tmp_path.rglob("*")))


def test_a_run_that_never_was_is_one_line(tmp_path: Path) -> None:
    told = CliRunner().invoke(build.main, ["evidence", "status", "--run", "nope", "--runs", str(tmp_path)])
    assert told.exit_code == 1 and "there is no such run" in told.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--models", "flux-dve"], "did you mean 'flux-dev'"),
        (["--models", "flux-dev", "--protocol", "pair"], "did you mean 'pairs'"),
        (["--models", "flux-dev", "--scorers", "hpsv4"], "did you mean 'hpsv"),
        (["--models", "flux-dev", "--protocol", "real-photos"], "needs a prompt set of its own"),
        (["--models", "flux-dev@step=4"], "did you mean 'steps'"),
        (["--models", "flux-dev@steps=four"], "steps: must be a whole number, not"),
        (["--models", "flux-dev@lora_scale=2"], "lora_scale: the card has no LoRA"),
        (["--models", "sd35m-geneval@lora_scale=half"], "lora_scale: not a number"),
        (["--models", "flux-dev-vsf@negative=maybe"], "negative: neither true nor false"),
        (["--models", "flux-dev@negative_prompt=ugly"], "is ignored unless true_cfg_scale is above 1"),
        (["--models", "flux-dev", "--sweep", "vsf_scal=1,2"], "did you mean 'vsf_scale'"),
    ],
)
def test_a_mistake_is_told_with_the_nearest_name(arguments: list[str], message: str) -> None:
    told = CliRunner().invoke(build.main, ["evidence", *arguments, "--dry-run"])
    assert told.exit_code == 1 and message in told.output and "Traceback" not in told.output


@pytest.mark.parametrize(
    "arguments", [["--batch", "two"], ["--workers", "generate=many"], ["--workers", "draw=2"], ["--set", "reading"]]
)
def test_an_option_of_the_wrong_form_is_told_with_its_name(arguments: list[str]) -> None:
    told = invoke("--models", "flux-dev", *arguments, "--dry-run")
    assert told.exit_code == 2 and f"Invalid value for '{arguments[0]}'" in told.output


def test_commas_inside_overrides_do_not_part_names() -> None:
    told = invoke("--models", "flux-dev@steps=20,guidance=2.5,sdxl", "--prompts", "1", "--dry-run")
    assert "flux-dev@steps=20,guidance=2.5" in told.output and "\nsdxl" in told.output


def test_doctor_names_what_each_row_lacks_and_what_would_mend_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    for name in ("HF_HUB_CACHE", "HF_TOKEN", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    lacks = dict(doctor.examine(Cards(), device_gib=24.0))
    flux = {lack.what.split(":")[0]: lack.mend for lack in lacks["flux-dev"]}
    assert flux["weights"].startswith("hf download black-forest-labs/FLUX.1-dev") and "vae/*" in flux["weights"]
    assert "hf auth login" in flux["licence"] and "huggingface.co/black-forest-labs/FLUX.1-dev" in flux["licence"]
    assert "larger GPU" in flux["memory"]
    assert lacks["nano-banana"] == [] and [lack.mend for lack in lacks["gpt-image-15"]] == ["export OPENAI_API_KEY=..."]
    assert "memory" not in {lack.what.split(":")[0] for lack in dict(doctor.examine(Cards(), 80.0))["flux-dev"]}


def test_doctor_sees_weights_that_are_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    snapshot = tmp_path / "hub/models--stabilityai--stable-diffusion-xl-base-1.0/snapshots/abc"
    snapshot.mkdir(parents=True)
    (snapshot / "model_index.json").write_text("{}")
    assert dict(doctor.examine(Cards(), 80.0))["sdxl"] == []


def test_doctor_prints_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    told = invoke("doctor")
    assert told.exit_code == 0 and KEY not in told.output and "hf download" in told.output


def test_plain_lines_where_there_is_no_terminal(own: str, tmp_path: Path) -> None:
    """No escape sequences in a log."""
    prompts = str(small.prompt_file(tmp_path / "p.jsonl", 1))
    told = invoke(
        "--models", "small", "--prompt-set", prompts, "--cards", own, "--runs", str(tmp_path), "--device", "cpu"
    )
    assert told.exit_code == 0 and "\x1b" not in told.output and "\r" not in told.output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--run", "Exp 1"], "--run Exp 1: no name for a run: ids hold lower-case letters"),
        (["--run", "../../x"], "--run ../../x: no name for a run"),
        (["--profile", "as-published"], "has no profile 'as-published'"),
        (["--device", "cuda:7"], "--device cuda:7: torch sees "),
        (["--device", "cuda:7", "--batch", "auto", "--profile", "as-published"], "has no profile 'as-published'"),
    ],
)
def test_what_cannot_be_is_one_line_before_the_first_picture(
    own: str, tmp_path: Path, arguments: list[str], told: str
) -> None:
    prompts = str(small.prompt_file(tmp_path / "p.jsonl", 1))
    common = ["--models", "small", "--prompt-set", prompts, "--cards", own, "--runs", str(tmp_path / "runs")]
    with pytest.raises(InputError) as refused:
        CliRunner().invoke(evidence, [*common, *arguments], catch_exceptions=False)
    assert told in str(refused.value) and not (tmp_path / "runs").exists()


@pytest.mark.parametrize("damage", ["<<<<<<< HEAD", "{}", "\xff", "[" * 99999])
def test_a_damaged_order_names_its_file(own: str, tmp_path: Path, damage: str) -> None:
    order = tmp_path / "measured/orders/0123.json"
    order.parent.mkdir(parents=True)
    order.write_text(damage, "latin-1")
    for command in ("status", "collect"):
        with pytest.raises(InputError, match=r"orders/0123\.json.*its samples stay"):
            CliRunner().invoke(evidence, [command, "--cards", own, "--runs", str(tmp_path)], catch_exceptions=False)


def test_lines_on_a_terminal_stay_above_the_one_that_changes() -> None:
    from evidence.progress import RunProgress

    lines, terminal = list[str](), io.StringIO()
    with RunProgress(lines.append, terminal) as progress:
        progress.total({"generate": 2, "score": 0})
        progress.say("card: skipped: no [weights]")
        time.sleep(0.15)
        progress.advance("generate", 2)
    assert lines == ["to do: 0/2 pictures", "card: skipped: no [weights]"]
    drawn = terminal.getvalue().split("\r\x1b[K")
    assert "2/2 pictures" in drawn and not drawn[-1], "the line goes with the run"


def test_the_benchmark_runs_at_tiny_size_and_says_so(tmp_path: Path) -> None:
    """Where there is no GPU its figures must not pass for a measurement."""
    command = [sys.executable, "benchmarks/generate.py", "--tiny", "--quick", "--shapes", "flux", "--pictures", "1,4"]
    told = subprocess.run(
        [*command, "--out", str(tmp_path / "t.md")], cwd=ROOT, capture_output=True, text=True, check=True
    )
    table = (tmp_path / "t.md").read_text()
    assert "**Tiny size" in table and "nothing about speed" in table and "] tiny size" in told.stdout
    assert "| flux | obvious loop, eager | 1 | 1 | " in table and "| flux | engine, eager | 2 | 4 | " in table
    assert "Error" not in table and told.stdout.endswith(table + "\n")


@pytest.mark.parametrize("kernel", range(3))
def test_the_benchmark_counts_attention_whose_queries_share_heads_of_keys(kernel: int) -> None:
    """The kernels of a GPU, by shape alone: the count of some releases of torch refuses them, which ended the run on a
    GPU before its first line."""
    from torch.utils.flop_counter import FlopCounterMode

    from benchmarks.generate import ATTENTION, attention_flop

    query, key = (torch.zeros(2, heads, 32, 64, dtype=torch.bfloat16, device="meta") for heads in (8, 2))
    more: tuple[Any, ...] = () if kernel == 0 else (None, False)
    mapping = dict.fromkeys(ATTENTION, attention_flop)
    with FlopCounterMode(display=False, custom_mapping=mapping) as counter:
        ATTENTION[kernel](query, key, key, *more)
    assert counter.get_total_flops() == 2 * (2 * 8 * 32 * 32 * 64) * 2  # both products, of two operations each


def test_a_line_of_the_benchmark_that_runs_out_of_memory_costs_that_line_only() -> None:
    """Minutes on a card are dear: the other shapes are measured all the same."""
    from benchmarks.generate import guarded
    from benchmarks.generate_table import told

    def burst() -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB\nmore")

    line = guarded("flux", "engine, compiled", 4, burst)
    assert line.failed == "OutOfMemoryError: CUDA out of memory. Tried to allocate 20 GiB" and line.failed in told(
        line, 1
    )
