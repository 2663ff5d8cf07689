"""Source pictures -> responsive AVIF with a JPEG or WebP fallback, each made once.

A rendition is named by the sha256 of its input bytes and of all that makes it of them (settings, libraries, code), so
that a page can name it before it exists; `ImageLibrary.make` then encodes what the cache lacks (encode.py). Refused:
unreadable pictures, too many pixels, sides longer than a form holds, links and `..` that lead out of the tree.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

from pydantic_core import from_json

from ledger.files import sweep
from ledger.names import on_disk
from ledger.problems import did_you_mean
from pages.cache.store import (
    MTIME_GRANULARITY_NS,
    FileDigests,
    code_digest,
    digest,
    load_cache,
    save_cache,
    stamp_of,
)
from pages.images.jobs import Codec, EncodeJob, GeneratedImage, Output
from pages.images.metadata import without_metadata

UNUSED = 30 * 24 * 3600  # seconds that a rendition nobody asks for is kept
PASS_THROUGH_WIDTH = 384  # of a web picture no wider than this the bytes themselves are shown, without metadata
FOLDERS = ("results/pictures", "content/pictures")  # where the ledger's pictures lie
FILED_IN = ("content/", "results/")  # and not fetched: of these the files themselves are published to link to
CODE = Path(__file__).parents[2]
SUFFIX = {"avif": "avif", "jpeg": "jpg", "webp": "webp", "png": "png"}
LONGEST_SIDE = {"avif": 32_768, "jpeg": 65_500, "webp": 16_383}  # that the form holds and browsers decode
MADE_BY = ("effects/decode.py", "effects/color_profiles.py", "pages/images/encode.py", "pages/images/metadata.py")


class Source(NamedTuple):
    """What is known of a picture file without decoding it."""

    path: str
    sha256: str
    width: int
    height: int
    alpha: bool
    form: str  # "jpeg", "png", ... of a file that can be published without its metadata and then shows the same; or ""
    clean: bool  # without metadata as it is


class ImageLibrary:
    """Renditions asked for while pages are rendered, and the cache that knows which of them exist."""

    def __init__(self, root: Path, codec: Codec) -> None:
        self.root, self.codec = root, codec
        self.cache = root / ".cache/pictures"
        self.index_file = root / ".cache/pictures.json"
        self.before = load_cache(self.index_file, from_json)
        same = self.before.get("settings") == self._settings
        self.index: dict[str, list[Any]] = self.before.get("sources", {}) if same else {}  # path -> stat and header
        self.made = FileDigests(self.cache, self.before.get("made"))
        self.seen: dict[str, list[Any]] = {}
        self.sources: dict[str, Source] = {}
        self.resolved: dict[str, str] = {}
        self.planned: dict[tuple[str, str, float, int], EncodeJob] = {}

    # -- what a picture is to become ---------------------------------------------------------------------------------

    def plan(self, path: str, treatment: str = "", severity: float = 0.0, seed: int = 0) -> EncodeJob:
        """Renditions of the picture file at `path` (relative to the root), as it is or through `effects.apply` with a
        treatment. ValueError when it is not usable."""
        asked = (path, treatment, severity, seed)
        if asked not in self.planned:
            source = self.inspect(on_disk(self.root, path) or path)
            self.planned[asked] = self._as_treated(source, *asked[1:]) if treatment else self._as_it_is(source)
        return self.planned[asked]

    def _as_it_is(self, source: Source) -> EncodeJob:
        key = digest("file", source.sha256, self._settings)
        outputs = _outputs(key, source, self.codec)
        small = source.width <= PASS_THROUGH_WIDTH and source.form in ("avif", "jpeg", "webp")
        if not source.form or not (small or source.path.startswith(FILED_IN)):
            return EncodeJob(key, "file", source.path, outputs, self.codec)
        name = f"{(source.sha256 if source.clean else key)[:20]}-{source.width}.{SUFFIX[source.form]}"
        copied = Output(name, source.width, source.height, source.form)
        if small:
            outputs = (copied, outputs[-1]) if source.form == "avif" else (copied,)
        return EncodeJob(key, "file", source.path, outputs, self.codec, copied)

    def _as_treated(self, source: Source, treatment: str, severity: float, seed: int) -> EncodeJob:
        key = digest("treated", source.sha256, treatment, severity, seed, self._settings, self._effects)
        outputs = _outputs(key, source, self.codec)
        return EncodeJob(key, "treated", source.path, outputs, self.codec, None, treatment, severity, seed)

    def plan_generated(self, plate: GeneratedImage) -> EncodeJob:
        """Renditions of a picture that pages/images/headers.py or pages/images/social_card.py draws."""
        inputs = json.dumps(plate.inputs, sort_keys=True)
        files = [hashlib.sha256((self.root / name).read_bytes()).hexdigest() for name in plate.files]
        size = (plate.width, plate.height)
        code = self._drawing
        key = digest("plate", plate.name, *size, plate.form, inputs, *files, self._settings, self._effects, code)
        if plate.form == "png":
            outputs: tuple[Output, ...] = (Output(f"{key[:20]}.png", *size, "png"),)
        else:
            outputs = _outputs(key, Source("", "", *size, alpha=True, form="", clean=True), self.codec)
        return EncodeJob(key, "plate", "", outputs, self.codec, plate=plate)

    # -- what is known of the sources --------------------------------------------------------------------------------

    def resolve_file(self, file: str) -> str:
        """Path below the root of a file that the ledger names: in results/pictures/ or in content/pictures/."""
        if file not in self.resolved:
            self.resolved[file] = picture_path(self.root, file)
        return self.resolved[file]

    def inspect(self, path: str) -> Source:
        """Size, form and hash of a picture file; from the index when its stat did not change."""
        if path not in self.sources:
            self.sources[path] = self._inspect(path)
        return self.sources[path]

    def _inspect(self, path: str) -> Source:
        known, stamp = self.index.get(path), _own_stamp(f"{self.root}/{path}")
        if known is None or known[0] != stamp:
            known = [stamp, *_header(inside(self.root, path), self.codec.max_pixels)]
            self._refuse_longer_sides(Source(path, *known[1:]))
        self.seen[path] = known
        return Source(path, *known[1:])

    def _refuse_longer_sides(self, source: Source) -> None:
        for _, width, height, form in _outputs("", source, self.codec):
            if max(width, height) > LONGEST_SIDE[form]:
                reason = f"{width}x{height}, where {form.upper()} holds {LONGEST_SIDE[form]} pixels a side: crop it"
                raise ValueError(f"'{Path(source.path).name}' would be published at {reason}")

    @cached_property
    def _settings(self) -> str:
        """Of everything beside a picture that makes its renditions: codec, libraries, decoder and encoder."""
        versions = [_version(package) for package in ("numpy", "opencv-python-headless", "pillow")]
        return digest(asdict(self.codec), versions, [(CODE / name).read_text(encoding="utf-8") for name in MADE_BY])

    @cached_property
    def _effects(self) -> str:
        return code_digest(CODE / "effects")

    @cached_property
    def _drawing(self) -> str:
        here = Path(__file__).parent
        drawing = ("headers.py", "scenes.py", "canvas.py", "social_card.py")
        return digest(*((here / name).read_text() for name in drawing if (here / name).exists()))

    # -- made by the build -------------------------------------------------------------------------------------------

    def missing(
        self, jobs: Iterable[EncodeJob], published: Callable[[str], str] = lambda address: ""
    ) -> list[EncodeJob]:
        """Jobs with a file that neither the published site, whose digests `published` gives, nor the cache holds as it
        was made."""
        return [job for job in jobs if not all(self._at_hand(*file, published) for file in job.files.items())]

    def _at_hand(self, address: str, name: str, published: Callable[[str], str]) -> bool:
        kept = self.made.known.get(name)
        if kept is not None and (published(address) == kept[1] or self.made(name) == kept[1]):
            return True
        self.made.known.pop(name, None)
        return False

    def make(
        self, missing: list[EncodeJob], jobs: int, show: Callable[[int, int], None] = lambda done, total: None
    ) -> list[tuple[EncodeJob, str]]:
        """Encode what is missing; the failures, each with its reason. The cache keeps whatever succeeded."""
        failed = list[tuple[EncodeJob, str]]()
        if not missing:
            return failed
        from pages.images.encode import encode_all

        self.cache.mkdir(parents=True, exist_ok=True)
        sweep(self.cache, 0)  # no other build runs now
        for done, (work, reason) in enumerate(encode_all(missing, self.root, self.cache, jobs), 1):
            if reason:
                failed.append((work, reason))
            else:
                for name in work.files.values():
                    self.made.look_again(name)
                    self.made(name)
            show(done, len(missing))
        return failed

    def files(self, jobs: Iterable[EncodeJob]) -> dict[str, tuple[str, str]]:
        """Address below site/ -> file in the cache and its digest, of every rendition that was made."""
        known = self.made.known
        return {
            address: (f"{self.cache}/{name}", known[name][1]) for job in jobs for address, name in job.files.items()
        }

    def save(self, jobs: Iterable[EncodeJob], published: Mapping[str, list[str]] | None = None) -> None:
        """Remember what was learnt (of sources that no clock tick can hide a change of); delete what is long unused.

        Called once the site is in place, with address -> [stamp, sha256] of its files: those that are links to files
        of the cache changed their stamps, and the others are read again when they are asked for."""
        used = {name: address for job in jobs for address, name in job.files.items()}
        if published:
            self.made.known |= {name: published[address] for name, address in used.items()}
        for name in [name for name in self.made.known if name not in used]:
            if _last_read(f"{self.cache}/{name}") < time.time() - UNUSED:
                (self.cache / name).unlink(missing_ok=True)
                del self.made.known[name]
        latest = time.time_ns() - MTIME_GRANULARITY_NS
        settled = {path: known for path, known in self.seen.items() if int(known[0].split(":")[1]) < latest}
        index = {"settings": self._settings, "sources": settled, "made": self.made.known}
        if index != self.before:
            save_cache(self.index_file, index)


def picture_path(root: Path, file: str) -> str:
    """Path below the root of a file that the ledger names; where there is none, the one that it should have."""
    whole = file.startswith(("/", *(f"{folder}/" for folder in FOLDERS)))
    paths = [file] if whole else [f"{folder}/{file}" for folder in FOLDERS]
    found = (on_disk(root, path) for path in paths)
    return next((path for path in found if path), paths[0])


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


def _last_read(path: str) -> float:
    """In seconds since 1970; 0 where there is no such file."""
    try:
        return os.stat(path).st_atime  # noqa: PTH116 - thousands after a change of the encoder
    except OSError:
        return 0.0


def _version(package: str) -> str:
    """As `importlib.metadata.version`, which parses the package's whole description for it."""
    from importlib.metadata import distribution

    about = distribution(package).read_text("METADATA") or ""
    return next(line for line in about.splitlines() if line.startswith("Version:"))


