"""What a plan will cost: pictures, scorings, memory, hours, disk, money. Guesses are called guesses; what nobody has
told or timed is called unknown.

Seconds per picture are the median of what this run has timed already. Before that, for the architectures whose
operations were counted, they follow from tera-operations per step at 45 % of an H100's 790 TFLOP/s.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, replace

from evidence.plan import Plan
from evidence.run import progress
from evidence.store import Record, Store

TFLOP_PER_STEP = {"flux": 74.4, "sdxl": 13.5, "sd3": 17.8}  # at 1024 x 1024; guided ones count both branches
H100_TFLOPS = 0.45 * 790
BYTES_PER_PIXEL = 1.5  # of a photograph-like PNG
RECORD_BYTES = 2_000


@dataclass(frozen=True)
class Line:
    """One row of the printed plan. None: unknown."""

    row: str
    stage: str
    total: int
    due: int
    memory_gib: float | None = None
    seconds: float | None = None
    basis: str = ""  # of `seconds`
    dollars: float | None = None
    bytes: int = 0


def estimate(plan: Plan, store: Store) -> Iterator[Line]:
    """A line per generator, scorer and judge of the plan."""
    for (stage, name), counts in progress(plan, store).items():
        due = counts.total() - counts["done"]
        line = Line(name, stage, counts.total(), due, bytes=due * RECORD_BYTES)
        if stage == "generate":
            yield _pictures(plan, store, line)
        elif stage == "score":
            yield replace(line, memory_gib=plan.cast.scorers[name].memory_gib, dollars=0.0)
        else:
            price = getattr(plan.cast.judges[name], "usd_per_comparison", None)
            yield replace(line, dollars=None if price is None else price * due)


def _pictures(plan: Plan, store: Store, line: Line) -> Line:
    row = plan.cast.members[line.row].row
    jobs = [job for job in plan.pictures.values() if job.ask.model == line.row]
    settings = jobs[0].identity["settings"]
    each, basis = _seconds(row.adapter, settings, [store.get(job.key) for job in jobs])
    pixels = int(settings.get("width") or 1024) * int(settings.get("height") or 1024)
    price = row.usd_per_picture if row.remote else 0.0
    return replace(
        line,
        memory_gib=row.memory_gib,
        seconds=None if each is None else each * line.due,
        basis=basis,
        dollars=None if price is None else price * line.due,
        bytes=int(pixels * BYTES_PER_PIXEL + RECORD_BYTES) * line.due,
    )


def _seconds(adapter: str, settings: dict[str, object], records: list[Record | None]) -> tuple[float | None, str]:
    timed = [float(r.made["seconds"]) for r in records if r is not None and r.status == "done"]
    if timed:
        return statistics.median(timed), "timed in this run"
    steps, width, height = (settings.get(name) for name in ("steps", "width", "height"))
    if adapter in TFLOP_PER_STEP and isinstance(steps, int) and isinstance(width, int) and isinstance(height, int):
        work = TFLOP_PER_STEP[adapter] * steps * width * height / 2**20
        return work / H100_TFLOPS, "guess for one H100"
    return None, ""


def table(lines: list[Line]) -> list[str]:
    """The plan as aligned text, totals last."""
    head = f"{'row':<24} {'stage':<9} {'all':>7} {'due':>7} {'GPU GiB':>8} {'hours':>9} {'disk':>9} {'USD':>9}"
    told = [head]
    for line in lines:
        memory = "" if line.memory_gib is None else f"{line.memory_gib:.0f}"
        told.append(
            f"{line.row:<24} {line.stage:<9} {line.total:>7} {line.due:>7} {memory:>8} {_hours(line):>9} "
            f"{_size(line.bytes):>9} {_money(line.dollars):>9}"
        )
    pictures, scorings, verdicts = (sum(x.due for x in lines if x.stage == s) for s in ("generate", "score", "judge"))
    timed = [x for x in lines if x.stage == "generate"]
    known = sum(x.seconds or 0 for x in timed) / 3600
    untimed = [x.row for x in timed if x.seconds is None and x.due]
    prices = [x.dollars for x in lines]
    money = f"{sum(p or 0 for p in prices):.2f} USD" + (" and what is unknown" if None in prices else "")
    hours = f"{known:.2f} h of generating" + (f" (unknown: {', '.join(untimed)})" if untimed else "")
    largest = max((x.memory_gib or 0 for x in lines), default=0)
    told.append(f"to do: {pictures} pictures, {scorings} scorings, {verdicts} verdicts; {hours}; ")
    told[-1] += f"largest row {largest:.0f} GiB; {_size(sum(x.bytes for x in lines))} of disk; {money}"
    for basis in sorted({x.basis for x in timed if x.basis}):
        told.append(f"hours: {basis}: {', '.join(x.row for x in timed if x.basis == basis)}")
    return told


def _hours(line: Line) -> str:
    if line.stage != "generate":
        return ""
    return "unknown" if line.seconds is None else f"{line.seconds / 3600:.2f}"


def _money(dollars: float | None) -> str:
    return "unknown" if dollars is None else f"{dollars:.2f}"


def _size(number: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"
