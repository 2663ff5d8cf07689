"""What benchmarks/generate.py measured, as a table, with what it says of the targets, misses included."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

from benchmarks.random_weights import REAL, Size
from evidence.samples import provenance

TFLOP = {"flux": 74.4, "sdxl": 2 * 6.76}  # per step at 1024 x 1024, by torch's FlopCounterMode on the meta device
DECODE_TFLOP = 10.5
WAIT = 1.0  # seconds that the waited-for sampler takes for a picture
# The targets we set ourselves on one H100: pictures/s with scoring, times the obvious loop, share outside the sampler.
TARGETS = {"flux": (0.27, 1.45, 0.03), "sdxl": (0.9, None, None)}


@dataclass(frozen=True)
class Line:
    """One line of the table, or why there is none."""

    shape: str
    way: str
    batch: int = 1
    pictures: int = 0
    seconds: float = 0.0  # whole run
    steady: float = 0.0  # pictures/s after the first batch
    first: float = 0.0  # seconds to the first batch's last score
    sampler: float = 0.0  # seconds of sampling alone for a picture
    texts: float = 0.0  # seconds of embedding
    gib: float = 0.0
    failed: str = ""

    @property
    def rate(self) -> float:
        return self.pictures / self.seconds if self.seconds else 0.0


TINY_SAYS = "**Tiny size: there is no GPU here. These figures say that the code runs, and nothing about speed.**"
LEGEND = """Random weights of the published shapes. Loading, compiling and one batch to warm up are not timed.
`sampler alone`: batches before and after the run, with nothing beside them. `outside it`: the share of wall time that
this does not account for, of the whole run and from the first batch's last score to the end. `texts`: embedding all
prompts, once per run, apart from the rate.
"""
HEAD = (
    "| shape | way | batch | pictures | pictures/s, whole run | steady | scorings/s | sampler alone, s a picture "
    "| outside it, whole run | steady | first batch scored | texts | of ceiling | peak GiB |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|"
)


def told(line: Line, peak: float) -> str:
    if line.failed:
        return f"| {line.shape} | {line.way} | {line.batch} | {line.failed} |" + " |" * 10
    cells: list[object] = [line.shape, line.way, line.batch, line.pictures, f"{line.rate:.3f}"]
    cells += [f"{line.steady:.3f}" if line.steady else "", f"{2 * line.rate:.2f}"]
    if line.sampler:
        cells += [f"{line.sampler:.2f}", f"{1 - line.rate * line.sampler:.1%}"]
        cells += [f"{1 - line.steady * line.sampler:.1%}", f"{line.first:.1f} s", f"{line.texts:.1f} s"]
    else:
        cells += ["", "", "", "", "in the loop"]
    tflop = tflop_of(line.shape)
    cells += [f"{tflop * line.rate / peak:.0%}" if line.gib and tflop else "", f"{line.gib:.1f}" if line.gib else ""]
    return "| " + " | ".join(map(str, cells)) + " |"


def tflop_of(shape: str) -> float:
    """Of a picture at real size: sampling and decoding."""
    return TFLOP[shape] * REAL.steps[shape] + DECODE_TFLOP if shape in TFLOP else 0.0


def report(
    lines: list[Line], size: Size, device: str, peak: float, scoring: tuple[float, float], seconds: float
) -> str:
    software = ", ".join(f"{name} {version}" for name, version in provenance.software().items())
    text = [
        "# Generating, scoring and encoding: the obvious loop and the engine",
        "",
        f"Command: `{' '.join(['python', *sys.argv])}`, on {time.strftime('%Y-%m-%d', time.gmtime())}.",
        "",
        f"Hardware: {provenance.hardware(device)}. {software}. Commit {provenance.commit()}.",
        f"Matmul ceiling in the same run: {peak:.2f} TFLOP/s. The whole benchmark took {seconds:.0f} s.",
        "",
    ]
    if size.name == "tiny":
        text += [TINY_SAYS, ""]
    text += [HEAD, *(told(line, peak) for line in lines), ""]
    if size.name == "real":
        text += [
            f"A scoring reads {scoring[1]:.0f} tokens and is {scoring[0]:.1f} TFLOP; every picture is scored twice.",
            "",
        ]
        text += [verdict(shape, lines, scoring[0]) for shape in dict.fromkeys(line.shape for line in lines)]
    return "\n".join([*text, *waiting(lines), LEGEND])


def verdict(shape: str, lines: list[Line], scoring: float) -> str:
    """The engine as it is (not an experiment with another kernel) against the obvious loop and the targets, misses
    included; and the share of operations that no overlap can hide."""
    loop = next((line for line in lines if line.shape == shape and line.way.startswith("obvious")), None)
    ours = [line for line in lines if line.shape == shape and line.way == "engine, compiled" and line.rate]
    if loop is None or not loop.rate or not ours:
        return f"{shape}: nothing to compare.\n"
    best = max(ours, key=lambda line: line.rate)
    beside = (DECODE_TFLOP + 2 * scoring) / (tflop_of(shape) + 2 * scoring)
    rate, times, outside = TARGETS[shape]
    found = [(f"{best.rate:.3f} pictures/s with scoring (target {rate})", best.rate >= rate)]
    ratio = best.rate / loop.rate
    found += [(f"{ratio:.2f} times the obvious loop (target {times})", ratio >= times)] if times else []
    share = 1 - best.steady * best.sampler
    found += [(f"{share:.1%} outside the sampler, steady (target {outside:.0%})", share < outside)] if outside else []
    said = "; ".join(f"{text}: {'met' if met else 'missed'}" for text, met in found)
    floor = f"Decoding and two scorings are {beside:.1%} of all operations."
    return f"{shape}: {best.way}, batch {best.batch}, whole run: {said}. {floor}\n"


def waiting(lines: list[Line]) -> list[str]:
    """What decoding, PNG, disk and scoring add to a picture in line, and beside the sampler."""
    loop, ours = (
        next((x for x in lines if x.shape == "waited" and x.way.startswith(way) and x.seconds), None)
        for way in ("obvious", "engine")
    )
    if loop is None or ours is None or not ours.steady:
        return []
    told = (
        f"waited: the sampler is waited for as a card would be, {WAIT:g} s a picture; everything beside it is real, on "
        f"this machine's processor: pictures of 1024 x 1024, PNG, hashes, disk, a tiny scorer. In line all that adds "
        f"{loop.seconds / loop.pictures - WAIT:.3f} s to a picture, beside the sampler {1 / ours.steady - WAIT:.3f} s."
    )
    return [told, ""]
