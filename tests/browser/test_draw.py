"""The page on which a reader draws: its picture is that of `draw`, and nothing is loaded before it is asked for."""

from __future__ import annotations

import io
import json
import lzma
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from miniature.world.vocabulary import LENGTH
from tests.browser.conftest import PUBLICATIONS, ROOT, watch
from tests.browser.firefox import Firefox
from tests.browser.test_access import violations

PLACE = "clean/draw/index.html"
# Only the first publication has a model.
pytestmark = pytest.mark.parametrize("publication", PUBLICATIONS[:1], indirect=True, ids=["first"])
Read = Callable[[str], tuple[Page, list[str]]]


@pytest.fixture(scope="module")
def scripts(read: Read) -> Page:
    """The page, with its modules at hand as `noise`, `words`, `sampler` and `lzma`, and its numbers as `model`."""
    page, _ = read(PLACE)
    page.evaluate(
        """async () => {
            const { addresses, model } = JSON.parse(document.querySelector("#draw-model").textContent);
            window.model = model;
            for (const name of ["noise", "words", "sampler", "lzma"]) {
                const script = addresses.scripts.find((one) => one.includes(`/${name}-`));
                window[name] = await import(new URL(script, location));
            }
        }"""
    )
    return page


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), blocks=st.integers(1, 60))
def test_a_seed_means_the_noise_that_torch_makes_of_it(scripts: Page, seed: int, blocks: int) -> None:
    ours = scripts.evaluate("([seed, count]) => [...noise.gaussian(seed, count)]", [seed, 16 * blocks])
    theirs = torch.randn(16 * blocks, generator=torch.Generator().manual_seed(seed))
    assert np.allclose(ours, theirs.numpy(), rtol=0, atol=2e-6)


def test_the_noise_is_packed_as_the_pipeline_packs_it(scripts: Page) -> None:
    from diffusers import FluxPipeline

    noise = torch.randn((1, 12, 32, 32), generator=torch.Generator().manual_seed(7))
    theirs = FluxPipeline._pack_latents(noise, 1, 12, 32, 32)
    assert np.allclose(scripts.evaluate("[...sampler.start(7, 12, 16)]"), theirs.flatten().numpy(), rtol=0, atol=2e-6)


@settings(max_examples=40)
@given(
    pieces=st.lists(st.one_of(st.binary(max_size=40), st.sampled_from([b"wasm" * 90, b"\0" * 300])), max_size=30),
    how=st.fixed_dictionaries({"lc": st.integers(0, 3), "lp": st.integers(0, 1), "pb": st.integers(0, 2)}),
)
def test_a_file_is_unpacked_as_python_packed_it(scripts: Page, pieces: list[bytes], how: dict[str, int]) -> None:
    content = b"".join(pieces + pieces[::2])
    packed = lzma.compress(content, lzma.FORMAT_ALONE, filters=[{"id": lzma.FILTER_LZMA1, "preset": 6} | how])
    sized = packed[:5] + len(content).to_bytes(8, "little") + packed[13:]
    assert bytes(scripts.evaluate("(packed) => [...lzma.unpack(new Uint8Array(packed))]", list(sized))) == content


KNOWN = st.sampled_from(["penguin", "on", "Beach", "vhs", "out-of-focus", "a", ",", "<unk>", "<pad>", "x_y", "…", "ΑΣ"])


