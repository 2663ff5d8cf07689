"""Encodes renditions: runs in worker processes, and imports cv2 and Pillow only there.

AVIF at quality 60 and speed 9 with area resizing is the cheapest good codec that was measured: benchmarks/site.py.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable, Sequence
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ledger.files import replace_bytes, replacing
from pages.images.metadata import without_metadata

if TYPE_CHECKING:
    from pages.images.jobs import Array, Codec, EncodeJob, Output

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
        if work.copied:
            content = without_metadata((root / work.path).read_bytes(), work.copied.form)
            if content is None:
                raise ValueError(f"'{Path(work.path).name}' changed while it was read")
            replace_bytes(cache / work.copied.name, content, durable=False)
        outputs = [output for output in work.outputs if output != work.copied]
        pixels = _pixels(work, root)
        if outputs:
            _save_all(pixels, outputs, work.codec, cache)
    except (OSError, ValueError, SyntaxError, MemoryError, RuntimeError) as error:
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


def _save_all(image: Array, outputs: Sequence[Output], codec: Codec, cache: Path) -> None:
    import cv2
    from PIL import Image

    cv2.setNumThreads(1)
    settings: dict[str, dict[str, Any]] = {
        "avif": {"quality": codec.avif_quality, "speed": codec.avif_speed, "max_threads": 1},
        "jpeg": {"quality": codec.fallback_quality},
        "webp": {"quality": codec.fallback_quality, "method": 2},
        "png": {"optimize": True},
    }
    if image.shape[2] == 4 and bool((image[..., 3] == 255).all()):
        image = image[..., :3]
    scaled: dict[int, Any] = {}
    for name, width, height, form in outputs:
        if width not in scaled:
            scaled[width] = Image.fromarray(_resized(image, width, height))
        # told the form by the name's ending, Pillow loads no other plugin
        with replacing(cache / name, Path(name).suffix) as draft:
            scaled[width].save(draft, **settings[form])


def _resized(image: Array, width: int, height: int) -> Array:
    """At another size by area; colours weighted by their alpha, or the hidden ones would show at every edge."""
    import cv2
    import numpy as np

    if image.shape[2] == 3:
        same = (height, width) == image.shape[:2]
        return image if same else np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    weighted = image.astype(np.uint16)
    weighted[..., :3] *= weighted[..., 3:]
    weighted[..., 3] *= 255
    small = cv2.resize(weighted, (width, height), interpolation=cv2.INTER_AREA)
    return _straight(small.astype(np.float32))


def _straight(weighted: Any) -> Array:
    """Straight uint8 of premultiplied colours and alpha, both 0..255**2. What is transparent takes the colour of its
    surroundings, which a lossy codec smears into the edge."""
    import cv2
    import numpy as np

    around = cv2.blur(weighted, (9, 9))
    visible = weighted[..., 3:] > 0
    known = np.where(visible, weighted, around)
    colours = 255 * known[..., :3] / np.maximum(known[..., 3:], 1)
    straight = np.concatenate([colours, weighted[..., 3:] / 255], axis=-1)
    return np.asarray(np.rint(np.minimum(straight, 255)), np.uint8)
