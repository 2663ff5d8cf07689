"""Throughput at real size with random weights of the real shape, so that nothing is downloaded.

    python benchmarks/generate.py                      # real size on CUDA, ten minutes; tiny elsewhere
    python benchmarks/generate.py --quick              # one way of each shape and few pictures: 150 s on an H100
    python benchmarks/generate.py --out benchmarks/results/generate-gpu.md

Side by side in one run, with the same weights: the *obvious loop* (one prompt at a time through the stock pipeline,
eager, PNG written in line, then the scorer over all files) and the *engine* (`evidence.engines.local`: texts embedded
once and their encoders sent away, compiled blocks, decoding, PNG and scoring beside the sampler). Both score every
picture under two prompts with an HPSv3-shaped model. Loading, compiling and one batch to warm up are not timed; the
embedding of all texts, once per run, stands beside the rate. The *whole run* goes from an empty store to the last
score; the *steady state* from the moment when the first batch is scored to the last score, so that the filling of the
chain counts once and not twice. The ceiling is a matrix product on this card, in the same run.

`waited` needs no GPU: a sampler that is waited for as a card would be (it sleeps), and everything beside it is real:
pictures of a megapixel, PNG, hashes, disk, a scorer.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import diffusers
import numpy as np
import torch
import transformers
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.generate_table import WAIT, Line, report, told
from benchmarks.random_weights import REAL, TINY, RandomFlux, RandomHpsv3, RandomSdxl, Size
from evidence.cards import models
from evidence.engines import Options, local, pipeline
from evidence.interfaces import Request
from evidence.jobs.plan import ConfiguredModel, Participants, PictureSpec, Plan, Requirements, Scoring, build
from evidence.progress import RunProgress
from evidence.samples import provenance
from evidence.samples.store import Store
from evidence.scorers import ScorerCard

LEAST = 30.0  # seconds without which no line of the engine is begun
DRAWN = 0.5  # of a line's time that pictures of the engine take; compiling and the sampler alone take the rest
DTYPE = {"flux": "bfloat16", "sdxl": "float16"}
OWN: dict[str, dict[str, Any]] = {"flux": {"guidance": 3.5}, "sdxl": {"guidance": 5.0, "long_prompts": "truncated"}}


Way = tuple[str, int, Callable[[Any], None]]


class WaitedFlux(RandomFlux):
    """Sampled as on a card: the thread waits. Its pictures have 1024 x 1024 pixels, and grain that PNG cannot fold."""

    def _sample(self, requests: list[Request], embedded: dict[str, torch.Tensor]) -> torch.Tensor:
        ends = time.perf_counter() + WAIT * len(requests)
        latents = super()._sample(requests, embedded)
        time.sleep(max(0.0, ends - time.perf_counter()))
        return latents

    def _pictures(self, latents: torch.Tensor) -> list[Image.Image]:
        grain = np.random.default_rng(0).integers(-8, 9, (1024, 1024, 3), dtype=np.int16)
        large = [np.asarray(picture.resize((1024, 1024))) + grain for picture in super()._pictures(latents)]
        return [Image.fromarray(pixels.clip(0, 255).astype(np.uint8)) for pixels in large]


class Clock(RunProgress):
    """Remembers when scores came."""

    def __init__(self) -> None:
        super().__init__(print)
        self.scored: list[tuple[int, float]] = []  # how many until then, and when

    def advance(self, stage: str, by: int = 1) -> None:
        super().advance(stage, by)
        if stage == "score" and by:
            self.scored.append((self.done["scores"], time.perf_counter()))

    def when(self, scores: int) -> float:
        return next(at for count, at in self.scored if count >= scores)


class Progress:
    """Lines with the time; what is left of the budget."""

    def __init__(self, budget: float) -> None:
        self.started, self.budget = time.perf_counter(), budget

    @property
    def spent(self) -> float:
        return time.perf_counter() - self.started

    @property
    def left(self) -> float:
        return self.budget - self.spent

    def say(self, text: str) -> None:
        print(f"[{self.spent:4.0f} s] {text}", flush=True)


def timed(action: Callable[[], object]) -> float:
    """Seconds of an action, the device's work included."""
    synchronise()
    started = time.perf_counter()
    action()
    synchronise()
    return time.perf_counter() - started


def synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def ceiling(device: str, size: Size) -> float:
    """TFLOP/s of a large matrix product: the mean of ten after three to warm up."""
    side, dtype = (8192, torch.bfloat16) if size.name == "real" else (512, torch.float32)
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    for _ in range(3):
        a @ b
    seconds = timed(lambda: [a @ b for _ in range(10)])
    return 10 * 2 * side**3 / seconds / 1e12


def peak_gib() -> float:
    return torch.cuda.max_memory_allocated() / 2**30 if torch.cuda.is_available() else 0.0


def participants_of(shape: str, size: Size, batch: int) -> Participants:
    """A participants of one generator and one scorer under the settings of the benchmark."""
    adapter = "sdxl" if shape == "sdxl" else "flux"
    settings: dict[str, Any] = {
        "dtype": DTYPE[adapter] if size.name == "real" else "float32",
        "steps": size.steps[adapter],
    }
    settings |= OWN[adapter] | {"size": size.side, "batch": batch}
    settings |= {"max_sequence_length": size.window} if adapter == "flux" else {}
    said = {"id": shape, "label": shape, "family": "benchmark", "alignment": "base", "adapter": adapter}
    weights = {"weights": "local-dir:.cache/random"}
    card = models.ModelCard.model_validate(said | weights | {"profiles": {"controlled": settings}})
    said = {"id": "hpsv3-shape", "label": "HPSv3 shape", "adapter": "hpsv3", "role": "reward", "output": "mean"}
    scorer = ScorerCard.model_validate(said | weights | {"memory_gib": 17.0 if size.name == "real" else 0.1})
    return Participants({shape: ConfiguredModel(shape, card, False)}, {scorer.id: scorer}, {}, "controlled")


def prompts(count: int) -> list[tuple[str, str]]:
    """Plain and wide prompt of the shipped set."""
    from evidence.prompts import load

    return [(row.plain, row.wide) for row in load("wide").rows[:count]]


def planned(participants: Participants, shape: str, count: int) -> Plan:
    wanted = (
        Scoring(PictureSpec(shape, wide, "wide", seed), "hpsv3-shape", text)
        for seed, (plain, wide) in enumerate(prompts(count))
        for text in (plain, wide)
    )
    return build(participants, Requirements(scorings=tuple(wanted)))


def in_line(generator: Any, scorer: Any, size: Size, shape: str, count: int) -> Line:
    """What one writes first: a loop over prompts, a PNG each, then the scorer over the files."""
    pairs = prompts(count + 1)
    told: dict[str, Any] = {"num_inference_steps": size.steps.get(shape), "width": size.side, "height": size.side}
    told |= {"max_sequence_length": size.window} if shape == "flux" else {"guidance_scale": 5.0}

    if shape == "sdxl":  # the adapter keeps the decoder in float32, the stock pipeline converts it for each picture
        generator.pipe.vae.to(generator.pipe.unet.dtype)

    def draw(text: str, seed: int, **changed: Any) -> Image.Image:
        if shape == "waited":
            return generator.generate([Request(text, seed)])[0]  # type: ignore[no-any-return]
        return generator.pipe(text, generator=torch.Generator().manual_seed(seed), **(told | changed)).images[0]  # type: ignore[no-any-return]

    draw(pairs[-1][0], 0, num_inference_steps=2)
    scorer.score([Image.new("RGB", (size.side, size.side))], [pairs[-1][0]])

    def loop(folder: Path) -> None:
        for number, (_, wide) in enumerate(pairs[:count]):
            draw(wide, number).save(folder / f"{number}.png")
        for number, (plain, wide) in enumerate(pairs[:count]):
            for text in (plain, wide):
                scorer.score([Image.open(folder / f"{number}.png")], [text])

    with tempfile.TemporaryDirectory() as folder:
        seconds = timed(lambda: loop(Path(folder)))
    if shape == "sdxl":
        generator.pipe.vae.to(torch.float32)
    return Line(shape, "obvious loop, eager", 1, count, seconds)


