"""Throughput at real size with random weights of the real shape, so that nothing is downloaded.

    python benchmarks/generate.py                      # what the machine can: real size on CUDA, tiny elsewhere
    python benchmarks/generate.py --shapes flux --out benchmarks/results/generate.md

Side by side in one run, with the same weights: the *obvious loop* (one prompt at a time through the stock pipeline,
eager, PNG written in line, then the scorer over all files) and the *engine* (`evidence.engines.local`: texts embedded
once and their encoders sent away, compiled blocks, decoding, PNG and scoring on threads beside the sampler). Both score
every picture under two prompts with an HPSv3-shaped model. Times exclude loading, compiling and one batch to warm up;
the embedding of all texts, once per run, stands beside the rate and not in it. The ceiling is a matrix product on this
card, in the same run.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import diffusers
import torch
import transformers
from transformers import CLIPTokenizer, Qwen2Tokenizer, T5TokenizerFast

from evidence import models, provenance
from evidence.engines import Options, local
from evidence.generators import shapes
from evidence.generators.flux import Flux
from evidence.generators.sdxl import Sdxl
from evidence.plan import Ask, Cast, Member, Plan, Scoring, Wants, build
from evidence.report import Plain
from evidence.scorers import ScorerRow, chat, hpsv3
from evidence.store import Store
from evidence.types import Request

REWARD = "<|Reward|>"
TFLOP = {"flux": 74.4, "sdxl": 2 * 6.76}  # per step at 1024 x 1024, by torch's FlopCounterMode on the meta device
DECODE_TFLOP = 10.5


def _rope(*sections: int) -> dict[str, Any]:
    return {"rope_type": "default", "rope_theta": 1e6, "mrope_section": list(sections)}


QWEN2_VL_7B: dict[str, Any] = {
    "text_config": {
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "vocab_size": 152064,
        "rope_parameters": _rope(16, 24, 24),
    },
    "vision_config": {"depth": 32, "embed_dim": 1280, "num_heads": 16, "mlp_ratio": 4, "hidden_size": 3584},
}


@dataclass(frozen=True)
class Size:
    """Real size, or one that a laptop's processor runs in seconds."""

    name: str
    side: int  # pixels
    flux: dict[str, Any]
    sdxl: dict[str, Any]
    vae: dict[str, Any]
    clip: dict[str, Any]
    clip_2: dict[str, Any]
    t5: dict[str, Any]
    scorer: dict[str, Any]
    steps: dict[str, int]
    window: int  # tokens of T5
    scorer_side: int  # pixels

    @property
    def latent(self) -> int:
        return 16 if self.name == "real" else 4


def _config(name: str) -> dict[str, Any]:
    return dict(shapes.SHAPES[name][1])


REAL = Size(
    "real",
    1024,
    _config("flux-dev"),
    _config("sdxl"),
    _config("flux-vae"),
    _config("clip-l"),
    _config("clip-bigg"),
    _config("t5-xxl"),
    QWEN2_VL_7B,
    {"flux": 28, "sdxl": 30},
    512,
    448,
)

_SMALL = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
TINY = Size(
    "tiny",
    64,
    {
        "patch_size": 1,
        "in_channels": 16,
        "num_layers": 2,
        "num_single_layers": 2,
        "attention_head_dim": 16,
        "num_attention_heads": 2,
        "joint_attention_dim": 32,
        "pooled_projection_dim": 32,
        "axes_dims_rope": (4, 6, 6),
        "guidance_embeds": True,
    },
    {
        "block_out_channels": (32, 64),
        "layers_per_block": 1,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "attention_head_dim": 8,
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 8,
        "transformer_layers_per_block": 1,
        "projection_class_embeddings_input_dim": 80,
        "cross_attention_dim": 64,
    },
    {
        "block_out_channels": (32, 32, 32, 32),
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "layers_per_block": 1,
        "latent_channels": 4,
        "use_quant_conv": False,
        "use_post_quant_conv": False,
    },
    _SMALL,
    _SMALL | {"projection_dim": 32},
    {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4, "feed_forward_proj": "gated-gelu"},
    {
        "text_config": _SMALL | {"num_key_value_heads": 2, "rope_parameters": _rope(1, 1, 2)},
        "vision_config": {"depth": 2, "embed_dim": 32, "num_heads": 2, "mlp_ratio": 2, "hidden_size": 32},
    },
    {"flux": 2, "sdxl": 2},
    128,
    56,
)


