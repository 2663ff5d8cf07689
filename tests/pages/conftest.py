"""A copy of the small site for each test, and ways to change it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pages.build import Report, build

PROJECT = Path(__file__).parents[2]
FIXTURE = Path(__file__).parent / "site_fixture"


@dataclass(frozen=True)
class SmallSite:
    """The fixture in a folder of its own. Files look old, as they do to everyone but a test."""

    root: Path

    @property
    def out(self) -> Path:
        return self.root / "site"

    def build(self, **options: Any) -> Report:
        return build(self.root, self.out, jobs=1, **options)

    def read(self, address: str) -> str:
        return (self.out / address).read_text(encoding="utf-8")

    def write(self, path: str, text: str | bytes) -> None:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text.encode() if isinstance(text, str) else text)
        self.age(place)

    def replace(self, path: str, old: str, new: str, count: int = -1) -> None:
        text = (self.root / path).read_text(encoding="utf-8")
        assert old in text, f"{path} does not hold {old!r}"
        self.write(path, text.replace(old, new, count))

    def json(self, path: str, change: Callable[[Any], None]) -> None:
        content = json.loads((self.root / path).read_text(encoding="utf-8"))
        change(content)
        self.write(path, json.dumps(content, indent=1, ensure_ascii=False))

    def age(self, *places: Path) -> None:
        """Make files a minute old: a build trusts no stat of a file that was written this very moment."""
        for place in places or [path for path in self.root.rglob("*") if path.is_file()]:
            then = time.time() - 60
            os.utime(place, (then, then))

    def files(self, out: Path | None = None) -> dict[str, bytes]:
        out = out or self.out
        return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}

    def digest(self) -> str:
        lines = [f"{name} {hashlib.sha256(content).hexdigest()}" for name, content in sorted(self.files().items())]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def copy_of_the_fixture(root: Path) -> SmallSite:
    shutil.copytree(FIXTURE, root)
    site = SmallSite(root)
    site.age()
    return site


@pytest.fixture(scope="session")
def encoded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache of one build, so that tests which change no picture encode none."""
    site = copy_of_the_fixture(tmp_path_factory.mktemp("encoded") / "root")
    site.build(checked=False)
    return site.root / ".cache"


@pytest.fixture
def fresh(tmp_path: Path) -> SmallSite:
    """The small site, never built."""
    return copy_of_the_fixture(tmp_path / "root")


@pytest.fixture
def small(fresh: SmallSite, encoded: Path) -> SmallSite:
    """The small site, built."""
    shutil.copytree(encoded / "pictures", fresh.root / ".cache/pictures")
    _adopt(fresh.root / ".cache")
    fresh.build()
    return fresh


@pytest.fixture(scope="session")
def themed(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., SmallSite]:
    """`themed(name, change)`: the small content in the project's own theme, changed and built."""
    cache: list[Path] = []

    def make(name: str, change: Callable[[SmallSite], None] = lambda site: None) -> SmallSite:
        site = copy_of_the_fixture(tmp_path_factory.mktemp(name) / "root")
        shutil.rmtree(site.root / "templates")
        shutil.copytree(PROJECT / "templates", site.root / "templates")
        change(site)
        site.age()
        if cache:
            shutil.copytree(cache[0] / "pictures", site.root / ".cache/pictures")
            _adopt(site.root / ".cache")
        site.build()
        cache[:] = cache or [site.root / ".cache"]
        return site

    return make


def _adopt(cache: Path) -> None:
    """Copies have inodes of their own: tell the index that these files are as they were made."""
    from pages.cache.store import FileDigests, save_cache

    made = FileDigests(cache / "pictures")
    for path in (cache / "pictures").iterdir():
        made(path.name)
    save_cache(cache / "pictures.json", {"sources": {}, "made": made.known})
