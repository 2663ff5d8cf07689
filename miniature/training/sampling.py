"""Batches of pictures from the generator and its variants, with labels by the judge and scores.

The batched counterpart of `draw` for measurement on a GPU: same noise, same steps, same guidance.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from miniature.nets import flow, lowrank, shapes
from miniature.nets.flow import Text
from miniature.shipping import pack
from miniature.training import generator, rewards
from miniature.training.common import device, embed_images, embed_texts
from miniature.training.judge import verdicts

BATCH = {"cuda": 64, "cpu": 4}
PLACEBO = 0  # seed of the order in which a placebo's rows stand


class BatchSampler:
    """A training folder's models on the device."""

    def __init__(self, folder: Path, sizes: shapes.Sizes, scorers: tuple[str, ...] = ()) -> None:
        from transformers import ResNetForImageClassification

        self.folder, self.sizes, self.device = folder, sizes, device()
        self.parts = generator.load(folder, self.device)
        self.judge: Any = ResNetForImageClassification.from_pretrained(folder / "judge" / "model")
        self.judge.to(self.device).eval()
        self.scorers = {name: rewards.load(folder, name, self.device) for name in scorers}
        self._attached: dict[str, lowrank.LowRank] = {}
        self._noise: dict[tuple[int, ...], Tensor] = {}

    def align(self, arm: str | None, strength: float = 1.0, *, raw: bool = False) -> None:
        """Use an aligned variant at a strength, in multiples of its unit or, `raw`, of what was trained; None removes
        it. "placebo-NAME" is the placebo of a variant."""
        from safetensors.torch import load_file

        if self._attached:
            lowrank.detach(self.parts["transformer"], self._attached)
            self._attached = {}
        if arm is None or strength == 0:
            return
        name = arm.removeprefix("placebo-")
        stored = load_file(self.folder / "alignment" / f"{name}.safetensors")
        stored = lowrank.placebo(stored, PLACEBO) if name != arm else stored
        self._attached = lowrank.attach(self.parts["transformer"], lowrank.FLUX_LAYERS, lowrank.rank_of(stored), 0)
        lowrank.install(self._attached, {key: value.to(self.device) for key, value in stored.items()})
        unit = 1.0 if raw else pack.units_of(self.folder).get(pack.variant(name), 1.0)
        lowrank.set_scale(self._attached, strength * unit)

    def read(self, captions: list[str]) -> Text:
        with torch.no_grad(), self._half():
            return generator.read(self.parts, captions, self.device)

    def generate(
        self, captions: list[str], seeds: list[int], *, negative: str = "", source: Tensor | None = None, start: int = 0
    ) -> Tensor:
        """Pictures (n, 3, size, size) in -1..1, rounded to bytes as a file would be.

        With `source` (pictures in -1..1) image-to-image from step `start`.
        """
        away = self.read([negative])
        done = []
        batch = BATCH[self.device.type]
        for at in range(0, len(captions), batch):
            part = slice(at, at + batch)
            packed = self._start(seeds[part])
            with torch.no_grad(), self._half():
                if source is not None:
                    level = flow.sigmas(flow.STEPS)[start]
                    packed = (1 - level) * flow.encode(self.parts["vae"], source[part]).float() + level * packed
                text = self.read(captions[part])
                packed = flow.sample(self.parts["transformer"], packed, text, away, start=start)
                done.append(flow.decode(self.parts["vae"], packed).float())
        pictures = torch.cat(done).clamp(-1, 1)
        return ((pictures + 1) * 127.5).round() / 127.5 - 1

    def _half(self) -> torch.autocast:
        """bfloat16, on the CPU too: measurement needs many pictures more than it needs their last bit."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.sizes is not shapes.TINY)

    def _start(self, seeds: list[int]) -> Tensor:
        key = tuple(seeds)
        if key not in self._noise:
            self._noise[key] = flow.noise(seeds, self.sizes.latent_channels, self.sizes.latent).to(self.device)
        return self._noise[key]

    def verdicts(self, pictures: Tensor) -> np.ndarray:
        """bool (n, labels): what the judge finds."""
        with self._half():
            return np.asarray((verdicts(self.judge, pictures) > 0).cpu().numpy())

    def decoded(self, pictures: Tensor) -> Tensor:
        """Pictures after a way through the autoencoder, rounded to bytes."""
        with torch.no_grad(), self._half():
            packed = flow.encode(self.parts["vae"], pictures).float()
            seen = flow.decode(self.parts["vae"], packed).float().clamp(-1, 1)
        return ((seen + 1) * 127.5).round() / 127.5 - 1

    def embed(self, pictures: Tensor, scorer: str = "encoder") -> Tensor:
        """Unit vectors of pictures by a scorer."""
        with torch.no_grad(), self._half():
            return torch.cat([embed_images(self.scorers[scorer], part) for part in torch.split(pictures, 256)])

    def embed_text(self, captions: list[str], scorer: str = "encoder") -> Tensor:
        tokens = generator.tokens_of(captions, self.device)
        with torch.no_grad(), self._half():
            return torch.cat([embed_texts(self.scorers[scorer], part) for part in torch.split(tokens, 512)])
