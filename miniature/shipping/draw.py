"""One picture by the shipped miniature, through the stock pipeline: the same wish, the same bytes.

One thread, so that the bytes do not depend on how many cores there are; another kind of processor, or another version
of torch, may still round differently by a grey level or two.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ledger.problems import InputError, Problem, did_you_mean
from miniature.shipping import pack
from miniature.world import vocabulary

if TYPE_CHECKING:
    from PIL.Image import Image

STEPS, GUIDANCE, SIZE = 8, 3.0, 256
FAMILIES = {"draft": "draft-s0", "dpo": "dpo-s0"}
FAMILY_NAMES = {"draft": "reward back-propagation", "dpo": "Diffusion-DPO"}
MOST = 1.5


@dataclass(frozen=True)
class Wish:
    """What to draw. `alignment` 0 is the base model, 1 the aligned one, at most 1.5; `arm` a shipped variant."""

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


def known_words(folder: Path) -> set[str]:
    """The vocabulary that the shipped models were trained with."""
    tokenizer = json.loads((folder / "pipeline" / "tokenizer" / "tokenizer.json").read_text())
    return set(tokenizer["model"]["vocab"]) - set(vocabulary.SPECIAL)


def check(prompt: str, folder: Path) -> None:
    """InputError with every word that the miniature never learnt and the nearest one that it knows."""
    missing = vocabulary.unknown(prompt, known_words(folder))
    if missing:
        raise InputError(
            Problem(
                "prompt", 0, f"'{word}'", "not a word of this world" + (f", did you mean '{near}'?" if near else "")
            )
            for word, near in missing.items()
        )


class Pencil:
    """The pipeline, loaded once, for any number of pictures."""

    def __init__(self, folder: Path | None = None, device: str = "cpu") -> None:
        import diffusers
        import torch
        import transformers
        from diffusers import FluxPipeline

        torch.set_num_threads(1)
        diffusers.utils.logging.disable_progress_bar()
        transformers.utils.logging.disable_progress_bar()
        self.folder = folder or pack.unpack()
        self.pipe: Any = FluxPipeline.from_pretrained(self.folder / "pipeline").to(device)
        self.pipe.set_progress_bar_config(disable=True)
        self._arms: set[str] = set()

    def draw(self, wish: Wish) -> Image:
        """RGB, 256 x 256. InputError for unknown words."""
        import torch

        for text in (wish.prompt, wish.negative):
            check(text, self.folder)
        self._align(wish)
        result = self.pipe(
            prompt=wish.prompt,
            negative_prompt=wish.negative,
            true_cfg_scale=GUIDANCE,
            num_inference_steps=STEPS,
            height=SIZE,
            width=SIZE,
            max_sequence_length=vocabulary.LENGTH,
            generator=torch.Generator().manual_seed(wish.seed),
        )
        picture: Image = result.images[0]
        return picture

    def _align(self, wish: Wish) -> None:
        if wish.alignment == 0:
            if self._arms:
                self.pipe.disable_lora()
            return
        name = wish.arm.replace("-", "_")
        if wish.arm not in self._arms:
            self.pipe.load_lora_weights(self.folder / "alignment" / wish.arm, adapter_name=name)
            self._arms.add(wish.arm)
        self.pipe.enable_lora()
        self.pipe.set_adapters([name], [wish.alignment])


def to_file(wish: Wish, out: Path) -> tuple[float, str]:
    """Draw into a PNG file; seconds without loading, SHA-256 of the file. InputError for what is not there."""
    import hashlib

    folder = pack.unpack()
    for text in (wish.prompt, wish.negative):
        check(text, folder)
    arms = sorted(path.name for path in (folder / "alignment").iterdir())
    if wish.alignment and wish.arm not in arms:
        near = did_you_mean(wish.arm, arms)
        raise InputError([Problem("--family", 0, wish.arm, f"no such variant{near} There are: {', '.join(arms)}")])
    pencil = Pencil(folder)
    began = time.perf_counter()
    picture = pencil.draw(wish)
    seconds = time.perf_counter() - began
    picture.save(out)
    return seconds, hashlib.sha256(out.read_bytes()).hexdigest()
