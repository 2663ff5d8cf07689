"""What a plan will cost: pictures, scorings, memory, hours, disk, money. Estimates are marked as such; what was not
published, counted or timed is called unknown, with the reason.

Seconds are the median of what this run has timed already. Before that they follow from the tera-operations of the card,
where they were counted, at 45 % of an H100's 790 TFLOP/s.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from evidence.cards.models import ModelCard
from evidence.jobs.plan import Participants, Plan
from evidence.registry import GENERATORS
from evidence.run import progress
from evidence.samples.store import Store
from evidence.scorers import ScorerCard

H100_TFLOPS = 0.45 * 790
BYTES_PER_PIXEL = 1.5  # of a photograph-like PNG
RECORD_BYTES = 2_000
GUESS, TIMED = "guess for one H100, by its operations", "timed in this run"
NOT_TIMED = "not timed in this run yet"


@dataclass(frozen=True)
class Line:
    """One card of the printed plan. None: unknown."""

    card: str
    stage: str
    total: int
    due: int
    remote: bool
    memory_gib: float | None
    seconds: float | None
    basis: str  # of `seconds`, or why they are unknown
    dollars: float | None
    bytes: int


def estimate(plan: Plan, store: Store) -> Iterator[Line]:
    """A line per generator, scorer and judge of the plan."""
    timed = _timed(store)
    for (stage, name), counts in progress(plan, store).items():
        card = _row(plan.participants, stage, name)
        due = counts.total() - counts["done"]
        pixels, each, price = 0, card.tflop, None if card.remote else 0.0
        if isinstance(card, ModelCard):
            settings = next(job.identity["settings"] for job in plan.pictures.values() if job.spec.model == name)
            pixels = int(settings.get("width") or 1024) * int(settings.get("height") or 1024)
            each = None if card.tflop is None else card.tflop * _evaluations(card, settings) * pixels / 2**20
            price = card.usd_per_picture if card.remote else price
        elif card.remote:
            price = getattr(card, "usd_per_comparison", None)
        seconds, basis = _seconds(card, timed.get((stage, name), []), each)
        yield Line(
            name,
            stage,
            counts.total(),
            due,
            card.remote,
            card.memory_gib,
            None if seconds is None else seconds * due,
            basis,
            None if price is None else price * due,
            (int(pixels * BYTES_PER_PIXEL) + RECORD_BYTES) * due,
        )


def _row(participants: Participants, stage: str, name: str) -> ModelCard | ScorerCard:
    if stage == "generate":
        return participants.models[name].card
    return (participants.scorers if stage == "score" else participants.judges)[name]


def _evaluations(card: ModelCard, settings: Mapping[str, object]) -> int:
    """Of the denoiser for a picture: twice the steps where a second branch guides."""
    guidance = settings.get(GENERATORS[card.adapter].second_branch) or 0.0
    return int(str(settings["steps"])) * (2 if float(str(guidance)) > 1 else 1)


def _timed(store: Store) -> dict[tuple[str, str], list[float]]:
    """Seconds of every finished sample, by stage and card."""
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for record in store.records():
        who = record.made.get("model") or record.made.get("scorer") or record.made.get("judge")
        if record.status == "done" and "seconds" in record.made:
            found[record.stage, str(who)].append(float(record.made["seconds"]))
    return found


def _seconds(card: ModelCard | ScorerCard, timed: list[float], tflop: float | None) -> tuple[float | None, str]:
    if timed:
        return statistics.median(timed), TIMED
    if tflop is not None:
        return tflop / H100_TFLOPS, GUESS
    return None, f"a service, {NOT_TIMED}" if card.remote else f"its operations were not counted, and {NOT_TIMED}"


def table(lines: list[Line]) -> list[str]:
    """The plan as aligned text, totals next, what is unknown last."""
    told = [f"{'card':<24} {'stage':<9} {'all':>7} {'due':>7} {'GPU GiB':>8} {'hours':>9} {'disk':>9} {'USD':>9}"]
    for line in lines:
        memory = "-" if line.remote else _number(line.memory_gib, ".1f")
        hours = _number(None if line.seconds is None else line.seconds / 3600, ".2f")
        told.append(
            f"{line.card:<24} {line.stage:<9} {line.total:>7} {line.due:>7} {memory:>8} {hours:>9} "
            f"{_size(line.bytes):>9} {_number(line.dollars, '.2f'):>9}"
        )
    pictures, scorings, verdicts = (sum(x.due for x in lines if x.stage == s) for s in ("generate", "score", "judge"))
    time = sum(line.seconds or 0 for line in lines) / 3600
    money = sum(line.dollars or 0 for line in lines)
    largest = max((line.memory_gib or 0 for line in lines), default=0)
    unknown = list(_unknown(lines))
    told.append(
        f"to do: {pictures} pictures, {scorings} scorings, {verdicts} verdicts; {time:.2f} h; largest card "
        f"{largest:.0f} GiB; {_size(sum(line.bytes for line in lines))} of disk; {money:.2f} USD"
        + ("; and what is unknown" if unknown else "")
    )
    for basis in (TIMED, GUESS):
        if cards := [line.card for line in lines if line.basis == basis]:
            told.append(f"hours: {basis}: {', '.join(cards)}")
    return told + unknown


def _unknown(lines: list[Line]) -> Iterator[str]:
    """Which figures are unknown, of which cards, and why."""
    found: dict[str, list[str]] = {}
    for line in lines:
        if line.memory_gib is None and not line.remote:
            found.setdefault("GPU memory: the card gives none", []).append(line.card)
        if line.seconds is None:
            found.setdefault(f"hours: {line.basis}", []).append(line.card)
        if line.dollars is None:
            field = "usd_per_picture" if line.stage == "generate" else "usd_per_comparison"
            found.setdefault(f"USD: no price is known, `{field}` of the card gives it", []).append(line.card)
    yield from (f"unknown {why}: {', '.join(cards)}" for why, cards in found.items())


def _number(value: float | None, form: str) -> str:
    return "unknown" if value is None else format(value, form)


def _size(number: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"