def _own_stamp(path: str) -> str:
    """The stamp of a file that is no link; of a link, that of the link itself, which no index holds. The time of the
    last change of its state tells of edits that put size and modification time back."""
    try:
        stat = os.lstat(path)
    except OSError:
        return ""
    return f"{stamp_of(stat)}:{stat.st_ctime_ns}"


def _header(place: Path, max_pixels: int) -> list[Any]:
    """[sha256, width, height, alpha, form, clean] of a file. ValueError when it is no picture or too large."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy starts no threads then, and encoders can be forked
    from effects.decode import header

    content = place.read_bytes()
    found = header(content, place.name, max_pixels)
    bare = without_metadata(content, found.form) if found.as_stored else None
    form = found.form if bare is not None else ""
    return [hashlib.sha256(content).hexdigest(), found.width, found.height, found.alpha, form, bare == content]


def _outputs(key: str, source: Source, codec: Codec) -> tuple[Output, ...]:
    """Widths below the picture's own plus its own, capped; one fallback file of a middle width."""
    own = min(source.width, max(codec.widths))
    widths = [w for w in codec.widths if w < 0.85 * own] + [own]
    fallback = "webp" if source.alpha else "jpeg"
    middle = min(widths, key=lambda w: abs(w - 720))
    made = [(w, "avif") for w in widths] + [(middle, fallback)]
    tall = source.height / source.width
    return tuple(Output(f"{key[:20]}-{w}.{SUFFIX[f]}", w, max(1, round(tall * w)), f) for w, f in made)