def engine(
    generator: Any,
    scorer: Any,
    participants: Participants,
    shape: str,
    way: str,
    asked: int,
    seconds: float,
    device: str,
) -> Line:
    """The local engine over an empty store, with a generator and a scorer that are loaded and warm. It makes as many
    pictures as were asked for, or as `seconds` allow."""
    settings = participants.settings(shape, "wide")
    batch = int(settings["batch"])
    generator._arrange(settings | {"steps": 2})
    told = [Request(wide, seed) for seed, (_, wide) in enumerate(prompts(max(batch, asked)))]
    texts = timed(lambda: generator.encode(told))
    generator.decode(generator.denoise(told[:batch]))  # compiles
    generator.settings = settings
    before = timed(lambda: generator.denoise(told[:batch])) / batch
    count = min(asked, max(2, int(seconds / before / batch)) * batch)
    plan, clock = planned(participants, shape, count), Clock()
    with tempfile.TemporaryDirectory() as folder:
        store, started = Store(Path(folder) / "samples"), time.perf_counter()

        def go() -> None:
            load, load_scorer = (lambda *_, **__: generator), (lambda *_: scorer)
            local.run(plan, store, Options(device=device), clock, load=load, load_scorer=load_scorer)

        whole = timed(go)
        done = [record.stage for record in store.records() if record.status == "done"]
    if done.count("generate") != count or done.count("score") != 2 * count:
        raise RuntimeError(f"only {done.count('generate')} of {count} pictures and {done.count('score')} scores")
    after = timed(lambda: generator.denoise(told[:batch])) / batch
    filled, ended = clock.when(2 * batch), clock.when(2 * count)
    steady = (count - batch) / (ended - filled) if ended > filled else 0.0
    sampler = (before + after) / 2
    return Line(shape, way, batch, count, whole, steady, filled - started, sampler, texts)


ATTENTION = (
    torch.ops.aten._scaled_dot_product_flash_attention,
    torch.ops.aten._scaled_dot_product_efficient_attention,
    torch.ops.aten._scaled_dot_product_cudnn_attention,
)


def attention_flop(
    query: tuple[int, ...], key: tuple[int, ...], value: tuple[int, ...], *_: Any, out_shape: Any = None, **__: Any
) -> int:
    """Operations of one attention over (batch, heads, tokens, width); queries may share heads of keys, which torch's
    own count refuses."""
    batch, heads, asked, width = query
    return 2 * batch * heads * asked * key[2] * (width + value[3])


def scoring_tflop(scorer: Any, count: int = 4) -> tuple[float, float]:
    """Tera-operations and tokens of one scoring of the shipped prompts, on average."""
    texts = [text for pair in prompts(count) for text in pair]
    with FlopCounterMode(display=False, custom_mapping=dict.fromkeys(ATTENTION, attention_flop)) as counter:
        scorer.score([Image.new("RGB", (64, 64), "grey")] * len(texts), texts)
    return counter.get_total_flops() / len(texts) / 1e12, sum(map(scorer.token_count, texts)) / len(texts)


def lines_of(
    shape: str,
    size: Size,
    device: str,
    counts: tuple[int, int],
    scorer: Any,
    progress: Progress,
    ways: list[Way],
    after: int,
) -> Iterator[Line]:
    """The obvious loop, then the engine in every way, on the same weights. A line that fails leaves the next ones
    alone; `after` is how many engine lines of other shapes the budget must still do for."""
    made: Any = {"flux": RandomFlux, "sdxl": RandomSdxl, "waited": WaitedFlux}[shape]
    made.size = size
    progress.say(f"{shape}: loading random weights")
    participants = participants_of(shape, size, 1)
    try:
        generator = made(participants.models[shape].card, participants.settings(shape, "wide"), device)
    except Exception as error:
        yield Line(shape, "loading", failed=first_line(error))
        return
    progress.say(f"{shape}: obvious loop, {counts[0]} pictures")
    yield guarded(shape, "obvious loop, eager", 1, lambda: in_line(generator, scorer, size, shape, counts[0]))
    for place, (way, batch, prepare) in enumerate(ways):
        share = progress.left / (len(ways) - place + after)
        if progress.left < LEAST:
            progress.say(f"{shape}: {way}: not begun, the budget is spent")
            continue
        progress.say(f"{shape}: {way}, batches of {batch}, at most {counts[1]} pictures")
        participants = participants_of(shape, size, batch)

        def measure(
            prepare: Callable[[Any], None] = prepare,
            participants: Participants = participants,
            way: str = way,
            share: float = share,
        ) -> Line:
            prepare(generator)
            return engine(generator, scorer, participants, shape, way, counts[1], share * DRAWN, device)

        yield guarded(shape, way, batch, measure)


