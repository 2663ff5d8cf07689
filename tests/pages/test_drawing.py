"""The page on which readers draw: there where the project holds a model of its own weights, and nowhere else."""

from __future__ import annotations

import hashlib
import json
import shutil

from tests.pages.conftest import SmallSite

WEIGHTS = "results/weights.bin"


def give_model(site: SmallSite) -> None:
    """What a model for browsers leaves for the build: a manifest and a file, made from the weights of the project.
    Pages are those of the theme: the fixture's own templates know of no drawing."""
    shutil.rmtree(site.root / "templates")
    site.write(WEIGHTS, b"weights")
    manifest = {
        "sources": {WEIGHTS: hashlib.sha256(b"weights").hexdigest()},
        "files": ["model-0123456789.bin"],
        "bytes": {"wasm": 29_800_000},
        "menus": [{"name": "subject", "label": "Subject", "optional": False, "groups": [["", ["penguin", "owl"]]]}],
        "most": 1.5,
        "example": {"subject": "owl"},
        "prompt": "an owl",
        "model": {"size": 64, "steps": 8, "families": [{"id": "draft", "name": "reward", "rank": 4}]},
        "addresses": {"models": {"decoder": ["model-0123456789.bin"]}, "runtimes": {}, "trial": {}},
    }
    site.write(".cache/draw/draw.json", json.dumps(manifest))
    site.write(".cache/draw/model-0123456789.bin", b"model")


def test_a_project_without_a_model_has_no_drawing_page(small: SmallSite) -> None:
    assert not [path for path in small.files() if "draw/index" in path or path.endswith(".bin")]


def test_a_model_brings_a_page_a_copy_its_files_and_a_policy_that_lets_it_compute(small: SmallSite) -> None:
    give_model(small)
    assert small.build().problems == ()
    assert small.files()["assets/draw/model-0123456789.bin"] == b"model"
    for variant in ("clean", "distorted"):
        page = small.read(f"{variant}/draw/index.html")
        assert "script-src 'self' 'wasm-unsafe-eval'" in page
        assert "loads 30 MB once" in page
        assert "<option selected>owl</option>" in page
        assert "wasm-unsafe-eval" not in small.read(f"{variant}/index.html")
    assert "draw-offline.js" in small.files()


def test_a_model_of_other_weights_is_left_out_with_a_note(small: SmallSite) -> None:
    give_model(small)
    small.build()
    small.write(WEIGHTS, b"other weights")
    report = small.build()
    assert [note for note in report.notes if WEIGHTS in note and "make web" in note]
    assert "clean/draw/index.html" not in small.files()


def test_scripts_that_import_each_other_find_each_other(small: SmallSite) -> None:
    give_model(small)
    small.build()
    scripts = {path: text.decode() for path, text in small.files().items() if path.startswith("assets/js/draw/")}
    imports = {line.split('"')[1] for text in scripts.values() for line in text.splitlines() if ' from "./' in line}
    assert len(imports) >= 5
    assert all(f"assets/js/draw/{name.removeprefix('./')}" in scripts for name in imports)
