"""Pictures and words for Qwen vision-language models, without their processors (these need torchvision).

Builds what the official processors build: a ChatML turn with one placeholder token per merged patch, flat patches, the
patch grid, and which tokens are picture. Checked against the processor of transformers 4.45.2 (tests/evidence/golden).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL.Image import Image, Resampling
from torch import Tensor
from transformers import AutoTokenizer, Qwen2VLImageProcessorPil

PLACEHOLDER = "<|image_pad|>"
PICTURE = f"<|vision_start|>{PLACEHOLDER}<|vision_end|>"


@dataclass(frozen=True)
class Turn:
    """A batch of right-padded user turns with one picture each. All tensors have the batch first but `patches`."""

    ids: Tensor  # (turns, length) int64
    mask: Tensor  # (turns, length) 1 for real tokens
    kinds: Tensor  # (turns, length) 1 for picture tokens
    patches: Tensor  # (all patches, channels * 2 * patch * patch) float32
    grid: Tensor  # (turns, 3): frames, cards and columns of patches

    @property
    def last(self) -> Tensor:
        """Place of the last real token of every turn, wherever padding went."""
        places = torch.arange(self.mask.shape[1], device=self.mask.device)
        return (self.mask * places).argmax(dim=1)

    def to(self, device: torch.device) -> Turn:
        return Turn(*(t.to(device) for t in (self.ids, self.mask, self.kinds, self.patches, self.grid)))


def within_budget(width: int, height: int, pixels: int, factor: int) -> tuple[int, int]:
    """Width and height as multiples of `factor` with at most `pixels` pixels, at least as many where rounding up
    reaches them, and the same proportions as far as that allows. `pixels` is both bounds of Qwen's rule."""
    if max(width, height) > 200 * min(width, height):
        raise ValueError(f"a {width}x{height} picture is too long: at most 200 to 1")
    cards, columns = max(factor, round(height / factor) * factor), max(factor, round(width / factor) * factor)
    if cards * columns > pixels:
        shrink = math.sqrt(width * height / pixels)
        cards, columns = (math.floor(side / shrink / factor) * factor for side in (height, width))
    elif cards * columns < pixels:
        grow = math.sqrt(pixels / (width * height))
        cards, columns = (math.ceil(side * grow / factor) * factor for side in (height, width))
    return max(factor, columns), max(factor, cards)


class ChatInput:
    """Tokenizer and patch cutter of one model directory."""

    def __init__(self, folder: Path, extra_tokens: Sequence[str] = ()) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        if extra_tokens:
            self.tokenizer.add_special_tokens({"additional_special_tokens": list(extra_tokens)})
        self.cutter = Qwen2VLImageProcessorPil.from_pretrained(folder)
        self.factor: int = self.cutter.patch_size * self.cutter.merge_size
        self.placeholder = self.token(PLACEHOLDER)

    def token(self, text: str) -> int:
        """Id of one token. ValueError where the vocabulary does not have it as one."""
        ids: list[int] = self.tokenizer(text, add_special_tokens=False).input_ids
        if len(ids) != 1:
            raise ValueError(f"{text!r} is {len(ids)} tokens in this vocabulary, not one")
        return ids[0]

    def resized(self, image: Image, pixels: int) -> Image:
        return image.resize(within_budget(*image.size, pixels, self.factor), Resampling.BICUBIC)

    def turns(self, images: Sequence[Image], texts: Sequence[str]) -> Turn:
        """Texts hold `PICTURE` once; pictures have sides that are multiples of `factor` and are cut as they are."""
        cut = self.cutter(images=list(images), do_resize=False, return_tensors="pt")
        merged = cut.image_grid_thw.prod(dim=1) // self.cutter.merge_size**2
        whole = [text.replace(PLACEHOLDER, PLACEHOLDER * int(count)) for text, count in zip(texts, merged, strict=True)]
        tokens = self.tokenizer(whole, padding=True, padding_side="right", return_tensors="pt")
        kinds = (tokens.input_ids == self.placeholder).long()
        return Turn(tokens.input_ids, tokens.attention_mask, kinds, cut.pixel_values, cut.image_grid_thw)
