"""Source pictures -> responsive AVIF with a JPEG or WebP fallback, each made once.

A rendition is named by the sha256 of its input bytes, codec settings and code version, so a page can name it before
it exists; `PictureBook.make` then encodes what the cache lacks, one process per core. Refused: truncated or unreadable
pictures, more pixels than the limit, links and `..` that lead out of the tree. AVIF at quality 60 and speed 9 with area
resizing is the cheapest good codec that was measured: benchmarks/site.py.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ledger.problems import did_you_mean

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[np.uint8]]

CODE_VERSION = 1  # raise when the same input and settings would give other bytes
RACY = 50_000_000  # ns: what was written this shortly before it was read may change again within a tick of its clock
UNUSED = 30 * 24 * 3600  # seconds that a rendition nobody asks for is kept
PASS_THROUGH_WIDTH = 384  # a web picture no wider than this is published as it is, byte for byte
FOLDERS = ("results/pictures", "content/pictures")  # where the ledger's pictures lie
TYPES = {"avif": "image/avif", "jpeg": "image/jpeg", "webp": "image/webp", "png": "image/png"}
SUFFIX = {"avif": "avif", "jpeg": "jpg", "webp": "webp", "png": "png"}


@dataclass(frozen=True)
class Codec:
    """How renditions are made: widths in pixels, qualities 0..100, limit in pixels of an input."""

    widths: tuple[int, ...] = (360, 720, 1280)
    avif_quality: int = 60
    avif_speed: int = 9
    fallback_quality: int = 80
    max_pixels: int = 40_000_000


@dataclass(frozen=True)
class Plate:
    """A picture drawn at build time: `draw(root, inputs)` -> uint8 HxWx3 or HxWx4. Drawn anew when `inputs`, the bytes
    of `files` or the code of pages/plates.py, pages/cards.py or effects/ change. `draw` is a module-level function."""

    name: str
    width: int
    height: int
    draw: Callable[[Path, Mapping[str, Any]], Array]
    inputs: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[str, ...] = ()  # relative to the root
    alt: str = ""
    form: str = "photo"  # "photo": AVIF + fallback in several widths; "png": one lossless file, for cards and line art


@dataclass(frozen=True)
class Source:
    """What is known of a picture file without decoding it."""

    path: str
    sha256: str
    width: int
    height: int
    alpha: bool
    form: str  # "jpeg", "png", ...; empty when a browser could show the file otherwise than we do


@dataclass(frozen=True)
class Work:
    """One input and the files to make of it."""

    key: str
    kind: str  # "copy", "file", "treated" or "plate"
    path: str
    outputs: tuple[tuple[str, int, int, str], ...]  # name, width, height, form
    codec: Codec
    treatment: str = ""
    severity: float = 0.0
    seed: int = 0
    plate: Plate | None = None


@dataclass(frozen=True)
class Rendition:
    """What a template needs for <picture>; addresses are relative to the site's root."""

    sources: tuple[tuple[str, str], ...]  # (type, srcset with {root} before each address)
    src: str
    width: int
    height: int
    full: str  # the widest file
    bytes_as_filed: bool  # the published file is the ledger's file itself


