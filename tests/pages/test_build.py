"""What a build makes, and what it does not do twice."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "golden"


def _without_hashes(text: str) -> str:
    """Names of renditions depend on the versions of codecs and treatments."""
    return re.sub(r"[0-9a-f]{20}(?=[-.])", "HASH", text)


@pytest.mark.parametrize(
    "address", ["clean/index.html", "distorted/index.html", "clean/exhibit/garden.html", "data/tables/models.csv"]
)
def test_the_small_site_comes_out_as_it_did(small, address):
    """Golden files: read the difference; where it is meant, copy the new output over the old."""
    expected = (GOLDEN / address.replace("/", "_")).read_text(encoding="utf-8")
    assert _without_hashes(small.read(address)) == expected


def test_everything_around_the_pages_is_published(small):
    """Without these a static host shows no 404, search engines no sitemap, readers no data."""
    files = small.files()
    assert {
        ".nojekyll", "404.html", "index.html", "robots.txt", "sitemap.xml", "data/ledger.json", "data/values.html",
        "data/values/models.html", "manifest.webmanifest",
        "data/ledger.schema.json", "data/small2026.bib", "data/tables/models.csv", "data/tables/models.json",
    } <= files.keys()  # fmt: skip
    assert "https://example.org/small/clean/</loc>" in files["sitemap.xml"].decode()
    assert b"distorted" not in files["sitemap.xml"]
    assert json.loads(files["data/ledger.json"])["values"]["models.alpha.delta"]["value"] == -3.165
    assert b"author = {First, Ada and Second, Ben}" in files["data/small2026.bib"]


def test_a_byte_order_mark_is_no_part_of_a_template(small):
    place = "templates/parts/exhibits.html"
    small.write(place, b"\xef\xbb\xbf" + (small.root / place).read_bytes())
    small.build()
    assert "\ufeff" not in small.read("clean/index.html")


def test_hidden_files_and_folders_are_not_published(small):
    """A repository in content/files/ would show its history, and what its configuration holds."""
    for name in ("slides/talk.txt", "slides/.git/config", ".DS_Store", "slides/.env"):
        small.write(f"content/files/{name}", "x")
    small.build()
    assert [name for name in small.files() if name.startswith("files/")] == ["files/slides/talk.txt"]


def test_a_changed_score_changes_every_page_that_shows_it(small):
    """The one failure that an evidence page must never have: an old number beside new data."""
    small.json("results/numbers.json", lambda doc: doc["values"]["models.alpha.delta"].update(value=-7.25))
    report = small.build()
    assert not report.problems
    for address in ("clean/index.html", "distorted/index.html", "data/values/models.html", "data/ledger.json"):
        assert "7.25" in small.read(address)
        assert "3.165" not in small.read(address)


def test_rows_are_found_in_either_form_of_unicode(small):
    """macOS takes the umlauts of file names apart."""
    small.write("results/rows/u\u0308.csv", "x\n")
    small.json("results/numbers.json", lambda doc: doc["values"]["models.alpha.delta"].update(rows="rows/\u00fc.csv"))
    small.build()
    assert small.files()["data/rows/\u00fc.csv"] == b"x\n"


def test_rows_behind_a_value_are_published_beside_it(small):
    """A reviewer who doubts a number finds what it was computed from."""
    small.write("results/rows/alpha.csv", "prompt,score\n1,2\n")
    small.json("results/numbers.json", lambda doc: doc["values"]["models.alpha.delta"].update(rows="rows/alpha.csv"))
    assert not small.build().problems
    assert small.read("data/rows/alpha.csv") == "prompt,score\n1,2\n"


def test_a_text_that_changed_needs_no_picture_library(small):
    """Half of a short rebuild would be the import of OpenCV."""
    small.replace("content/sections/02-second/clean.md", "hangs", "still hangs")
    code = (
        "import sys; from pathlib import Path; from pages.build import build;"
        f"assert build(Path({str(small.root)!r}), Path({str(small.out)!r})).written == 1;"
        "print(sorted({'numpy', 'cv2', 'PIL', 'torch', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_changed_prompt_changes_the_exhibit_and_nothing_else(small):
    """A page cache keyed too coarsely would miss this; keyed too finely it would rewrite everything."""
    before = small.files()
    small.replace("results/exhibits.json", "a blurred garden", "a drowned garden")
    report = small.build()
    changed = {name for name, content in small.files().items() if content != before.get(name)}
    assert changed == {
        "clean/index.html", "distorted/index.html", "clean/exhibit/garden.html", "distorted/exhibit/garden.html",
        "data/ledger.json", "data/exhibits.json",
    }  # fmt: skip
    assert report.written == len(changed)


def test_a_build_with_nothing_to_do_renders_nothing(small):
    """The stat fast path; a template engine would be a tenth of a second, a validator two."""
    assert small.build().unchanged


def test_the_fast_path_imports_nothing_heavy(small):
    """A no-change build is mostly imports: pydantic, jinja2 and numpy have no part in it."""
    code = (
        "import sys; from pathlib import Path; from pages.build import build;"
        f"assert build(Path({str(small.root)!r}), Path({str(small.out)!r})).unchanged;"
        "print(sorted({'pydantic', 'jinja2', 'numpy', 'cv2', 'PIL', 'markdown'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("path", ["content/page.toml", "templates/index.html", "results/numbers.json"])
def test_a_touched_input_is_read_again(small, path):
    (small.root / path).touch()
    assert not small.build().unchanged


def test_a_page_that_somebody_edited_is_made_whole_again(small):
    """site/ is output: whoever writes to it loses, and is not silently believed either."""
    page = small.out / "clean/index.html"
    good = page.read_bytes()
    page.write_bytes(b"edited")
    assert small.build().written == 1
    assert page.read_bytes() == good


def test_a_rendition_that_somebody_damaged_is_encoded_again(small):
    """Cache and site share files: damage to one must not live on in the other."""
    victim = next((small.root / ".cache/pictures").glob("*.avif"))
    good = victim.read_bytes()
    victim.write_bytes(b"damaged")
    report = small.build()
    assert report.encoded == 1
    assert victim.read_bytes() == good
    assert (small.out / "assets/pictures" / victim.name).read_bytes() == good


def test_two_builds_give_the_same_bytes(small, tmp_path):
    """From scratch in another place, with other processes and another time, the same site appears."""
    from shutil import copytree, ignore_patterns

    elsewhere = tmp_path / "elsewhere"
    copytree(small.root, elsewhere, ignore=ignore_patterns("site", ".cache"))
    from pages.build import build

    build(elsewhere, elsewhere / "site", jobs=2)
    assert small.files(elsewhere / "site") == small.files()


def test_orphans_are_removed_and_named(small):
    """What a page no longer refers to must not stay on the server for others to find."""
    (small.out / "stray.html").write_text("left over")
    small.json("results/exhibits.json", lambda doc: doc["exhibits"]["tiny"].update(sets=["elsewhere"]))
    small.json("results/exhibits.json", lambda doc: doc["exhibits"].pop("painting"))
    for voice in ("clean", "distorted"):
        small.replace(f"content/sections/02-second/{voice}.md", '{{ exhibit("painting") }}', "")
    removed = small.build().removed
    assert "stray.html" in removed
    assert "clean/exhibit/painting.html" in removed
    assert not (small.out / "clean/exhibit/painting.html").exists()


def test_files_that_did_not_change_keep_their_times(small):
    """So that a deploy by modification time sends only what is new."""
    before = {path: path.stat().st_mtime_ns for path in small.out.rglob("*") if path.is_file()}
    small.json("results/numbers.json", lambda doc: doc["values"]["models.alpha.after"].update(value=5.6))
    small.build()
    touched = {path.relative_to(small.out).as_posix() for path, at in before.items() if path.stat().st_mtime_ns != at}
    assert touched == {
        "clean/index.html", "distorted/index.html", "data/values/models.html", "data/ledger.json",
        "data/tables/models.csv", "data/tables/models.json",
        "clean/tables/models.html", "distorted/tables/models.html",
    }  # fmt: skip


def test_the_address_of_the_site_can_come_from_outside(small, monkeypatch):
    """A fork's Pages address differs; its canonical links must not point at the original."""
    monkeypatch.setenv("SITE_URL", "https://fork.example/page")
    assert not small.build().unchanged
    assert 'rel="canonical" href="https://fork.example/page/clean/"' in small.read("clean/index.html")


