"""Writing a file so that it appears whole or not at all.

The new text goes to a neighbour that no reader looks at, reaches the disk, then takes the name in one step. A crash
leaves the old file and at worst a neighbour whose name begins with a dot. One writer at a time is assumed.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def replace_text(path: Path, text: str) -> None:
    """Writes UTF-8 `text` to `path`, creating its folder. Raises `OSError`; then `path` is as it was."""
    replace_bytes(path, text.encode())


def replace_bytes(path: Path, content: bytes) -> None:
    """Writes `content` to `path`, creating its folder. Raises `OSError`; then `path` is as it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