class PictureBook:
    """Renditions asked for while pages are rendered, and the cache that knows which of them exist."""

    def __init__(self, root: Path, codec: Codec) -> None:
        self.root, self.codec = root, codec
        self.cache = root / ".cache/pictures"
        self.index_file = root / ".cache/pictures.json"
        index = read_json(self.index_file)
        self.index: dict[str, list[Any]] = index.get("sources", {})  # path -> stat and what `_header` said
        self.made: dict[str, str] = index.get("made", {})  # file of the cache -> stat when it was made
        self.seen: dict[str, list[Any]] = {}
        self.sources: dict[str, Source] = {}
        self.work: dict[str, Work] = {}

    # -- asked by templates ------------------------------------------------------------------------------------------

    def file(self, path: str) -> Rendition:
        """Renditions of the picture file at `path` (relative to the root). ValueError when it is not usable."""
        source = self.probe(path)
        if source.width <= PASS_THROUGH_WIDTH and source.form in ("avif", "jpeg", "webp"):
            forms = ("avif", "jpeg") if source.form == "avif" else (source.form,)
            name, size = f"{source.sha256[:20]}-{source.width}", (source.width, source.height)
            outputs = tuple((f"{name}.{SUFFIX[form]}", *size, form) for form in forms)
            return self._add(Work(source.sha256, "copy", path, outputs, self.codec))
        key = _digest("file", source.sha256, self._settings)
        outputs = _outputs(key, source.width, source.height, source.alpha, self.codec)
        return self._add(Work(key, "file", path, outputs, self.codec))

    def treated(self, path: str, treatment: str, severity: float, seed: int) -> Rendition:
        """The same picture through `effects.apply(..., treatment, severity, seed)`."""
        source = self.probe(path)
        key = _digest("treated", source.sha256, treatment, severity, seed, self._settings, self._effects)
        outputs = _outputs(key, source.width, source.height, source.alpha, self.codec)
        return self._add(Work(key, "treated", path, outputs, self.codec, treatment, severity, seed))

    def plate(self, plate: Plate) -> Rendition:
        """A picture that pages/plates.py or pages/cards.py draws."""
        inputs = json.dumps(plate.inputs, sort_keys=True)
        files = [self._sha256(self.root / name) for name in plate.files]
        size = (plate.width, plate.height)
        code = self._drawing
        key = _digest("plate", plate.name, *size, plate.form, inputs, *files, self._settings, self._effects, code)
        if plate.form == "png":
            outputs: tuple[tuple[str, int, int, str], ...] = ((f"{key[:20]}.png", *size, "png"),)
        else:
            outputs = _outputs(key, *size, alpha=True, codec=self.codec)
        return self._add(Work(key, "plate", "", outputs, self.codec, plate=plate))

    # -- what is known of the sources --------------------------------------------------------------------------------

    def probe(self, path: str) -> Source:
        """Size, form and hash of a picture file; from the index when its stat did not change."""
        if path not in self.sources:
            self.sources[path] = self._probe(path)
        return self.sources[path]

    def _probe(self, path: str) -> Source:
        place = inside(self.root, path)
        before = stamp(place)
        known = self.index.get(path)
        if known is None or known[0] != before:
            known = [before, *_header(place, self.codec.max_pixels)]
        self.seen[path] = known
        source = Source(path, *known[1:])
        if source.width * source.height > self.codec.max_pixels:
            raise ValueError(_too_many(source.width, source.height, self.codec.max_pixels))
        return source

    def _sha256(self, path: Path) -> str:
        return hashlib.sha256(path.read_bytes()).hexdigest()

    @cached_property
    def _settings(self) -> str:
        from importlib.metadata import version

        return _digest(asdict(self.codec), CODE_VERSION, version("pillow"), version("opencv-python-headless"))

    @cached_property
    def _effects(self) -> str:
        return code_digest(Path(__file__).parent.parent / "effects")

    @cached_property
    def _drawing(self) -> str:
        here = Path(__file__).parent
        return _digest(*((here / name).read_text() for name in ("plates.py", "cards.py") if (here / name).exists()))

    def _add(self, work: Work) -> Rendition:
        self.work.setdefault(work.key, work)
        return _rendition(work)

    # -- made by the build -------------------------------------------------------------------------------------------

    def missing(self) -> list[Work]:
        """Work whose files the cache lacks, or holds no longer as they were made."""
        return [work for work in self.work.values() if not all(self._is_made(out[0]) for out in work.outputs)]

    def _is_made(self, name: str) -> bool:
        now = stamp(f"{self.cache}/{name}")
        return bool(now) and now == self.made.get(name)

    def make(
        self, missing: list[Work], jobs: int, show: Callable[[int, int], None] = lambda done, total: None
    ) -> list[tuple[Work, str]]:
        """Encode what is missing; the failures, each with its reason. The cache keeps whatever succeeded."""
        failed = []
        if missing:
            self.cache.mkdir(parents=True, exist_ok=True)
        for done, (work, reason) in enumerate(_run(missing, self.root, self.cache, jobs), 1):
            if reason:
                failed.append((work, reason))
            else:
                self.made |= {out[0]: stamp(self.cache / out[0]) for out in work.outputs}
            show(done, len(missing))
        return failed

    def files(self) -> Iterator[tuple[str, Path]]:
        """(address below site/, file in the cache) of every rendition asked for."""
        for work in self.work.values():
            for name, *_ in work.outputs:
                yield f"assets/pictures/{name}", self.cache / name

    def save(self) -> None:
        """Remember what was learnt (of sources that no clock tick can hide a change of); delete what is long unused."""
        used = {out[0] for work in self.work.values() for out in work.outputs}
        for name in [name for name in self.made if name not in used]:
            file = self.cache / name
            if not file.exists() or file.stat().st_atime < time.time() - UNUSED:
                file.unlink(missing_ok=True)
                del self.made[name]
        now = time.time_ns()
        settled = {path: known for path, known in self.seen.items() if int(known[0].split(":")[1]) < now - RACY}
        index = {"sources": settled, "made": self.made}
        if index != {"sources": self.index, "made": read_json(self.index_file).get("made", {})}:
            write_whole(self.index_file, json.dumps(index, sort_keys=True).encode())