def test_works_below_any_folder_and_from_files(small):
    """No link begins with a slash, and none leads out of the site: check() has resolved all of them."""
    for path in small.out.rglob("[!4]*.html"):
        text = path.read_text(encoding="utf-8")
        assert not re.findall(r"""(?:href|src|srcset)=["'](/[^"']*)""", text), path


def test_the_page_for_missing_addresses_works_at_any_depth(small):
    """A host serves 404.html for /small/a/b/c as it is: relative links would lead nowhere from there."""
    text = small.read("404.html")
    assert re.findall(r'href="(/[^"]*)"', text) == re.findall(r'href="(?!https://)([^"]*)"', text)
    assert 'href="/small/index.html"' in text
    (small.out / "404.html").write_text(text.replace("/small/index.html", "/small/indx.html"))
    from pages.output.check import check

    assert any("broken link to 'indx.html'" in problem.message for problem in check(small.root, small.out))


# Runs one build and watches its every step from the moment it stages: whatever the disk holds at a step is what a kill
# there would leave. With a number, the process ends at that step for good.
WATCHED = """
import hashlib, os, sys
from pathlib import Path
root, out, last = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
steps, seen, watching = 0, [], False

def digest():
    files = {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    lines = [f"{name} {hashlib.sha256(content).hexdigest()}" for name, content in sorted(files.items())]
    return hashlib.sha256("\\n".join(lines).encode()).hexdigest()

def step(event, arguments):
    global steps, watching
    if event == "os.mkdir" and str(arguments[0]).endswith(".cache/next"):
        watching = True
    if not watching or not (event == "open" or event.startswith(("os.", "shutil."))) or event == "os.scandir":
        return
    watching, steps = False, steps + 1
    if steps == last:
        os._exit(9)
    found = digest() if not last else ""
    if found and found not in seen:
        seen.append(found)
    watching = True

from pages.build import build
sys.addaudithook(step)
build(root, out, jobs=1)
watching = False
print(steps, *seen)
"""


