"""Real builds of every publication of this repository, served over loopback, driven by the system's Chromium.

A publication is copied, so that nothing a test needs can touch the real one. Where it lacks a knob, a wall or a
catalogue, the copy gets one of drawn pictures: the parts are tested either way.
"""

from __future__ import annotations

import functools
import http.server
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

from pages.serve import Server
from tests.conftest import Made, copy_encoded

ROOT = Path(__file__).parents[2]
# The first of one build without windows and menus, whose own pages take more time than the page that is visited.
CHROMIUM = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--font-render-hinting=none",  # widths of letters as phones and screens of high density have them
]


PUBLICATIONS = [place for place in (ROOT, ROOT / "examples/treatments") if (place / "content/page.toml").is_file()]
PATIENCE = 90_000  # ms for any one step: a busy machine is no defect of a page
expect.set_options(timeout=PATIENCE)
PARTS = ("knob", "wall", "catalogue")
# Scripts lay out far sections one a frame after the page has loaded; what is measured before may lie elsewhere after.
LAID_OUT = """() => !('js' in document.documentElement.dataset)
  || !document.querySelector('html:not([data-whole]) main > [data-section]:not([data-whole])')"""
AXES = """
[axes.alignment]
label = "Alignment"
zero = "untouched"

[axes.arm]
label = "Drawn by"

[axes.emotion]
label = "Emotion"
"""


@pytest.fixture(scope="session", params=PUBLICATIONS, ids=lambda place: place.name if place != ROOT else "paper")
def publication(request: pytest.FixtureRequest) -> Path:
    """Every publication of this repository: nothing that is tested here may hold for one of them alone."""
    place: Path = request.param
    return place


@pytest.fixture(scope="session")
def built(made_once: Made, request: pytest.FixtureRequest) -> Callable[[Path], Path]:
    """`built(publication)`: the folder of its site, built once however often tests change from one to another."""

    def site_of(publication: Path) -> Path:
        def make(root: Path) -> None:
            draws = publication == PUBLICATIONS[0]
            _build(publication, root, request.getfixturevalue("drawing_project") if draws else None)

        return made_once(f"built-{PUBLICATIONS.index(publication)}", make) / "site"

    return functools.cache(site_of)


@pytest.fixture(scope="session")
def site(publication: Path, built: Callable[[Path], Path]) -> Path:
    """The folder of a fresh build of a publication that has all parts: what it lacks is drawn."""
    return built(publication)


def _build(publication: Path, root: Path, drawing: Path | None) -> None:
    """A site in `root`, with the page on which readers draw where a project has its files."""
    from pages.build import build

    for name in ("content", "results", "templates"):
        if (publication / name).is_dir():
            shutil.copytree(publication / name, root / name)
    copy_encoded(root)
    _complete(root)
    if drawing:
        shutil.copytree(ROOT / "results/miniature", root / "results/miniature", dirs_exist_ok=True)
        shutil.copytree(drawing / ".cache/draw", root / ".cache/draw")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SITE_URL", "http://127.0.0.1/project/")
        build(root, root / "site", checked=False)


@pytest.fixture(scope="session")
def names(site: Path) -> dict[str, str]:
    """What a path may name in braces: an exhibit with a picture, one without, a group of values, a table, the page that
    draws; where a publication has none of a kind, another of its pages."""
    exhibits = json.loads((site / "data/ledger.json").read_text())["exhibits"]
    here = [name for name, one in exhibits.items() if one["pictures"][0].get("file")]
    away = [name for name, one in exhibits.items() if not one["pictures"][0].get("file")]
    groups = sorted(path.stem for path in (site / "data/values").glob("*.html") if not path.stem.startswith("exhibits"))
    tables = sorted(path.stem for path in (site / "clean/tables").glob("*.html"))
    draw = "draw/index.html" if (site / "clean/draw/index.html").is_file() else "index.html"
    return {"here": here[0], "away": (away or here)[-1], "group": groups[-1], "table": tables[0], "draw": draw}


def _complete(root: Path) -> None:
    """Gives a publication the parts that it lacks: knob, wall, catalogue, a set that can be filtered, a long table and
    a folded one."""
    sections = sorted((root / "content/sections").iterdir())
    texts = "".join((section / "clean.md").read_text() for section in sections)
    page = root / "content/page.toml"
    if "[catalogue]" not in page.read_text():
        exhibits = _exhibits(root)
        name, one = next((name, one) for name, one in exhibits.items() if one["pictures"][0].get("file"))
        chosen = f'\n[catalogue]\nexhibit = "{name}"\npicture = "{one["pictures"][0]["id"]}"\n'
        page.write_text(page.read_text() + chosen)
    if "[axes." not in page.read_text():
        page.write_text(page.read_text() + AXES)
    for kind in ("knob", "wall"):
        if not any(kind in exhibit["sets"] for exhibit in _exhibits(root).values() if "sets" in exhibit):
            _hang(root, kind)
    calls = [f"{part}()" for part in PARTS if f"{part}()" not in texts]
    if "folded=" not in texts:
        calls += [_tabulate(root, "long", ""), _tabulate(root, "put-away", ", folded=True")]
    for voice in sections[-1].glob("*.md"):
        voice.write_text(voice.read_text() + "".join(f"\n{{{{ {call} }}}}\n" for call in calls))


