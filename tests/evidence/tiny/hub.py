"""A model hub of our own on loopback: tiny folders under the published names, with commits, sizes and sha256 sums."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

from tests.evidence.tiny.loopback import Loopback, QuietHandler


def commit_of(repository: str, version: int = 1) -> str:
    return hashlib.sha1(f"{repository}#{version}".encode()).hexdigest()


class _Handler(QuietHandler):
    owner: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._play(body=False)

    def do_GET(self) -> None:
        self._play(body=True)

    def _play(self, body: bool) -> None:
        path = unquote(urlsplit(self.path).path)
        self.owner.asked.append(path)
        steps = path.removeprefix("/api").removeprefix("/models").removeprefix("/datasets").strip("/").split("/")
        repository = "/".join(steps[:2])
        folder = self.owner.folders.get(repository)
        if folder is None:
            return self._answer(401, b"{}", {"X-Error-Code": "RepoNotFound"}, body)
        if repository in self.owner.gated:
            return self._answer(401, b"{}", {"X-Error-Code": "GatedRepo"}, body)
        if path.startswith("/api/"):
            listing = self._tree(folder) if "tree" in steps else self._info(repository, folder)
            return self._answer(200, json.dumps(listing).encode(), {"Content-Type": "application/json"}, body)
        file = folder / "/".join(steps[4:])
        if not file.is_file():
            return self._answer(404, b"", {"X-Error-Code": "EntryNotFound"}, body)
        content = file.read_bytes()
        told = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "X-Repo-Commit": self.owner.commit(repository)}
        return self._answer(200, content, told, body)

    def _info(self, repository: str, folder: Path) -> Any:
        siblings = [{"rfilename": entry["path"], **entry} for entry in self._tree(folder)]
        return {"id": repository, "modelId": repository, "sha": self.owner.commit(repository), "siblings": siblings}

    def _tree(self, folder: Path) -> list[dict[str, Any]]:
        listing = []
        for file in sorted(f for f in folder.rglob("*") if f.is_file()):
            digest, size = hashlib.sha256(file.read_bytes()).hexdigest(), file.stat().st_size
            entry = {"type": "file", "path": file.relative_to(folder).as_posix(), "size": size, "oid": digest[:40]}
            if file.suffix == ".safetensors":
                entry["lfs"] = {"sha256": digest, "oid": digest, "size": size, "pointerSize": 130}
            listing.append(entry)
        return listing

    def _answer(self, status: int, content: bytes, headers: dict[str, str], body: bool) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(content))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(content)


@dataclass
class Hub(Loopback):
    """`folders` maps repositories to folders; `gated` ones answer 401 as the hub does."""

    handler: ClassVar[type[QuietHandler]] = _Handler

    folders: dict[str, Path]
    gated: set[str] = field(default_factory=set)
    versions: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def commit(self, repository: str) -> str:
        return commit_of(repository, self.versions.get(repository, 1))
