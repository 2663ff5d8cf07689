"""Encodes renditions: runs in worker processes, and imports Pillow only there.

AVIF at quality 60 and speed 9 is the cheapest good codec that was measured (benchmarks/site.py). Pillow's Hamming
window makes of a photograph nearly the pixels of an average over areas, 0.5 of 255 apart, and as many bytes.
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
    from PIL.Image import Image

    from pages.images.jobs import Codec, EncodeJob, Output

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
    with ProcessPoolExecutor(min(jobs, len(missing)), context, initializer=_end_with_parent) as pool:
        chunk = max(1, min(8, len(missing) // (4 * jobs)))  # a message between processes costs as much as a small file
        yield from zip(missing, pool.map(encode, missing, repeat(root), repeat(cache), chunksize=chunk), strict=True)


def _end_with_parent() -> None:
    """A worker that outlives a killed build keeps what it inherited: its lock, for which every later build waits."""
    from multiprocessing import parent_process

    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


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
        picture = _picture(work, root)
        if outputs:
            _save_all(picture, outputs, work.codec, cache)
    except (OSError, ValueError, SyntaxError, MemoryError, RuntimeError) as error:
        return str(error) or type(error).__name__
    return ""


def _picture(work: EncodeJob, root: Path) -> Image:
    """In mode RGB or RGBA."""
    from PIL.Image import fromarray

    from effects.decode import decode, read

    if work.plate is not None:
        return fromarray(work.plate.draw(root, work.plate.inputs))
    if work.kind == "treated":
        import effects

        pixels = decode(root / work.path, max_pixels=work.codec.max_pixels)
        return fromarray(effects.apply(pixels, work.treatment, work.severity, work.seed))
    return read(root / work.path, max_pixels=work.codec.max_pixels)


def _save_all(picture: Image, outputs: Sequence[Output], codec: Codec, cache: Path) -> None:
    settings: dict[str, dict[str, Any]] = {
        "avif": {"quality": codec.avif_quality, "speed": codec.avif_speed, "max_threads": 1},
        "jpeg": {"quality": codec.fallback_quality},
        "webp": {"quality": codec.fallback_quality, "method": 2},
        "png": {"optimize": True},
    }
    if picture.mode == "RGBA" and picture.getchannel("A").getextrema() == (255, 255):
        picture = picture.convert("RGB")
    scaled: dict[int, Image] = {}
    for name, width, height, form in outputs:
        if width not in scaled:
            scaled[width] = _resized(picture, (width, height))
        # told the form by the name's ending, Pillow loads no other plugin
        with replacing(cache / name, Path(name).suffix) as draft:
            scaled[width].save(draft, **settings[form])


def _resized(picture: Image, size: tuple[int, int]) -> Image:
    """At another size; colours weighted by their alpha, or the hidden ones would show at every edge. What is
    transparent takes the colour of its surroundings, which a lossy codec smears into the edge."""
    from PIL.Image import Resampling, composite

    if picture.mode == "RGB":
        return picture if picture.size == size else picture.resize(size, Resampling.HAMMING)
    from PIL.ImageFilter import BoxBlur

    weighted = picture.convert("RGBa").resize(size, Resampling.HAMMING)
    straight, around = weighted.convert("RGBA"), weighted.filter(BoxBlur(4)).convert("RGBA")
    alpha = straight.getchannel("A")
    filled = composite(straight, around, alpha.point(lambda value: 255 * (value > 0)))
    filled.putalpha(alpha)
    return filled
