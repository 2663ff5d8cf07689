"""For all tests: no example of a property is too slow, since a busy machine would fail it; and what several processes
test, one of them makes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

ROOT = Path(__file__).parents[1]
Made = Callable[[str, Callable[[Path], None]], Path]


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Made:
    """`made_once(name, make)`: a folder that `make` filled, once for all processes of this run. Tests only read it."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if hasattr(pytestconfig, "workerinput") else base  # a process of pytest-xdist has a part of it

    def folder_of(name: str, make: Callable[[Path], None]) -> Path:
        folder, done = base / name, base / f"{name}.done"
        with FileLock(base / f"{name}.lock"):
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)  # of a process that failed at it
                folder.mkdir()
                make(folder)
                done.touch()
        return folder

    return folder_of


def copy_encoded(root: Path) -> None:
    """Pictures that a build of this repository has encoded, and what it knows of them: a build of the same pictures
    below `root` encodes none again."""
    if (ROOT / ".cache/pictures.json").is_file():
        shutil.copytree(ROOT / ".cache/pictures", root / ".cache/pictures")
        shutil.copy2(ROOT / ".cache/pictures.json", root / ".cache")


@pytest.fixture(scope="session")
def drawing_project(made_once: Made) -> Path:
    """A root with the results of this repository and, below `.cache`, the files with which browsers draw."""

    def make(root: Path) -> None:
        from miniature.shipping import web

        (root / "results").symlink_to(ROOT / "results")
        web.write(root)

    return made_once("drawing-project", make)
