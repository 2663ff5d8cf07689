"""Where samples live: one small JSON each, pictures also one lossless PNG, named by the hash of what determines them.

A sample is a picture, a score or a verdict. Its *identity* is a mapping of everything that determines it; its key is
the sha256 of that mapping as canonical JSON. Nothing is ever named by an index, a rank or the text of a prompt, so a
second run finds what it needs, a changed setting misses only what it changes, and stages are cached apart: a scorer
that crashes never draws a picture again.

Writing: payload to a temporary file in the same directory, flush and fsync, then `os.replace`; the PNG first, the JSON
last, because the JSON is what makes a sample exist. A reader sees the old state or the new one, never half a file; two
workers that make the same sample write the same bytes, and either may win. What this does not promise: after a power
cut the last rename may be forgotten (the directory is not fsynced), which costs that one sample; and file systems
without atomic rename (some network mounts) are out of scope.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import secrets
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from PIL.Image import Image

Stage = Literal["generate", "score", "judge"]
Status = Literal["done", "failed"]

PNG_LEVEL = 4  # zlib level: 6 costs twice the time for 3 % of the bytes; the pixels are the same
_HOST = socket.gethostname()
_SECRET_NAME = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD)$", re.IGNORECASE)


def canonical(identity: Mapping[str, object]) -> str:
    """One spelling per mapping: sorted keys, no spaces, no NaN."""
    return json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def key_of(stage: Stage, identity: Mapping[str, object]) -> str:
    return hashlib.sha256(canonical({"stage": stage, **identity}).encode()).hexdigest()


def without_secrets(text: str) -> str:
    """`text` with the value of every environment variable that is named like a secret taken out."""
    for name, value in os.environ.items():
        if _SECRET_NAME.search(name) and len(value) >= 8:
            text = text.replace(value, f"[{name}]")
    return text


def atomic_write(path: Path, payload: bytes) -> None:
    """Makes `path` hold `payload`, whole or not at all; creates its directory. The module says what it promises."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{_HOST}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        with draft.open("wb") as file:
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def png_bytes(image: Image) -> bytes:
    """Lossless and without metadata: the same pixels give the same bytes on the same Pillow."""
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "PNG", compress_level=PNG_LEVEL)
    return buffer.getvalue()


def pixel_digest(image: Image) -> str:
    """sha256 of size and RGB pixels: what a scorer sees, whatever encoder wrote the file."""
    rgb = image.convert("RGB")
    return hashlib.sha256(f"{rgb.width}x{rgb.height}:".encode() + rgb.tobytes()).hexdigest()


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


class Store:
    """The samples below `root`. Safe for any number of processes and threads at once; needs no lock."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def json_path(self, key: str) -> Path:
        return self.root / key[:2] / f"{key}.json"

    def png_path(self, key: str) -> Path:
        return self.root / key[:2] / f"{key}.png"

    def get(self, key: str) -> Record | None:
        """The sample, or None where it was never finished (or its file is not what this module writes)."""
        try:
            raw = json.loads(self.json_path(key).read_bytes())
            record = Record(raw["key"], raw["stage"], raw["identity"], raw["status"], raw["result"], raw["made"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None
        if record.key != key or (_has_picture(record) and not self.png_path(key).exists()):
            return None
        return record

    def picture(self, key: str) -> Image:
        """The RGB picture of a finished sample. `ValueError` where its pixels are not those that were written."""
        from PIL import Image as images

        record = self.get(key)
        if record is None or not _has_picture(record):
            raise KeyError(f"no picture {key}")
        with images.open(self.png_path(key)) as file:
            image = file.convert("RGB")
        if pixel_digest(image) != record.result["pixels"]:
            raise ValueError(f"{self.png_path(key)} was altered after it was written; delete it to have it made again")
        return image

    def put_picture(
        self, key: str, identity: Mapping[str, Any], image: Image, made: Mapping[str, Any], payload: bytes | None = None
    ) -> Record:
        """`payload`: the PNG, when the caller has encoded it already."""
        png = png_bytes(image) if payload is None else payload
        atomic_write(self.png_path(key), png)
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
        atomic_write(self.json_path(record.key), text.encode() + b"\n")
        return record

    def records(self) -> Iterator[Record]:
        """Every sample, by key."""
        for path in sorted(self.root.glob("??/*.json")):
            if record := self.get(path.stem):
                yield record

    def sweep(self) -> int:
        """Removes what killed workers of this machine left half-written; returns how many files."""
        removed = 0
        for draft in self.root.glob("??/.*.part"):
            pid = draft.name.partition(f".{_HOST}.")[2].split(".")[0]
            if pid.isdigit() and not _alive(int(pid)):
                draft.unlink(missing_ok=True)
                removed += 1
        return removed


def _has_picture(record: Record) -> bool:
    return record.stage == "generate" and record.status == "done"


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
