"""Pictures that are no pictures: the solid blue of a failed call, a blank, the black of a safety checker.

One of them in a table would pass for an ugly picture that a model was asked for. The bounds are tight, since dark,
foggy and faded pictures are what is under test: only what has next to no content at all is refused.
"""

from __future__ import annotations

import cv2
import numpy as np
from PIL.Image import Image

BLUE = 250.0  # mean of the blue channel above which, with red and green below DARK, a picture is the placeholder
DARK = 5.0
FLAT = 0.5  # standard deviation, in grey levels, below which every channel counts as constant
SPREAD = 3  # ... if, besides, all but one in ten thousand of its pixels lie within this many levels


def reason_to_refuse(image: Image) -> str:
    """Why this RGB picture is not evidence; empty for a picture. Milliseconds for one, more for a blank."""
    pixels = np.asarray(image.convert("RGB"))
    means, deviations = (found[:, 0] for found in cv2.meanStdDev(pixels))
    red, green, blue = means
    if blue > BLUE and red < DARK and green < DARK:
        return "solid blue, the placeholder of a failed call"
    if (deviations >= FLAT).any():
        return ""
    low, high = np.quantile(pixels.reshape(-1, 3), [0.00005, 0.99995], axis=0)
    if (high - low > SPREAD).any():
        return ""
    return "black, as a safety checker leaves it" if means.mean() < DARK else "blank: one colour throughout"