# ------------------------------------------------------------------------------------------ random weights, real shape


def randomised(make: Callable[[], Any], device: str, dtype: torch.dtype, seed: int = 0) -> Any:
    """A module with random weights drawn on the device: matrices at 1/sqrt(fan in), norms at one, biases at zero."""
    from accelerate import init_empty_weights

    with init_empty_weights(include_buffers=False):
        module = make()
    noise = torch.Generator(device).manual_seed(seed)
    for name, part in list(module.named_parameters()):
        owner = module.get_submodule(name.rpartition(".")[0])
        fresh = torch.empty(part.shape, dtype=dtype, device=device)
        if part.ndim > 1:
            fresh.normal_(0, part[0].numel() ** -0.5, generator=noise)
        else:
            fresh.fill_(1.0 if name.endswith("weight") else 0.0)
        setattr(owner, name.rpartition(".")[2], torch.nn.Parameter(fresh, requires_grad=False))
    if hasattr(module, "tie_weights"):
        module.tie_weights()
    for name, buffer in list(module.named_buffers()):
        owner = module.get_submodule(name.rpartition(".")[0])
        owner._buffers[name.rpartition(".")[2]] = buffer.to(device)
    return module.eval()


def byte_letters() -> list[str]:
    """The 256 letters that byte-level tokenizers write bytes with: a vocabulary that needs no download."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return [chr(b) for b in plain] + [chr(256 + n) for n in range(256 - len(plain))]


def clip_tokenizer() -> Any:
    letters = byte_letters()
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={word: n for n, word in enumerate(words)}, merges=[], model_max_length=77)


def t5_tokenizer() -> Any:
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), *((chr(c), -3.0) for c in range(33, 127))]
    return T5TokenizerFast(vocab=pieces, extra_ids=0, model_max_length=512)


def clip_text(config: dict[str, Any], device: str, dtype: torch.dtype, projection: bool = False) -> Any:
    marks = {"bos_token_id": 512, "eos_token_id": 513, "pad_token_id": 513}
    made = transformers.CLIPTextModelWithProjection if projection else transformers.CLIPTextModel
    told = transformers.CLIPTextConfig(**(config | marks))
    return randomised(lambda: made(told), device, dtype)


class RandomFlux(Flux):
    """The adapter of FLUX rows over random weights; `size` is set before it is loaded."""

    size: Size = TINY

    def _load(self, settings: dict[str, Any]) -> Any:
        device, dtype, size = self.device, getattr(torch, str(settings["dtype"])), self.size
        t5 = transformers.T5Config(**size.t5)
        scaling = {"scaling_factor": 0.3611, "shift_factor": 0.1159}
        pipe = diffusers.FluxPipeline(
            scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
            vae=randomised(lambda: diffusers.AutoencoderKL(**(size.vae | scaling)), device, dtype),
            text_encoder=clip_text(size.clip, device, dtype),
            tokenizer=clip_tokenizer(),
            text_encoder_2=randomised(lambda: transformers.T5EncoderModel(t5), device, dtype),
            tokenizer_2=t5_tokenizer(),
            transformer=randomised(lambda: diffusers.FluxTransformer2DModel(**size.flux), device, dtype),
        )
        return _ready(pipe, self.denoiser, settings)


class RandomSdxl(Sdxl):
    size: Size = TINY

    def _load(self, settings: dict[str, Any]) -> Any:
        device, dtype, size = self.device, getattr(torch, str(settings["dtype"])), self.size
        vae = _config("sdxl-vae") if size.name == "real" else size.vae
        pipe = diffusers.StableDiffusionXLPipeline(
            scheduler=diffusers.EulerDiscreteScheduler(
                beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012
            ),
            vae=randomised(lambda: diffusers.AutoencoderKL(**(vae | {"scaling_factor": 0.13025})), device, dtype),
            text_encoder=clip_text(size.clip, device, dtype),
            tokenizer=clip_tokenizer(),
            text_encoder_2=clip_text(size.clip_2, device, dtype, projection=True),
            tokenizer_2=clip_tokenizer(),
            unet=randomised(lambda: diffusers.UNet2DConditionModel(**size.sdxl), device, dtype),
            add_watermarker=False,
        )
        return _ready(pipe, self.denoiser, settings)


def _ready(pipe: Any, denoiser: str, settings: dict[str, Any]) -> Any:
    pipe.set_progress_bar_config(disable=True)
    if settings.get("compile"):
        getattr(pipe, denoiser).compile_repeated_blocks(fullgraph=True)
    return pipe


class RandomHpsv3(hpsv3.Hpsv3Scorer):
    """HPSv3's shape: Qwen2-VL-7B over 448 x 448 pixels and about 700 tokens of text, and its head."""

    def __init__(self, row: ScorerRow, device: str, size: Size, folder: Path) -> None:
        self.row, self.device = row, torch.device(device)  # type: ignore[assignment]
        self.dtype = torch.bfloat16 if device.startswith("cuda") else torch.float32
        self.batch, self.revision = (2 if device.startswith("cuda") else 1), "random"
        self.template = "rate this picture " * 36 + "{text_prompt} " + REWARD
        self.chat = chat.ChatInput(qwen_folder(folder), [REWARD])
        self.reward_token, self.reward = REWARD, self.chat.token(REWARD)
        config = transformers.Qwen2VLConfig(**size.scorer)
        config.vision_config.patch_size, config.image_token_id = 14, self.chat.placeholder
        config._attn_implementation = config.text_config._attn_implementation = "sdpa"
        config.vision_config._attn_implementation = "sdpa"
        self.model = randomised(lambda: hpsv3.Hpsv3(config), device, self.dtype)
        self.model.head.float()
        self.text_window, self.pixels = 32768, size.scorer_side**2


