"""Where samples live: one small JSON each, pictures also one lossless PNG, named by the hash of what determines them.

A sample is a picture, a score or a verdict. Its *identity* is a mapping of everything that determines it; its key is
the sha256 of that mapping as canonical JSON. Nothing is ever named by an index, a rank or the text of a prompt, so a
second run finds what it needs, a changed setting misses only what it changes, and stages are cached apart: a scorer
that crashes never draws a picture again.

Writing (`ledger.files`): the PNG first, the JSON last, because the JSON is what makes a sample exist. A reader sees the
old state or the new one, never half a file; two workers that make the same sample write the same bytes, and either may
win. What this does not promise: after a power cut the last rename may be forgotten (the directory is not fsynced),
which costs that one sample; and file systems without atomic rename (some network mounts) are out of scope.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from evidence.samples.identity import Stage, pixel_digest
from ledger.files import ABANDONED, replace_bytes, sweep

if TYPE_CHECKING:
    from PIL.Image import Image

Status = Literal["done", "failed"]

_STATUS: dict[bytes, Status] = {b'\n "status": "done"': "done", b'\n "status": "failed"': "failed"}
PNG_LEVEL = 4  # zlib level: 6 costs twice the time for 3 % of the bytes; the pixels are the same
_SECRET_NAME = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD)$", re.IGNORECASE)


def without_secrets(text: str) -> str:
    """`text` with the value of every environment variable that is named like a secret taken out."""
    for name, value in os.environ.items():
        if _SECRET_NAME.search(name) and len(value) >= 8:
            text = text.replace(value, f"[{name}]")
    return text


def png_bytes(image: Image) -> bytes:
    """Lossless and without metadata: the same pixels give the same bytes on the same Pillow."""
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "PNG", compress_level=PNG_LEVEL)
    return buffer.getvalue()


@dataclass(frozen=True)
class Record:
    """A sample that was tried. `result` follows from the identity; `made` says how it came about (date, seconds,
    device, attempts, software) and may differ between two workers that made the same sample."""

    key: str
    stage: Stage
    identity: Mapping[str, Any]
    status: Status
    result: Mapping[str, Any]
    made: Mapping[str, Any] = field(default_factory=dict)

    @property
    def retryable(self) -> bool:
        return self.status == "failed" and bool(self.result.get("retryable"))


class SampleDamaged(Exception):
    """A picture of the store that is not what was written. It costs what depends on it, until it is made again."""

    retryable = True

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path} {what}; delete it to have it made again")


class Store:
    """The samples below `root`. Safe for any number of processes and threads at once; needs no lock."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._damaged: dict[Path, str] = {}

    def json_path(self, key: str) -> Path:
        return self.root / key[:2] / f"{key}.json"

    def png_path(self, key: str) -> Path:
        return self.root / key[:2] / f"{key}.png"

    def get(self, key: str) -> Record | None:
        """The sample, or None where it was never finished. A file that is not what this module writes is noted in
        `damaged` and made again."""
        path = self.json_path(key)
        try:
            record = _read(key, path.read_bytes())
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            self._damaged.setdefault(path, f"{path} is damaged ({type(error).__name__}); the sample counts as not made")
            return None
        return None if _has_picture(record) and not self.png_path(key).exists() else record

    def status(self, key: str) -> Status | None:
        """Whether a score or verdict is done or failed, None where it was not finished: read off the text, since a run
        may have a hundred thousand."""
        try:
            with open(f"{self.root}/{key[:2]}/{key}.json", "rb") as file:  # noqa: PTH123 - a Path costs more than the file
                content = file.read()
        except FileNotFoundError:
            return None
        said = next((status for mark, status in _STATUS.items() if mark in content), None)
        if said and content.endswith(b"}\n"):
            return said
        record = self.get(key)
        return record.status if record else None

    @property
    def damaged(self) -> list[str]:
        """One line for every damaged record that was met."""
        return list(self._damaged.values())

    def picture(self, key: str) -> Image:
        """The RGB picture of a finished sample. SampleDamaged where its pixels are not those that were written."""
        from PIL import Image as images

        record = self.get(key)
        if record is None or not _has_picture(record):
            raise KeyError(f"no picture {key}")
        path = self.png_path(key)
        try:
            with images.open(path) as file:
                image = file.convert("RGB")
        except (OSError, SyntaxError, ValueError) as error:
            raise SampleDamaged(path, f"cannot be read ({type(error).__name__})") from None
        if pixel_digest(image) != record.result["pixels"]:
            raise SampleDamaged(path, "was altered after it was written")
        return image

    def put_picture(
        self, key: str, identity: Mapping[str, Any], image: Image, made: Mapping[str, Any], payload: bytes | None = None
    ) -> Record:
        """`payload`: the PNG, when the caller has encoded it already."""
        png = png_bytes(image) if payload is None else payload
        replace_bytes(self.png_path(key), png)
        result = {
            "pixels": pixel_digest(image),
            "file": hashlib.sha256(png).hexdigest(),
            "width": image.width,
            "height": image.height,
        }
        return self._put(Record(key, "generate", identity, "done", result, made))

    def put(
        self, key: str, stage: Stage, identity: Mapping[str, Any], result: Mapping[str, Any], made: Mapping[str, Any]
    ) -> Record:
        return self._put(Record(key, stage, identity, "done", result, made))

    def fail(
        self, key: str, stage: Stage, identity: Mapping[str, Any], error: BaseException, made: Mapping[str, Any]
    ) -> Record:
        """A failure is a sample too: it is counted, and never becomes a picture."""
        result = {
            "error": type(error).__name__,
            "reason": without_secrets(str(error))[:500],
            "retryable": bool(getattr(error, "retryable", False)),
        }
        return self._put(Record(key, stage, identity, "failed", result, made))

    def _put(self, record: Record) -> Record:
        raw = {
            "key": record.key,
            "stage": record.stage,
            "status": record.status,
            "identity": dict(record.identity),
            "result": dict(record.result),
            "made": dict(record.made),
        }
        text = json.dumps(raw, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
        replace_bytes(self.json_path(record.key), text.encode() + b"\n")
        return record

    def records(self) -> Iterator[Record]:
        """Every sample, by key."""
        for path in sorted(self.root.glob("??/*.json")):
            if record := self.get(path.stem):
                yield record

    def sweep(self, older: float = ABANDONED) -> int:
        """Removes what killed workers left half-written, by its age in seconds; returns how many files."""
        return sum(sweep(folder, older) for folder in self.root.glob("??"))


_RESULTS: dict[str, dict[str, Any]] = {
    "generate": {"pixels": str, "file": str},
    "score": {"score": (float, int, dict), "truncated": bool},
    "judge": {"verdict": int},
}


def _read(key: str, content: bytes) -> Record:
    """The record in a file. ValueError, KeyError or TypeError where it is none."""
    raw = json.loads(content)
    record = Record(raw["key"], raw["stage"], raw["identity"], raw["status"], raw["result"], raw["made"])
    wanted: dict[str, Any] = _RESULTS[record.stage] if record.status == "done" else {"error": str, "reason": str}
    if record.key != key or record.status not in ("done", "failed"):
        raise ValueError("of another sample")
    if not all(isinstance(record.result[name], kind) for name, kind in wanted.items()):
        raise TypeError("a result of another form")
    return record


def _has_picture(record: Record) -> bool:
    return record.stage == "generate" and record.status == "done"
