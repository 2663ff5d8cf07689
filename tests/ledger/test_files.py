"""A file is written whole or not at all, however many write it."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ledger.files import DRAFT, replace_bytes, replacing, sweep


def test_two_writers_of_one_file_do_not_lose_each_others_draft(tmp_path: Path) -> None:
    """With one name for the drafts of a file, the first rename took away what the second writer was about to rename."""
    start, texts = threading.Barrier(4), [bytes([65 + number]) * 5000 for number in range(4)]

    def write(text: bytes) -> None:
        start.wait()
        for _ in range(100):
            replace_bytes(tmp_path / "file", text, durable=False)
            assert (tmp_path / "file").read_bytes() in texts, "part of one, part of another"

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, texts))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_name_may_be_as_long_as_the_disk_takes_it(tmp_path: Path) -> None:
    replace_bytes(tmp_path / ("a" * 255), b"x")
    assert (tmp_path / ("a" * 255)).read_bytes() == b"x"


def test_a_write_that_fails_leaves_the_old_bytes_and_names_the_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), replacing(file) as draft:
        draft.write_bytes(b"half")
        raise KeyboardInterrupt
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError) as refused:
        replace_bytes(tmp_path / "folder", b"new")
    assert refused.value.filename == str(tmp_path / "folder")
    assert file.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_what_killed_writers_left_is_swept_and_what_lives_is_not(tmp_path: Path) -> None:
    for name, age in (("old", 7200), ("new", 0)):
        draft = tmp_path / f"{DRAFT}{name}.webp"
        draft.write_bytes(b"half")
        os.utime(draft, (draft.stat().st_mtime - age,) * 2)
    assert sweep(tmp_path) == 1
    assert [path.name for path in tmp_path.iterdir()] == [f"{DRAFT}new.webp"]
    assert sweep(tmp_path / "not there") == 0