def qwen_folder(folder: Path) -> Path:
    """Tokenizer and patch cutter of a Qwen2-VL directory."""
    marks = ["<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>"]
    vocabulary = {letter: n for n, letter in enumerate(byte_letters())}
    Qwen2Tokenizer(vocab=vocabulary, merges=[], extra_special_tokens=marks).save_pretrained(folder)
    cutter = {"image_processor_type": "Qwen2VLImageProcessor", "patch_size": 14, "temporal_patch_size": 2}
    (folder / "preprocessor_config.json").write_text(json.dumps(cutter | {"merge_size": 2}))
    return folder


# --------------------------------------------------------------------------------------------------------- measuring


def synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def timed(action: Callable[[], object]) -> float:
    """Seconds of an action, the device's work included."""
    synchronise()
    started = time.perf_counter()
    action()
    synchronise()
    return time.perf_counter() - started


def ceiling(device: str, size: Size) -> float:
    """TFLOP/s of a large matrix product: the mean of ten after three to warm up."""
    side, dtype = (8192, torch.bfloat16) if size.name == "real" else (512, torch.float32)
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    for _ in range(3):
        a @ b
    seconds = timed(lambda: [a @ b for _ in range(10)])
    return 10 * 2 * side**3 / seconds / 1e12


@contextmanager
def peak_memory(found: dict[str, float]) -> Iterator[None]:
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    yield
    if torch.cuda.is_available():
        found["gib"] = torch.cuda.max_memory_allocated() / 2**30


@dataclass
class Result:
    """One line of the table. `hidden` is the share of wall time that is not the sampler's own."""

    shape: str
    way: str
    batch: int
    pictures: int
    seconds: float
    scorings: int
    text_seconds: float = 0.0
    tflop_rate: float = 0.0
    ceiling_share: float = 0.0
    beside: float | None = None  # share of wall time that the sampler does not account for
    gib: float = 0.0

    @property
    def rate(self) -> float:
        return self.pictures / self.seconds


def rows(shape: str, size: Size, dtype: str, batch: int, compiled: bool, device: str) -> Cast:
    """A cast of one generator and one scorer under the settings of the benchmark."""
    own = {
        "flux": {"max_sequence_length": size.window, "guidance": 3.5},
        "sdxl": {"guidance": 5.0, "long_prompts": "truncated"},
    }[shape]
    row = models.Row.model_validate(
        {
            "id": shape,
            "label": shape,
            "family": "benchmark",
            "kind": "base",
            "adapter": shape,
            "weights": "local-dir:.cache/random",
            "profiles": {
                "controlled": own
                | {"dtype": dtype, "steps": size.steps[shape], "size": size.side, "batch": batch, "compile": compiled}
            },
        }
    )
    scorer = ScorerRow.model_validate(
        {
            "id": "hpsv3-shape",
            "label": "HPSv3 shape",
            "adapter": "hpsv3",
            "role": "reward",
            "weights": "local-dir:.cache/random",
            "output": "mean",
            "memory_gib": 17.0 if size.name == "real" else 0.1,
        }
    )
    return Cast({shape: Member(shape, row, False)}, {scorer.id: scorer}, {}, "controlled")


