"""What Lighthouse says of the built site, as a phone sees it: the median of several runs a page, on loopback.

make lighthouse
"""

from __future__ import annotations

import argparse
import functools
import gzip
import http.server
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PROGRAM = ROOT / "benchmarks/lighthouse/node_modules/lighthouse/cli/index.js"
PAGES = ["index.html", "clean/index.html", "distorted/index.html", "clean/exhibits/index.html", "clean/audit.html"]
CATEGORIES = {"performance": 95, "accessibility": 100, "best-practices": 100, "seo": 100}  # targets of the clean copy
DISTORTED = 95  # target of the distorted copy in every category
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync --disable-component-update"
)
TEXT = (".html", ".css", ".js", ".json", ".svg")


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves as a host of static pages does: text gzipped, everything fresh for ten minutes. Says nothing."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        place = Path(self.translate_path(self.path))
        place = place / "index.html" if place.is_dir() else place
        if not place.is_file():
            self.send_error(404)
            return
        content = place.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(place)))
        self.send_header("Cache-Control", "max-age=600")
        if place.suffix in TEXT:
            content = gzip.compress(content, 6)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: Any) -> None:
        pass


def report(url: str, chromium: str) -> dict[str, Any]:
    """One run of Lighthouse with its settings for a phone: slow 4G and a CPU four times slower than this one."""
    command = ["node", str(PROGRAM), url, "--output=json", "--quiet", f"--chrome-flags={FLAGS}"]
    done = subprocess.run(
        command, env={**os.environ, "CHROME_PATH": chromium}, capture_output=True, text=True, check=False
    )
    if done.returncode or not done.stdout:
        sys.exit(f"lighthouse {url}: {done.stderr.strip()[-600:]}")
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def failing(told: dict[str, Any]) -> list[str]:
    """Titles of the audits that cost points, outside performance."""
    asked = {ref["id"] for name in CATEGORIES if name != "performance" for ref in told["categories"][name]["auditRefs"]}
    audits = told["audits"]
    return [audits[name]["title"] for name in sorted(asked) if audits[name]["score"] not in (None, 1)]


def row(page: str, runs: list[dict[str, Any]]) -> str:
    def median(of: str) -> float:
        return float(statistics.median(run["audits"][of]["numericValue"] for run in runs))

    scores = [[100 * run["categories"][name]["score"] for run in runs] for name in CATEGORIES]
    target = dict.fromkeys(CATEGORIES, DISTORTED) if page.startswith("distorted/") else CATEGORIES
    cells = [
        f"{statistics.median(found):.0f}" + (f" ({min(found):.0f}-{max(found):.0f})" if len({*found}) > 1 else "")
        + ("" if statistics.median(found) >= target[name] else " **below target**")
        for name, found in zip(CATEGORIES, scores, strict=True)
    ]  # fmt: skip
    cells += [f"{median('largest-contentful-paint') / 1000:.1f} s", f"{median('total-blocking-time'):.0f} ms"]
    cells += [f"{median('cumulative-layout-shift'):.3f}", f"{median('total-byte-weight') / 1000:.0f} kB"]
    return f"| `{page}` | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--site", type=Path, default=ROOT / "site")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--page", action="append", help="a page below the site; may be given several times")
    parser.add_argument("--note", default="", help="a sentence about the machine")
    parser.add_argument("-o", "--out", type=Path)
    options = parser.parse_args()
    chromium = next((path for name in ("chromium", "google-chrome") if (path := shutil.which(name))), "")
    if not chromium or not PROGRAM.is_file():
        sys.exit("Chromium and benchmarks/lighthouse/node_modules are needed: run `make lighthouse`")
    handler = functools.partial(Handler, directory=str(options.site))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    lines, faults = list[str](), list[str]()
    for page in options.page or PAGES:
        runs = [report(f"http://127.0.0.1:{server.server_port}/{page}", chromium) for _ in range(options.runs)]
        lines.append(row(page, runs))
        faults += [f"- `{page}`: {title}" for title in failing(runs[-1])]
        print(lines[-1], flush=True)
    version = runs[-1]["lighthouseVersion"]
    text = "\n".join(
        [
            "# Lighthouse, mobile",
            "",
            f"`make lighthouse`: Lighthouse {version}, simulated phone (slow 4G, CPU four times slower), median of "
            f"{options.runs} runs (lowest to highest), text gzipped on loopback, {platform.machine()}, "
            f"{os.cpu_count()} cores. {options.note}".strip(),
            "",
            "| page | performance | accessibility | best practices | SEO | largest paint | blocked | shift | bytes |",
            "|---|---|---|---|---|---|---|---|---|",
            *lines,
            "",
            "Targets: the clean copy 95 in performance and 100 in the others, the distorted one 95 in all. "
            + ("Audits that cost points:" if faults else "No audit outside performance costs points."),
            *(["", *faults] if faults else []),
            "",
        ]
    )
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
