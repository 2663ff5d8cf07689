"""Every local card of models.toml, from the hub layout it is published in to a picture, on tiny weights.

The cards are the real ones: real addresses, file patterns, adapters and settings, served by a hub of our own on
loopback. Only size, steps and text window are cut down. Below that: the settings that would quietly spoil evidence.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import diffusers
import huggingface_hub.constants
import numpy as np
import pytest
import torch
from PIL import Image

from evidence import generators, weights
from evidence.cards import models
from evidence.generators.diffusers_base import add_lora
from evidence.interfaces import GenerationFailed, Request, Staged
from evidence.registry import GENERATORS
from evidence.weights import Unavailable
from tests.evidence.tiny import repositories
from tests.evidence.tiny.cards import card
from tests.evidence.tiny.hub import Hub, commit_of
from tests.evidence.tiny.repositories import SIDE

Maker = Callable[[Path], Path]

# A tiny repository for each adapter, so that another row of models.toml needs nothing here.
PIPELINES: dict[str, Maker] = {
    "flux": repositories.flux,
    "flux2-klein": repositories.flux2_klein,
    "glm-image": repositories.glm_image,
    "longcat": repositories.longcat,
    "qwen-image": repositories.qwen_image,
    "sana": repositories.sana,
    "sd3": repositories.sd3,
    "sdxl": repositories.sdxl,
    "z-image": repositories.z_image,
}
LORAS: dict[str, Maker] = {"flux": repositories.flux_lora, "sd3": repositories.peft_lora}
PECULIAR: dict[str, Maker] = {"playgroundai/playground-v2.5-1024px-aesthetic": repositories.playground}


def layouts() -> dict[str, Maker]:
    """What makes each repository that the rows name."""
    made: dict[str, Maker] = {}
    for known in models.load().values():
        for text in known.addresses:
            if text.startswith("hf-hub:"):
                made[weights.address(text).place] = maker(known, text)
    return made | PECULIAR


def maker(known: models.ModelCard, text: str) -> Maker:
    if text == known.weights:
        return PIPELINES[known.adapter]
    if text == known.lora:
        return LORAS[known.adapter]
    return lambda folder: repositories.flux_transformer(folder / weights.address(text).file)


LAYOUTS = layouts()
LOCAL = [name for name, known in models.load().items() if known.weights.startswith("hf-hub:")]
PLAIN, OTHER = Request("a murky pond, badly lit", 7), Request("a sharp and vivid street", 8)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """Our hub, an empty cache and an empty lock; each tiny repository is made once."""
    root = tmp_path_factory.mktemp("hub")
    made = {make: make(root / str(number)) for number, make in enumerate(dict.fromkeys(LAYOUTS.values()))}
    for swapped in (root / str(n) for n in range(len(made))):
        assert swapped.is_dir()
    folders = {name: root / str(list(made).index(make)) for name, make in LAYOUTS.items()}
    with Hub(folders) as served, pytest.MonkeyPatch.context() as patch:
        patch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(root / "cache"))
        patch.setattr(weights, "LOCK", root / "models.lock.json")
        patch.setenv("HF_ENDPOINT", served.url)
        logging.getLogger("transformers").setLevel(logging.ERROR)
        yield served


def shrunk(name: str) -> models.ModelCard:
    """The real card with profiles small enough for the test."""
    real = models.load()[name]
    reads = GENERATORS[real.adapter].settings.model_fields
    few: dict[str, Any] = {"size": 2 * SIDE if real.adapter == "glm-image" else SIDE}
    if "max_sequence_length" in reads and real.adapter != "qwen-image":  # whose template fills a short window
        few["max_sequence_length"] = 48
    profiles = {}
    for key, profile in real.profiles.items():
        said, kinds = profile.model_dump(), dict[str, Any]()
        for kind, own in (("plain", profile.plain), ("wide", profile.wide)):
            steps = own.model_dump().get("steps")
            kinds[kind] = own.model_copy(update={"steps": steps // 12}) if steps else own
        profiles[key] = profile.model_copy(update=few | ({"steps": 2} if "steps" in said else {}) | kinds)
    return real.model_copy(update={"profiles": profiles})


def grey_levels(one: Image.Image, other: Image.Image) -> Any:
    return np.abs(np.asarray(one, int) - np.asarray(other, int))


def same(one: Image.Image, other: Image.Image) -> bool:
    return np.array_equal(np.asarray(one), np.asarray(other))


@pytest.fixture(scope="module")
def loaded(hub: Hub) -> Callable[[str], Any]:
    known: dict[str, Any] = {}

    def load(name: str) -> Any:
        if name not in known:
            known[name] = generators.load(shrunk(name))
        return known[name]

    return load


# ------------------------------------------------------------------------------------------- each card, end to end


@pytest.mark.parametrize("name", LOCAL)
def test_a_row_gives_pictures_that_depend_on_prompt_and_seed_alone(name: str, loaded: Callable[[str], Any]) -> None:
    generator = loaded(name)
    first, second = generator.generate([PLAIN, OTHER])
    assert first.mode == "RGB"
    assert first.size == (generator.settings["width"], generator.settings["height"])
    again, before = generator.generate([OTHER, PLAIN])
    assert same(first, before) and same(second, again), "a picture depends on what was made before it"
    (other_seed,) = generator.generate([Request(PLAIN.prompt, 70)])
    (other_prompt,) = generator.generate([Request(OTHER.prompt, PLAIN.seed)])
    assert not same(first, other_seed)
    assert not same(first, other_prompt)


@pytest.mark.parametrize("name", LOCAL)
def test_a_recipe_holds_everything_that_the_sampler_was_told(name: str, loaded: Callable[[str], Any], hub: Hub) -> None:
    generator = loaded(name)
    recipe, known = generator.recipe, shrunk(name)
    wanted = [weights.address(text).place for text in known.addresses]
    assert recipe.revision == "+".join(map(commit_of, wanted)) == known.revision
    assert (recipe.model, recipe.adapter, recipe.device) == (known.weights, known.adapter, "cpu")
    told = recipe.settings | {"dtype": recipe.dtype, "steps": recipe.steps, "guidance": recipe.guidance}
    assert known.settings().items() <= told.items()
    assert recipe.seed is None
    if known.lora:
        assert (recipe.settings["lora"], recipe.settings["lora_scale"]) == (known.lora, known.lora_scale)


BATCHED = [n for n in LOCAL if "batch" in models.load()[n].settings()]
LONG = Request("a murky pond " * 16, 9)  # longer than a window of CLIP: chunked by SDXL


@pytest.mark.parametrize("name", BATCHED)
def test_a_batch_gives_the_pictures_of_its_members(name: str, loaded: Callable[[str], Any]) -> None:
    """In half precision too: a grey level or two at most."""
    generator = loaded(name)
    together = generator.under(generator.settings | {"batch": 2}).generate([PLAIN, OTHER, LONG])
    for one, other in zip(together, generator.generate([PLAIN, OTHER, LONG]), strict=True):
        assert grey_levels(one, other).mean() < 2


@pytest.mark.parametrize("name", BATCHED)
def test_a_picture_is_the_same_to_the_byte_whoever_shares_its_batch(name: str, loaded: Callable[[str], Any]) -> None:
    """Texts of another length, and a batch that is not full: its key names neither."""
    pair = loaded(name).under(loaded(name).settings | {"batch": 2})
    alone = [picture for request in (PLAIN, LONG) for picture in pair.generate([request])]
    for mates in ([PLAIN, LONG], [PLAIN, OTHER, LONG]):
        made = pair.generate(mates)
        assert same(made[0], alone[0]) and same(made[-1], alone[1])


@pytest.mark.parametrize("name", ["z-image", "qwen-image-local"])
def test_texts_as_long_as_their_prompts_are_sampled_one_at_a_time(name: str, loaded: Callable[[str], Any]) -> None:
    generator = loaded(name)
    assert generator.recipe.settings["batch"] == 1
    assert "batch" not in GENERATORS[generator.card.adapter].settings.model_fields, "no card may ask for more"
    together = generator.generate([PLAIN, LONG, OTHER])
    assert all(same(one, generator.generate([r])[0]) for one, r in zip(together, (PLAIN, LONG, OTHER), strict=True))


@pytest.mark.parametrize("name", ["flux-dev", "sdxl", "sd35m", "z-image-turbo", "flux2-klein-9b"])
def test_the_published_profile_runs_in_its_own_precision(name: str, hub: Hub) -> None:
    generator: Any = generators.load(shrunk(name), "as-published")
    assert {p.dtype for p in getattr(generator.pipe, generator.denoiser).parameters()} == {
        getattr(torch, generator.recipe.dtype)
    }
    (picture,) = generator.generate([PLAIN])
    assert np.asarray(picture).std() > 10


def test_both_arms_share_weights_and_differ_only_as_published(loaded: Callable[[str], Any], hub: Hub) -> None:
    generator = generators.load(shrunk("sd35m"), "as-published")
    wide: Any = generators.load(shrunk("sd35m"), "as-published", kind="wide", sharing=generator)
    assert wide.pipe is generator.pipe  # type: ignore[attr-defined]
    assert (generator.recipe.steps, generator.recipe.guidance) == (3, 4.0)
    assert (wide.recipe.steps, wide.recipe.guidance) == (2, 6.0)
    other = generators.load(shrunk("sd35m"), kind="wide", sharing=loaded("sd35m"))
    assert other.recipe == loaded("sd35m").recipe


def test_other_precision_is_other_weights(loaded: Callable[[str], Any]) -> None:
    generator = loaded("flux-dev")
    assert generator.under(generator.settings | {"dtype": "float32"}).pipe is not generator.pipe


def test_what_was_met_is_pinned(hub: Hub, loaded: Callable[[str], Any]) -> None:
    for name in LOCAL:
        loaded(name)
    lock = json.loads(weights.LOCK.read_text())
    assert set(lock) == set(LAYOUTS)
    assert all(len(entry["revision"]) == 40 and entry["files"] for entry in lock.values())


# ------------------------------------------------------------------------------------------- as stock diffusers


def stock(kind: str, folder: Path, prompt: str, **given: Any) -> Image.Image:
    pipe = getattr(diffusers, kind).from_pretrained(folder)
    pipe.set_progress_bar_config(disable=True)
    settings = {"width": SIDE, "height": SIDE, "num_inference_steps": 2} | given
    return pipe(prompt=prompt, generator=torch.Generator().manual_seed(7), **settings).images[0]  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    known: dict[str, Path] = {}

    def make(kind: str) -> Path:
        if kind not in known:
            known[kind] = getattr(repositories, kind)(tmp_path_factory.mktemp("stock") / kind)
        return known[kind]

    return make


@pytest.mark.parametrize(
    ("adapter", "kind", "pipeline", "ours", "theirs"),
    [
        (
            "flux",
            "flux",
            "FluxPipeline",
            {"max_sequence_length": 40},
            {"guidance_scale": 3.5, "max_sequence_length": 40},
        ),
        (
            "flux",
            "flux",
            "FluxPipeline",
            {"true_cfg_scale": 2.0, "negative_prompt": "sharp", "max_sequence_length": 40},
            {"guidance_scale": 3.5, "true_cfg_scale": 2.0, "negative_prompt": "sharp", "max_sequence_length": 40},
        ),
        ("sdxl", "sdxl", "StableDiffusionXLPipeline", {"variant": "fp16"}, {"guidance_scale": 3.5}),
        (
            "sdxl",
            "sdxl",
            "StableDiffusionXLPipeline",
            {"variant": "fp16", "negative_prompt": "sharp"},
            {"guidance_scale": 3.5, "negative_prompt": "sharp"},
        ),
        (
            "sdxl",
            "sdxl",
            "StableDiffusionXLPipeline",
            {"variant": "fp16", "empty_negative": "encoded"},
            {"guidance_scale": 3.5, "negative_prompt": ""},
        ),
        ("sdxl", "playground", "StableDiffusionXLPipeline", {"variant": "fp16"}, {"guidance_scale": 3.5}),
        (
            "sdxl",
            "sdxl",
            "StableDiffusionXLPipeline",
            {"variant": "fp16", "dtype": "float16"},
            {"guidance_scale": 3.5, "dtype": torch.float16},
        ),
        ("sd3", "sd3", "StableDiffusion3Pipeline", {}, {"guidance_scale": 3.5}),
        (
            "sana",
            "sana",
            "SanaPipeline",
            {"variant": "bf16"},
            {"guidance_scale": 3.5, "complex_human_instruction": None, "use_resolution_binning": False},
        ),
        (
            "sana",
            "sana",
            "SanaPipeline",
            {"variant": "bf16", "guidance": 1.0},
            {"guidance_scale": 1.0, "complex_human_instruction": None, "use_resolution_binning": False},
        ),
        ("z-image", "z_image", "ZImagePipeline", {}, {"guidance_scale": 3.5}),
        ("flux2-klein", "flux2_klein", "Flux2KleinPipeline", {}, {"guidance_scale": 1.0}),
        (
            "qwen-image",
            "qwen_image",
            "QwenImagePipeline",
            {"true_cfg_scale": 4.0, "guidance": None},
            {"true_cfg_scale": 4.0, "negative_prompt": " "},
        ),
    ],
)
def test_an_adapter_gives_the_bytes_of_the_stock_pipeline(
    adapter: str, kind: str, pipeline: str, ours: Any, theirs: Any, folder: Callable[[str], Path]
) -> None:
    generator = generators.load(card(adapter, folder(kind), **ours))
    given = dict(theirs) | ({"max_sequence_length": 512} if adapter in ("z-image", "flux2-klein") else {})
    source = {"variant": ours["variant"]} if "variant" in ours else {}
    dtype = given.pop("dtype", torch.float32)
    pipe = getattr(diffusers, pipeline).from_pretrained(folder(kind), dtype=dtype, **source)
    pipe.set_progress_bar_config(disable=True)
    settings = {"width": SIDE, "height": SIDE, "num_inference_steps": 2} | given
    expected = pipe(prompt=PLAIN.prompt, generator=torch.Generator().manual_seed(7), **settings).images[0]
    assert same(generator.generate([PLAIN])[0], expected)


@pytest.mark.parametrize(
    "name", ["flux-dev", "sdxl", "sd35m", "z-image", "z-image-turbo", "flux2-klein-9b", "qwen-image-local", "sana"]
)
def test_stages_apart_give_the_same_bytes_and_free_the_text_encoders(name: str, loaded: Callable[[str], Any]) -> None:
    generator = loaded(name)
    whole = generator.generate([PLAIN, OTHER])
    assert isinstance(generator, Staged)
    generator.encode([PLAIN, OTHER, PLAIN])
    assert all(getattr(generator.pipe, encoder) is None for encoder in generator.encoders)
    for request, picture in zip([PLAIN, OTHER], whole, strict=True):
        assert same(generator.decode(generator.denoise([request]))[0], picture)
    unannounced = Request("a third prompt", 9)
    (picture,) = generator.generate([unannounced])
    assert all(getattr(generator.pipe, encoder) is not None for encoder in generator.encoders)
    assert same(generator.generate([unannounced])[0], picture)


EDITORS = {  # a card of each adapter that takes a picture -> its pipeline
    "flux-krea": "FluxImg2ImgPipeline",
    "sdxl": "StableDiffusionXLImg2ImgPipeline",
    "playground": "StableDiffusionXLImg2ImgPipeline",
    "sd35m": "StableDiffusion3Img2ImgPipeline",
    "qwen-image-local": "QwenImageImg2ImgPipeline",
    "z-image": "ZImageImg2ImgPipeline",
    "flux2-klein-9b": "Flux2KleinPipeline",
}


def test_every_adapter_that_takes_pictures_is_held_against_its_stock_pipeline() -> None:
    able = {name for name, adapter in GENERATORS.items() if adapter.settings.takes_pictures}
    assert able == {models.load()[name].adapter for name in EDITORS}


def edited_by_stock(generator: Any, pipeline: str, edit: Request) -> Image.Image:
    pipe = getattr(diffusers, pipeline)(**generator.pipe.components, **generator.options)
    pipe.set_progress_bar_config(disable=True)
    settings = generator.settings
    told = {"prompt": edit.prompt, "image": edit.image, "num_inference_steps": settings["steps"]}
    shared = ("true_cfg_scale", "max_sequence_length", "strength")
    told |= {name: settings[name] for name in shared if name in settings}
    told |= {"guidance_scale": settings["guidance"]} if "guidance" in settings else {"negative_prompt": " "}
    if "strength" in settings:
        told["image"] = edit.image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)  # type: ignore[union-attr]
    if "XL" not in pipeline:
        told |= {"width": SIDE, "height": SIDE}
    made: Image.Image = pipe(**told, generator=torch.Generator().manual_seed(int(edit.seed or 0))).images[0]
    return made


@pytest.mark.parametrize("name", EDITORS)
def test_an_edit_has_the_bytes_of_the_stock_pipeline(name: str, loaded: Callable[[str], Any]) -> None:
    """Also in a batch, after the text encoders were sent away, and without harm to what is drawn next."""
    generator = loaded(name).under(loaded(name).settings | {"steps": 4, "dtype": "float32"})
    source = Image.radial_gradient("L").resize((96, 80)).convert("RGB")
    edits = [Request(PLAIN.prompt, 7, image=source), Request(OTHER.prompt, 8, image=source.rotate(180))]
    before = generator.generate([PLAIN])[0]
    expected = [edited_by_stock(generator, EDITORS[name], edit) for edit in edits]
    generator.encode(edits)
    assert all(same(one, other) for one, other in zip(generator.generate(edits), expected, strict=True))
    together = generator.under(generator.settings | {"batch": 2}) if "batch" in generator.settings else generator
    assert max(grey_levels(a, b).max() for a, b in zip(together.generate(edits), expected, strict=True)) <= 2
    assert same(generator.generate([PLAIN])[0], before)


def test_an_edit_leaves_the_decoder_in_its_number_format(loaded: Callable[[str], Any]) -> None:
    """In half precision the stock pipeline turns the autoencoder back to float16, in which it overflows, while pictures
    of other requests are decoded with it."""
    generator = loaded("playground")
    before = generator.generate([PLAIN])[0]
    for _ in range(2):
        generator.generate([Request(PLAIN.prompt, 7, image=before)])
        assert generator.settings["dtype"] == "float16" and generator.pipe.vae.dtype == torch.float32
    assert same(generator.generate([PLAIN])[0], before)


def test_a_picture_can_be_edited_at_a_strength(loaded: Callable[[str], Any]) -> None:
    generator = loaded("flux-krea")
    (source,) = generator.generate([OTHER])
    edit = Request(PLAIN.prompt, 7, image=source)
    weak, strong = (generator.under(generator.settings | {"strength": s, "steps": 4}) for s in (0.5, 1.0))
    (kept,), (gone,) = weak.generate([edit]), strong.generate([edit])
    assert not same(kept, gone)
    assert same(kept, weak.generate([edit])[0])
    with pytest.raises(GenerationFailed, match="takes no picture"):
        loaded("sana").generate([edit])


# ------------------------------------------------------------------------------------------- quiet spoilers


def test_longcat_never_rewrites_a_prompt(loaded: Callable[[str], Any]) -> None:
    """By default its pipeline lets a language model beautify the prompt first."""
    generator = loaded("longcat-image")
    assert generator.recipe.settings["prompt_rewrite"] is False
    assert generator.pipe.text_processor is None, "the rewriter could be brought back"
    with pytest.raises(AttributeError):  # the default would rewrite, had we not said no
        generator.pipe(PLAIN.prompt, num_inference_steps=1, width=32, height=32)
    assert "prompt_rewrite" not in GENERATORS["longcat"].settings.model_fields, "no card may turn it on"


def test_sana_never_has_its_encoder_enhance_a_prompt(loaded: Callable[[str], Any]) -> None:
    """By default an instruction to write an enhanced prompt stands before it: other pictures, without a word."""
    generator = loaded("sana")
    assert generator.recipe.settings["complex_human_instruction"] is False
    assert generator.recipe.settings["resolution_binning"] is False
    assert "complex_human_instruction" not in GENERATORS["sana"].settings.model_fields, "no card may turn it on"
    told = {"width": SIDE, "height": SIDE, "num_inference_steps": 2, "use_resolution_binning": False}
    by_default = generator.pipe(PLAIN.prompt, generator=torch.Generator().manual_seed(7), **told).images[0]
    assert not same(by_default, generator.generate([PLAIN])[0])


def test_flux_ignores_a_negative_prompt_without_true_cfg_and_says_so(folder: Callable[[str], Path]) -> None:
    plain = stock("FluxPipeline", folder("flux"), PLAIN.prompt)
    assert same(plain, stock("FluxPipeline", folder("flux"), PLAIN.prompt, negative_prompt="sharp"))
    generator: Any = generators.load(card("flux", folder("flux")))
    with pytest.raises(GenerationFailed, match="would ignore the negative prompt"):
        generator.generate([Request(PLAIN.prompt, 7, "sharp")])
    on = generator.under(generator.settings | {"true_cfg_scale": 3.0})
    assert not same(on.generate([Request(PLAIN.prompt, 7, "sharp")])[0], on.generate([PLAIN])[0])
    assert not same(on.generate([PLAIN])[0], generator.generate([PLAIN])[0]), "an empty negative prompt turns CFG on"


def seen_by(generator: Any, request: Request) -> list[int]:
    """Batch sizes that the denoiser of a Z-Image gets in one sampling."""
    sizes: list[int] = []
    hook = generator.pipe.transformer.register_forward_pre_hook(lambda module, given: sizes.append(len(given[0])))
    generator.generate([request])
    hook.remove()
    return sizes


def test_the_turbo_runs_without_guidance(loaded: Callable[[str], Any]) -> None:
    """Its pipeline turns guidance on for any scale above 0, also for 1.0, and then evaluates everything twice."""
    turbo = loaded("z-image-turbo")
    assert turbo.recipe.guidance == 0.0
    assert set(seen_by(turbo, PLAIN)) == {1}
    assert set(seen_by(turbo.under(turbo.settings | {"guidance": 1.0}), PLAIN)) == {2}
    assert len(seen_by(turbo.under(turbo.settings | {"steps": 8}), PLAIN)) == 8, "nine steps would be nine evaluations"
    assert models.load()["z-image-turbo"].settings()["steps"] == 8
    with pytest.raises(GenerationFailed, match="ignore the negative prompt"):
        turbo.generate([Request(PLAIN.prompt, 7, "sharp")])


def test_the_first_argument_of_klein_is_a_picture(loaded: Callable[[str], Any]) -> None:
    klein = loaded("flux2-klein-9b")
    with pytest.raises(ValueError, match="Provide either `prompt`"):
        klein.pipe(PLAIN.prompt)
    assert type(klein.pipe).__name__ == "Flux2KleinPipeline"
    unread = klein.under(klein.settings | {"guidance": 0.0})
    assert same(klein.generate([PLAIN])[0], unread.generate([PLAIN])[0]), "the distilled model reads no guidance"


def test_glm_samples_one_at_a_time_and_leaves_the_global_generator_alone(loaded: Callable[[str], Any]) -> None:
    generator = loaded("glm-image")
    assert generator.recipe.settings["batch"] == 1
    assert "batch" not in GENERATORS["glm-image"].settings.model_fields, "no card may ask for more"
    before = torch.get_rng_state()
    together = generator.generate([PLAIN, OTHER])
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(99)
    assert same(together[1], generator.generate([OTHER])[0])


@pytest.fixture
def adapted(tmp_path: Path) -> tuple[Path, Any]:
    """A LoRA of alpha 8 at rank 4 on a tiny FLUX, and the pipeline it was trained in."""
    repositories.flux(tmp_path / "flux")
    pipe = diffusers.FluxPipeline.from_pretrained(tmp_path / "flux")
    pipe.set_progress_bar_config(disable=True)
    repositories.lora(pipe.transformer)
    return tmp_path, pipe


def trained(pipe: Any) -> Image.Image:
    settings = {"width": SIDE, "height": SIDE, "num_inference_steps": 2, "max_sequence_length": 40}
    made = pipe(PLAIN.prompt, guidance_scale=3.5, generator=torch.Generator().manual_seed(7), **settings)
    return made.images[0]  # type: ignore[no-any-return]


def test_a_saved_lora_comes_back_at_its_strength(adapted: tuple[Path, Any]) -> None:
    """To the byte at scale 1; at scale 0 it is gone to the byte."""
    root, pipe = adapted
    repositories.diffusers_lora(root / "lora", pipe.transformer)
    known = card("flux", root / "flux", lora=root / "lora", max_sequence_length=40)
    assert same(generators.load(known).generate([PLAIN])[0], trained(pipe))
    base = generators.load(card("flux", root / "flux", max_sequence_length=40)).generate([PLAIN])[0]
    gone = known.model_copy(update={"lora_scale": 0.0})
    without = generators.load(gone)
    assert same(without.generate([PLAIN])[0], base)
    assert without.recipe.settings["lora_scale"] == 0.0


def test_one_lora_serves_several_strengths_at_once(adapted: tuple[Path, Any]) -> None:
    """A sweep loads the weights once; whichever strength sampled last does not leak into the next picture."""
    root, pipe = adapted
    repositories.diffusers_lora(root / "lora", pipe.transformer)
    full = card("flux", root / "flux", lora=root / "lora", max_sequence_length=40)
    half = full.model_copy(update={"lora_scale": 0.5})
    whole: Any = generators.load(full)
    part: Any = generators.load(half, sharing=whole)
    assert part.pipe is whole.pipe
    assert (whole.recipe.settings["lora_scale"], part.recipe.settings["lora_scale"]) == (1.0, 0.5)
    first, second, third = (g.generate([PLAIN])[0] for g in (whole, part, whole))
    assert same(first, third)
    assert not same(first, second)
    assert same(second, generators.load(half).generate([PLAIN])[0])
    other = full.model_copy(update={"lora": ""})
    assert generators.load(other, sharing=whole).pipe is not whole.pipe  # type: ignore[attr-defined]


def test_a_lora_without_metadata_would_be_halved_and_is_refused(adapted: tuple[Path, Any]) -> None:
    root, pipe = adapted
    repositories.diffusers_lora(root / "lora", pipe.transformer, metadata=False)
    careless = diffusers.FluxPipeline.from_pretrained(root / "flux")
    careless.set_progress_bar_config(disable=True)
    careless.load_lora_weights(root / "lora")
    scaling = {m.scaling["default_0"] for m in careless.transformer.modules() if hasattr(m, "lora_A")}
    assert scaling == {1.0}, "alpha 8 at rank 4 is a scaling of 2: this is the trap"
    assert not same(trained(careless), trained(pipe))
    with pytest.raises(Unavailable, match="does not say its alpha"):
        generators.load(card("flux", root / "flux", lora=root / "lora"))


def test_a_peft_lora_acts_as_when_merged(tmp_path: Path) -> None:
    """FlowGRPO's form: the published code merges it into the transformer; ours keeps it beside, as strong."""
    from peft import PeftModel

    repositories.sd3(tmp_path / "sd3")
    repositories.peft_lora(tmp_path / "lora")
    ours: Any = generators.load(card("sd3", tmp_path / "sd3", lora=tmp_path / "lora"))
    pipe = diffusers.StableDiffusion3Pipeline.from_pretrained(tmp_path / "sd3")
    merged = PeftModel.from_pretrained(pipe.transformer, tmp_path / "lora").merge_and_unload()
    given = {
        "hidden_states": torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(1)),
        "encoder_hidden_states": torch.randn(1, 20, 64, generator=torch.Generator().manual_seed(2)),
        "pooled_projections": torch.randn(1, 64, generator=torch.Generator().manual_seed(3)),
        "timestep": torch.tensor([500.0]),
    }
    with torch.inference_mode():
        expected, got = merged(**given).sample, ours.pipe.transformer(**given).sample
        plain = generators.load(card("sd3", tmp_path / "sd3")).pipe.transformer(**given).sample  # type: ignore[attr-defined]
    assert torch.allclose(expected, got, atol=1e-4)
    assert (expected - plain).abs().max() > 0.01


