"""A fork that deletes this paper - content/, results/ but for the weights, tests/paper/ - has a green test suite."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

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


def test_tests_that_once_read_the_paper_pass_without_it(tmp_path: Path) -> None:
    fork = tmp_path / "fork"
    shutil.copytree(ROOT, fork, ignore=_left_out)
    shutil.copytree(ROOT / "results/miniature", fork / "results/miniature")
    told = ("-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-k", "not label_of_the_title_page")
    done = subprocess.run([sys.executable, "-m", "pytest", *told, *READERS], cwd=fork, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]