@settings(max_examples=300)
@given(text=st.one_of(st.text(max_size=60), st.lists(KNOWN, max_size=40).map(" ".join)))
@example(text="0\U00016e97 penguin\u061d penguin\u2e43on vhs\u166don penguin\u00bfon a\U00011f43")
def test_a_text_becomes_the_tokens_of_the_shipped_tokenizer(scripts: Page, tokenizer: Any, text: str) -> None:
    ours = scripts.evaluate("(text) => words.encode(text, model.vocabulary)", text)
    theirs = tokenizer(text, padding="max_length", max_length=LENGTH, truncation=True).input_ids
    assert ours == theirs


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The tokenizer of the shipped weights, as the pipeline loads it."""
    from transformers import PreTrainedTokenizerFast

    told = json.loads((ROOT / "results/miniature/models.json").read_text())
    folder = tmp_path_factory.mktemp("tokenizer")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_text(json.dumps(told[f"generator/model/tokenizer/{name}"]))
    return PreTrainedTokenizerFast.from_pretrained(folder)


def test_every_choice_of_the_menus_makes_a_prompt_of_known_words(scripts: Page) -> None:
    strange = scripts.evaluate(
        """() => {
            const menus = [...document.querySelectorAll(".draw-menus select")];
            const rest = Object.fromEntries(menus.map((menu) => [menu.name, menu.value]));
            return menus.flatMap((menu) => [...menu.options].flatMap(({ value }) =>
                words.unknown(words.compose(model.pattern, { ...rest, [menu.name]: value }), model.vocabulary)));
        }"""
    )
    assert strange == []
    composed = "(chosen) => words.compose(model.pattern, chosen)"
    both = {"feeling": "angry", "subject": "owl", "second": "fox", "place": "in a city", "time": "at noon", "look": ""}
    assert scripts.evaluate(composed, both) == "an angry owl and a fox in a city at noon"
    two = {"subject": "owl", "place": "in a city", "time": "at noon", "look": "very blurry", "more": "moldy"}
    assert scripts.evaluate(composed, two) == "an owl in a city at noon, very blurry and moldy"


def test_a_word_that_the_model_never_learnt_is_marked_with_the_nearest_one(visit: Any) -> None:
    page = visit(PLACE)
    page.fill("#draw-prompt", "a pinguin on a beach")
    assert "pinguin" in page.inner_text("#draw-faults")
    assert page.is_disabled("[data-draw-button]")
    page.click("#draw-faults button")
    expect(page.locator("#draw-prompt")).to_have_value("a penguin on a beach")
    assert page.is_enabled("[data-draw-button]")
    page.fill("#draw-prompt", "a penguin " * 16)
    assert "too long" in page.inner_text("#draw-faults")


@dataclass(frozen=True)
class Drawn:
    """The page after a drawing with alignment, in Chromium."""

    page: Page
    wrong: list[str]
    before: list[str]  # requested before the button was pressed
    after: list[str]
    command: list[str]  # that draws the aligned picture
    reference: np.ndarray  # what it draws


@pytest.fixture(scope="module")
def drawn(browser: Browser, address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drawn]:
    context = browser.new_context()
    page, requested, wrong = context.new_page(), list[str](), list[str]()
    watch(page, address, wrong)
    context.on("request", lambda request: requested.append(request.url))
    page.goto(f"{address}/{PLACE}")
    _ask(page.evaluate, strength="0.5")
    before, command = list(requested), shlex.split(page.inner_text("[data-draw-command]"))
    out = tmp_path_factory.mktemp("drawn") / "out.png"
    drawing = subprocess.Popen([sys.executable, *command[1:-1], str(out)], cwd=ROOT, stdout=subprocess.DEVNULL)
    page.click("[data-draw-button]")
    page.wait_for_function(f"() => {ENDED}", timeout=240_000)
    assert page.inner_text("[data-draw-status]").startswith("Done")
    assert drawing.wait() == 0
    yield Drawn(page, wrong, before, requested[len(before) :], command, np.asarray(Image.open(out)))
    context.close()


ENDED = """/^Done|failed/.test(document.querySelector("[data-draw-status]").textContent)"""
ASK = """
    for (const [name, value] of Object.entries(asked)) {
        const field = document.querySelector(`#draw-${name}`);
        field.value = value;
        field.dispatchEvent(new Event("input", { bubbles: true }));
    }
