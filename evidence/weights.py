"""Where weights come from, and which ones they were.

Weights are addressed as `hf-hub:owner/name[@revision][:file]` or `local-dir:path` (prefixes as in open_clip); a path
may also name a single file. The first run that reaches the hub pins the commit and the sha256 of every file it used in
`models.lock.json`; every later run asks for that commit and refuses files that differ. Nothing is fetched on import,
and no revision is ever guessed.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from functools import lru_cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LOCK = Path(__file__).resolve().parent / "cards" / "models.lock.json"
UNPINNED = "unpinned"


class Unavailable(Exception):
    """A card cannot run here. `reason` is one line, `mend` the command or step that would help, if any."""

    def __init__(self, reason: str, mend: str = "") -> None:
        super().__init__(f"{reason}; mend: {mend}" if mend else reason)
        self.reason, self.mend = reason, mend


@dataclass(frozen=True)
class Address:
    """Where weights lie. `revision` "" means unpinned; `file` "" means the whole folder or repository."""

    scheme: str  # "hf-hub" or "local-dir"
    place: str  # owner/name, or a path relative to the project root
    revision: str = ""
    file: str = ""

    def __str__(self) -> str:
        revision, file = f"@{self.revision}" if self.revision else "", f":{self.file}" if self.file else ""
        return f"{self.scheme}:{self.place}{revision}{file}"


_HUB = re.compile(r"^hf-hub:(?P<place>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?(:(?P<file>[^:]+))?$")


def address(text: str) -> Address:
    """Parses an address; ValueError with the two accepted forms otherwise."""
    if text.startswith("local-dir:") and len(text) > len("local-dir:"):
        return Address("local-dir", text.removeprefix("local-dir:"))
    if match := _HUB.match(text):
        return Address("hf-hub", match["place"], match["revision"] or "", match["file"] or "")
    raise ValueError(f"{text!r} is neither hf-hub:owner/name[@revision][:file] nor local-dir:path")


class WeightsChanged(Exception):
    """Files that are not those of the lock: evidence made with them would carry the wrong name."""


@dataclass(frozen=True)
class Weights:
    """Weights on this disk: `path` is a folder, or a file where the address names one. `revision` is the commit of the
    hub or `sha256:` and the digest of the local files."""

    path: Path
    revision: str


def pinned(text: str, lock: Path | None = None) -> str:
    """The commit or digest that names the weights at this address today, without network: `unpinned` when nobody has
    met them yet."""
    where = address(text)
    if where.scheme == "local-dir":
        return digest(ROOT / where.place) if (ROOT / where.place).exists() else UNPINNED
    entry = _read(lock or LOCK).get(where.place)
    return str(entry["revision"]) if entry else UNPINNED


def fetch(text: str, files: Sequence[str] = (), *, prepare: str = "", lock: Path | None = None) -> Weights:
    """Brings weights to this disk and says which they are.

    `files` are the patterns that a run needs of a hub repository (all when empty). `prepare` is `module:function`,
    called when a local folder is missing. Raises Unavailable, or WeightsChanged.
    """
    where = address(text)
    if where.scheme == "hf-hub":
        return _hub(where, (where.file,) if where.file else tuple(files), lock or LOCK)
    target = ROOT / where.place
    if not target.exists() and prepare:
        module, function = prepare.split(":")
        getattr(importlib.import_module(module), function)()
    if not target.exists():
        raise Unavailable(f"{text} is not on this disk", f"put the weights into {where.place}")
    return Weights(target, digest(target))


def digest(target: Path) -> str:
    """`sha256:` of a file's content, or of the names and contents of all files below a folder."""
    files = [target] if target.is_file() else sorted(f for f in target.rglob("*") if f.is_file())
    total = hashlib.sha256()
    for file in files:
        stat = file.stat()
        total.update(f"{file.relative_to(target).as_posix()}\0".encode())
        total.update(sha256(file, stat.st_size, stat.st_mtime_ns).encode())
    return f"sha256:{total.hexdigest()}"


