"""The command line: thin, quick to start, an example everywhere, exit status 1 with file and line."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import build as command_line

PROJECT = Path(__file__).parents[2]
OURS = ["build", "serve", "check", "treat", "fetch", "import-scores", "new-exhibit"]


@pytest.fixture
def run():
    return lambda *words: CliRunner().invoke(command_line.main, [str(word) for word in words])


def _loads(code: str) -> set[str]:
    heavy = {"torch", "cv2", "numpy", "pydantic", "jinja2", "PIL", "markdown", "rich", "diffusers", "transformers"}
    script = f"{code}\nimport sys\nprint(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.strip().splitlines()[-1].replace("'", '"')))


def test_help_loads_nothing_heavy():
    """`build.py --help` is how people meet the project: it answers at once."""
    code = "import build\ntry: build.main(['--help'])\nexcept SystemExit: pass"
    assert _loads(code) == set()


def test_pages_and_ledger_import_nothing_heavy_by_themselves():
    assert _loads("import pages, pages.build, pages.images.library, ledger") == set()


def test_pages_never_reach_torch():
    modules = [".".join(path.relative_to(PROJECT).with_suffix("").parts) for path in (PROJECT / "pages").rglob("*.py")]
    assert "torch" not in _loads("\n".join(f"import {name}" for name in modules))


def test_every_command_of_the_page_has_an_example(run):
    for name in OURS:
        text = run(name, "--help").output
        assert f"python build.py {name}" in text, name


def test_mounted_commands_are_listed_without_being_imported(run):
    text = run("--help").output
    assert all(name in text for name in (*OURS, "evidence", "miniature", "draw"))
    assert isinstance(command_line.main, click.Group)


@pytest.mark.parametrize("words", [[], ["build"], ["--out", "x"], ["--force", "--jobs", "1"]])
def test_without_a_command_the_site_is_built(monkeypatch, words):
    """`make site` ends in `python build.py`; options without a command are those of `build`."""
    called = []
    monkeypatch.setattr("pages.build.build", lambda root, out, **_: called.append((root, out)) or _report())
    assert CliRunner().invoke(command_line.main, words).exit_code == 0
    assert called == [(PROJECT, Path("x") if "x" in words else PROJECT / "site")]


def test_every_command_that_reads_a_publication_takes_its_root(run):
    """Another paper is built by the same commands."""
    for name in ("build", "serve", "check", "fetch", "import-scores", "new-exhibit"):
        assert "--root" in run(name, "--help").output, name


def test_the_site_stands_below_its_root(run, fresh):
    assert run("build", "--root", fresh.root).exit_code == 0
    assert (fresh.root / "site/index.html").exists()
    assert run("check", "--root", fresh.root).output.endswith("sound\n")


def test_a_site_that_fails_its_check_says_that_it_was_not_published(run, small):
    small.replace("content/sections/02-second/clean.md", "hangs", "hangs 4711 times")
    result = run("build", "--root", small.root)
    assert result.exit_code == 1 and "not published, the old site stays" in result.stderr
    assert "files written" not in result.output


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "1e999"])
def test_a_limit_is_a_finite_number(run, small, number):
    for option in ("--limit-mb", "--timeout"):
        assert run("fetch", "--root", small.root, option, number).exit_code == 2


@pytest.mark.parametrize(
    "address",
    ["example.org/page", "javascript:alert(1)", "https://", "https://a b/", "//x/", "https://a..b/", "https://.../",
     "https://a.org/?", "https://a.org:port/", "https://a.org:99999/", "https://a.org\\b/", "https://me:word@a.org/"],
)  # fmt: skip
def test_an_address_that_is_none_is_refused(run, small, monkeypatch, address):
    """Canonical links, cards and the sitemap would lead nowhere, and nobody would notice."""
    monkeypatch.setenv("SITE_URL", address)
    for command in ("build", "check"):
        result = run(command, "--root", small.root)
        assert result.exit_code == 1 and "SITE_URL: " in result.stderr and "https://" in result.stderr


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (".cache", ["build"]),
        (".cache/pictures", ["build", "--force"]),
        (".cache/remote", ["fetch"]),
        ("content/page.toml/x", ["init"]),
        ("results", ["new-exhibit", "one"]),
        ("results", ["import-scores"]),
    ],
)
def test_a_file_where_a_folder_must_be_is_one_line(run, fresh, place, words):
    """And so is all else that a disk refuses, in every command: never a traceback."""
    if words[0] == "fetch":
        (fresh.root / ".cache").mkdir()
    file = fresh.root / place
    if words[0] != "init":
        shutil.rmtree(file, ignore_errors=True)
        file.parent.mkdir(exist_ok=True)
        file.write_text("x")
    source = [fresh.root / "content/page.toml"] if words[0] == "import-scores" else []
    result = run(*words, *([file] if words[0] == "init" else ["--root", fresh.root]), *source)
    assert result.exit_code == 1 and "problem" in result.stderr, result.output
    assert isinstance(result.exception, SystemExit), result.exception


def _report():
    from pages.build import Report

    return Report(unchanged=True)


def test_build_then_check_then_nothing_to_do(run, small):
    again = run("build", "--root", small.root, "--out", small.out)
    assert again.exit_code == 0 and "nothing changed" in again.output
    sound = run("check", "--root", small.root, "--out", small.out)
    assert sound.exit_code == 0 and "sound" in sound.output


def test_a_defect_ends_in_status_one_with_file_and_line(run, small):
    small.replace("results/exhibits.json", "garden-clean.jpg", "garden-cleen.jpg")
    result = run("build", "--root", small.root, "--out", small.out)
    assert result.exit_code == 1
    assert "did you mean 'garden-clean.jpg'?\n1 problem\n" in result.stderr
    assert "Traceback" not in result.output


def test_a_failed_check_ends_in_status_one(run, small):
    (small.out / "data/ledger.json").unlink()
    result = run("check", "--root", small.root, "--out", small.out)
    assert result.exit_code == 1 and "site/data/ledger.json: no such file" in result.stderr


def test_progress_is_plain_lines_off_a_terminal(run, fresh):
    result = run("build", "--root", fresh.root, "--out", fresh.out, "--jobs", "1")
    assert result.exit_code == 0
    assert "7/7 pictures" in result.stderr and "\x1b" not in result.stderr


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_treat_writes_what_effects_make(run, tmp_path, mode):
    import effects

    source = Image.fromarray(np.tile(np.arange(96, dtype=np.uint8), (64, 1))).convert(mode)
    source.save(tmp_path / "in.png")
    result = run("treat", tmp_path / "in.png", tmp_path / "out.png", "--treatment", "analog_degradation", "--seed", 14)
    assert result.exit_code == 0, result.output
    pixels = np.asarray(source.convert("RGB") if mode == "L" else source)
    expected = effects.apply(pixels, "analog_degradation", 0.6, 14)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out.png")), expected)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--treatment", "analog_degradatoin"], "analog_degradation"),
        (["--treatment", "intentional_blur", "--severity", "2"], "not in the range"),
        (["--treatment", "intentional_blur", "--severity", "nan"], "is no finite number"),
        (["--treatment", "intentional_blur", "--max-megapixels", "nan"], "is no finite number"),
    ],
)
def test_treat_says_what_is_wrong(run, tmp_path, words, said):
    Image.new("RGB", (64, 64), "red").save(tmp_path / "in.png")
    result = run("treat", tmp_path / "in.png", tmp_path / "out.png", *words)
    assert result.exit_code != 0 and said in result.output
    assert not (tmp_path / "out.png").exists()


def test_treat_refuses_what_is_no_picture(run, tmp_path):
    (tmp_path / "in.png").write_text("not a picture")
    result = run("treat", tmp_path / "in.png", tmp_path / "out.png", "--treatment", "intentional_blur")
    assert result.exit_code == 1 and "is not a picture" in result.output


def test_a_new_exhibit_is_refused_by_check_until_its_gaps_are_filled(run, small, tmp_path):
    """It can be previewed at once, but not be published with alternative texts that say nothing."""
    Image.new("RGB", (200, 100), "navy").save(tmp_path / "wet dog.png")
    words = ("new-exhibit", "wet-dog", "--picture", tmp_path / "wet dog.png", "--set", "gallery", "--root", small.root)
    assert run(*words).exit_code == 0
    file, places = "results/exhibit-wet-dog.json", ("--root", small.root, "--out", small.out)
    doc = json.loads((small.root / file).read_text())["exhibits"]["wet-dog"]
    assert doc["pictures"][0]["sha256"].startswith(Path(doc["pictures"][0]["file"]).stem)
    assert run("build", *places).exit_code == 0
    refused = run("check", *places)
    assert refused.exit_code == 1 and refused.stderr.count(f"{file}:") == 4, "alt, caption, credit and licence"

    def fill(content):
        exhibit = content["exhibits"]["wet-dog"]
        exhibit.update(caption="It rained.", credit="Somebody", licence="CC0 1.0")
        exhibit["pictures"][0]["alt"] = "A wet dog."

    small.json(file, fill)
    built = run("build", *places)
    assert built.exit_code == 0, built.stderr
    assert run("check", *places).exit_code == 0
    assert 'alt="A wet dog."' in small.read("clean/index.html")


@pytest.mark.parametrize(
    ("mode", "form", "suffix"),
    [
        ("RGB", "JPEG", "jpg"),
        ("CMYK", "JPEG", "jpg"),
        ("P", "PNG", "png"),
        ("I;16", "PNG", "png"),
        ("RGB", "MPO", "jpg"),
        ("RGB", "TIFF", "tif"),
    ],
)
def test_a_copied_picture_ends_in_the_name_of_its_form(run, small, tmp_path, mode, form, suffix):
    """A phone's photo was called `86a68c0b4a23e63d.`, which Windows cannot check out."""
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = tmp_path / "Bäckerei 1.upload"
    Image.new(mode, (60, 40)).save(picture, form, exif=exif)
    assert run("new-exhibit", "phone", "--picture", picture, "--root", small.root).exit_code == 0
    entry = json.loads((small.root / "results/exhibit-phone.json").read_text())["exhibits"]["phone"]["pictures"][0]
    assert entry["file"] == f"{entry['sha256'][:16]}.{suffix}"
    assert (entry["width"], entry["height"]) == (40, 60), "as it is shown, upright"
    assert (small.root / "results/pictures" / entry["file"]).read_bytes() == picture.read_bytes()


