"""Source pictures -> responsive AVIF with a JPEG or WebP fallback, each made once.

A rendition is named by the sha256 of its input bytes, codec settings and code version, so a page can name it before
it exists; `ImageLibrary.make` then encodes what the cache lacks (encode.py). Refused: unreadable pictures, more
pixels than the limit, links and `..` that lead out of the tree.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Container, Iterator
from dataclasses import asdict
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

from ledger.problems import did_you_mean
from pages.cache.store import MTIME_GRANULARITY_NS, code_digest, digest, load_cache, save_cache, stamp, stamp_of
from pages.images.jobs import PLACE, Codec, EncodeJob, GeneratedImage

UNUSED = 30 * 24 * 3600  # seconds that a rendition nobody asks for is kept
PASS_THROUGH_WIDTH = 384  # a web picture no wider than this is published as it is, byte for byte
FOLDERS = ("results/pictures", "content/pictures")  # where the ledger's pictures lie
CODE = Path(__file__).parents[2]
SUFFIX = {"avif": "avif", "jpeg": "jpg", "webp": "webp", "png": "png"}


class Source(NamedTuple):
    """What is known of a picture file without decoding it."""

    path: str
    sha256: str
    width: int
    height: int
    alpha: bool
    form: str  # "jpeg", "png", ...; empty when a browser could show the file otherwise than we do


class ImageLibrary:
    """Renditions asked for while pages are rendered, and the cache that knows which of them exist."""

    def __init__(self, root: Path, codec: Codec) -> None:
        self.root, self.codec = root, codec
        self.cache = root / ".cache/pictures"
        self.index_file = root / ".cache/pictures.index"
        self.before = load_cache(self.index_file)
        same = self.before.get("settings") == self._settings
        self.index: dict[str, list[Any]] = self.before.get("sources", {}) if same else {}  # path -> stat and header
        self.made: dict[str, str] = dict(self.before.get("made", {}))  # file of the cache -> stat when it was made
        self.seen: dict[str, list[Any]] = {}
        self.sources: dict[str, Source] = {}
        self.located: dict[str, str] = {}
        self.described: dict[tuple[str, str, float, int], EncodeJob] = {}
        self.work: dict[str, EncodeJob] = {}

    # -- asked by templates ------------------------------------------------------------------------------------------

    def want(self, work: EncodeJob) -> EncodeJob:
        """Have the build make what was described."""
        return self.work.setdefault(work.key, work)

    def describe(self, path: str, treatment: str = "", severity: float = 0.0, seed: int = 0) -> EncodeJob:
        """Renditions of the picture file at `path` (relative to the root), as it is or through `effects.apply` with a
        treatment. ValueError when it is not usable."""
        asked = (path, treatment, severity, seed)
        if asked not in self.described:
            source = self.probe(path)
            self.described[asked] = self._as_treated(source, *asked[1:]) if treatment else self._as_it_is(source)
        return self.described[asked]

    def _as_it_is(self, source: Source) -> EncodeJob:
        if source.width <= PASS_THROUGH_WIDTH and source.form in ("avif", "jpeg", "webp"):
            forms = ("avif", "jpeg") if source.form == "avif" else (source.form,)
            name, size = f"{source.sha256[:20]}-{source.width}", (source.width, source.height)
            outputs = tuple((f"{name}.{SUFFIX[form]}", *size, form) for form in forms)
            return EncodeJob(source.sha256, "copy", source.path, outputs, self.codec)
        key = digest("file", source.sha256, self._settings)
        outputs = _outputs(key, source.width, source.height, source.alpha, self.codec)
        return EncodeJob(key, "file", source.path, outputs, self.codec)

    def _as_treated(self, source: Source, treatment: str, severity: float, seed: int) -> EncodeJob:
        key = digest("treated", source.sha256, treatment, severity, seed, self._settings, self._effects)
        outputs = _outputs(key, source.width, source.height, source.alpha, self.codec)
        return EncodeJob(key, "treated", source.path, outputs, self.codec, treatment, severity, seed)

    def describe_plate(self, plate: GeneratedImage) -> EncodeJob:
        """Renditions of a picture that pages/images/headers.py or pages/images/social_card.py draws."""
        inputs = json.dumps(plate.inputs, sort_keys=True)
        files = [hashlib.sha256((self.root / name).read_bytes()).hexdigest() for name in plate.files]
        size = (plate.width, plate.height)
        code = self._drawing
        key = digest("plate", plate.name, *size, plate.form, inputs, *files, self._settings, self._effects, code)
        if plate.form == "png":
            outputs: tuple[tuple[str, int, int, str], ...] = ((f"{key[:20]}.png", *size, "png"),)
        else:
            outputs = _outputs(key, *size, alpha=True, codec=self.codec)
        return EncodeJob(key, "plate", "", outputs, self.codec, plate=plate)

    # -- what is known of the sources --------------------------------------------------------------------------------

    def locate(self, file: str) -> str:
        """Path below the root of a file that the ledger names: in results/pictures/ or in content/pictures/."""
        if file not in self.located:
            paths = [f"{folder}/{file}" for folder in FOLDERS]
            whole = file.startswith(tuple(f"{folder}/" for folder in FOLDERS))
            there = (path for path in paths if os.path.lexists(f"{self.root}/{path}"))
            self.located[file] = file if whole else next(there, paths[0])
        return self.located[file]

    def probe(self, path: str) -> Source:
        """Size, form and hash of a picture file; from the index when its stat did not change."""
        if path not in self.sources:
            self.sources[path] = self._probe(path)
        return self.sources[path]

    def _probe(self, path: str) -> Source:
        known = self.index.get(path)
        if known is None or known[0] != _own_stamp(f"{self.root}/{path}"):
            place = inside(self.root, path)
            known = [stamp(place), *_header(place, self.codec.max_pixels)]
        self.seen[path] = known
        return Source(path, *known[1:])

    @cached_property
    def _settings(self) -> str:
        """Of everything beside a picture that makes its renditions: codec, libraries, decoder and encoder."""
        sources = [
            (CODE / name).read_text(encoding="utf-8") for name in ("effects/decode.py", "pages/images/encode.py")
        ]
        return digest(asdict(self.codec), *map(_version, ("numpy", "pillow", "opencv-python-headless")), *sources)

    @cached_property
    def _effects(self) -> str:
        return code_digest(CODE / "effects")

    @cached_property
    def _drawing(self) -> str:
        here = Path(__file__).parent
        drawing = ("headers.py", "scenes.py", "canvas.py", "social_card.py")
        return digest(*((here / name).read_text() for name in drawing if (here / name).exists()))

    # -- made by the build -------------------------------------------------------------------------------------------

    def missing(self, published: Container[str] = ()) -> list[EncodeJob]:
        """Jobs whose files the cache lacks, or holds no longer as they were made. What the site has as `published`
        (addresses) is linked from there."""

        def there(name: str) -> bool:
            return f"{PLACE}/{name}" in published or self._is_made(name)

        return [work for work in self.work.values() if not all(there(out[0]) for out in work.outputs)]

    def _is_made(self, name: str) -> bool:
        now = stamp(f"{self.cache}/{name}")
        return bool(now) and now == self.made.get(name)

    def make(
        self, missing: list[EncodeJob], jobs: int, show: Callable[[int, int], None] = lambda done, total: None
    ) -> list[tuple[EncodeJob, str]]:
        """Encode what is missing; the failures, each with its reason. The cache keeps whatever succeeded."""
        failed = list[tuple[EncodeJob, str]]()
        if not missing:
            return failed
        from pages.images.encode import encode_all

        self.cache.mkdir(parents=True, exist_ok=True)
        for done, (work, reason) in enumerate(encode_all(missing, self.root, self.cache, jobs), 1):
            if reason:
                failed.append((work, reason))
            else:
                self.made |= {out[0]: stamp(self.cache / out[0]) for out in work.outputs}
            show(done, len(missing))
        return failed

    def files(self) -> Iterator[tuple[str, str]]:
        """(address below site/, file in the cache) of every rendition asked for."""
        for work in self.work.values():
            for name, *_ in work.outputs:
                yield f"{PLACE}/{name}", f"{self.cache}/{name}"

    def save(self) -> None:
        """Remember what was learnt (of sources that no clock tick can hide a change of); delete what is long unused."""
        used = {out[0] for work in self.work.values() for out in work.outputs}
        for name in [name for name in self.made if name not in used]:
            file = self.cache / name
            if not file.exists() or file.stat().st_atime < time.time() - UNUSED:
                file.unlink(missing_ok=True)
                del self.made[name]
        latest = time.time_ns() - MTIME_GRANULARITY_NS
        settled = {path: known for path, known in self.seen.items() if int(known[0].split(":")[1]) < latest}
        index = {"settings": self._settings, "sources": settled, "made": self.made}
        if index != self.before:
            save_cache(self.index_file, index)


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


def _version(package: str) -> str:
    """As `importlib.metadata.version`, which parses the package's whole description for it."""
    from importlib.metadata import distribution

    about = distribution(package).read_text("METADATA") or ""
    return next(line for line in about.splitlines() if line.startswith("Version:"))


def _own_stamp(path: str) -> str:
    """The stamp of a file that is no link; of a link, that of the link itself, which no index holds."""
    try:
        return stamp_of(os.lstat(path))
    except OSError:
        return ""


def _header(place: Path, max_pixels: int) -> list[Any]:
    """[sha256, width, height, alpha, form] from the file's header. ValueError when it is no picture or too large."""
    from effects.decode import header

    content = place.read_bytes()
    found = header(content, place.name, max_pixels)
    form = found.form if found.as_stored else ""
    return [hashlib.sha256(content).hexdigest(), found.width, found.height, found.alpha, form]


def _outputs(key: str, width: int, height: int, alpha: bool, codec: Codec) -> tuple[tuple[str, int, int, str], ...]:
    """Widths below the picture's own plus its own, capped; one fallback file of a middle width."""
    own = min(width, max(codec.widths))
    widths = [w for w in codec.widths if w < 0.85 * own] + [own]
    fallback = "webp" if alpha else "jpeg"
    middle = min(widths, key=lambda w: abs(w - 720))
    made = [(w, "avif") for w in widths] + [(middle, fallback)]
    return tuple((f"{key[:20]}-{w}.{SUFFIX[f]}", w, max(1, round(height * w / width)), f) for w, f in made)
