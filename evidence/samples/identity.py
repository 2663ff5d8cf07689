"""What determines a sample, and its key: the sha256 of that as canonical JSON.

Everything that makes the number is in: weights by their digest, settings, prompt, seed, our own code, and the release
of the libraries that compute. What only describes a generator or a scorer (label, licence, price) is not. The part that
is the same for all samples of a card is read once (`functools.cached_property` of `jobs.plan.Participants`), so that a
key costs microseconds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from evidence.cards.models import ModelCard
from evidence.cards.scorers import ScorerCard
from evidence.registry import GENERATORS, SCORERS
from evidence.samples.source_digest import source_digest

if TYPE_CHECKING:
    from PIL.Image import Image

Stage = Literal["generate", "score", "judge"]

# how many parts of a library's version name the code that computes: before 1.0 the second part breaks things too
_RELEASE = {"diffusers": 2, "transformers": 1}

# what a card says of a scorer that no score depends on; `batch` because a batch always has one shape (scorers/base.py)
_ABOUT = {
    "id", "label", "role", "files", "base_files", "detector_files", "prepare", "batch", "output", "range", "aligned",
    "base_encoder", "licence", "gated", "shape", "parameters", "memory_gib", "tflop", "unknown", "note",
    "usd_per_comparison", "timeout", "key_env", "beside",
}  # fmt: skip


# made once: json.dumps makes an encoder for every call that departs from its defaults
_SPELL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def canonical(identity: Mapping[str, object]) -> str:
    """One spelling per mapping: sorted keys, no spaces, no NaN."""
    return _SPELL(identity)


def key_of(stage: Stage, identity: Mapping[str, object]) -> str:
    return hashlib.sha256(canonical({"stage": stage, **identity}).encode()).hexdigest()


def of_generator(card: ModelCard) -> dict[str, Any]:
    """What of a card determines its pictures, the settings left aside."""
    return {
        "adapter": card.adapter,
        "weights": card.weights,
        "transformer": card.transformer,
        "lora": card.lora,
        "lora_scale": card.lora_scale,
        "revision": card.revision,
        "code": source_digest(GENERATORS[card.adapter].module),
        "libraries": {} if card.remote else releases("diffusers", "transformers"),
    }


def of_scorer(card: ScorerCard) -> dict[str, Any]:
    """What of a card determines its scores."""
    told = card.model_dump(mode="json", exclude=_ABOUT)
    code = source_digest(SCORERS[card.adapter].module)
    libraries = {} if card.remote else releases("transformers")
    return {**told, "revision": card.revision, "code": code, "libraries": libraries}


@lru_cache(maxsize=8)
def releases(*libraries: str) -> dict[str, str]:
    """The releases of libraries that compute, as far as they name code: diffusers 0.42, transformers 5."""
    found = {}
    for library in libraries:
        try:
            version = metadata.version(library)
        except metadata.PackageNotFoundError:
            version = "absent"
        found[library] = ".".join(version.split(".")[: _RELEASE[library]])
    return found


def reads_prompt(card: ScorerCard) -> bool:
    """Whether a score depends on the prompt at all."""
    return card.role != "annotator" and card.text_window != 0


def pixel_digest(image: Image) -> str:
    """sha256 of size and RGB pixels: what a scorer sees, whatever encoder wrote the file."""
    rgb = image.convert("RGB")
    return hashlib.sha256(f"{rgb.width}x{rgb.height}:".encode() + rgb.tobytes()).hexdigest()


@lru_cache(maxsize=65536)
def _digest(path: Path, size: int, changed: int, renamed: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def file_digest(path: Path) -> str:
    """sha256 of a file's bytes, read once for as long as size, time of change and inode time stay."""
    stat = path.stat()
    return _digest(path, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
