"""Scores of a picture by the encoder and the main reward, and labels by the judge, from the unpacked weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from miniature.world import vocabulary

REWARD = "gatenone-low-s0"


class Critics:
    """Encoder, main reward and judge, from the unpacked weights."""

    def __init__(self, folder: Path) -> None:
        import torch
        from transformers import CLIPModel, ResNetForImageClassification

        torch.set_num_threads(1)
        self.names = {"encoder": folder / "encoder", "reward": folder / "rewards" / REWARD}
        self.models: dict[str, Any] = {
            name: CLIPModel.from_pretrained(path).eval() for name, path in self.names.items()
        }
        self.judge: Any = ResNetForImageClassification.from_pretrained(folder / "judge").eval()
        words_file = json.loads((folder / "pipeline" / "tokenizer" / "tokenizer.json").read_text())
        known = words_file["model"]["vocab"]
        self.known = sorted((word for word in known if known[word] >= len(vocabulary.SPECIAL)), key=known.__getitem__)
        self.labels = [self.judge.config.id2label[number] for number in range(self.judge.config.num_labels)]

    def scores(self, picture: Image.Image, prompt: str) -> dict[str, float]:
        """Cosine of picture and prompt, by scorer."""
        import torch

        from miniature.training.common import embed_images, embed_texts

        pixels, tokens = _pixels(picture), torch.from_numpy(vocabulary.encode([prompt], self.known).astype("int64"))
        with torch.no_grad():
            return {
                name: float((embed_images(model, pixels) * embed_texts(model, tokens)).sum())
                for name, model in self.models.items()
            }

    def verdicts(self, picture: Image.Image, prompt: str) -> list[str]:
        """What the judge sees, in words: treatments, feelings, and objects that the prompt names.

        With a false alarm in a hundred for each of 68 objects, two pictures in three would be said to hold another.
        """
        import torch

        with torch.no_grad():
            logits = self.judge(pixel_values=_pixels(picture)).logits[0]
        found = [label.split(":") for label, logit in zip(self.labels, logits.tolist(), strict=True) if logit > 0]
        words = [(kind, name.replace("_", " ")) for kind, name in found if kind in ("treatment", "emotion", "object")]
        return [said for kind, said in words if kind != "object" or said in prompt]


def _pixels(picture: Image.Image) -> Any:
    import torch

    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 127.5 - 1