def guarded(shape: str, way: str, batch: int, measure: Callable[[], Line]) -> Line:
    """The line with its memory and operations; one that says why where it failed, an OOM for instance."""
    pipeline.free()
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    try:
        return replace(measure(), gib=peak_gib())
    except Exception as error:
        return Line(shape, way, batch, failed=first_line(error), gib=peak_gib())


def first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0][:120] if str(error).strip() else 'no text'}"


def ways_of(shape: str, size: Size, quick: bool) -> list[Way]:
    """Names of the engine's lines, their batches, and what is done to the generator before each; `quick`: only the one
    that needs the fewest pictures."""
    if size.name == "tiny":
        return [("engine, eager", 1 if shape == "waited" else 2, lambda _: None)]
    compiled, single = (("engine, compiled", batch, compile_blocks) for batch in (4, 1))
    if shape == "sdxl":
        return [compiled]
    return [single] if quick else [compiled, single, ("engine, compiled, cuDNN attention", 4, cudnn)]


def compile_blocks(generator: Any) -> None:
    """Afresh for every shape: a second one would be compiled for any batch, and slower."""
    torch._dynamo.reset()
    getattr(generator.pipe, generator.denoiser).compile_repeated_blocks(fullgraph=True)


def cudnn(generator: Any) -> None:
    """An experiment, not a setting of the engine: it moves pictures as another kernel does, and counts for the whole
    process."""
    generator.pipe.transformer.set_attention_backend("_native_cudnn")
    compile_blocks(generator)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--shapes", default="", help="flux, sdxl, waited; by comma.  [default: what the machine can]")
    parser.add_argument(
        "--pictures", default="", help="of the obvious loop, of the engine.  [default: 2,24; quick: 1,16]"
    )
    parser.add_argument("--tiny", action="store_true", help="tiny size also where there is a GPU")
    parser.add_argument("--quick", action="store_true", help="one way of each shape, few pictures")
    parser.add_argument(
        "--budget", type=float, help="seconds to fit in; fewer pictures where needed.  [default: 500; quick: 140]"
    )
    parser.add_argument("--out", type=Path, help="file for the table, written again after every line")
    asked = parser.parse_args()
    if unknown := set(asked.shapes.split(",")) - {"", "flux", "sdxl", "waited"}:
        parser.error(f"no shape {', '.join(unknown)}")
    transformers.utils.logging.set_verbosity_error()  # of texts that byte-level tokenizers make too long
    diffusers.utils.logging.set_verbosity_error()
    progress = Progress(asked.budget or (140.0 if asked.quick else 500.0))
    real = torch.cuda.is_available() and not asked.tiny
    device, size = ("cuda" if torch.cuda.is_available() else "cpu"), (REAL if real else TINY)
    if not real:
        progress.say("tiny size" + ("" if asked.tiny else ": there is no GPU here"))
    first, second = (int(n) for n in (asked.pictures or ("1,16" if asked.quick else "2,24")).split(","))
    wanted = (asked.shapes or ("flux,sdxl" if real else "flux,sdxl,waited")).split(",")
    provenance.made_here(device)  # asks git, once a process
    peak = ceiling(device, size)
    lines: list[Line] = []
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        row = participants_of(wanted[0], size, 1).scorers["hpsv3-shape"]
        scorer = RandomHpsv3(row, device, size, Path(folder))
        scoring = scoring_tflop(scorer)
        progress.say(f"ceiling {peak:.1f} TFLOP/s; a scoring reads {scoring[1]:.0f} tokens, {scoring[0]:.2f} TFLOP")
        ways = {shape: ways_of(shape, size, asked.quick) for shape in wanted}
        for place, shape in enumerate(wanted):
            later = sum(len(ways[other]) for other in wanted[place + 1 :])
            for line in lines_of(shape, size, device, (first, second), scorer, progress, ways[shape], later):
                lines.append(line)
                progress.say(told(line, peak))
                text = report(lines, size, device, peak, scoring, progress.spent)
                if asked.out:
                    asked.out.parent.mkdir(parents=True, exist_ok=True)
                    asked.out.write_text(text, "utf-8")
            pipeline.free()
    print(text if lines else "nothing was measured")
    if all(line.failed for line in lines):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
