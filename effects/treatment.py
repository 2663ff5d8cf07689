"""What a treatment is: a pure function with its declaration beside it.

`@treatment(...)` turns `(image, severity, rng) -> image` into a `Treatment`. The function sees what `effects.apply` has
checked: a C-contiguous uint8 HxWx3 RGB array, 0 < severity <= 1, a generator of its own. It must leave its input alone,
draw the same numbers whatever the severity is (so that more severity extends the same damage) and keep the shape.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Plane = npt.NDArray[np.float32]
Function = Callable[[Image, float, "np.random.Generator"], Image]  # which takes as long to import as OpenCV
Metric = Callable[[Image, Image], float]


@dataclass(frozen=True)
class Treatment:
    """One sub-category of the taxonomy as an operation on pixels.

    metric: `(before, after) -> float`, both uint8 HxWx3; 0 for an untouched picture, and larger the more severe.
    metric_label: what the metric measures, with its unit.
    source: where the method comes from.
    """

    name: str
    category: str
    label: str
    function: Function
    metric: Metric
    metric_label: str
    source: str

    def __call__(self, image: Image, severity: float, rng: np.random.Generator) -> Image:
        return self.function(image, severity, rng)


def treatment(*, label: str, metric: Metric, metric_label: str, source: str) -> Callable[[Function], Treatment]:
    """Declare the function below as the treatment of its own name, in the category its module is named after."""

    def declare(function: Function) -> Treatment:
        category = function.__module__.rpartition(".")[2]
        return Treatment(function.__name__, category, label, function, metric, metric_label, source)

    return declare
