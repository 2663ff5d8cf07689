"""A new publication builds at once, says what is still to write, and touches nothing that was there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
BIB = r"""
@inproceedings{doe2026, title = {A {V}ery "Good" Paper}, author = {Doe, Jane and M{\"u}ller, Jo}, year = 2026,
  booktitle = {Neural Things}, doi = {10.1000/1}}
"""


def _run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(PROJECT / "build.py"), *map(str, arguments)]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(command, capture_output=True, encoding="utf-8", env=environment, check=False)


def test_a_new_publication_builds_and_check_names_what_is_unfinished(tmp_path):
    (tmp_path / "mine.bib").write_text(BIB, encoding="utf-8")
    mine, out = tmp_path / "mine", tmp_path / "site"
    assert _run("init", mine, "--bib", tmp_path / "mine.bib").returncode == 0
    page = tomllib.loads((mine / "content/page.toml").read_text(encoding="utf-8"))
    assert page["title"] == 'A Very "Good" Paper' and page["year"] == 2026
    assert [author["name"] for author in page["authors"]] == ["Jane Doe", "Jo Müller"]
    built = _run("build", "--root", mine, "--out", out)
    assert built.returncode == 0, built.stderr
    assert (mine / ".github/workflows/pages.yml").exists()
    html = (out / "clean/index.html").read_text(encoding="utf-8")
    assert all(part in html for part in ("<math ", "data-table=", 'class="chart"', "data-exhibit=", 'id="ref-opencv"'))
    checked = _run("check", "--root", mine, "--out", out)
    lines = checked.stderr.splitlines()
    assert checked.returncode == 1 and "content/page.toml:3: unfinished: the paper in one sentence" in lines
    assert all("unfinished" in line for line in lines[:-1]), checked.stderr
    for file in [*mine.rglob("*.md"), *mine.rglob("*.toml"), *mine.rglob("*.json")]:
        file.write_text(file.read_text(encoding="utf-8").replace("TODO: ", "So "), encoding="utf-8")
    assert _run("build", "--root", mine, "--out", out).returncode == 0
    assert _run("check", "--root", mine, "--out", out).returncode == 0


def test_bibtex_as_programs_export_it_gives_a_page_that_builds(tmp_path):
    """A title with a digit and TeX failed the first check; "others" became an author, the venue read `conf # " 39"`."""
    bib = r"""@string{conf = "Neural Things"} @comment{exported}
    @inproceedings{DBLP:conf/nt/ONeill+26, title = {Why $\ell_1$ \& {O(1)} Is < 100\% of C\#: \emph{really}?},
      author = {O'Neill, Se{\'a}n and {The ATLAS Collaboration} and others}, booktitle = conf # " 39", year = "2026"}"""
    (tmp_path / "mine.bib").write_text(bib, encoding="utf-8")
    mine = tmp_path / "mine"
    assert _run("init", mine, "--bib", tmp_path / "mine.bib").returncode == 0
    page = tomllib.loads((mine / "content/page.toml").read_text(encoding="utf-8"))
    assert page["title"] == "Why ℓ_1 & O(1) Is < 100% of C#: really?"
    assert page["venue"] == "Neural Things 39"
    assert [author["name"] for author in page["authors"]] == ["Seán O'Neill", "The ATLAS Collaboration"]
    built = _run("build", "--root", mine, "--out", tmp_path / "site")
    assert built.returncode == 0, built.stderr


def test_a_folder_that_holds_anything_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    refused = _run("init", tmp_path)
    assert refused.returncode == 1 and "is not an empty folder" in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no entry", "holds no entry"),
        ("@misc{a, title={x}}", "has no year"),
        ("@misc{a, title={x}, year=2020, url={javascript:alert(1)}}", "is not an http(s) address"),
        ("@misc{a, title={x}, year=2020, url={www.x.example}}", "is not an http(s) address"),
        ("@misc{a, title={x, year=2020}\n@misc{b, title={y}, year=2020}", "a brace or a quote is not closed"),
    ],
)
def test_a_bibtex_file_that_says_too_little_is_named(tmp_path, text, said):
    (tmp_path / "mine.bib").write_text(text)
    refused = _run("init", tmp_path / "mine", "--bib", tmp_path / "mine.bib")
    assert refused.returncode == 1 and said in refused.stderr
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ("year = 98", {"year": 1998}),
        ("year = {'07}", {"year": 2007}),
        ("date = {2021-05-03}", {"year": 2021}),
        ("year = {May 2019}", {"year": 2019}),
        (
            "year = 2020, author = {Lee, Ann and {Barnes and Noble} and others}",
            {"authors": ["Ann Lee", "Barnes and Noble"]},
        ),
        ("year = 2020, author = {Lee, Ann} # { and } # {Bo {Van {H}}o}", {"authors": ["Ann Lee", "Bo Van Ho"]}),
        (
            r"year = 2020, author = {Lee, Ann and \O{}stergaard, Bj\o{}rn and \v{S}koda, \'{E}mile}",
            {"authors": ["Ann Lee", "Bjørn Østergaard", "Émile Škoda"]},
        ),
        ("year = 2020, booktitle = {C# {x}}", {"venue": "C# x"}),
        ('year = 2020, booktitle = {A {B}} # " of " # jan', {"venue": "A B of jan"}),
        ("year = 2020, AUTHOR = {de la Cruz, Jr., Juan}", {"authors": ["Juan de la Cruz Jr."]}),
        ("year = 2020, url = {https://x.example/a%20b~c\\_d}", {"links": "https://x.example/a%20b~c_d"}),
        ("year = 2020, doi = {https://doi.org/10.1/a_b}", {"links": "https://doi.org/10.1/a_b"}),
    ],
)
def test_bibtex_is_read_as_bibtex_means_it(tmp_path, fields, said):
    from pages.source.init import init

    (tmp_path / "mine.bib").write_text(f"@misc{{, title = {{A\n  {{\\LaTeX}} paper}}, {fields}}}", encoding="utf-8")
    init(tmp_path / "mine", tmp_path / "mine.bib", 2026)
    page = tomllib.loads((tmp_path / "mine/content/page.toml").read_text(encoding="utf-8"))
    assert page["title"] == "A LaTeX paper" and page["citation_key"] == "paper"
    found = {**page, "authors": [one["name"] for one in page.get("authors", [])], "links": page.get("links", [{}])[0]}
    found["links"] = found["links"].get("url")
    assert {key: found[key] for key in said} == said


def test_the_example_builds_and_is_sound(tmp_path):
    root = tmp_path / "example"
    shutil.copytree(PROJECT / "examples/treatments", root, ignore=shutil.ignore_patterns(".cache", "site"))
    built = _run("build", "--root", root, "--out", tmp_path / "site")
    assert built.returncode == 0, built.stderr
