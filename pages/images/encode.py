"""Encodes renditions: runs in worker processes, and imports cv2 and Pillow only there.

AVIF at quality 60 and speed 9 with area resizing is the cheapest good codec that was measured: benchmarks/site.py.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pages.cache.store import atomic_write

if TYPE_CHECKING:
    from pages.images.jobs import Array, EncodeJob

FEW = 3  # works for which a pool of processes would cost more than it saves


def encode_all(missing: list[EncodeJob], root: Path, cache: Path, jobs: int) -> Iterable[tuple[EncodeJob, str]]:
    if len(missing) <= FEW or jobs <= 1:
        yield from ((work, encode(work, root, cache)) for work in missing)
        return
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    # A fork of a process that has threads, as OpenCV starts them, can wait for a lock that nobody holds any more.
    alone = sys.platform == "linux" and "cv2" not in sys.modules and threading.active_count() == 1
    context = get_context("fork" if alone else "spawn")
    with ProcessPoolExecutor(min(jobs, len(missing)), mp_context=context) as pool:
        chunk = max(1, min(8, len(missing) // (4 * jobs)))  # a message between processes costs as much as a small file
        yield from zip(missing, pool.map(encode, missing, repeat(root), repeat(cache), chunksize=chunk), strict=True)


def encode(work: EncodeJob, root: Path, cache: Path) -> str:
    """Make the files of one EncodeJob; the reason when that is impossible, else an empty string."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy would start a thread a core to multiply nothing
    try:
        image = _pixels(work, root)
        if work.kind == "copy":
            atomic_write(cache / work.outputs[0][0], (root / work.path).read_bytes())
            work = work._replace(outputs=work.outputs[1:])
        if work.outputs:
            _save_all(image, work, cache)
    except (OSError, ValueError, SyntaxError, MemoryError) as error:
        return str(error) or type(error).__name__
    return ""


def _pixels(work: EncodeJob, root: Path) -> Array:
    if work.plate is not None:
        return work.plate.draw(root, work.plate.inputs)
    from effects.decode import decode

    image = decode(root / work.path, max_pixels=work.codec.max_pixels)
    if work.kind == "treated":
        import effects

        return effects.apply(image, work.treatment, work.severity, work.seed)
    return image


def _save_all(image: Array, work: EncodeJob, cache: Path) -> None:
    import cv2
    from PIL import Image

    cv2.setNumThreads(1)
    codec = work.codec
    settings: dict[str, dict[str, Any]] = {
        "avif": {"quality": codec.avif_quality, "speed": codec.avif_speed, "max_threads": 1},
        "jpeg": {"quality": codec.fallback_quality},
        "webp": {"quality": codec.fallback_quality, "method": 2},
        "png": {"optimize": True},
    }
    if image.ndim == 3 and image.shape[2] == 4 and work.outputs[-1][3] == "webp" and bool((image[..., 3] == 255).all()):
        image = image[..., :3]
    scaled: dict[int, Any] = {}
    for name, width, height, form in work.outputs:
        if width not in scaled:
            whole = (height, width) == image.shape[:2]
            pixels = image if whole else cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
            scaled[width] = Image.fromarray(pixels)
        part = cache / f".{os.getpid()}-{name}"  # told the form by the name's ending, Pillow loads no other plugin
        scaled[width].save(part, **settings[form])
        part.replace(cache / name)