@lru_cache(maxsize=4096)
def sha256(file: Path, size: int, changed: int) -> str:
    """Hex digest of a file; `size` and `changed` (st_mtime_ns) only key the cache."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _hub(where: Address, wanted: tuple[str, ...], lock: Path) -> Weights:
    entry = _read(lock).get(where.place)
    commit, known = (str(entry["revision"]), dict(entry["files"])) if entry else _ask_hub(where)
    if entry and len(where.revision) == 40 and where.revision != commit:
        raise WeightsChanged(f"{where} asks for another commit than {lock.name} has pinned ({commit})")
    folder = _download(replace(where, revision=commit), wanted)
    expected = {name: digest for name, digest in known.items() if _matches(name, wanted)}
    used = _verify(folder, expected, wanted, where)
    if not entry or not used.items() <= known.items():
        _write(lock, where.place, {"revision": commit, "files": (known if entry else {}) | used})
    return Weights(folder / where.file, commit)


def _matches(name: str, wanted: tuple[str, ...]) -> bool:
    return not wanted or any(fnmatch(name, pattern) for pattern in wanted)


def _endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT") or None


def _ask_hub(where: Address) -> tuple[str, dict[str, str]]:
    """Commit of the asked revision and the sha256 of its large files (empty for small ones: those are hashed here).
    Without the hub, the commit that its cache on this machine holds."""
    from huggingface_hub import HfApi

    try:
        info = HfApi(endpoint=_endpoint()).model_info(
            where.place, revision=where.revision or None, files_metadata=True, timeout=20
        )
    except Exception as error:
        if commit := _cached_commit(where):
            return commit, {}
        raise _explain(where, error) from None
    if not info.sha:
        raise Unavailable(f"the hub names no commit of {where}", "")
    return info.sha, {s.rfilename: (s.lfs.sha256 if s.lfs else "") for s in info.siblings or []}


def _cached_commit(where: Address) -> str:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(where.place, revision=where.revision or None, local_files_only=True)).name
    except Exception:
        return ""


def _download(where: Address, wanted: tuple[str, ...]) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(
                where.place, revision=where.revision, allow_patterns=list(wanted) or None, endpoint=_endpoint()
            )
        )
    except Exception as error:
        raise _explain(where, error) from None


def _verify(folder: Path, expected: dict[str, str], wanted: tuple[str, ...], where: Address) -> dict[str, str]:
    """The sha256 of every wanted file in `folder`, compared with the expected one where there is one."""
    if absent := [name for name in expected if not (folder / name).exists()]:
        raise Unavailable(f"{absent[0]} of {where} did not arrive", "run the command again")
    found = {}
    for file in sorted(f for f in folder.rglob("*") if f.is_file()):
        name = file.relative_to(folder).as_posix()
        if _matches(name, wanted):
            stat = file.stat()
            found[name] = sha256(file.resolve(), stat.st_size, stat.st_mtime_ns)
    for name, digest in expected.items():
        if digest and found[name] != digest:
            raise WeightsChanged(f"{name} of {where} has sha256 {found[name][:12]}…, {digest[:12]}… is pinned")
    return found


def _explain(where: Address, error: Exception) -> Unavailable:
    """One line for the reasons that a person can mend."""
    from huggingface_hub import errors

    page = f"https://huggingface.co/{where.place}"
    if isinstance(error, errors.GatedRepoError):
        return Unavailable(f"{where.place} is gated", f"accept its licence at {page}, then `hf auth login`")
    if isinstance(error, errors.RepositoryNotFoundError):
        return Unavailable(f"{where.place} is not on the hub or is private", f"see {page}, `hf auth login`")
    if isinstance(error, errors.RevisionNotFoundError):
        return Unavailable(f"{where} has no such revision on the hub", f"see {page}/commits")
    wanted = where.place + (f" --revision {where.revision}" if where.revision else "")
    return Unavailable(
        f"{where.place} is not in the cache and the hub cannot be reached ({type(error).__name__})",
        f"with network: `hf download {wanted}`",
    )


def _read(lock: Path) -> dict[str, Any]:
    return dict(json.loads(lock.read_text("utf-8"))) if lock.exists() else {}


def _write(lock: Path, repository: str, entry: dict[str, Any]) -> None:
    """Adds one entry. Read, change and replace are one step under a file lock, so that two workers lose no pin."""
    from filelock import FileLock

    guard = ROOT / ".cache" / f"{lock.name}.guard"
    guard.parent.mkdir(exist_ok=True)
    with FileLock(guard):
        text = json.dumps(_read(lock) | {repository: entry}, indent=1, sort_keys=True) + "\n"
        handle, name = tempfile.mkstemp(dir=lock.parent, prefix=".lock-")
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(name).replace(lock)