def _watched(small, spare: bool, last: int = 0) -> subprocess.CompletedProcess[str]:
    """A build that stages in what an exchange left, or in an empty folder."""
    if not spare:
        shutil.rmtree(small.root / ".cache/next", ignore_errors=True)
    command = [sys.executable, "-c", WATCHED, str(small.root), str(small.out), str(last)]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("spare", [False, True])
def test_a_build_stopped_at_any_step_leaves_the_old_site_or_the_new(small, spare):
    """Staging, checking, exchanging, tidying: at no step does the site hold a mixture or nothing, and the next build
    tidies up."""

    def score(value: float) -> None:
        small.json("results/numbers.json", lambda doc: doc["values"]["models.alpha.after"].update(value=value))

    for value in (9.9, 5.5):
        score(value)
        small.build()
    old = small.digest()
    score(9.9)
    watched = _watched(small, spare)
    new = small.digest()
    count, *seen = watched.stdout.split()
    assert int(count) > (40 if spare else 100), watched.stderr
    assert seen == [old, new], "the site goes from the old to the new in one step"
    versions = {old, new}
    for number, last in enumerate([*range(1, int(count), int(count) // 8), int(count)]):
        score([5.5, 9.9][number % 2])
        assert _watched(small, spare, last).returncode == 9
        assert small.digest() in versions, f"stopped at step {last}"
        small.build()
        assert small.digest() == [old, new][number % 2]
        leftovers = [path.name for path in (*small.root.iterdir(), *(small.root / ".cache").rglob(".draft-*"))]
        assert not [name for name in leftovers if name.startswith((".site", ".draft-"))]


def test_a_build_killed_at_a_random_moment_leaves_the_old_site_or_the_new(small):
    """kill -9 also between what Python calls a step."""
    old = small.digest()
    small.json("results/numbers.json", lambda doc: doc["values"]["models.alpha.after"].update(value=9.9))
    small.build()
    new, dice = small.digest(), random.Random(5)
    command = [sys.executable, "build.py", "build", "--root", str(small.root), "--out", str(small.out), "--jobs", "1"]
    for turn in range(6):
        score = [5.5, 9.9][turn % 2]
        small.json("results/numbers.json", lambda doc, s=score: doc["values"]["models.alpha.after"].update(value=s))
        process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(dice.uniform(0.2, 0.9))
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert small.digest() in {old, new}


def test_a_killed_build_leaves_no_encoder_that_holds_its_lock(fresh):
    """The kernel lets go of a lock when the last process ends that has it: every later build would wait for ever."""
    command = [sys.executable, "build.py", "build", "--root", str(fresh.root), "--jobs", "2"]
    killed = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    pictures, deadline = fresh.root / ".cache/pictures", time.monotonic() + 60
    while not (pictures.exists() and any(pictures.iterdir())):
        assert killed.poll() is None and time.monotonic() < deadline
        time.sleep(0.001)
    killed.kill()
    killed.wait()
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_a_site_that_fails_its_check_is_not_published(small):
    """A number without a source, a script in a link: readers must never see what `check` refuses."""
    before, cached = small.digest(), small.files(small.root / ".cache/pictures")
    small.replace("content/sections/02-second/clean.md", "hangs", "hangs 4711 times")
    for force in (False, True):
        report = small.build(force=force)
        assert any("4711" in problem.message for problem in report.problems)
        assert small.digest() == before and not list(small.root.glob(".site*"))
    assert small.files(small.root / ".cache/pictures") == cached
    assert not small.build(checked=False).problems, "--no-check publishes all the same"
    assert "4711" in small.read("clean/index.html")


def test_a_cache_gives_back_what_was_kept_whatever_files_are_called(tmp_path: Path) -> None:
    """Linux lets names be no UTF-8; Python reads them with halves of surrogate pairs, which not every parser takes."""
    from pydantic_core import from_json

    from pages.cache.store import load_cache, save_cache

    for name, parse, expected in (
        ("plain", from_json, True),
        ("\udcff", json.loads, True),
        ("\udcff", from_json, False),
    ):
        save_cache(tmp_path / "cache.json", {name: ["1:2:3", "\u2212"]})
        found = load_cache(tmp_path / "cache.json", parse)
        assert found == ({name: ["1:2:3", "\u2212"]} if expected else {})


OLD_CACHES = {
    "damaged": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "of another version": lambda content: content.replace(b'"version":', b'"version":9', 1),
    "with another field": lambda content: content.replace(b'"', b"'"),
    "somebody else's JSON": lambda content: b'{"version": 1, "content": {"files": {}, "reads": [], "code": ""}}',
    "binary": lambda content: b"\x00\xff" * 99,
    "a deep one": lambda content: b"[" * 100_000,
}


@pytest.mark.parametrize("harm", OLD_CACHES)
def test_a_cache_that_is_not_ours_is_made_anew(small, harm):
    """Another version of this tool, a full disk, a merge: a cache may cost time, never a traceback or a stale page."""
    before = small.digest()
    names = sorted(path.name for path in (small.root / ".cache").glob("*.json"))
    assert names == ["facts.json", "pictures.json", "rendered.json", "sites.json", "templates.json"]
    for name in names:
        place = small.root / ".cache" / name
        place.write_bytes(OLD_CACHES[harm](place.read_bytes()))
    report = small.build()
    assert not report.unchanged and not report.problems and small.digest() == before
    assert small.build().unchanged


def test_a_cache_that_cannot_be_written_costs_no_site(small, monkeypatch):
    """The disk may fill at the very end: what is published is not said to be kept back."""
    from pages.cache import rendered

    def full(file: Path, content: object) -> None:
        raise OSError(28, "No space left on device", str(file))

    monkeypatch.setattr(rendered, "save_cache", full)
    small.json("results/numbers.json", lambda doc: doc["values"]["models.alpha.after"].update(value=9.75))
    (note,) = [note for note in small.build().notes if "rendered.json" in note]
    assert "No space left on device" in note and "9.75" in small.read("clean/index.html")


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_in_the_place_of_a_cache_goes(small, force):
    """Nothing could be kept there, and every build would end in the same error."""
    for place in [*(small.root / ".cache").glob("*.json")]:
        place.unlink()
        (place / "x").mkdir(parents=True)
    assert not small.build(force=force).problems
    assert small.build().unchanged


CHANGES = {
    "a score": lambda s: s.json(
        "results/exhibits.json",
        lambda doc: doc["exhibits"]["garden"]["pictures"][0]["scores"]["hpsv3"].update(value=1.5),
    ),
    "a value": lambda s: s.json(
        "results/numbers.json", lambda doc: doc["values"]["models.alpha.delta"].update(value=-8.0)
    ),
    "a caveat": lambda s: s.json(
        "results/numbers.json", lambda doc: doc["values"]["models.alpha.delta"].update(caveat="Ask somebody else.")
    ),
    "a pending value arrives": lambda s: s.json(
        "results/numbers.json",
        lambda doc: doc["values"]["models.beta.delta"].update(value=1.0, source={"kind": "reported", "where": "x"}),
    ),
    "a cell disappears": lambda s: s.json("results/numbers.json", lambda doc: doc["values"].pop("models.alpha.after")),
    "a row": lambda s: s.json(
        "results/numbers.json", lambda doc: doc["tables"]["models"]["rows"].append({"id": "gamma", "label": "Gamma"})
    ),
    "a title": lambda s: s.json("results/exhibits.json", lambda doc: doc["exhibits"]["tiny"].update(title="Big")),
    "an alternative text": lambda s: s.json(
        "results/exhibits.json", lambda doc: doc["exhibits"]["tiny"]["pictures"][0].update(alt="Another corner.")
    ),
    "a new exhibit": lambda s: s.json(
        "results/exhibits.json", lambda doc: doc["exhibits"].update(apple={**doc["exhibits"]["tiny"], "title": "Apple"})
    ),
    "an exhibit leaves": lambda s: s.json("results/exhibits.json", lambda doc: doc["exhibits"].pop("tiny")),
    "an exhibit moves": lambda s: s.json("results/exhibits.json", lambda doc: doc["exhibits"]["tiny"].update(sets=[])),
    "a severity": lambda s: s.replace("content/sections/01-first/section.toml", "0.5", "0.7"),
    "a heading": lambda s: s.replace("content/sections/01-first/section.toml", "First things", "First of all"),
    "a text": lambda s: s.replace("content/sections/02-second/clean.md", "On Route", "Along Route"),
    "a link": lambda s: s.replace("content/page.toml", "example.org/paper", "example.org/preprint"),
    "a template": lambda s: s.replace("templates/parts/exhibit.html", "<figcaption>", "<figcaption>Exhibit "),
    "a style sheet": lambda s: s.replace("templates/static/css/page.css", "body", "main"),
    "widths": lambda s: s.replace("content/page.toml", "[60, 120]", "[60, 100]"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_an_incremental_build_equals_one_from_scratch(small, what):
    """Whatever changes, pages taken from the cache are the pages that would have been rendered."""
    before = small.digest()
    CHANGES[what](small)
    small.build()
    incremental = small.files()
    assert small.digest() != before
    small.build(force=True)
    fresh = small.files()
    assert {name for name in fresh.keys() | incremental.keys() if fresh.get(name) != incremental.get(name)} == set()


def test_a_site_is_rendered_as_a_value(small):
    """Nothing is written, encoded or remembered, and the same sources give the same plan: a cache can wrap it."""
    from pages.images.jobs import Codec
    from pages.images.library import ImageLibrary
    from pages.images.resolve import ImageResolver
    from pages.rendering.engine import render
    from pages.source.load import load

    before = {path: path.stat().st_mtime_ns for path in small.root.rglob("*")}
    plans = []
    for _ in range(2):
        site = load(small.root)
        library = ImageLibrary(small.root, Codec(**site.page.pictures.model_dump()))
        plans.append(render(site, ImageResolver(site, library)))
    one, other = plans
    assert {path: path.stat().st_mtime_ns for path in small.root.rglob("*")} == before
    assert (one.pages, one.downloads, [*one.image_jobs]) == (other.pages, other.downloads, [*other.image_jobs])
    assert not one.problems and one.pages["clean/index.html"] == (small.out / "clean/index.html").read_bytes()
    published = {address for address in small.files() if address.startswith(("assets/pictures/", "assets/filed/"))}
    assert {address for job in one.image_jobs.values() for address in job.files} == published


def test_without_an_address_there_is_no_sitemap(small):
    """A sitemap holds absolute addresses or it is none: search engines refuse relative ones."""
    small.replace("content/page.toml", 'address = "https://example.org/small/"\n', "")
    assert not small.build().problems
    assert not (small.out / "sitemap.xml").exists() and "Sitemap" not in small.read("robots.txt")


def test_a_folder_may_change_while_its_stamps_are_taken(tmp_path: Path) -> None:
    """A cold build died where an encoder's temporary file went between listing and stat."""
    from ledger.files import replace_bytes
    from pages.cache import store

    replace_bytes(tmp_path / "kept", b"x")
    ended = threading.Event()

    def encode() -> None:
        while not ended.is_set():
            for number in range(40):
                replace_bytes(tmp_path / f"{number}.webp", b"x", durable=False)

    writers = [threading.Thread(target=encode) for _ in range(2)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(400):
            assert "kept" in store.stamps(tmp_path)
    finally:
        ended.set()
        for writer in writers:
            writer.join()