def prompts(count: int, first: int = 0) -> list[tuple[str, str]]:
    """Plain and wide prompt of the shipped set."""
    from evidence.prompts import load

    return [(row.plain, row.wide) for row in load("wide").rows[first : first + count]]


def planned(cast: Cast, shape: str, count: int) -> Plan:
    return build(
        cast,
        Wants(
            scorings=tuple(
                Scoring(Ask(shape, wide, "wide", seed), "hpsv3-shape", text)
                for seed, (plain, wide) in enumerate(prompts(count))
                for text in (plain, wide)
            )
        ),
    )


def obvious(generator: Any, scorer: Any, size: Size, shape: str, count: int, folder: Path) -> Result:
    """What one writes first: a loop over prompts, a PNG each, then the scorer over the files."""
    from PIL import Image

    pipe = generator.pipe
    told: dict[str, Any] = {"num_inference_steps": size.steps[shape], "width": size.side, "height": size.side}
    told |= {"max_sequence_length": size.window} if shape == "flux" else {"guidance_scale": 5.0}
    pairs = prompts(count + 1)
    pipe(pairs[-1][0], **(told | {"num_inference_steps": 2}))
    scorer.score([Image.new("RGB", (size.side, size.side))], [pairs[-1][0]])

    def loop() -> None:
        for number, (_, wide) in enumerate(pairs[:count]):
            pipe(wide, generator=torch.Generator().manual_seed(number), **told).images[0].save(folder / f"{number}.png")
        for number, (plain, wide) in enumerate(pairs[:count]):
            for text in (plain, wide):
                scorer.score([Image.open(folder / f"{number}.png")], [text])

    found: dict[str, float] = {}
    with peak_memory(found):
        seconds = timed(loop)
    return Result(shape, "obvious loop, eager", 1, count, seconds, 2 * count, gib=found.get("gib", 0.0))


def engine(
    generator: Any, scorer: Any, cast: Cast, shape: str, count: int, folder: Path, way: str, device: str
) -> Result:
    """The local engine over an empty store, with a generator and a scorer that are loaded and warm."""
    settings = cast.settings(shape, "wide")
    batch = int(settings["batch"])
    told = [Request(wide, seed) for seed, (_, wide) in enumerate(prompts(max(batch, count)))]
    texts = timed(lambda: generator.encode(told))
    generator.settings = settings | {"steps": 2}
    generator.decode(generator.denoise(told[:batch]))  # compiles
    generator.settings = settings
    sampler = timed(lambda: generator.denoise(told[:batch])) / batch
    plan, store = planned(cast, shape, count), Store(folder / "samples")
    found: dict[str, float] = {}
    with peak_memory(found):
        seconds = timed(
            lambda: local.run(
                plan,
                store,
                Options(device=device),
                Plain({}, print),
                load=lambda *_, **__: generator,
                load_scorer=lambda *_: scorer,
            )
        )
    done = [record for record in store.records() if record.status == "done"]
    drawn = sum(record.stage == "generate" for record in done)
    if drawn != count or len(done) - drawn != 2 * count:
        raise RuntimeError(f"only {drawn} of {count} pictures and {len(done) - drawn} of {2 * count} scores were made")
    beside = 1 - count * sampler / seconds
    return Result(shape, way, batch, count, seconds, 2 * count, texts, beside=beside, gib=found.get("gib", 0.0))


def measured(result: Result, size: Size, peak: float) -> Result:
    """With its share of the ceiling; the operations of a tiny model were not counted."""
    if size.name == "real":
        work = TFLOP[result.shape] * size.steps[result.shape] + DECODE_TFLOP
        result.tflop_rate = work * result.rate
        result.ceiling_share = result.tflop_rate / peak
    return result


