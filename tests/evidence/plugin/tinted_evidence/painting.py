"""A generator that paints a tint of the prompt's and the seed's choosing, and a scorer that measures brightness."""

from __future__ import annotations

import hashlib

from PIL import Image, ImageStat

from evidence.cards.models import ModelCard
from evidence.interfaces import Request, Score
from evidence.registry import Setting
from ledger.schema import Recipe
from tinted_evidence.adapters import BrightnessCard


class Tint:
    def __init__(self, card: ModelCard, settings: dict[str, Setting], device: str) -> None:
        self.card, self.settings = card, settings
        self.recipe = Recipe(model=card.weights, revision=card.revision, adapter=card.adapter, settings=settings)

    def under(self, settings: dict[str, Setting], card: ModelCard | None = None) -> Tint:
        return Tint(card or self.card, settings, "cpu")

    def generate(self, requests: list[Request]) -> list[Image.Image]:
        return [self._painted(request) for request in requests]

    def truncated(self, prompts: list[str], negatives: list[str] | None = None) -> list[bool]:
        return [False for _ in prompts]

    def _painted(self, request: Request) -> Image.Image:
        red, green, blue = hashlib.sha256(f"{request.prompt}\0{request.seed}".encode()).digest()[:3]
        size = int(str(self.settings["width"])), int(str(self.settings["height"]))
        picture = Image.linear_gradient("L").resize(size)
        warm = int(red + (255 - red) * float(str(self.settings["warmth"])))
        return Image.merge(
            "RGB", [picture.point(lambda grey, top=top: grey * top // 255) for top in (warm, green, blue)]
        )


class Brightness:
    def __init__(self, card: BrightnessCard, device: str) -> None:
        self.card = card

    def score(self, images: list[Image.Image], prompts: list[str]) -> list[Score]:
        return [(ImageStat.Stat(image.convert("L")).mean[0] / 255) ** self.card.power for image in images]

    def truncated(self, prompts: list[str]) -> list[bool]:
        return [False for _ in prompts]
