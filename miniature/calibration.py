"""The unit of the strength of alignment: 1 is the largest strength that leaves plain pictures intact.

On validation prompts (none of which is in any other set) the trainings of a variant at strength 1 lose at most two
points of the objects in plain pictures and gain at most .05 unasked treatments a picture over the base. The judge
measures here; it gives no gradient. What lies above is over-optimised: a part of what is lost there is damage and not
taste.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from miniature.shipping import pack
from miniature.world import splits

if TYPE_CHECKING:
    from miniature.nets import shapes
    from miniature.training.instrument import Instrument

GRID = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)  # multiples of the difference that was trained
RECALL_LOST, ARTIFACTS = 0.02, 0.05
PROMPTS = 300
MAIN_REWARDS = ("gatenone-low-s0", "gatenone-low-s1", "gatenone-low-s2")


def passes(base: Mapping[str, float], seen: Mapping[str, float]) -> bool:
    """Whether plain pictures kept their objects and gained no treatments, within the margins."""
    lost, gained = base["recall"] - seen["recall"], seen["artifacts"] - base["artifacts"]
    return round(lost, 9) <= RECALL_LOST and round(gained, 9) <= ARTIFACTS


def climb(
    base: Mapping[str, float], look: Callable[[float], dict[str, float]]
) -> tuple[float | None, dict[float, dict[str, float]]]:
    """The largest multiple of `GRID` up to which all pass, and what was seen on the way: up from 1 until one fails, or,
    where 1 fails, down until one passes. None where none does."""
    ladder = {1.0: look(1.0)}
    up = passes(base, ladder[1.0])
    for multiple in [at for at in GRID if at > 1] if up else [at for at in reversed(GRID) if at < 1]:
        ladder[multiple] = look(multiple)
        if passes(base, ladder[multiple]) != up:
            break
    return max((at for at, seen in ladder.items() if passes(base, seen)), default=None), ladder


def run(folder: Path, sizes: shapes.Sizes, part: str = "0/1", only: Sequence[str] = ()) -> dict[str, float]:
    """Find the unit of every `part`-th variant (or of `only` these) and write `alignment/{variant}.unit.json`.

    All trainings of a variant have one unit. Each draws its own share of the prompts, in turn, and the base draws all.
    What was drawn is kept in `calibration/`, for a run that goes on. Returns the units.
    """
    from miniature.nets import shapes
    from miniature.training.instrument import Instrument

    rewards = {path.stem for path in (folder / "rewards").glob("*.safetensors")}
    instrument = Instrument(folder, sizes, tuple(name for name in MAIN_REWARDS if name in rewards))
    pairs = splits.prompt_pairs("validation", PROMPTS if sizes is not shapes.TINY else 4)
    number, of = map(int, part.split("/"))
    units = {}
    for variant, trainings in list(variants(folder).items())[number::of]:
        target = folder / "alignment" / f"{variant}.unit.json"
        if target.exists() or (only and variant not in only):
            continue
        report = _calibrated(instrument, trainings, pairs)
        target.write_text(json.dumps(report))
        print(f"[calibrate] {variant} {report}", flush=True)
        units[variant] = report["unit"]
    return units


def _calibrated(instrument: Instrument, trainings: list[str], pairs: list[splits.PromptPair]) -> dict[str, Any]:
    """The unit of a variant, and what was seen on the way to it."""
    base = _plain(instrument, {None: 0.0}, pairs)
    found, ladder = climb(base, lambda multiple: _plain(instrument, dict.fromkeys(trainings, multiple), pairs))
    rows = [{"multiple": multiple} | row for multiple, row in sorted(ladder.items())]
    return {"unit": found or min(GRID), "passed": found is not None, "base": base, "rows": rows, "n": len(pairs)}


def variants(folder: Path) -> dict[str, list[str]]:
    """The trained arms of each variant."""
    found: dict[str, list[str]] = {}
    for path in sorted((folder / "alignment").glob("*.safetensors")):
        found.setdefault(pack.variant(path.stem), []).append(path.stem)
    return found


def _plain(instrument: Instrument, arms: dict[str | None, float], pairs: list[splits.PromptPair]) -> dict[str, float]:
    """Object recall, unasked treatments a picture and mean main reward, under plain prompts divided among the arms."""
    seen = [plain(instrument, arm, multiple, pairs[at :: len(arms)]) for at, (arm, multiple) in enumerate(arms.items())]
    shown, kept, unasked, reward = np.sum(seen, 0)
    return {"recall": kept / shown, "artifacts": unasked / len(pairs), "reward": reward / len(pairs)}


def plain(
    instrument: Instrument, arm: str | None, multiple: float, pairs: list[splits.PromptPair]
) -> tuple[float, float, float, float]:
    """Objects shown, of them found, unasked treatments found, and the sum of the main rewards, over all prompts."""
    kept = instrument.folder / "calibration" / f"{arm or 'base'}@{multiple:g}-{pairs[0].seed}-{len(pairs)}.json"
    if not kept.exists():
        samples = kept.with_suffix("")
        counts = _counted(instrument, arm, multiple, pairs, samples)
        kept.write_text(json.dumps(counts))
        shutil.rmtree(samples)
    counted: tuple[float, float, float, float] = tuple(json.loads(kept.read_text()))
    return counted


def _counted(
    instrument: Instrument, arm: str | None, multiple: float, pairs: list[splits.PromptPair], samples: Path
) -> tuple[float, float, float, float]:
    """Of pictures that the evidence engine draws; one that could not be drawn shows nothing and pleases nobody."""
    from evidence.jobs.plan import PictureSpec, Scoring
    from miniature.training.instrument import JUDGE
    from miniature.training.measure import FOUND, treatments_found

    model = instrument.generator(arm, multiple)
    drawn = [PictureSpec(model.name, pair.original, "plain", pair.seed) for pair in pairs]
    judged = [Scoring(picture, JUDGE, "") for picture in drawn]
    liked = [Scoring(picture, name, picture.prompt) for picture in drawn for name in instrument.rewards]
    stored = instrument.observe(model, [*judged, *liked], samples)
    found: list[Any] = [stored.outcome(one).score or {} for one in judged]
    shown = [(at, f"object:{thing}") for at, pair in enumerate(pairs) for thing in pair.scene.objects]
    return (
        float(len(shown)),
        float(sum(found[at].get(label, 0.0) > FOUND for at, label in shown)),
        float(sum(map(treatments_found, found))),
        float(sum(stored.outcome(one).score or 0.0 for one in liked) / max(1, len(instrument.rewards))),  # type: ignore[misc]
    )