def _tabulate(root: Path, name: str, how: str) -> str:
    """Writes a table of more rows than a screen holds, and gives the call that shows it."""
    folder = root / "results/tables"
    folder.mkdir(parents=True, exist_ok=True)
    rows = "".join(f"{letter}-word,{turn * 7 % 13}\n" for turn, letter in enumerate("abcdefghijklmnopqrstuvwx"))
    (folder / f"{name}.csv").write_text(f"word,count\n{rows}")
    source = 'source = { kind = "reported", where = "a test" }'
    (folder / f"{name}.toml").write_text(
        f'title = "Words, {name}"\nrow = "word"\n{source}\n[columns.count]\nlabel = "Count"\ndigits = 0\n'
    )
    return f'table("{name}"{how})'


def _exhibits(root: Path) -> dict[str, Any]:
    documents = [json.loads(file.read_text()) for file in sorted((root / "results").glob("*.json"))]
    return {name: exhibit for one in documents for name, exhibit in one.get("exhibits", {}).items()}


def _hang(root: Path, kind: str) -> None:
    """Two drawn exhibits of the set `kind`: a prompt at three strengths of two algorithms."""
    from PIL import Image

    folder = root / "content/pictures"
    folder.mkdir(exist_ok=True)
    exhibits = {}
    for number, prompt in enumerate(("a penguin at night", "a tree in fog")):
        pictures = []
        for arm in ("draft", "dpo"):
            for strength in (0.0, 0.5, 1.5):
                name = f"{kind}-{number}-{arm}-{strength}.png"
                level = round(40 + 120 * strength / 1.5)
                Image.new("RGB", (64, 64), (level, 60 + 90 * number, 30 if arm == "dpo" else 160)).save(folder / name)
                pictures.append(
                    {
                        "id": f"{arm}-{strength}",
                        "label": f"{arm} {strength}",
                        "alt": f"Drawn stand-in for {prompt} at strength {strength}",
                        "file": f"content/pictures/{name}",
                        "prompt": prompt,
                        "axes": {"arm": arm, "alignment": strength, "emotion": "crying" if number else "plain"},
                        "verdicts": [] if strength else ["night"],
                        "scores": {
                            "reward": {
                                "label": f"Reward of {name}",
                                "value": round(0.2 + strength / 3, 3),
                                "unit": "",
                                "digits": 3,
                                "source": {"kind": "reported", "where": "a stand-in of the tests"},
                            }
                        },
                    }
                )
        exhibits[f"{kind}-stand-in-{number}"] = {
            "title": f"Stand-in {number}",
            "kind": "series",
            "caption": "Drawn by the tests.",
            "credit": "The tests",
            "licence": "CC0 1.0",
            "pictures": pictures,
            "tags": ["intentional_blur" if number else "atmospheric_distress"],
            "sets": [kind],
        }
    (root / f"results/stand-in-{kind}.json").write_text(json.dumps({"exhibits": exhibits}))


class _Pages(http.server.SimpleHTTPRequestHandler):
    """Serves as GitHub Pages does: 404.html stands in for every missing address. Says nothing."""

    def log_message(self, *args: Any) -> None:
        pass

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        page = Path(self.directory, "project/404.html")
        if code != 404 or not page.is_file():
            super().send_error(code, message, explain)
            return
        content = page.read_bytes()
        self.send_response(404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture(scope="session")
def address(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The site under a sub-path, as GitHub Pages serves it."""
    served = tmp_path_factory.mktemp("served")
    (served / "project").symlink_to(site)
    handler = functools.partial(_Pages, directory=str(served))
    server = Server(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/project"
    server.shutdown()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = next((path for name in CHROMIUM if (path := shutil.which(name))), None)
    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=chromium, args=FLAGS)
        yield started
        started.close()


def compare_slider(page: Page) -> Locator:
    """The first slider over two pictures, in view."""
    page.locator(".specimen [data-compare]").first.scroll_into_view_if_needed()
    return page.locator(".compare-range").first


def watch(page: Page, address: str, wrong: list[str]) -> None:
    """Notes console errors, policy violations and requests to elsewhere."""
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: wrong.append(request.url) if not request.url.startswith(address) else None)


@pytest.fixture
def wrong() -> list[str]:
    """What went wrong in the pages that a test visits."""
    return []


@pytest.fixture(scope="session")
def read(browser: Browser, address: str, names: dict[str, str]) -> Iterator[Callable[[str], tuple[Page, list[str]]]]:
    """`read(path)`: a page that tests leave as it is, loaded once for all of them, and what went wrong in it."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE)
    opened: dict[str, tuple[Page, list[str]]] = {}

    def open_page(path: str) -> tuple[Page, list[str]]:
        path = path.format(**names)
        if path not in opened:
            opened[path] = context.new_page(), []
            watch(opened[path][0], address, opened[path][1])
            opened[path][0].goto(f"{address}/{path}", wait_until="load")
            opened[path][0].wait_for_function(LAID_OUT)
        return opened[path]

    yield open_page
    context.close()


@pytest.fixture
def visit(browser: Browser, address: str, names: dict[str, str], wrong: list[str]) -> Iterator[Any]:
    """`visit(path, **context options)` opens a page of the site in a fresh profile and waits until it is laid out."""
    opened: list[BrowserContext] = []

    def open_page(path: str, **options: Any) -> Page:
        options.setdefault("viewport", {"width": 1280, "height": 800})
        context = browser.new_context(**options)
        context.set_default_timeout(PATIENCE)
        opened.append(context)
        page = context.new_page()
        watch(page, address, wrong)
        page.goto(f"{address}/{path.format(**names)}", wait_until="load")
        page.wait_for_function(LAID_OUT)
        return page

    yield open_page
    for context in opened:
        context.close()
