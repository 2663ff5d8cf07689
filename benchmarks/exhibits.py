"""How quick the index of exhibits stays with thousands of pictures.

`python benchmarks/exhibits.py [--pictures 5000]` builds the example publication with made-up entries in its
data/exhibits.json, opens the page in the system's Chromium and times, inside the page, what a reader does. The physical
limit beside it is parsing the JSON and drawing as many plain list items as the page shows; ratios are to that limit, in
the same run. `--write` writes benchmarks/results/exhibits.md.
"""

from __future__ import annotations

import argparse
import functools
import http.server
import json
import random
import shutil
import statistics
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

PROJECT = Path(__file__).parents[1]
sys.path.insert(0, str(PROJECT))

REPEATS = 9
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
LIMIT = """(text) => {
  const start = performance.now();
  const list = document.createElement("ol");
  for (const { title } of JSON.parse(text).pictures.slice(0, 60)) {
    list.append(Object.assign(document.createElement("li"), { textContent: title }));
  }
  document.body.append(list);
  void list.offsetHeight;
  list.remove();
  return performance.now() - start;
}"""
SET = """() => {
  const box = document.querySelector("#browser-FIELD");
  box.value = VALUE;
  box.dispatchEvent(new Event("input", { bubbles: true }));
}"""
ACTIONS = {
    "search by two words": SET.replace("FIELD", "q").replace("VALUE", '"word7 word11"'),
    "filter by a facet": SET.replace("FIELD", "kind").replace("VALUE", "box.options[1].value"),
    "sort by a score": SET.replace("FIELD", "sort").replace("VALUE", "box.options[1].value"),
}
TIMED = """() => {
  const start = performance.now();
  (ACTION)();
  void document.body.offsetHeight;
  return performance.now() - start;
}"""


def made_up(count: int) -> dict[str, Any]:
    """Entries like those of a real page: title, prompt, two facets and two scores each."""
    draw = random.Random(1)
    words = [f"word{number}" for number in range(400)]
    return {
        "scores": {"reward": "reward", "encoder": "encoder"},
        "pictures": [
            {
                "exhibit": "cat",
                "id": f"p{number}",
                "title": " ".join(draw.sample(words, 6)),
                "label": f"picture {number}",
                "alt": "made up",
                "prompt": " ".join(draw.sample(words, 20)),
                "facets": {"kind": [draw.choice(["photograph", "series"])], "set": [draw.choice("abcdef")]},
                "scores": {name: {"value": draw.random(), "digits": 3} for name in ("reward", "encoder")},
            }
            for number in range(count)
        ],
    }


def example(folder: Path, index: str) -> Path:
    from pages.build import build

    for name in ("content", "results"):
        shutil.copytree(PROJECT / "examples/treatments" / name, folder / name)
    series = json.loads((folder / "results/subjects.json").read_text(encoding="utf-8"))
    series["exhibits"]["cat"]["kind"] = "series"  # so that the facet is offered, and a score to sort by
    made_up_score: dict[str, Any] = {"label": "reward", "value": 1, "unit": "", "digits": 1}
    made_up_score["source"] = {"kind": "reported", "where": "made up"}
    series["exhibits"]["cat"]["pictures"][0]["scores"] = {"reward": made_up_score}
    (folder / "results/subjects.json").write_text(json.dumps(series), encoding="utf-8")
    build(folder, folder / "site", checked=False)
    (folder / "site/data/exhibits.json").write_text(index, encoding="utf-8")
    return folder / "site"


def timed(page: Page, script: str) -> float:
    """Milliseconds of an action with the layout that it causes; the median of several."""
    wrapped = TIMED.replace("ACTION", script)
    return statistics.median(float(page.evaluate(wrapped)) for _ in range(REPEATS))


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pictures", type=int, default=5000)
    options.add_argument("--write", action="store_true")
    chosen = options.parse_args()
    index = json.dumps(made_up(chosen.pictures))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as play:
        site = example(Path(folder), index)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(site)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(f"http://127.0.0.1:{server.server_port}/clean/exhibits/index.html")
        page.wait_for_selector(".browser-tools")
        limit = statistics.median(float(page.evaluate(LIMIT, index)) for _ in range(REPEATS))
        rows = [(name, timed(page, script)) for name, script in ACTIONS.items()]
        version = browser.version
        browser.close()
        server.shutdown()
    lines = [
        f"# The index of exhibits with {chosen.pictures} pictures",
        "",
        f"Printed by `python benchmarks/exhibits.py`; Chromium {version}, median of {REPEATS}.",
        f"Limit: parsing {len(index) / 1e6:.1f} MB of JSON and drawing 60 plain items, {limit:.1f} ms.",
        "",
        "| what a reader does | ms | times the limit |",
        "|---|---|---|",
        *(f"| {name} | {ms:.1f} | {ms / limit:.2f} |" for name, ms in rows),
    ]
    print("\n".join(lines))
    if chosen.write:
        (PROJECT / "benchmarks/results/exhibits.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