def test_an_unfinished_exhibit_does_not_block_the_next(run, small, tmp_path):
    Image.new("RGB", (20, 10)).save(tmp_path / "a.png")
    for name in ("one", "two"):
        assert run("new-exhibit", name, "--picture", tmp_path / "a.png", "--root", small.root).exit_code == 0
    again = run("new-exhibit", "one", "--picture", tmp_path / "a.png", "--root", small.root)
    assert again.exit_code == 1 and "results/exhibit-one.json: there is an exhibit 'one' already" in again.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--set", "My Set"], "--set: 'My Set' is not lower-case letters"),
        (["--set", "gallery", "--picture", "BROKEN"], "'broken.png' is damaged"),
    ],
)
def test_a_refused_exhibit_leaves_nothing_behind(run, small, tmp_path, words, said):
    """The first of two pictures stayed in results/pictures/ when the second was no picture."""
    Image.fromarray(np.random.default_rng(1).integers(0, 255, (20, 20, 3), np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "broken.png").write_bytes((tmp_path / "a.png").read_bytes()[:600])
    words = [tmp_path / "broken.png" if word == "BROKEN" else word for word in words]
    before = set((small.root / "results").rglob("*"))
    refused = run("new-exhibit", "dog", "--picture", tmp_path / "a.png", *words, "--root", small.root)
    assert refused.exit_code == 1 and said in refused.stderr
    assert set((small.root / "results").rglob("*")) == before


def test_letters_that_the_locale_cannot_read_are_kept(run, small, tmp_path):
    """Python hands on bytes of an ASCII locale, and of names that are no UTF-8, as lone surrogates."""
    picture = tmp_path / "m\udcc3\udcbcll_\udcff.png"
    Image.new("RGB", (60, 40), "red").save(str(picture))
    result = run("new-exhibit", "one", "--root", small.root, "--picture", picture, "--title", "\udcc3\udc9cber")
    assert result.exit_code == 0, result.output
    made = json.loads((small.root / "results/exhibit-one.json").read_text(encoding="utf-8"))["exhibits"]["one"]
    assert made["title"] == "Über" and made["pictures"][0]["label"] == "müll \ufffd"


def test_treat_shows_transparency_over_white_where_the_form_has_none(run, tmp_path):
    Image.new("RGBA", (64, 64), (255, 0, 0, 0)).save(tmp_path / "in.png")
    words = ("--treatment", "intentional_blur", "--severity", "0")
    assert run("treat", tmp_path / "in.png", tmp_path / "out.jpg", *words).exit_code == 0
    assert np.asarray(Image.open(tmp_path / "out.jpg")).min() >= 254


def test_treat_shows_half_transparency_over_white_in_a_gif(run, tmp_path):
    """Which holds what is transparent and what is not, and would show the half as the whole."""
    Image.new("RGBA", (64, 64), (200, 10, 10, 90)).save(tmp_path / "in.png")
    words = ("--treatment", "intentional_blur", "--severity", "0")
    assert run("treat", tmp_path / "in.png", tmp_path / "out.gif", *words).exit_code == 0
    assert Image.open(tmp_path / "out.gif").convert("RGB").getpixel((9, 9)) == (236, 169, 169)


def test_treat_keeps_sixteen_bits_of_grey_as_a_ramp(run, tmp_path):
    """They were clipped to white, also at severity 0, which returns the input."""
    ramp = np.tile(np.linspace(0, 65535, 256).round().astype(np.uint16), (8, 1))
    Image.fromarray(ramp).save(tmp_path / "in.png")
    words = ("--treatment", "intentional_blur", "--severity", "0")
    assert run("treat", tmp_path / "in.png", tmp_path / "out.png", *words).exit_code == 0
    assert np.asarray(Image.open(tmp_path / "out.png"))[4, :, 1].tolist() == list(range(256))


@pytest.mark.parametrize("name", ["out.xyz", "out", "folder.png", "out.ico", "out.icns"])
def test_treat_writes_nothing_where_it_cannot(run, tmp_path, name):
    Image.new("RGB", (64, 64), "red").save(tmp_path / "in.png")
    (tmp_path / "folder.png").mkdir()
    refused = run("treat", tmp_path / "in.png", tmp_path / name, "--treatment", "intentional_blur")
    assert refused.exit_code != 0 and name in refused.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.png", "in.png"]


def test_a_new_exhibit_without_a_picture_builds_and_check_asks_for_its_address(run, small):
    """It stopped every later build with a regular expression."""
    assert run("new-exhibit", "far-away", "--root", small.root).exit_code == 0
    assert run("build", "--root", small.root).exit_code == 0
    checked = run("check", "--root", small.root)
    assert "unfinished: under which licence; `url` is the address of the picture itself" in checked.output


@pytest.mark.parametrize("name", ["garden", "Wet Dog", "../x"])
def test_a_new_exhibit_needs_a_free_and_plain_name(run, small, name):
    result = run("new-exhibit", name, "--root", small.root)
    assert result.exit_code == 1
    assert not list((small.root / "results").glob("exhibit-*"))


def test_fetch_names_what_could_not_be_had(run, small):
    result = run("fetch", "--root", small.root, "--timeout", "1")
    assert result.exit_code == 1
    assert "exhibits.painting.pictures[0].remote.url: http://127.0.0.1:9/shout.jpg" in result.stderr