def inside(root: Path, path: str) -> Path:
    """`root / path` as a plain file inside the tree. ValueError: absolute, `..`, a link that leads out, not a file."""
    place = root / path
    if Path(path).is_absolute() or ".." in Path(path).parts:
        raise ValueError(f"'{path}' leads out of the project")
    if not place.exists():
        names = sorted(entry.name for folder in FOLDERS for entry in (root / folder).glob("**/*") if entry.is_file())
        raise ValueError(f"no such picture '{place.name}'{did_you_mean(place.name, names)}")
    if not (_real(place) if place.is_symlink() else _real(place.parent)).is_relative_to(_real(root)):
        raise ValueError(f"'{path}' is a link that leads out of the project")
    if not place.is_file():
        raise ValueError(f"'{path}' is not a file")
    return place


@cache
def _real(place: Path) -> Path:
    return place.resolve()


def code_digest(folder: Path) -> str:
    """sha256 over the Python sources of a package."""
    return _digest(*(part for path in sorted(folder.rglob("*.py")) for part in (path.name, path.read_text())))


def write_whole(path: Path, content: bytes) -> None:
    """Write so that `path` holds the old bytes or all of the new ones, never a part: temporary sibling, then rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_bytes(content)
    part.replace(path)


def stamp(path: Path | str) -> str:
    """Size, time of change and inode of a file: differs after anyone wrote to it. Empty when there is no file."""
    try:
        stat = os.stat(path)  # noqa: PTH116 - thousands a build, and Path costs more than the call
    except OSError:
        return ""
    return f"{stat.st_size}:{stat.st_mtime_ns}:{stat.st_ino}"


def read_json(path: Path) -> dict[str, Any]:
    """A cache index; an unreadable one counts as empty."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def _too_many(width: int, height: int, limit: int) -> str:
    return f"{width}x{height} is {width * height / 1e6:.0f} megapixels, the limit is {limit / 1e6:.0f}"


def _header(place: Path, max_pixels: int) -> list[Any]:
    """[sha256, width, height, alpha, form] from the file's header. ValueError when it is no picture or too large."""
    import warnings

    from PIL import Image, UnidentifiedImageError

    content = place.read_bytes()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(place) as image:
                width, height = image.size
                alpha = "A" in image.getbands() or "transparency" in image.info
                turn = image.getexif().get(0x0112, 1)
                as_it_is = turn == 1 and image.mode in ("RGB", "RGBA", "L")
                form = (image.format or "").lower() if as_it_is else ""
    except UnidentifiedImageError:
        raise ValueError(f"'{place.name}' is not a picture") from None
    except Image.DecompressionBombError:
        raise ValueError(
            f"'{place.name}' has more pixels than the limit of {max_pixels / 1e6:.0f} megapixels"
        ) from None
    except (OSError, SyntaxError) as error:
        raise ValueError(f"'{place.name}' cannot be read: {error}") from None
    if turn >= 5:
        width, height = height, width
    return [hashlib.sha256(content).hexdigest(), width, height, alpha, form]


def _outputs(key: str, width: int, height: int, alpha: bool, codec: Codec) -> tuple[tuple[str, int, int, str], ...]:
    """Widths below the picture's own plus its own, capped; one fallback file of a middle width."""
    own = min(width, max(codec.widths))
    widths = [w for w in codec.widths if w < 0.85 * own] + [own]
    fallback = "webp" if alpha else "jpeg"
    middle = min(widths, key=lambda w: abs(w - 720))
    made = [(w, "avif") for w in widths] + [(middle, fallback)]
    return tuple((f"{key[:20]}-{w}.{SUFFIX[f]}", w, max(1, round(height * w / width)), f) for w, f in made)


