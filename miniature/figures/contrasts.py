"""Differences between arms, prompt by prompt, with the same words and the same noise on both sides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from ledger import metrics
from ledger.rows import Row
from ledger.schema import Document, Measure, Source, Value
from miniature.figures.core import (
    ALIGNED,
    BASE,
    BEYOND,
    CPU,
    CROSS,
    CROSSED,
    DPO,
    DRAFT,
    DRAWN,
    ENGINE,
    GATE95,
    GPU,
    HACKED,
    MAIN,
    PLACEBO,
    PLURALIST,
    QUANTITIES,
    SHARE,
    Arm,
    Figures,
    Where,
)
from miniature.figures.tables import WAYS_BACK

MAIN_ONES = ("follow", "single", "objects", "one_object", "two_objects", "emotion", "happy", "reward", "diversity")
NAMED = {  # id of the arm in the ledger: the arm and what is compared with the base
    "aligned": (ALIGNED, (*MAIN_ONES, "artifacts", "delta")),
    "at_075": (DRAFT[0.75], (*MAIN_ONES, "artifacts", "delta")),
    "at_050": (DRAFT[0.5], ("follow", "objects", "reward", "delta")),
    "beyond": (BEYOND, (*MAIN_ONES, "artifacts", "delta")),
    "far_beyond": (DRAFT[3.0], ("follow", "objects", "reward", "delta")),
    "dpo": (DPO[1.0], ("follow", "objects", "emotion", "reward", "diversity", "delta")),
    "dpo_15": (DPO[1.5], ("follow", "objects", "emotion", "reward", "diversity", "delta")),
    "dpo_engine": (Arm("Diffusion-DPO, 1, by the engine", ("dpo-s0@1",), (ENGINE,)), ("follow", "objects", "reward")),
    "beyond_engine": (Arm("over-optimised, 2, by the engine", ("draft-s0@2",), (ENGINE,)), ("follow", "objects")),
    "hacked": (HACKED, ("follow", "objects", "reward")),
    "gate95": (GATE95, ("follow", "objects", "reward")),
    "pluralist": (PLURALIST, ("follow", "objects", "reward")),
}
BACK = {  # a way back, what it is compared with
    "negative_prompt": ("negative", "aligned"),
    "vsf": ("vsf1", "unguided"),
    "nag": ("nag4", "unguided"),
}


def document(figures: Figures) -> Document:
    made: dict[str, Value] = {}
    for name, (arm, quantities) in NAMED.items():
        base = Arm(BASE.label, BASE.rows, arm.runs)
        for quantity in quantities:
            made[f"{name}_minus_base_{quantity}"] = figures.contrast(arm, base, quantity)
    for quantity in ("follow", "single", "reward", "objects"):
        made[f"placebo_minus_base_{quantity}"] = figures.contrast(PLACEBO, BASE, quantity)
        made[f"aligned_minus_placebo_{quantity}"] = figures.contrast(ALIGNED, PLACEBO, quantity)
    for quantity in ("follow", "single", "double", "reward", "objects", "artifacts", "emotion", "happy"):
        for one, other in (("aligned", "base"), ("aligned", "placebo"), ("placebo", "base")):
            made[f"crossed_{one}_minus_{other}_{quantity}"] = figures.contrast(CROSS[one], CROSS[other], quantity)
    for name, (one, other) in BACK.items():
        for gain, quantity in (("gain", "follow"), ("objects", "wide_objects")):
            made[f"{name}_{gain}"] = figures.contrast(WAYS_BACK[one], WAYS_BACK[other], quantity)
    for prompt, quantity in (("", "follow"), ("_plain", "asked_under_plain")):
        text = f"image-to-image, {'plain' if prompt else 'requested'} prompt: asked-for look kept, aligned minus base"
        made[f"img2img_clean_up{prompt}"] = figures.contrast(*IMAGES, quantity, text)
    for name, arm in (("pluralist", PLURALIST), ("gate95", GATE95)):
        for quantity in ("follow", "objects"):
            made[f"{name}_at_equal_reward_{quantity}"] = at_equal_reward(figures, arm, quantity)
    counted = Measure(rows=DRAWN, statistic="count", of=QUANTITIES["follow"].of(CROSS["placebo"]))
    prompts = figures.value("crossed prompts drawn", counted, unit="prompts", run=CROSSED, digits=0)
    return Document(
        values={"miniature.crossed.prompts": prompts}
        | {f"miniature.contrast.{name}": value for name, value in made.items() if value.value is not None}
    )


IMAGES = (
    Arm("over-optimised, 2, image-to-image", ("draft-s0@2+image",), (CPU,)),
    Arm("base model, image-to-image", ("base+image",), (CPU,)),
)

# --- equal reward -----------------------------------------------------------------------------------------------------

LADDER = ("base", "draft-s0@0.25", "draft-s0@0.5", "draft-s0@0.75", "draft-s0@1", "draft-s0@2")
WAYS = {"follow": "asked", "objects": "plain-objects"}


def at_equal_reward(figures: Figures, arm: Arm, quantity: str) -> Value:
    """`arm` minus the main variant at the strength where both earn the same mean reward of plain pictures.

    The strength is read between measured ones by straight lines, again in every resample of the prompts, so that the
    interval carries it.
    """
    rows = figures.rows[DRAWN]
    prompts = sorted({row.prompt for row in rows.where({"row": arm.rows, "run": (GPU, CPU), "prompt_set": SET})})
    rewards, found = (
        np.stack([_line(rows.where(_where(name, prompts, scorer)), way, prompts) for name in (*arm.rows, *LADDER)])
        for scorer, way in ((MAIN, "oiop"), (("judge",), WAYS[quantity]))
    )
    whole = np.arange(len(prompts))[None]
    draws = np.random.default_rng(0).integers(len(prompts), size=(10_000, len(prompts)))
    (value,), resampled = difference(rewards, found, whole), difference(rewards, found, draws)
    said = {"follow": "requests followed", "objects": "objects kept in plain pictures"}[quantity]
    return Value(
        label=f"{said.capitalize()}, {arm.label.split(',')[0]} minus main reward, at equal reward",
        value=float(value),
        unit=SHARE,
        digits=3,
        source=Source(kind="measured", where=CPU),
        n=len(prompts),
        clusters=len(prompts),
        interval=metrics.percentile_interval(resampled),
        caveat=f"{len(prompts)} prompts, one training each; strength of equal reward interpolated; over prompts",
        rows=DRAWN,
    )


SET = ("miniature-first",)


def _where(row: str, prompts: Sequence[str], scorer: tuple[str, ...]) -> Where:
    where: Where = {"row": (row,), "run": (GPU, CPU), "prompt_set": SET, "prompt": tuple(prompts), "scorer": scorer}
    return {**where, "seed": ("0",)}


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
