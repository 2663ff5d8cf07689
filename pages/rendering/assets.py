"""Style sheets, scripts, fonts and drawings of templates/static/, published with a hash of their bytes in the name."""

from __future__ import annotations

import hashlib
import posixpath
import re
from pathlib import Path

# How a file names another one: what stands before the address and after it.
REFERENCES = {
    ".css": re.compile(r"(?P<before>url\(['\"]?)(?P<address>[^'\")#?]+)(?P<after>['\"]?\))"),
    ".js": re.compile(r"(?P<before>\bfrom \")(?P<address>\.[^\"]+)(?P<after>\")"),
}


def assets(folder: Path) -> dict[str, tuple[str, bytes]]:
    """Path below `folder` -> (address below site/, bytes). Where a style sheet (`url(../fonts/x.woff2)`) or a script
    (`from "./x.js"`) names another file, it names the published one."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    raw = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    published: dict[str, tuple[str, bytes]] = {}

    def publish(path: str) -> str:
        if path not in published:
            content = raw[path]
            if pattern := REFERENCES.get(posixpath.splitext(path)[1]):
                content = pattern.sub(lambda match: _renamed(path, match), content.decode()).encode()
            published[path] = _hashed(path, content), content
        return published[path][0]

    def _renamed(path: str, match: re.Match[str]) -> str:
        folder = posixpath.dirname(path)
        target = posixpath.normpath(posixpath.join(folder, match["address"]))
        if target not in raw:
            return match[0]
        return match["before"] + _relative(publish(target), f"assets/{folder}") + match["after"]

    for path in raw:
        publish(path)
    return published


def _relative(address: str, folder: str) -> str:
    """Scripts name each other by `./`; elsewhere it does no harm."""
    relative = posixpath.relpath(address, folder)
    return relative if relative.startswith("..") else f"./{relative}"


def _hashed(path: str, content: bytes) -> str:
    stem, dot, suffix = path.rpartition(".")
    return f"assets/{stem}-{hashlib.sha256(content).hexdigest()[:10]}{dot}{suffix}"
