"""How well a face matches a sentence: a detector finds the face, and BLIP reads the crop instead of the whole picture.

The detector is of Grounding DINO's family, as LLMDet with which the publication crops: it is asked for words, and the
surest of its boxes above a threshold is taken. It computes in float32. A picture in which it finds none has no match,
which is a result and not a failure.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL.Image import Image
from transformers import (
    AutoModelForZeroShotObjectDetection,
    AutoTokenizer,
    GroundingDinoImageProcessorPil,
    GroundingDinoProcessor,
)

from evidence.interfaces import Score
from evidence.scorers.base import open_model
from evidence.scorers.blip import ItmScorer
from evidence.scorers.faces_card import FaceCard
from evidence.weights import fetch

FACE, MATCH = "face", "match"
Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels


class FaceScorer(ItmScorer):
    """`face`: 1 where one was found, else 0; `match`: how well it matches the prompt, where one was."""

    card: FaceCard

    def __init__(self, card: FaceCard, device: str = "cpu") -> None:
        super().__init__(card, device)
        folder = fetch(card.detector, card.detector_files).path
        self.detector = self.place(open_model(AutoModelForZeroShotObjectDetection, folder), torch.float32)
        reader = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        self.reader = GroundingDinoProcessor(GroundingDinoImageProcessorPil.from_pretrained(folder), reader)

    def values(self, images: Sequence[Image], prompts: Sequence[str]) -> list[Score]:
        return [self._score(image, prompt) for image, prompt in zip(images, prompts, strict=True)]

    def _score(self, image: Image, prompt: str) -> Score:
        box = self.face(image)
        if box is None:
            return {FACE: 0.0}
        return {FACE: 1.0, MATCH: self.matches([image.crop(box)], [prompt])[0]}

    def face(self, image: Image) -> Box | None:
        """The surest box above the threshold of which a pixel lies in the picture."""
        told = self.reader(images=image, text=[[self.card.query]], return_tensors="pt").to(self.device)
        found = self.reader.post_process_grounded_object_detection(
            self.detector(**told), threshold=self.card.threshold, target_sizes=[(image.height, image.width)]
        )[0]
        for at in found["scores"].argsort(descending=True, stable=True).tolist():
            left, top, right, bottom = (round(edge) for edge in found["boxes"][at].tolist())
            box = max(left, 0), max(top, 0), min(right, image.width), min(bottom, image.height)
            if box[0] < box[2] and box[1] < box[3]:
                return box
        return None