def test_a_folder_without_lora_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="holds no LoRA"):
        add_lora(None, tmp_path)


def test_dance_flux_replaces_the_whole_transformer(loaded: Callable[[str], Any], hub: Hub) -> None:
    from safetensors.torch import load_file

    generator = loaded("dance-flux")
    file = hub.folders["xzyhku/flux_hpsv2.1_dancegrpo"] / "checkpoint-ema-300-0" / "diffusion_pytorch_model.safetensors"
    for name, part in load_file(file).items():
        assert torch.equal(generator.pipe.transformer.state_dict()[name], part.to(torch.bfloat16))
    assert not same(generator.generate([PLAIN])[0], loaded("flux-dev").generate([PLAIN])[0])


def test_a_transformer_of_another_shape_is_refused(folder: Callable[[str], Path], tmp_path: Path) -> None:
    """Missing weights would be left as they were drawn, without a word."""
    from safetensors.torch import load_file, save_file

    file = repositories.flux_transformer(tmp_path / "t.safetensors")
    state = load_file(file)
    del state["proj_out.weight"]
    save_file(state, tmp_path / "cut.safetensors")
    with pytest.raises(Unavailable, match=r"proj_out\.weight"):
        generators.load(card("flux", folder("flux"), transformer=tmp_path / "cut.safetensors"))


