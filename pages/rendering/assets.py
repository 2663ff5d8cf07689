"""Style sheets, scripts, fonts and drawings of templates/static/, published with a hash of their bytes in the name."""

from __future__ import annotations

import hashlib
import posixpath
import re
from pathlib import Path


def assets(folder: Path) -> dict[str, tuple[str, bytes]]:
    """Path below `folder` -> (address below site/, bytes). Addresses inside style sheets (`url(../fonts/x.woff2)`) are
    rewritten to the hashed names."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    raw = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    plain = {path: (_hashed(path, content), content) for path, content in raw.items() if not path.endswith(".css")}
    sheets = {}
    for path, content in raw.items():
        if path.endswith(".css"):
            text = _with_hashed_urls(path, content.decode(), plain).encode()
            sheets[path] = (_hashed(path, text), text)
    return {**plain, **sheets}


def _hashed(path: str, content: bytes) -> str:
    stem, dot, suffix = path.rpartition(".")
    return f"assets/{stem}-{hashlib.sha256(content).hexdigest()[:10]}{dot}{suffix}"


def _with_hashed_urls(path: str, text: str, named: dict[str, tuple[str, bytes]]) -> str:
    """A style sheet whose `url(...)` name the published files."""

    def hashed(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), match[2]))
        if target not in named:
            return match[0]
        return f"url({match[1]}{posixpath.relpath(named[target][0], posixpath.dirname('assets/' + path))}{match[1]})"

    return re.sub(r"url\((['\"]?)([^'\")#?]+)\1\)", hashed, text)