def _rendition(work: Work) -> Rendition:
    forms: dict[str, list[tuple[str, int]]] = {}
    for name, width, _, form in work.outputs:
        forms.setdefault(form, []).append((name, width))
    name, *_, form = work.outputs[-1]
    sources = tuple(
        (TYPES[kind], ", ".join(f"{{root}}assets/pictures/{n} {w}w" for n, w in files))
        for kind, files in forms.items()
        if kind != form
    )
    widest = max(work.outputs, key=lambda out: out[1])
    return Rendition(
        sources, f"assets/pictures/{name}", widest[1], widest[2], f"assets/pictures/{widest[0]}", work.kind == "copy"
    )


# -- encoding: runs in worker processes, and imports cv2 and Pillow only there -----------------------------------------


def _run(missing: list[Work], root: Path, cache: Path, jobs: int) -> Iterable[tuple[Work, str]]:
    if len(missing) <= 2 or jobs <= 1:
        yield from ((work, encode(work, root, cache)) for work in missing)
        return
    from concurrent.futures import ProcessPoolExecutor, as_completed
    from multiprocessing import get_context

    # A fork of a process that has threads, as OpenCV starts them, can wait for a lock that nobody holds any more.
    alone = sys.platform == "linux" and "cv2" not in sys.modules and threading.active_count() == 1
    context = get_context("fork" if alone else "spawn")
    with ProcessPoolExecutor(min(jobs, len(missing)), mp_context=context) as pool:
        waiting = {pool.submit(encode, work, root, cache): work for work in missing}
        for future in as_completed(waiting):
            yield waiting[future], future.result()


def encode(work: Work, root: Path, cache: Path) -> str:
    """Make the files of one Work; the reason when that is impossible, else an empty string."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy would start a thread a core to multiply nothing
    try:
        image = _pixels(work, root)
        if work.kind == "copy":
            write_whole(cache / work.outputs[0][0], (root / work.path).read_bytes())
            work = replace(work, outputs=work.outputs[1:])
        if work.outputs:
            _encode_all(image, work, cache)
    except (OSError, ValueError, SyntaxError, MemoryError) as error:
        return str(error) or type(error).__name__
    return ""


def _pixels(work: Work, root: Path) -> Array:
    if work.plate is not None:
        return work.plate.draw(root, work.plate.inputs)
    image = _decode(root / work.path, work.codec.max_pixels)
    if work.kind == "treated":
        import effects

        return effects.apply(image, work.treatment, work.severity, work.seed)
    return image


def _decode(place: Path, max_pixels: int) -> Array:
    """The picture as uint8 HxWx3 or HxWx4, upright. ValueError when the file is truncated or is no picture."""
    import numpy as np
    from PIL import Image, ImageOps

    Image.MAX_IMAGE_PIXELS = max_pixels
    try:
        with Image.open(place) as image:
            alpha = "A" in image.getbands() or "transparency" in image.info
            upright = ImageOps.exif_transpose(image)
            if upright.mode.startswith("I"):  # sixteen bits of grey, which convert() would clip
                grey = np.clip(np.asarray(upright, np.int64) >> 8, 0, 255).astype(np.uint8)
                return np.repeat(grey[..., None], 3, axis=2)
            return np.asarray(upright.convert("RGBA" if alpha else "RGB"))
    except (OSError, SyntaxError) as error:
        raise ValueError(f"'{place.name}' is damaged: {error}") from None


def _encode_all(image: Array, work: Work, cache: Path) -> None:
    import io

    import cv2
    from PIL import Image

    cv2.setNumThreads(1)
    codec = work.codec
    if image.ndim == 3 and image.shape[2] == 4 and work.outputs[-1][3] == "webp" and bool((image[..., 3] == 255).all()):
        image = image[..., :3]
    scaled: dict[int, Any] = {}
    for name, width, height, form in work.outputs:
        if width not in scaled:
            whole = (height, width) == image.shape[:2]
            pixels = image if whole else cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
            scaled[width] = Image.fromarray(pixels)
        out = io.BytesIO()
        match form:
            case "avif":
                scaled[width].save(out, "AVIF", quality=codec.avif_quality, speed=codec.avif_speed, max_threads=1)
            case "png":
                scaled[width].save(out, "PNG", optimize=True)
            case "webp":
                scaled[width].save(out, "WEBP", quality=codec.fallback_quality, method=2)
            case _:
                scaled[width].save(out, "JPEG", quality=codec.fallback_quality)
        write_whole(cache / name, out.getvalue())
