"""How long a reader waits for a picture on the drawing page, in Chromium and in Firefox; prints a Markdown table.

    make web && make site && python benchmarks/draw_web.py --out benchmarks/results/draw-web.md

Serves the built site over loopback, presses the button, then moves the slider: the first drawing makes two pictures,
the second one only the aligned one. Times are those of the page's clock, from the press (or the move) to the first
preview and to the last picture; `start` is everything before the first drawing, from a server on the same machine.
Software rendering: no graphics card is used. CPU seconds are those of all processes of the browser from the press to
the last picture: on a busy machine they tell more than the clock does, and the load average is printed.
"""

from __future__ import annotations

import argparse
import functools
import http.server
import os
import platform
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from playwright.sync_api import sync_playwright

from tests.browser.firefox import Firefox

ROOT = Path(__file__).parents[1]
PAGE = "clean/draw/index.html"
# Presses (or moves the slider), and gives the seconds until each thing that then happens.
DRAW = """
    const move = arguments[0], began = performance.now(), seen = {};
    const since = () => (performance.now() - began) / 1000;
    const status = document.querySelector("[data-draw-status]");
    const aligned = document.querySelectorAll("[data-draw-figure]")[1];
    delete aligned.dataset.step;
    const watch = new MutationObserver(() => {
        if (status.textContent === "Drawing.") seen.start ??= since();
        if (aligned.dataset.step) seen.preview ??= since();
    });
    const all = { subtree: true, childList: true, attributes: true, characterData: true };
    watch.observe(document.querySelector(".draw"), all);
    const strength = document.querySelector("#draw-strength");
    if (move) {
        strength.value = move;
        strength.dispatchEvent(new Event("change", { bubbles: true }));
    } else document.querySelector("[data-draw-button]").click();
    await new Promise((done) => setTimeout(done, 50));
    while (!/^Done|failed/.test(status.textContent)) await new Promise((done) => setTimeout(done, 20));
    return { ...seen, done: since(), said: status.textContent };
"""
Run = Callable[[str], dict[str, Any]]  # a move of the slider, or "" for the button


SHARED = "Two workers share the CPU seconds: on two idle cores the time would be about half of them (estimated)."


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def served(site: Path) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/{PAGE}"
    server.shutdown()


@contextmanager
def chromium(address: str) -> Iterator[tuple[str, Run]]:
    binary = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=binary, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(address)
        body = "async (move) => { const run = async function () {" + DRAW + "}; return run(move); }"
        yield f"Chromium {browser.version}", lambda move: dict(page.evaluate(body, move))
        browser.close()


@contextmanager
def firefox(address: str) -> Iterator[tuple[str, Run]]:
    with tempfile.TemporaryDirectory() as folder:
        browser = Firefox(Path(folder))
        browser.ask("WebDriver:Navigate", url=address)
        body = "const run = async function () {" + DRAW + "}; return run(arguments[0]);"
        name = browser.run("return navigator.userAgent.split(' ').pop()")
        yield name.replace("/", " "), lambda move: dict(browser.run(body, move, seconds=600))
        browser.close()


def cpu_seconds() -> float:
    """Of all processes that this one started, and theirs (Linux)."""
    parents, spent = dict[int, int](), dict[int, float]()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended meanwhile
        parents[int(folder.name)] = int(fields[1])
        spent[int(folder.name)] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    ours = {os.getpid()}
    while more := {child for child, parent in parents.items() if parent in ours} - ours:
        ours |= more
    return sum(spent[process] for process in ours if process != os.getpid())


def rows(site: Path) -> Iterator[str]:
    for open_browser in (chromium, firefox):
        with served(site) as address, open_browser(address) as (name, run):
            for move, what in (("", "base and aligned"), ("0.5", "aligned alone")):
                before = cpu_seconds()
                took = run(move)
                took["cpu"] = cpu_seconds() - before
                start = took.get("start", 0.0)
                waits = (start, took["preview"] - start, took["done"] - start, took["cpu"])
                times = (f"{value:.1f}" for value in waits)
                yield f"| {name} | {what} | {' | '.join(times)} | {took['said'].rpartition('(')[2].rstrip(').')} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--site", type=Path, default=ROOT / "site")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    before = os.getloadavg()[0]
    table = [
        "| browser | drawn | start, s | first preview, s | last picture, s | CPU, s | computed by |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows(given.site):
        print(row, flush=True)
        table.append(row)
    machine = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
    about = f"{machine}, load average {before:.1f} before and {os.getloadavg()[0]:.1f} after"
    if given.out:
        given.out.write_text("\n".join(["# Drawing on the page", "", f"Measured on {about}. {SHARED}", "", *table, ""]))


if __name__ == "__main__":
    main()