def table(results: list[Result], size: Size, device: str, peak: float, seconds: float) -> str:
    made = provenance.software()
    lines = [
        "# Generating, scoring and encoding: the obvious loop and the engine",
        "",
        f"Hardware: {provenance.hardware(device)}. " + ", ".join(f"{k} {v}" for k, v in made.items()) + ".",
        f"Matmul ceiling in the same run: {peak:.2f} TFLOP/s. The whole benchmark took {seconds:.0f} s.",
        "",
    ]
    if size.name == "tiny":
        lines += [
            "**Tiny size: there is no GPU here. These figures say that the code runs, and nothing about speed.**",
            "",
        ]
    lines += [
        "| shape | way | batch | pictures | pictures/s | scorings/s | of ceiling | not sampler | texts | peak GiB |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for r in results:
        share = f"{r.ceiling_share:.0%}" if r.ceiling_share else ""
        beside = "" if r.beside is None else f"{r.beside:.1%}"
        text = f"{r.text_seconds:.1f} s" if r.text_seconds else "in the loop"
        lines.append(
            f"| {r.shape} | {r.way} | {r.batch} | {r.pictures} | {r.rate:.3f} | {r.scorings / r.seconds:.2f} | {share} "
            f"| {beside} | {text} | {r.gib:.1f} |"
        )
    for shape in dict.fromkeys(r.shape for r in results):
        rates = [r.rate for r in results if r.shape == shape]
        if len(rates) > 1 and size.name == "real":
            lines += [
                "",
                f"{shape}: the engine makes {max(rates[1:]) / rates[0]:.2f} times the pictures of the obvious loop.",
            ]
    lines += [
        "",
        "Random weights of the published shapes. Loading, compiling and one batch to warm up are not counted.",
        "`not sampler`: the share of the engine's wall time that denoising alone does not account for.",
        "`texts`: embedding all prompts, once per run, apart from the rate.",
        "",
    ]
    return "\n".join(lines)


def bench(shape: str, size: Size, device: str, counts: tuple[int, int], peak: float, scorer: Any) -> Iterator[Result]:
    """The obvious loop, then the engine with compiled blocks on the same weights."""
    made = {"flux": RandomFlux, "sdxl": RandomSdxl}[shape]
    made.size = size
    dtype = {"flux": "bfloat16", "sdxl": "float16"}[shape] if size.name == "real" else "float32"
    batch = {"flux": 1, "sdxl": 4}[shape]
    plain, fast = (rows(shape, size, dtype, n, False, device) for n in (1, batch))
    generator = made(plain.members[shape].row, plain.settings(shape, "wide"), device)
    with tempfile.TemporaryDirectory() as folder:
        yield measured(obvious(generator, scorer, size, shape, counts[0], Path(folder)), size, peak)
    generator._arrange(fast.settings(shape, "wide"))
    if size.name == "real":
        getattr(generator.pipe, generator.denoiser).compile_repeated_blocks(fullgraph=True)
    way = "engine, compiled" if size.name == "real" else "engine, eager"
    with tempfile.TemporaryDirectory() as folder:
        yield measured(engine(generator, scorer, fast, shape, counts[1], Path(folder), way, device), size, peak)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--shapes", default="flux,sdxl", help="flux, sdxl or both")
    parser.add_argument("--pictures", default="3,8", help="of the obvious loop, of the engine")
    parser.add_argument("--tiny", action="store_true", help="tiny size also where there is a GPU")
    parser.add_argument("--budget", type=float, default=float("inf"), help="seconds after which no shape is begun")
    parser.add_argument("--out", type=Path, help="file for the table, written again after every line")
    asked = parser.parse_args()
    transformers.utils.logging.set_verbosity_error()  # of texts that byte-level tokenizers make too long
    diffusers.utils.logging.set_verbosity_error()
    started = time.perf_counter()
    real = torch.cuda.is_available() and not asked.tiny
    device, size = ("cuda" if torch.cuda.is_available() else "cpu"), (REAL if real else TINY)
    if not real:
        print("tiny size" + ("" if asked.tiny else ": there is no GPU here"), flush=True)
    peak = ceiling(device, size)
    first, second = (int(n) for n in asked.pictures.split(","))
    results: list[Result] = []
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        cast = rows("flux", size, "float32", 1, False, device)
        scorer = RandomHpsv3(cast.scorers["hpsv3-shape"], device, size, Path(folder))
        print(f"ceiling {peak:.1f} TFLOP/s; scorer ready after {time.perf_counter() - started:.0f} s", flush=True)
        for shape in asked.shapes.split(","):
            if time.perf_counter() - started > asked.budget:
                print(f"{shape}: not begun, the budget is spent", flush=True)
                continue
            for result in bench(shape, size, device, (first, second), peak, scorer):
                results.append(result)
                text = table(results, size, device, peak, time.perf_counter() - started)
                print(json.dumps(asdict(result)), flush=True)
                if asked.out:
                    asked.out.parent.mkdir(parents=True, exist_ok=True)
                    asked.out.write_text(text, "utf-8")
            local.free()
    print(text if results else "nothing was measured")


if __name__ == "__main__":
    main()
