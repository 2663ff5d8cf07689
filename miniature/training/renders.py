"""Rendered sets of pictures with captions and labels, in memory-mapped files that grow while training reads them."""

from __future__ import annotations

import json
import multiprocessing
import time
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np

from miniature.world import painting, vocabulary
from miniature.world.splits import GROUP, SET_IDS, Counts, label_row, labels, shots

CHUNK = 60

FIELDS = {"image": np.uint8, "tokens": np.int16, "labels": np.uint8, "standing": np.float32}


def pictures(name: str, counts: Counts) -> int:
    """How many pictures set `name` has."""
    return {
        "main": counts.main,
        "preference": GROUP * counts.preference,
        "evaluation": 2 * counts.evaluation,
        "emotion": 2 * counts.emotion,
        "validation": 2 * counts.validation,
    }[name]


def _arrays(folder: Path, name: str, count: int, size: int, mode: str) -> dict[str, np.ndarray]:
    shapes = {"image": (count, size, size, 3), "tokens": (count, 2, vocabulary.LENGTH)}
    shapes |= {"labels": (count, len(labels())), "standing": (count, 3)}
    return {
        field: np.lib.format.open_memmap(folder / f"{name}-{field}.npy", mode, kind, shapes[field])
        for field, kind in FIELDS.items()
    }


def _render_chunk(job: tuple[Path, str, int, int, int, Counts, list[str]]) -> tuple[str, int]:
    folder, name, start, stop, size, counts, known = job
    target = _arrays(folder, name, pictures(name, counts), size, "r+")
    captions: list[str] = []
    for index, shot in enumerate(shots(name, start, stop, counts), start):
        image = painting.render(shot.scene, shot.asked, shot.seed)
        target["image"][index] = (
            image if size == painting.SIZE else cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
        )
        target["labels"][index] = label_row(shot.scene, shot.asked)
        target["standing"][index] = shot.standing
        captions += shot.captions
    target["tokens"][start:stop] = vocabulary.encode(captions, known).reshape(-1, 2, vocabulary.LENGTH)
    return name, start


def render(folder: Path, counts: Counts, size: int, processes: int, seconds: float | None = None) -> dict[str, int]:
    """Render all sets below `folder`, the small sets first; stops after `seconds`. Returns finished counts.

    `ended` marks that nobody renders now, `done` that every picture is there: a call that was cut short is continued.

    `{name}.count` holds how many pictures from the start of a set are complete, for readers that train meanwhile and
    for a later call, which goes on from there.
    """
    cv2.setNumThreads(1)
    folder.mkdir(parents=True, exist_ok=True)
    known = vocabulary.vocabulary()
    (folder / "vocabulary.json").write_text(json.dumps(known))
    told = json.dumps(asdict(counts) | {"size": size})
    if not (folder / "ready").exists() or (folder / "counts.json").read_text() != told:
        (folder / "counts.json").write_text(told)
        for name in SET_IDS:
            _arrays(folder, name, pictures(name, counts), size, "w+")
            (folder / f"{name}.count").write_text("0")
    complete = {name: available(folder, name) for name in SET_IDS}
    chunks = {name: list(range(complete[name], pictures(name, counts), CHUNK)) for name in SET_IDS}
    (folder / "ended").unlink(missing_ok=True)
    (folder / "ready").write_text("1")
    head = [start for start in chunks["main"] if start < 24000]
    order = [(name, start) for name in ("evaluation", "emotion", "validation") for start in chunks[name]]
    order += [("main", start) for start in head]
    order += [("preference", start) for start in chunks["preference"]]
    order += [("main", start) for start in chunks["main"][len(head) :]]
    jobs = [
        (folder, name, start, min(start + CHUNK, pictures(name, counts)), size, counts, known) for name, start in order
    ]
    finished: dict[str, set[int]] = {name: set() for name in SET_IDS}
    began = time.monotonic()
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        for name, start in pool.imap_unordered(_render_chunk, jobs):
            finished[name].add(start)
            while complete[name] in finished[name]:
                complete[name] = min(complete[name] + CHUNK, pictures(name, counts))
            (folder / f"{name}.count").write_text(str(complete[name]))
            if seconds is not None and time.monotonic() - began > seconds:
                pool.terminate()
                break
    if all(complete[name] == pictures(name, counts) for name in SET_IDS):
        (folder / "done").write_text("1")
    (folder / "ended").write_text("1")
    return complete


def stored_counts(folder: Path) -> tuple[Counts, int]:
    """Counts and picture size of the sets below `folder`."""
    stored = json.loads((folder / "counts.json").read_text())
    size = int(stored.pop("size"))
    return Counts(**stored), size


def available(folder: Path, name: str) -> int:
    """Complete pictures of a set so far; 0 while it is not there."""
    try:
        return int((folder / f"{name}.count").read_text() or 0)
    except (FileNotFoundError, ValueError):
        return 0


def open_set(folder: Path, name: str) -> dict[str, np.ndarray]:
    """The arrays of a set, read-only, mapped; only the first `available` rows are meaningful while it grows."""
    counts, size = stored_counts(folder)
    return _arrays(folder, name, pictures(name, counts), size, "r")
