"""Pictures into square tensors, as the published scorers do it, with PIL and torch only.

Two framings: shortest side and centre crop (OpenAI clip, ImageReward), and longest side with black bars (HPSv2's own
open_clip). They differ by up to 3.0 after normalisation on a picture that is not square: not interchangeable.
"""

from __future__ import annotations

import numpy as np
import torch
from PIL.Image import Image, Resampling
from torch import Tensor
from torch.nn import functional

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_DEVIATION = (0.26862954, 0.26130258, 0.27577711)


def cropped(image: Image, side: int) -> Tensor:
    """RGB picture -> (3, side, side) float32, normalised: bicubic to the shortest side, then the centre."""
    width, height = image.size
    if width <= height:
        resized = image.resize((side, int(side * height / width)), Resampling.BICUBIC)
    else:
        resized = image.resize((int(side * width / height), side), Resampling.BICUBIC)
    left, top = (round((length - side) / 2.0) for length in resized.size)
    return normalised(unit(resized.crop((left, top, left + side, top + side))))


def padded(image: Image, side: int) -> Tensor:
    """RGB picture -> (3, side, side) float32, normalised: bicubic to the longest side, zeros around.

    The bars are black before normalisation, not zero after it. Resampling is done on floats with antialiasing and is
    not clamped, as torchvision 0.17 and later do it on tensors."""
    pixels = unit(image)
    height, width = pixels.shape[1:]
    scale = side / float(max(height, width))
    if scale != 1.0:
        size = (round(height * scale), round(width * scale))
        pixels = functional.interpolate(pixels[None], size, mode="bicubic", align_corners=False, antialias=True)[0]
    down, across = side - pixels.shape[1], side - pixels.shape[2]
    return normalised(functional.pad(pixels, (across // 2, across - across // 2, down // 2, down - down // 2)))


def unit(image: Image) -> Tensor:
    """RGB picture -> (3, height, width) float32 in 0..1."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).to(torch.float32).div(255)


def normalised(pixels: Tensor) -> Tensor:
    """By CLIP's channel means and deviations."""
    return (pixels - torch.tensor(CLIP_MEAN)[:, None, None]) / torch.tensor(CLIP_DEVIATION)[:, None, None]
