"""The staged site takes the place of the old one, in folders that are ours and in no other."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.problems import InputError
from pages.cache.store import FileDigests
from pages.output import publish as module
from pages.output.publish import STAMP, Published, exchange, publish, recover, stage, staging

PROJECT = Path(__file__).parents[2]


def _tree(place: Path, **files: str) -> Path:
    place.mkdir(parents=True)
    for name, text in files.items():
        (place / name).write_text(text)
    return place


def _publish(out: Path, texts: dict[str, str], old: FileDigests | None = None, **files: tuple[str, str]) -> Published:
    """As a build does; the files are known to `old` afterwards."""
    old = old or FileDigests(out)
    content = {address: text.encode() for address, text in texts.items()}
    with staging(out, out.parent / "spare") as folder:
        staged = stage(out, folder, content, files, old)
        done = publish(staged, out)
    old.keep(staged.digests, staged.touched)
    return done


def _site(out: Path) -> dict[str, str]:
    files = (path for path in out.rglob("*") if path.is_file() and path.name != STAMP)
    return {path.relative_to(out).as_posix(): path.read_text() for path in files}


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
    if sys.platform != "linux":
        pytest.skip("renameat2 is Linux's")
    out, new = _tree(tmp_path / "site", a="old"), _tree(tmp_path / "next", a="new")
    assert module._exchange_at_once(new, out)
    assert (new / "a").read_text() == "old"


def test_a_kill_between_two_renames_is_repaired(tmp_path):
    """Without recovery the site would be gone until somebody looked."""
    _tree(tmp_path / ".site.old", a="old", **{STAMP: ""})
    recover(tmp_path / "site")
    assert (tmp_path / "site/a").read_text() == "old"
    assert not (tmp_path / ".site.old").exists()


def test_leftovers_of_a_killed_build_are_cleared(tmp_path):
    out = _tree(tmp_path / "site", a="old")
    _tree(tmp_path / "spare", half="x")
    done = _publish(out, {"a": "new"})
    assert _site(out) == {"a": "new"}
    assert done.written == ("a",)


@pytest.mark.parametrize("links", [True, False])
def test_what_an_exchange_leaves_is_staged_in_again(tmp_path, monkeypatch, links):
    """Thousands of links are not made anew for one page, and what somebody did to the spare is undone."""
    if not links:
        monkeypatch.setattr(module, "_link", lambda one, other: False)
    out, spare, old = tmp_path / "site", tmp_path / "spare", FileDigests(tmp_path / "site")
    texts = {"a": "1", "b/c": "1", "d": "1"}
    for turn in range(4):
        _publish(out, {**texts, "d": str(turn)}, old)
        assert old.unchanged(), "the stamps of all files are known without looking at all of them"
    kept = (out / "b/c").stat()
    (spare / "stray").write_text("x")
    (spare / "a").unlink()
    (spare / "a").symlink_to(out / "d")
    (spare / "e").mkdir()
    (spare / "e/f").write_text("x")
    _publish(out, {**texts, "d": "5"}, old)
    assert _site(out) == {**texts, "d": "5"} and not (out / "e").exists()
    assert old.unchanged()
    assert not (out / "a").is_symlink()
    assert ((out / "b/c").stat() == kept) is links, "not even its number of links changed"


def test_folders_of_others_beside_the_site_stay(small):
    """Somebody may call his own copy `.site.old`."""
    mine = [_tree(small.root / name, note="mine") for name in (".site.next", ".site.old")]
    small.json("results/numbers.json", lambda doc: doc["values"]["models.alpha.after"].update(value=9.75))
    assert not small.build().problems
    assert "9.75" in small.read("clean/index.html")
    assert [(folder / "note").read_text() for folder in mine] == ["mine", "mine"]


def test_files_come_from_the_cache_as_links_or_as_copies(tmp_path, monkeypatch):
    """Another file system refuses links: then bytes are copied."""
    (tmp_path / "cache.bin").write_bytes(b"pixels")
    digest = FileDigests(tmp_path)("cache.bin")
    for refuse in (False, True):
        if refuse:
            monkeypatch.setattr(module, "_link", lambda one, other: False)
        out = tmp_path / f"site-{refuse}"
        _publish(out, {"a": "1"}, **{"p.bin": (str(tmp_path / "cache.bin"), digest)})
        assert (out / "p.bin").read_bytes() == b"pixels"
        assert (out / "p.bin").samefile(tmp_path / "cache.bin") is not refuse


def test_a_site_is_exactly_what_was_staged_last(tmp_path, way):
    out = tmp_path / "site"
    first, second = {"a": "1", "b/c": "1", "d/e": "1"}, {"a": "2", "b/c": "1", "f/g": "2"}
    for texts in (first, second, second, first, {**first, "b/c": "3"}, second):
        _publish(out, texts)
        assert _site(out) == texts
    assert not (out / "d").exists(), "no empty folder stays"


@pytest.mark.parametrize("harm", ["same size and time", "another size"])
def test_an_edited_file_of_the_site_is_written_again(tmp_path, harm):
    """Whoever writes to the site and sets the time back must not have his bytes taken for ours."""
    out, old = tmp_path / "site", FileDigests(tmp_path / "site")
    _publish(out, {"a": "1", "b": "1"}, old)
    assert old.unchanged()
    before = (out / "a").stat()
    (out / "a").write_text("x" if harm == "same size and time" else "longer")
    os.utime(out / "a", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not old.unchanged()
    assert _publish(out, {"a": "1", "b": "1"}, old).written == ("a",)
    assert _site(out) == {"a": "1", "b": "1"}


# -- whose folder it is ------------------------------------------------------------------------------------------------


def _git(folder: Path, *words: str) -> str:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


def _snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("theses", "holds thesis.tex and is not the work of a build"),
        ("repository", "is a repository of its own"),
        (".", "of which the site is made"),
        ("..", "of which the site is made"),
        ("content", "of which the site is made"),
        ("content/site", "of which the site is made"),
        ("results/pictures", "of which the site is made"),
        ("link-to-the-project", "of which the site is made"),
        ("file", "is a file"),
        ("link-to-itself", "leads to itself"),
        ("a-stamp-of-others", "is not the work of a build"),
        ("a-folder-of-a-host", "holds CNAME, which is no file"),
        ("a-link-of-git", "holds .git, which is no file"),
        (PROJECT, "of which the site is made"),
        (PROJECT / "pages", "of which the site is made"),
    ],
)
def test_a_folder_that_is_not_ours_is_refused_untouched(small, where, said):
    """One wrong --out has cost others their sources, their history and their only copy."""
    root = small.root
    _tree(root / "theses", **{"thesis.tex": "years of work"})
    _git(_tree(root / "repository", **{STAMP: "a build was here once"}), "init", "-q")
    (root / "link-to-the-project").symlink_to(root)
    (root / "file").write_text("x")
    (root / "link-to-itself").symlink_to("link-to-itself")
    _tree(root / "a-stamp-of-others" / STAMP, mine="x")
    _tree(root / "a-folder-of-a-host" / "CNAME", mine="x")
    _tree(root / "a-link-of-git")
    (root / "a-link-of-git/.git").symlink_to("/not/there")
    before = _snapshot(root)
    from pages.build import build

    for force in (False, True):
        with pytest.raises(InputError) as refused:
            build(root, root / where, force=force)
        (problem,) = refused.value.problems
        assert said in problem.message and problem.message.endswith("nothing was touched")
    assert _snapshot(root) == before


def test_an_empty_folder_and_one_of_ours_are_written(small):
    from pages.build import build

    (small.root / "empty").mkdir()
    for _ in range(2):
        assert not build(small.root, small.root / "empty", force=True).problems
    assert (small.root / "empty/index.html").exists()


def test_a_link_is_followed(small, tmp_path):
    """`site -> /srv/deploy` is how a server is fed: the link stays, and every build arrives."""
    deploy = _tree(tmp_path / "srv" / "deploy", CNAME="example.org")
    small.out.rename(tmp_path / "former")
    small.out.symlink_to(deploy)
    for score in (1.5, 2.5):
        small.json("results/numbers.json", lambda doc, s=score: doc["values"]["models.alpha.after"].update(value=s))
        assert not small.build().problems
        assert small.out.is_symlink()
        assert f"{score}" in (deploy / "clean/index.html").read_text()
        assert (deploy / "CNAME").read_text() == "example.org"
    assert sorted(path.name for path in deploy.parent.iterdir()) == ["deploy"]


def test_a_worktree_stays_one(small, tmp_path):
    """The branch that a host publishes is checked out at site/: its .git and CNAME are not ours to remove."""
    small.out.rename(tmp_path / "former")
    repository = _tree(tmp_path / "repository")
    _git(repository, "init", "-q")
    _git(repository, "commit", "-q", "--allow-empty", "-m", "nothing yet")
    _git(repository, "worktree", "add", "-q", "-b", "gh-pages", str(small.out))
    (small.out / "CNAME").write_text("example.org")
    for _ in range(2):
        small.build(force=True)
        assert (small.out / "CNAME").read_text() == "example.org"
        _git(small.out, "add", ".")
        _git(small.out, "commit", "-q", "--allow-empty", "-m", "site")
    assert small.build().unchanged
    assert "clean/index.html" in _git(repository, "ls-tree", "-r", "--name-only", "gh-pages")


@pytest.fixture(params=["a mount point", "a parent that is closed", "another disk"])
def not_exchanged(request: pytest.FixtureRequest, small, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two of the three need root to be made, and are told of as the system tells of them where it is not at hand."""
    mount = ["mount", "--bind", str(small.out), str(small.out)]
    if request.param == "a mount point" and subprocess.run(mount, capture_output=True, check=False).returncode == 0:
        yield
        subprocess.run(["umount", str(small.out)], check=True)
        return
    code = {"a mount point": errno.EBUSY, "a parent that is closed": errno.EACCES, "another disk": errno.EXDEV}

    def refused(new: Path, out: Path) -> None:
        raise OSError(code[request.param], os.strerror(code[request.param]), str(new), None, str(out))

    monkeypatch.setattr(module, "exchange", refused)
    yield


