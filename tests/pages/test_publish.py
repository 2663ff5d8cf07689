"""The swap: one system call where there is one, repaired renames elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from pages import publish as module
from pages.publish import exchange, publish, recover


def _tree(place: Path, **files: str) -> Path:
    place.mkdir(parents=True)
    for name, text in files.items():
        (place / name).write_text(text)
    return place


@pytest.fixture(params=["at once", "by renames"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "by renames":
        monkeypatch.setattr(module, "_exchange_at_once", lambda one, other: False)
    return str(request.param)


def test_the_new_tree_takes_the_place_of_the_old(tmp_path, way):
    out, new = _tree(tmp_path / "site", a="old"), _tree(tmp_path / "next", a="new")
    exchange(new, out)
    assert (out / "a").read_text() == "new"
    assert not (tmp_path / ".site.old").exists()


def test_the_first_site_needs_no_old_one(tmp_path, way):
    exchange(_tree(tmp_path / "next", a="new"), tmp_path / "site")
    assert (tmp_path / "site/a").read_text() == "new"


def test_linux_exchanges_at_once(tmp_path):
    """The claim 'never gone' rests on this call; a platform without it falls back to two renames."""
    import sys

    if sys.platform != "linux":
        pytest.skip("renameat2 is Linux's")
    out, new = _tree(tmp_path / "site", a="old"), _tree(tmp_path / "next", a="new")
    assert module._exchange_at_once(new, out)
    assert (new / "a").read_text() == "old"


def test_a_kill_between_two_renames_is_repaired(tmp_path):
    """Without recovery the site would be gone until somebody looked."""
    _tree(tmp_path / ".site.old", a="old")
    recover(tmp_path / "site")
    assert (tmp_path / "site/a").read_text() == "old"
    assert not (tmp_path / ".site.old").exists()


def test_leftovers_of_a_killed_build_are_cleared(tmp_path):
    out = _tree(tmp_path / "site", a="old")
    _tree(tmp_path / ".site.next", half="x")
    done = publish(out, {"a": b"new"}, {}, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["site"]
    assert done.written == ("a",)


def test_files_come_from_the_cache_as_links_or_as_copies(tmp_path, monkeypatch):
    """Another file system refuses links: then bytes are copied."""
    source = tmp_path / "cache.bin"
    source.write_bytes(b"pixels")
    for refuse in (False, True):
        if refuse:
            monkeypatch.setattr(module, "_link", lambda one, other: False)
        out = tmp_path / f"site-{refuse}"
        publish(out, {}, {"assets/p.bin": source}, {})
        assert (out / "assets/p.bin").read_bytes() == b"pixels"
        assert (out / "assets/p.bin").samefile(source) is not refuse
