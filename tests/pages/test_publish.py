"""The swap: one system call where there is one, repaired renames elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from pages.output import publish as module
from pages.output.publish import Tree, exchange, publish, recover


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
    done = publish(out, {"a": b"new"}, {}, Tree())
    assert sorted(path.name for path in tmp_path.iterdir()) == [".site.before", "site"]
    assert done.written == ("a",)


def test_files_come_from_the_cache_as_links_or_as_copies(tmp_path, monkeypatch):
    """Another file system refuses links: then bytes are copied."""
    source = tmp_path / "cache.bin"
    source.write_bytes(b"pixels")
    for refuse in (False, True):
        if refuse:
            monkeypatch.setattr(module, "_link", lambda one, other: False)
        out = tmp_path / f"site-{refuse}"
        publish(out, {}, {"assets/p.bin": str(source)}, Tree())
        assert (out / "assets/p.bin").read_bytes() == b"pixels"
        assert (out / "assets/p.bin").samefile(source) is not refuse


def _site(out: Path) -> dict[str, str]:
    return {path.relative_to(out).as_posix(): path.read_text() for path in out.rglob("*") if path.is_file()}


def _published(out: Path, *turns: dict[str, str]) -> Tree:
    """Sites in turn, each on what the one before left."""
    tree = Tree()
    for texts in turns:
        publish(out, {address: text.encode() for address, text in texts.items()}, {}, tree)
        tree = Tree.at(out, tree.digests, tree.stamps, tree.changed)
        assert tree.intact
        assert _site(out) == texts
    return tree


def test_the_tree_before_the_last_is_brought_up_to_date(tmp_path, way):
    """It differs from the last in what that one changed: forgotten, an address would fall back by one build."""
    first, second = {"a": "1", "b/c": "1", "d/e": "1"}, {"a": "2", "b/c": "1", "f/g": "2"}
    _published(tmp_path / "site", first, second, second, first, {**first, "b/c": "3"}, second)
    assert not (tmp_path / "site/d").exists(), "no empty folder stays"


def test_what_did_not_change_is_the_same_file(tmp_path):
    out = tmp_path / "site"
    _published(out, {"a": "1", "b": "1"}, {"a": "2", "b": "1"})
    inode = (out / "b").stat().st_ino
    tree = Tree.at(out, {}, {}, [])
    assert not tree.intact, "nothing is known of these files"
    tree = _published(tmp_path / "other", {"a": "1", "b": "1"}, {"a": "2", "b": "1"}, {"a": "3", "b": "1"})
    assert (out / "b").stat().st_ino == inode
    assert (tmp_path / "other/b").samefile(tmp_path / ".other.before/b")
    assert not (tmp_path / "other/a").samefile(tmp_path / ".other.before/a")
    assert (tmp_path / ".other.before/a").read_text() == "2"
    assert tree.changed == ["a"]


@pytest.mark.parametrize("harm", ["deletes a file", "adds a file", "edits the site"])
def test_whoever_meddles_with_the_trees_changes_no_site(tmp_path, harm):
    out, before = tmp_path / "site", tmp_path / ".site.before"
    tree = _published(out, {"a": "1", "b": "1"}, {"a": "2", "b": "1"})
    if harm == "deletes a file":
        (before / "b").unlink()
    elif harm == "adds a file":
        (before / "stray").write_text("x")
    else:
        (out / "b").write_text("edited")
        tree = Tree.at(out, tree.digests, tree.stamps, tree.changed)
        assert not tree.intact
    publish(out, {"a": b"3", "b": b"1"}, {}, tree)
    assert _site(out) == {"a": "3", "b": "1"}
