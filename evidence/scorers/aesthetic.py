"""Aesthetic Predictor V2.5: the pooled picture embedding of SigLIP, brought to length one, and five linear layers.

The repository of SigLIP holds a text half as well, which is left unread; every key of the picture half must fit. The
head's file numbers its layers as a sequence with dropout between them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import torch
from PIL.Image import Image
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoImageProcessor, SiglipVisionConfig, SiglipVisionModel

from evidence.interfaces import Score
from evidence.scorers.aesthetic_card import AestheticCard
from evidence.scorers.base import LocalScorer, base_of, build, file_of, fit, read_state

WIDTHS = (1024, 128, 64, 16, 1)
PICTURES = "vision_model."


class AestheticScorer(LocalScorer):
    """About 1 to 10; higher is preferred. A picture has one score whatever the prompt."""

    text_window = 0

    def __init__(self, card: AestheticCard, device: str = "cpu") -> None:
        super().__init__(card, device)
        base, head = base_of(card), file_of(card, card.checkpoint)
        self.encoder = self.place(open_encoder(base, card.encoder))
        self.head = self.place(open_head(head, self.encoder.config.hidden_size), torch.float32)
        self.processor = AutoImageProcessor.from_pretrained(base, backend="pil", trust_remote_code=False)

    def values(self, images: Sequence[Image], prompts: Sequence[str]) -> list[Score]:
        pixels = self.processor(images=list(images), return_tensors="pt").pixel_values
        embedded = self.encoder(pixel_values=self.send(pixels)).pooler_output
        found: Tensor = self.head(functional.normalize(embedded.float(), dim=-1))
        return [float(value) for value in found[:, 0]]


def open_encoder(base: Path, file: str) -> SiglipVisionModel:
    """The picture half of a SiglipModel directory."""
    config = SiglipVisionConfig(**json.loads((base / "config.json").read_text("utf-8"))["vision_config"])
    whole = read_state(base / file)
    half = {key.removeprefix(PICTURES): part for key, part in whole.items() if key.startswith(PICTURES)}
    return fit(build(lambda: SiglipVisionModel(config)), half, base / file, {key: PICTURES + key for key in half})


def open_head(path: Path, width: int) -> nn.Sequential:
    """The linear layers of the checkpoint, without the dropout between them."""
    layers = build(lambda: nn.Sequential(*(nn.Linear(*pair) for pair in pairwise((width, *WIDTHS)))))
    numbers = {f"scoring_head.{2 * place}": str(place) for place in range(len(WIDTHS))}
    state, origin = {}, {}
    for key, part in read_state(path).items():
        layer, _, name = key.rpartition(".")
        place = f"{numbers.get(layer, layer)}.{name}"
        state[place], origin[place] = part, key
    return fit(layers, state, path, origin)
