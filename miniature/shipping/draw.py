"""Pictures by the shipped miniature, through the stock pipeline: the same request, the same bytes.

One thread a picture, so that the bytes do not depend on how many cores there are; another kind of processor, or another
version of torch, may still round differently by a grey level or two. Several pictures are drawn side by side.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ledger.problems import InputError, Problem, did_you_mean
from miniature.shipping import pack
from miniature.world import vocabulary

if TYPE_CHECKING:
    from PIL.Image import Image

STEPS, GUIDANCE, SIZE = 8, 3.0, 256
FAMILIES = {"draft": "draft-s0", "pluralist": "pluralist-s0"}
FAMILY_NAMES = {"draft": "reward back-propagation", "pluralist": "pluralist reward"}
MOST = 3.0  # strength 1 is the most that leaves plain pictures whole (`miniature.calibration`); above it they break
SEEDS = 1 << 63


@dataclass(frozen=True)
class PictureRequest:
    """What to draw. `alignment` 0 is the base model, 1 the aligned one, above 1 an over-optimised one; `arm` a shipped
    variant."""

    prompt: str
    alignment: float = 0.0
    seed: int = 0
    arm: str = FAMILIES["draft"]
    negative: str = ""

    def command(self, out: str = "out.png") -> str:
        """The command that draws it."""
        family = next((name for name, arm in FAMILIES.items() if arm == self.arm), self.arm)
        parts = [f'python build.py draw "{self.prompt}"']
        if self.alignment:
            parts.append(f"--alignment {self.alignment:g}")
            if family != "draft":
                parts.append(f"--family {family}")
        if self.negative:
            parts.append(f'--negative "{self.negative}"')
        return " ".join([*parts, f"--seed {self.seed} -o {out}"])


# --- checking, before anything heavy is loaded ------------------------------------------------------------------------


def known_words(folder: Path) -> set[str]:
    """The vocabulary that the shipped models were trained with."""
    tokenizer = json.loads((folder / "pipeline" / "tokenizer" / "tokenizer.json").read_text())
    return set(tokenizer["model"]["vocab"]) - set(vocabulary.SPECIAL)


def check(requests: Sequence[PictureRequest], outs: Sequence[Path], folder: Path) -> None:
    """InputError with everything that would fail after loading, or draw something else than was asked for."""
    problems = [problem for request in requests for problem in _defects(request, folder)]
    problems += [problem for out in outs for problem in _misplaced(out)]
    if problems:
        raise InputError(dict.fromkeys(problems))


def _defects(request: PictureRequest, folder: Path) -> Iterator[Problem]:
    for field, text in (("prompt", request.prompt), ("--negative", request.negative)):
        yield from _words(field, text, folder)
    if not request.prompt.strip():
        yield Problem("prompt", 0, "", "is empty: say what to draw")
    if not math.isfinite(request.alignment) or not 0 <= request.alignment <= MOST:
        yield Problem("--alignment", 0, f"{request.alignment:g}", f"must be a number from 0 to {MOST:g}")
    if not 0 <= request.seed < SEEDS:
        yield Problem("--seed", 0, str(request.seed), "must be at least 0 and below 2^63")
    arms = sorted(path.name for path in (folder / "alignment").iterdir())
    if request.arm not in arms:
        near = did_you_mean(request.arm, [*FAMILIES, *arms])
        yield Problem("--family", 0, request.arm, f"no such variant{near} There are: {', '.join([*FAMILIES, *arms])}")


def _words(field: str, text: str, folder: Path) -> Iterator[Problem]:
    for word, near in vocabulary.unknown(text, known_words(folder)).items():
        yield Problem(field, 0, f"'{word}'", "not a word of this world" + (f", did you mean '{near}'?" if near else ""))
    if left := vocabulary.split(text)[vocabulary.LENGTH - 2 :]:
        room = vocabulary.LENGTH - 2
        yield Problem(field, 0, f"'{' '.join(left)}'", f"does not fit: a prompt has room for {room} words and marks")


def _misplaced(out: Path) -> Iterator[Problem]:
    if out.suffix.lower() != ".png":
        yield Problem("--out", 0, str(out), "pictures are PNG files: give the name the ending .png")
    elif out.is_dir():
        yield Problem("--out", 0, str(out), "is a folder: name a file")
    elif not out.absolute().parent.is_dir():
        yield Problem("--out", 0, str(out), f"there is no folder {out.absolute().parent}: make it first")
    elif not os.access(out if out.exists() else out.absolute().parent, os.W_OK):
        yield Problem("--out", 0, str(out), "cannot be written here: choose another place")


# --- drawing ----------------------------------------------------------------------------------------------------------


class MiniaturePipeline:
    """The stock pipeline with the shipped weights, loaded once, for any number of pictures."""

    def __init__(self, folder: Path | None = None, device: str = "cpu") -> None:
        import diffusers
        import torch
        import transformers

        torch.set_num_threads(1)
        for library in (diffusers, transformers):
            library.utils.logging.disable_progress_bar()
            library.utils.logging.set_verbosity_error()
        from diffusers import FluxPipeline  # which warns of what it misses

        self.folder = folder or pack.unpack()
        self.pipe: Any = FluxPipeline.from_pretrained(self.folder / "pipeline", local_files_only=True).to(device)
        self.pipe.set_progress_bar_config(disable=True)
        self._arms: set[str] = set()

    def twin(self) -> Any:
        """A pipeline over the same weights with a scheduler of its own, for a thread beside this one."""
        from diffusers import FluxPipeline

        scheduler = type(self.pipe.scheduler).from_config(self.pipe.scheduler.config)
        pipe: Any = FluxPipeline(**self.pipe.components | {"scheduler": scheduler})
        pipe.set_progress_bar_config(disable=True)
        return pipe

    def draw(self, request: PictureRequest) -> Image:
        """RGB, 256 x 256. InputError for unknown words."""
        check([request], [], self.folder)
        self.align(request)
        return self.sample(self.pipe, request)

    @staticmethod
    def sample(pipe: Any, request: PictureRequest) -> Image:
        import torch

        result = pipe(
            prompt=request.prompt,
            negative_prompt=request.negative,
            true_cfg_scale=GUIDANCE,
            num_inference_steps=STEPS,
            height=SIZE,
            width=SIZE,
            max_sequence_length=vocabulary.LENGTH,
            generator=torch.Generator().manual_seed(request.seed),
        )
        picture: Image = result.images[0]
        return picture

    def align(self, request: PictureRequest) -> None:
        """Use the variant that the request names, at its strength."""
        if request.alignment == 0:
            if self._arms:
                self.pipe.disable_lora()
            return
        name = request.arm.replace("-", "_")
        if request.arm not in self._arms:
            self.pipe.load_lora_weights(self.folder / "alignment" / request.arm, adapter_name=name)
            self._arms.add(request.arm)
        self.pipe.enable_lora()
        self.pipe.set_adapters([name], [request.alignment])


@dataclass(frozen=True)
class Drawn:
    out: Path
    seconds: float
    sha256: str  # of the file


def to_files(
    requests: Sequence[PictureRequest], outs: Sequence[Path], loaded: Callable[[float], None]
) -> Iterator[Drawn]:
    """Draw requests of one variant and strength into PNG files, as many side by side as there are cores.

    `loaded` is told how many seconds imports and weights took. InputError for anything wrong, before that.
    """
    began = time.perf_counter()
    folder = pack.unpack()
    check(requests, outs, folder)
    pipeline = MiniaturePipeline(folder)
    pipeline.align(requests[0])
    loaded(time.perf_counter() - began)
    workers = min(len(requests), os.cpu_count() or 1)
    pipes = [pipeline.pipe, *(pipeline.twin() for _ in range(workers - 1))]

    def one(request: PictureRequest, out: Path) -> Drawn:
        began, pipe = time.perf_counter(), pipes.pop()
        picture = pipeline.sample(pipe, request)
        pipes.append(pipe)
        picture.save(out)
        return Drawn(out, time.perf_counter() - began, hashlib.sha256(out.read_bytes()).hexdigest())

    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(one, requests, outs)
