"""A fork that deletes this paper - content/, results/ but for the weights, tests/paper/ - has a green test suite."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pages.source.init import init

ROOT = Path(__file__).parents[2]
# Tests of what once read the paper's own files: captions, prompts, figures, docs, scenes of the theme.
READERS = (
    "tests/miniature/test_world.py",
    "tests/miniature/test_figures.py",
    "tests/evidence/test_prompts.py",
    "tests/pages/test_docs.py",
    "tests/browser/test_plates.py",
)
MADE = ("site", "runs", "node_modules", "__pycache__")  # by builds, not part of the project


def _left_out(folder: str, names: list[str]) -> set[str]:
    here = {ROOT: {"content", "results"}, ROOT / "tests": {"paper"}}.get(Path(folder), set())
    return {name for name in names if name in here or name in MADE or name.startswith(".")}


def _fork(place: Path) -> Path:
    """A copy without the paper."""
    shutil.copytree(ROOT, place, ignore=_left_out)
    shutil.copytree(ROOT / "results/miniature", place / "results/miniature")
    return place


def _passes(fork: Path, *chosen: str) -> None:
    told = ("-q", "-p", "no:cacheprovider", "-p", "no:xdist")
    done = subprocess.run([sys.executable, "-m", "pytest", *told, *chosen], cwd=fork, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]


MINIMAL = {
    "content/page.toml": 'title = "One"\ndescription = "d"\nyear = 2026\ndoor = false\n[[authors]]\nname = "A"\n',
    "content/sections/01-a/section.toml": 'id = "a"\n[clean]\ntitle = "A"\nnav = "A"\n',
    "content/sections/01-a/clean.md": "Text.\n",
}


@pytest.mark.parametrize("paper", ["begun", "minimal"])
def test_tests_of_publications_pass_over_another_paper(tmp_path: Path, paper: str) -> None:
    """They asked for the address of the page, for an exhibit, a claim and a number, which a paper need not have."""
    fork = _fork(tmp_path / "fork")
    if paper == "begun":
        init(tmp_path / "begun", None, 2026)
        for folder in ("content", "results"):
            shutil.copytree(tmp_path / "begun" / folder, fork / folder, dirs_exist_ok=True)
    for file, text in MINIMAL.items() if paper == "minimal" else ():
        (fork / file).parent.mkdir(parents=True, exist_ok=True)
        (fork / file).write_text(text)
    _passes(fork, "tests/pages/test_publications.py", "-k", "paper or real")


def test_tests_that_once_read_the_paper_pass_without_it(tmp_path: Path) -> None:
    _passes(_fork(tmp_path / "fork"), *READERS, "-k", "not label_of_the_title_page")
