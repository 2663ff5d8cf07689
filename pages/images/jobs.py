"""Codec settings, pictures drawn at build time, and encode jobs that name their files before these exist."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[np.uint8]]

PLACE = "assets/pictures"  # below site/
FILED = "assets/filed"  # pictures as they were filed, which no page loads and a link leads to
TYPES = {"avif": "image/avif", "jpeg": "image/jpeg", "webp": "image/webp", "png": "image/png"}


@dataclass(frozen=True)
class Codec:
    """How renditions are made: widths in pixels, qualities 0..100, limit in pixels of an input."""

    widths: tuple[int, ...] = (360, 720, 1280)
    avif_quality: int = 60
    avif_speed: int = 9
    fallback_quality: int = 80
    max_pixels: int = 40_000_000


@dataclass(frozen=True)
class GeneratedImage:
    """A picture drawn at build time: `draw(root, inputs)` -> uint8 HxWx3 or HxWx4. Drawn anew when `inputs`, the bytes
    of `files` or the code that draws plates and cards or effects/ change. `draw` is a module-level function."""

    name: str
    width: int
    height: int
    draw: Callable[[Path, Mapping[str, Any]], Array]
    inputs: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[str, ...] = ()  # relative to the root
    alt: str = ""
    form: str = "photo"  # "photo": AVIF + fallback in several widths; "png": one lossless file, for cards and line art


class Output(NamedTuple):
    """A file to make, its size in pixels and its form."""

    name: str
    width: int
    height: int
    form: str


class EncodeJob(NamedTuple):
    """One input, the files to make of it, and what a template needs of them for <picture>: addresses below site/.

    `copied` holds the input's own bytes without metadata: the first of `outputs`, or a file beside them to link to.
    """

    key: str
    kind: str  # "file", "treated" or "plate"
    path: str
    outputs: tuple[Output, ...]  # the fallback is the last
    codec: Codec
    copied: Output | None = None
    treatment: str = ""
    severity: float = 0.0
    seed: int = 0
    plate: GeneratedImage | None = None

    @property
    def files(self) -> dict[str, str]:
        """Address below site/ -> name of every file."""
        beside = {f"{FILED}/{self.copied.name}": self.copied.name} if self.copied else {}
        shown = {f"{PLACE}/{output.name}": output.name for output in self.outputs}
        return shown if self.copied in self.outputs else shown | beside

    @property
    def sources(self) -> tuple[tuple[str, str], ...]:
        """(media type, srcset with {root} before each address) of every form but the fallback's."""
        forms: dict[str, list[str]] = {}
        for name, width, _, form in self.outputs:
            forms.setdefault(form, []).append(f"{{root}}{PLACE}/{name} {width}w")
        return tuple((TYPES[form], ", ".join(files)) for form, files in forms.items() if form != self.outputs[-1][3])

    @property
    def fallback(self) -> tuple[str, int, int, str]:
        """Address, width, height and media type of the file that every program can show."""
        name, width, height, form = self.outputs[-1]
        return f"{PLACE}/{name}", width, height, TYPES[form]

    @property
    def widest(self) -> tuple[str, int, int]:
        """Address, width and height."""
        name, width, height, _ = max(self.outputs, key=lambda out: out.width)
        return f"{PLACE}/{name}", width, height

    @property
    def filed(self) -> str:
        """Address of the picture as it was filed, or of the widest rendition where its bytes cannot be published."""
        return self.widest[0] if self.copied is None or self.copied in self.outputs else f"{FILED}/{self.copied.name}"