def test_words_beyond_77_tokens_reach_sdxl(folder: Callable[[str], Path]) -> None:
    """Stock SDXL cuts them. Chunks do not, and say so; a prompt that fits is embedded as by the stock pipeline."""
    chunked: Any = generators.load(card("sdxl", folder("sdxl"), variant="fp16"))
    cut = chunked.under(chunked.settings | {"long_prompts": "truncated"})
    long = "a quiet pond at dusk, " * 6
    ends = Request(long + "overexposed", 7), Request(long + "out of focus", 7)
    assert same(*cut.generate(list(ends)))
    assert not same(*chunked.generate(list(ends)))
    assert chunked.truncated([long, "short"]) == [False, False]
    assert cut.truncated([long, "short"]) == [True, False]
    assert same(chunked.generate([PLAIN])[0], cut.generate([PLAIN])[0])


@pytest.mark.parametrize("name", [n for n in LOCAL if models.load()[n].adapter not in ("sdxl", "glm-image")])
def test_prompts_that_the_text_window_cuts_are_reported(name: str, loaded: Callable[[str], Any]) -> None:
    assert loaded(name).truncated(["a murky pond " * 200, "a pond"]) == [True, False]


# ------------------------------------------------------------------------------------------- pictures that are none


@pytest.mark.parametrize(("value", "reason"), [(float("nan"), "black"), (1.0, "blank")])
def test_a_decoder_that_fails_makes_no_picture(value: float, reason: str, folder: Callable[[str], Path]) -> None:
    """Half precision overflows to NaN, which becomes black: that is no dark picture."""
    generator: Any = generators.load(card("flux", folder("flux")))
    with torch.no_grad():
        generator.pipe.vae.decoder.conv_out.weight.zero_()
        generator.pipe.vae.decoder.conv_out.bias.fill_(value)
    with pytest.raises(GenerationFailed, match=reason) as caught:
        generator.generate([PLAIN])
    assert not caught.value.retryable, "the same seed would fail again"


def test_running_out_of_memory_is_a_failed_picture(folder: Callable[[str], Path]) -> None:
    generator: Any = generators.load(card("flux", folder("flux")))

    def full(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    generator.pipe.vae.decode = full
    with pytest.raises(GenerationFailed, match="out of memory"):
        generator.generate([PLAIN])


def test_a_free_seed_gives_another_picture_each_time(folder: Callable[[str], Path]) -> None:
    generator = generators.load(card("flux", folder("flux")))
    free = Request(PLAIN.prompt, None)
    assert not same(*generator.generate([free, free]))