def test_a_folder_that_cannot_be_exchanged_is_copied_into(small, not_exchanged):
    """A volume of a container is a mount point: it can be filled, not renamed."""
    inode = small.out.stat().st_ino
    small.json("results/numbers.json", lambda doc: doc["values"]["models.alpha.after"].update(value=9.75))
    (small.out / "stray.html").write_text("left over")
    assert not small.build().problems
    assert small.out.stat().st_ino == inode
    assert "9.75" in small.read("clean/index.html") and not (small.out / "stray.html").exists()
    assert small.build().unchanged
    assert not list(small.root.glob(".site*")) and not (small.root / ".cache/next").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_publication_that_a_full_disk_cut_short_is_taken_away(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=40k", "none", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        command = [sys.executable, "build.py", "init", str(disk)]
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
        assert done.returncode == 1 and "No space left" in done.stderr and "Traceback" not in done.stderr
        assert [*disk.iterdir()] == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_folder_on_another_disk_is_filled_whatever_was_staged_before(small):
    """Inodes tell files apart on one disk only: those of a volume may be the numbers of others in the spare."""
    for score in (1.5, 2.5):
        small.json("results/numbers.json", lambda doc, s=score: doc["values"]["models.alpha.after"].update(value=s))
        small.build()
    assert (small.root / ".cache/next").exists()
    disk = small.root / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "none", str(disk)], capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        from pages.build import build

        for score in (3.5, 3.5, 4.5):
            small.json("results/numbers.json", lambda doc, s=score: doc["values"]["models.alpha.after"].update(value=s))
            for out in (disk, disk / "below"):
                assert not build(small.root, out).problems
                assert f"{score}" in (out / "clean/index.html").read_text()
            shutil.rmtree(disk / "below")
        assert not list(disk.glob(".*.next"))
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    assert not list(small.root.glob(".disk*"))
    assert not small.build().problems and small.build().unchanged


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
@pytest.mark.parametrize("options", ["size=100k", "ro"])
def test_a_full_or_closed_disk_is_one_line(small, tmp_path, options):
    """No traceback, no leftovers, and the old site as it was."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "none", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    command = [sys.executable, "build.py", "build", "--root", str(small.root), "--out", str(disk / "site")]
    try:
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
        assert done.returncode == 1 and "Traceback" not in done.stderr
        assert "cannot be written" in done.stderr and done.stderr.strip().endswith("1 problem")
        assert [path for path in disk.iterdir() if path.name != "site"] == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    assert not list((small.root / ".cache").rglob(".draft-*")) and not (small.root / ".cache/next").exists()