"""


def _ask(run: Callable[..., Any], strength: str) -> None:
    asked = {"prompt": "a castle in the snow at night, faded and washed out", "seed": "2", "strength": strength}
    run("(asked) => {" + ASK + "}", asked)


def test_the_picture_is_that_of_draw(drawn: Drawn) -> None:
    """Eight steps with alignment, under the content policy of the page."""
    assert drawn.command[:2] == ["python", "build.py"]
    assert _ratio(_shown(drawn.page.evaluate, 1), drawn.reference) >= 75


def test_nothing_is_loaded_before_it_is_asked_for_and_nothing_from_elsewhere(drawn: Drawn) -> None:
    assert not [url for url in drawn.before if "/assets/draw/" in url]
    assert [url for url in drawn.after if "/assets/draw/transformer-" in url]
    assert drawn.wrong == []


def test_the_file_tells_how_it_was_made(drawn: Drawn) -> None:
    with drawn.page.expect_download() as download:
        drawn.page.click("[data-draw-figure]:nth-child(2) [data-draw-download]")
    picture = Image.open(io.BytesIO(Path(download.value.path()).read_bytes()))
    picture.load()
    assert np.array_equal(np.asarray(picture)[..., :3], _shown(drawn.page.evaluate, 1))
    recipe = json.loads(picture.text["Comment"])  # type: ignore[attr-defined]
    assert (recipe["alignment"], recipe["seed"]) == (0.5, 2)
    assert shlex.split(recipe["command"]) == drawn.command


def test_a_graphics_card_that_fails_its_trial_leaves_the_work_to_the_processor(visit: Any, drawn: Drawn) -> None:
    """This browser has no card: the runtime of WebGPU then computes on the processor, and draws the same picture."""
    page = visit(PLACE)
    made = page.evaluate(
        """async (prompt) => {
            const { model, addresses } = JSON.parse(document.querySelector("#draw-model").textContent);
            const script = (name) => addresses.scripts.find((one) => one.includes(`/${name}-`));
            const load = (name) => import(new URL(script(name), location));
            const [{ Crew }, { keep }, { encode }] = await Promise.all(["crew", "store", "words"].map(load));
            const file = (name) => new URL(addresses.folder + name, document.baseURI).href;
            const named = Object.entries(addresses.models).map(([name, parts]) => [name, parts.map(file)]);
            const models = Object.fromEntries(named), own = addresses.runtimes.webgpu;
            const urls = { script: file(own.script), glue: file(own.glue), binary: own.binary.map(file) };
            const runtime = { provider: "webgpu", ...urls };
            await keep([...Object.values(models).flat(), ...runtime.binary], () => {});
            const crew = new Crew(new URL(addresses.worker, document.baseURI).href, model);
            await crew.load(runtime, models, addresses.trial);
            const texts = await crew.read(["", prompt].map((text) => encode(text, model.vocabulary)));
            let pixels;
            const strength = new Float32Array(model.families.reduce((sum, { rank }) => sum + rank, 0));
            const show = (at, step, shown) => { pixels = shown; };
            await crew.draw([{ seed: 2, strength, texts }], show, new AbortController().signal);
            return { provider: crew.provider, pixels: [...pixels] };
        }""",
        drawn.page.input_value("#draw-prompt"),
    )
    assert made["provider"] == "wasm"
    shown = np.array(made["pixels"], np.uint8).reshape(256, 256, 4)[..., :3]
    assert _ratio(shown, _shown(drawn.page.evaluate, 0)) >= 75


def test_firefox_draws_the_same_picture(drawn: Drawn, address: str, tmp_path: Path) -> None:
    firefox = Firefox(tmp_path)
    try:
        firefox.ask("WebDriver:Navigate", url=f"{address}/{PLACE}")
        _ask(lambda script, asked: firefox.run(f"return ({script})(arguments[0]);", asked), strength="0")
        press = """document.querySelector("[data-draw-button]").click();"""
        firefox.run(f"{press} while (!{ENDED}) await new Promise((done) => setTimeout(done, 200));", seconds=240)
        shown = _shown(lambda script, *given: firefox.run(f"return ({script})(arguments[0]);", *given), 0)
    finally:
        firefox.close()
    assert _ratio(shown, _shown(drawn.page.evaluate, 0)) >= 75


def test_it_draws_without_a_network_once_it_has_drawn(drawn: Drawn) -> None:
    page = drawn.page
    page.wait_for_function("() => navigator.serviceWorker.ready.then(() => navigator.serviceWorker.controller)")
    page.context.set_offline(True)
    page.reload()
    page.click("[data-draw-button]")
    said = """document.querySelector("[data-draw-status]").textContent"""
    page.wait_for_function(f"() => {said} === 'Drawing.' || {ENDED}", timeout=120_000)
    assert page.inner_text("[data-draw-status]") == "Drawing."
    page.click("[data-draw-cancel]")
    page.wait_for_function(f"() => {said} === 'Cancelled.'", timeout=60_000)


def _shown(run: Callable[..., Any], number: int) -> np.ndarray:
    """A picture on the page, the base model's or the aligned one's."""
    pixels = run(
        """(number) => { const canvas = document.querySelectorAll("canvas")[number];
            return [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data]; }""",
        number,
    )
    return np.array(pixels, np.uint8).reshape(256, 256, 4)[..., :3]


def _ratio(one: np.ndarray, other: np.ndarray) -> float:
    """Peak signal-to-noise ratio, dB."""
    error = np.square(one.astype(float) - other).mean()
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


@pytest.mark.parametrize(("variant", "scheme"), [("clean", "dark"), ("distorted", "light")])
def test_axe_finds_nothing(visit: Any, variant: str, scheme: str) -> None:
    assert violations(visit(f"{variant}/draw/index.html", color_scheme=scheme, bypass_csp=True)) == []


def test_the_page_is_alike_in_both_copies_and_fits_a_small_screen(visit: Any) -> None:
    controls = []
    for variant in ("clean", "distorted"):
        page = visit(f"{variant}/draw/index.html", viewport={"width": 320, "height": 700})
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        controls.append(re.sub(r"\s+", " ", page.inner_text("form.draw-form")))
    assert controls[0] == controls[1]
