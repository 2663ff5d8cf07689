"""Differences between arms, prompt by prompt, with the same words and the same noise on both sides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from ledger import metrics
from ledger.rows import Row, Rows
from ledger.schema import Document, Measure, Source, Value
from miniature.figures.core import (
    ALIGNED,
    BASE,
    CPU,
    CROSSED,
    DOUBLE_PLACEBO,
    DPO,
    DRAWN,
    ENGINE,
    FIRST,
    FIRST_BASE,
    FIRST_PLACEBO,
    FIRST_PLURALIST,
    GATE95,
    HACKED,
    LEASH_PLACEBOS,
    LEASHED,
    LEASHES,
    MAIN,
    ONE_PLURALIST,
    PLACEBO,
    PLURALIST,
    PLURALIST_PLACEBO,
    QUANTITIES,
    UNLEASHED,
    Arm,
    Figures,
    Where,
)
from miniature.figures.tables import WAYS_BACK

EVERY = (
    "follow", "single", "double", "reward", "objects", "one_object", "two_objects", "artifacts", "emotion", "happy",
    "diversity", "delta",
)  # fmt: skip
SOME = ("follow", "objects", "reward", "delta")
TRADED = ("follow", "reward")
AGAINST = {  # id of a comparison in the ledger: what is compared with what, and in which quantities
    "aligned_minus_base": (ALIGNED, BASE, EVERY),
    "placebo_minus_base": (PLACEBO, BASE, EVERY),
    "aligned_minus_placebo": (ALIGNED, PLACEBO, EVERY),
    **{f"{name}_minus_base": (arm, BASE, SOME) for name, arm in LEASHES.items()},
    **{f"{name}_minus_placebo": (arm, LEASH_PLACEBOS[name], SOME) for name, arm in LEASHES.items()},
    **{f"aligned_minus_{name}": (ALIGNED, arm, TRADED) for name, arm in LEASHES.items()},
    "leash1-anchor1_minus_leash1-anchor3": (LEASHES["leash1-anchor1"], LEASHES["leash1-anchor3"], TRADED),
    "pluralist_minus_base": (PLURALIST, BASE, SOME),
    "pluralist_minus_placebo": (ONE_PLURALIST, PLURALIST_PLACEBO, SOME),
    "half_minus_base": (LEASHED[0.5], BASE, SOME),
    "double_minus_base": (LEASHED[2.0], BASE, EVERY),
    "double_minus_placebo": (LEASHED[2.0], DOUBLE_PLACEBO, (*SOME, "emotion", "happy")),
    "double_placebo_minus_base": (DOUBLE_PLACEBO, BASE, (*SOME, "emotion", "happy")),
    "first_minus_base": (UNLEASHED[1.0], FIRST_BASE, EVERY),
    "first_placebo_minus_base": (FIRST_PLACEBO, FIRST_BASE, ("follow", "single", "reward", "objects")),
    "first_minus_placebo": (UNLEASHED[1.0], FIRST_PLACEBO, ("follow", "single", "reward", "objects")),
    "at_075_minus_base": (UNLEASHED[0.75], FIRST_BASE, EVERY),
    "at_050_minus_base": (UNLEASHED[0.5], FIRST_BASE, SOME),
    "beyond_minus_base": (UNLEASHED[2.0], FIRST_BASE, EVERY),
    "far_beyond_minus_base": (UNLEASHED[3.0], FIRST_BASE, SOME),
    "dpo_minus_base": (DPO[1.0], FIRST_BASE, (*SOME, "emotion", "diversity")),
    "dpo_15_minus_base": (DPO[1.5], FIRST_BASE, (*SOME, "emotion", "diversity")),
    "hacked_minus_base": (HACKED, FIRST_BASE, SOME[:3]),
    "gate95_minus_base": (GATE95, FIRST_BASE, SOME[:3]),
    "first_pluralist_minus_base": (FIRST_PLURALIST, FIRST_BASE, SOME[:3]),
    "dpo_engine_minus_base": (
        Arm("Diffusion-DPO, 1, by the engine", ("dpo-s0@1",), (ENGINE,)), WAYS_BACK["base"], SOME[:3],
    ),
    "beyond_engine_minus_base": (WAYS_BACK["aligned"], WAYS_BACK["base"], SOME[:2]),
}  # fmt: skip
BACK = {  # a way back, what it is compared with
    "negative_prompt": ("negative", "aligned"),
    "vsf": ("vsf1", "unguided"),
    "nag": ("nag4", "unguided"),
    "nag_against_guidance": ("nag4", "aligned"),
}


def document(figures: Figures) -> Document:
    made = {
        f"{name}_{quantity}": figures.contrast(arm, other, quantity)
        for name, (arm, other, quantities) in AGAINST.items()
        for quantity in quantities
    }
    for name, (one, other) in BACK.items():
        for gain, quantity in (("gain", "follow"), ("objects", "wide_objects")):
            made[f"{name}_{gain}"] = figures.contrast(WAYS_BACK[one], WAYS_BACK[other], quantity)
    for name, (edited, beside) in EDITS.items():
        for prompt, quantity in (("requested", "follow"), ("plain", "asked_under_plain")):
            text = f"image-to-image, {prompt} prompt: asked-for look kept, {edited.label} minus {beside.label}"
            made[f"{name}_{prompt}"] = figures.contrast(edited, beside, quantity, text)
    for name, (arm, ladder) in EQUAL.items():
        for quantity in ("follow", "objects"):
            made[f"{name}_at_equal_reward_{quantity}"] = at_equal_reward(figures, arm, ladder, quantity)
    counted = Measure(rows=DRAWN, statistic="count", of=QUANTITIES["follow"].of(BASE))
    pictures = figures.value("requests to the base model", counted, unit="requests", run=CROSSED, digits=0)
    return Document(
        values={"miniature.requests": pictures}
        | {f"miniature.contrast.{name}": value for name, value in made.items() if value.value is not None}
    )


EDITED = Arm("aligned, 1", ("draft-s0@1+image",))
EDITED_BASE = Arm("base model", ("base+image",))
EDITED_PLACEBO = Arm("placebo", ("placebo-draft-s0@1+image",))
FIRST_EDITED = Arm("first training, over-optimised, 2", ("unleashed-s0@2+image",), (CPU,))
EDITS = {
    "edit_minus_base": (EDITED, EDITED_BASE),
    "edit_minus_placebo": (EDITED, EDITED_PLACEBO),
    "edit_placebo_minus_base": (EDITED_PLACEBO, EDITED_BASE),
    "first_edit_minus_base": (FIRST_EDITED, Arm("base model", ("base+image",), (CPU,))),
}

# --- equal reward -----------------------------------------------------------------------------------------------------

FIRST_LADDER = (
    FIRST_BASE,
    *(Arm(arm.label, (f"unleashed-s0@{at:g}",), FIRST) for at, arm in UNLEASHED.items() if at <= 2),
)
EQUAL = {  # a variant, and the rungs of the main variant between which its reward is looked up
    "pluralist": (PLURALIST, (BASE, LEASHES["leash1-anchor1"])),  # the same leash
    "first_pluralist": (FIRST_PLURALIST, FIRST_LADDER),
    "gate95": (GATE95, FIRST_LADDER),
}


def at_equal_reward(figures: Figures, arm: Arm, ladder: Sequence[Arm], quantity: str) -> Value:
    """`arm` minus the main variant at the strength where both earn the same mean reward of plain pictures.

    The strength is read between measured ones by straight lines. With several trainings each is compared with the
    training of the same seed, and the interval is over them; with one it is over resampled prompts, in each of which
    the strength is read again.
    """
    rows = figures.rows[DRAWN]
    seeds = sorted({row.seed for row in rows.where({"row": arm.rows, "run": arm.runs})})
    sets = tuple({row.prompt_set for row in rows.where({"row": arm.rows, "run": arm.runs, "scorer": MAIN})})
    prompts = sorted({row.prompt for row in rows.where({"row": arm.rows, "run": arm.runs, "prompt_set": sets})})
    lines = [_lines(rows, (arm, *ladder), seed, sets, prompts, QUANTITIES[quantity].way) for seed in seeds]
    whole = np.arange(len(prompts))[None]
    each = np.array([difference(*line, whole)[0] for line in lines])
    if len(each) > 1:
        interval, over = metrics.t_interval(each), f"{len(each)} trainings each; over trainings"
    else:
        draws = np.random.default_rng(0).integers(len(prompts), size=(10_000, len(prompts)))
        interval, over = metrics.percentile_interval(difference(*lines[0], draws)), "one training each; over prompts"
    said = QUANTITIES[quantity].label.capitalize()
    return Value(
        label=f"{said}, {arm.label.removesuffix(', 1')} minus main reward, at equal reward",
        value=100 * float(each.mean()),
        unit="points",  # of per cent: a difference without a measure, from which it could be told
        digits=1,
        source=Source(kind="measured", where=figures.run(arm)),
        n=len(prompts) * len(each),
        clusters=len(each) if len(each) > 1 else len(prompts),
        interval=(100 * interval[0], 100 * interval[1]) if interval else None,
        caveat=f"{len(prompts)} prompts, {over}; strength of equal reward interpolated",
        rows=DRAWN,
    )


def _lines(
    rows: Rows, arms: Sequence[Arm], seed: str, sets: tuple[str, ...], prompts: Sequence[str], way: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Reward, and what the judge found, of every arm and prompt with the noise of a seed, (arms, prompts) each."""
    same: Where = {"seed": (seed,), "prompt_set": sets, "prompt": tuple(prompts)}
    chosen = [{**same, "row": arm.rows, "run": arm.runs} for arm in arms]
    rewards = [_line(rows.where({**where, "scorer": MAIN}), "oiop", prompts) for where in chosen]
    found = [_line(rows.where({**where, "scorer": ("judge",)}), way, prompts) for where in chosen]
    return np.stack(rewards), np.stack(found)


def _line(rows: Iterable[Row], way: str, prompts: Sequence[str]) -> NDArray[np.float64]:
    """Mean number of each prompt, (prompts,)."""
    numbers: dict[str, list[float]] = {prompt: [] for prompt in prompts}
    for row in rows:
        if row.way == way and row.number is not None:
            numbers[row.prompt].append(row.number)
    return np.array([np.mean(numbers[prompt]) for prompt in prompts])


def difference(
    rewards: NDArray[np.float64], found: NDArray[np.float64], draws: NDArray[np.int64]
) -> NDArray[np.float64]:
    """First arm minus the ladder at the first arm's reward, one number a resample."""
    earned, shown = rewards[:, draws].mean(-1), found[:, draws].mean(-1)
    return np.array(
        [shown[0, at] - np.interp(earned[0, at], earned[1:, at], shown[1:, at]) for at in range(len(draws))]
    )
