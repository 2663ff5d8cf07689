"""An image classifier as a judge: which labels a picture shows, each with its own probability. No prompt is read."""

from __future__ import annotations

from collections.abc import Sequence

from PIL.Image import Image
from transformers import AutoImageProcessor, AutoModelForImageClassification

from evidence.interfaces import Score
from evidence.scorers.base import LocalScorer, base_of, open_model, weights_of
from evidence.scorers.classifier_card import ClassifierCard


class ClassifierScorer(LocalScorer):
    """`{label: probability 0..1}` in the order of the model's labels; they need not sum to one."""

    text_window = 0

    def __init__(self, card: ClassifierCard, device: str = "cpu") -> None:
        super().__init__(card, device)
        self.model = self.place(open_model(AutoModelForImageClassification, weights_of(card)))
        self.processor = AutoImageProcessor.from_pretrained(base_of(card), backend="pil", trust_remote_code=False)
        self.labels = [self.model.config.id2label[i] for i in range(self.model.config.num_labels)]

    def values(self, images: Sequence[Image], prompts: Sequence[str]) -> list[Score]:
        pixels = self.processor(images=list(images), return_tensors="pt").pixel_values
        shares = self.model(pixel_values=self.send(pixels)).logits.float().sigmoid()
        return [dict(zip(self.labels, card.tolist(), strict=True)) for card in shares]
