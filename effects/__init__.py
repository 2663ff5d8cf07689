"""Twenty-seven treatments that degrade a picture on purpose, each with a metric of its effect.

`apply(image, name, severity, seed)`, `measure(name, before, after)`, `TREATMENTS`; picture files are read by
`effects.decode`. OpenCV is loaded when a treatment is asked for, not when the package is imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from effects.api import TREATMENTS, apply, measure
    from effects.treatment import Treatment

__all__ = ["TREATMENTS", "Treatment", "apply", "measure"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'effects' has no attribute '{name}'")
    from effects import api

    return getattr(api, name)
