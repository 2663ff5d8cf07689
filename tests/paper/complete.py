"""The shipped paper with every remote picture: made-up pictures and prompts of the sizes that the ledger
declares, fetched from a folder as a publisher would who accepts every group."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ledger.sources import read_sources
from pages.source.fetch import Downloader, fetch
from tests.conftest import copy_encoded

PROMPT = "A scene that a person described, and then the way in which it is to look wrong: dim, blurred, torn."


def with_all_pictures(project: Path, root: Path) -> None:
    """A copy of the publication in `root`, with every remote picture."""
    for name in ("content", "results"):
        shutil.copytree(project / name, root / name)
    copy_encoded(root)
    clone = root / "clone"
    files = {file: json.loads(file.read_text(encoding="utf-8")) for file in (root / "results").glob("*.json")}
    pictures = [
        one["remote"]
        for document in files.values()
        for exhibit in document.get("exhibits", {}).values()
        for one in exhibit["pictures"]
        if "remote" in one
    ]
    _make_pictures(pictures, clone)
    _make_prompts([one["prompt"] for one in pictures if "prompt" in one], clone)
    for file, document in files.items():
        file.write_text(json.dumps(document), encoding="utf-8")
    groups = [group for source in read_sources(root).values() for group in source.groups]
    outcome = fetch(root, Downloader(clone=clone, offline=True), accept=groups)
    assert outcome.failed == [] and len(outcome.fetched) == len(pictures)


def _make_pictures(pictures: list[dict[str, Any]], clone: Path) -> None:
    """Writes a file for each picture and pins it."""
    for seed, one in enumerate(pictures):
        content = _picture(one["width"], one["height"], seed)
        one |= {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        (clone / one["path"]).parent.mkdir(parents=True, exist_ok=True)
        (clone / one["path"]).write_bytes(content)


def _make_prompts(prompts: list[dict[str, Any]], clone: Path) -> None:
    """Writes the files that hold the prompts, each a list of records, and pins them."""
    for path in {prompt["file"] for prompt in prompts}:
        asked = [prompt for prompt in prompts if prompt["file"] == path]
        places = [prompt["pointer"].split("/")[1:] for prompt in asked]
        records: list[dict[str, str]] = [{} for _ in range(1 + max(int(number) for number, _ in places))]
        for number, key in places:
            records[int(number)][key] = f"{PROMPT} {key} {number}"
        content = json.dumps(records).encode()
        (clone / path).write_bytes(content)
        for prompt in asked:
            prompt["sha256"] = hashlib.sha256(content).hexdigest()


def _picture(width: int, height: int, seed: int) -> bytes:
    """Coarse colours that compress as photographs do."""
    coarse = np.random.default_rng(seed).integers(0, 255, (12, 12, 3), np.uint8)
    content = io.BytesIO()
    Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).save(content, "JPEG", quality=80)
    return content.getvalue()
