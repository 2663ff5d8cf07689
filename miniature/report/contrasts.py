"""Differences between arms, prompt by prompt, with the same words and the same noise on both sides."""

from __future__ import annotations

import numpy as np

from ledger.schema import Document, Value
from miniature.report import figures
from miniature.report.figures import Findings, Metric
from miniature.shipping.draw import FAMILY_NAMES

Arm = tuple[str, float, str]
SAID: dict[str, tuple[Metric, str]] = {
    "follow": (figures.follow, "Requests followed"),
    "plain_objects": (figures.objects, "Objects kept in plain pictures"),
    "emotion": (figures.emotion, "Named emotions found"),
    "reward": (figures.reward, "Reward of plain pictures"),
    "diversity": (figures.diversity, "Distance between plain pictures"),
    "artifacts": (figures.artifacts, "Unasked treatments in plain pictures"),
    "delta": (figures.delta, "Δ of the main reward"),
}
STRENGTHS = (0.25, 0.375, 0.5, 1.5)

# At strength 1: name, arm, what.
AT_ONE = (
    *((f"aligned_minus_base_{what}", "draft", what) for what in SAID if what != "delta"),
    ("delta_aligned_minus_base", "draft", "delta"),
    *((f"dpo_minus_base_{what}", "dpo", what) for what in ("follow", "plain_objects", "emotion")),
    *((f"hacked_minus_base_{what}", "draft-hacked", what) for what in ("follow", "plain_objects", "reward")),
    *((f"gate95_minus_base_{what}", "draft-gate95", what) for what in ("follow", "plain_objects", "reward")),
)
NAMES = FAMILY_NAMES | {"draft-hacked": "over-optimised", "draft-gate95": "aligned behind the 95 % gate"}
ALIGNED, UNGUIDED = ("draft-s0", 1.0, ""), ("draft-s0", 1.0, "unguided")
# Ways back. VSF and NAG replace guidance: they are compared without it.
WAYS_BACK = {
    "pluralist_gain": (("draft-pluralist", 1.0, ""), ALIGNED, "pluralist minus main reward"),
    "negative_prompt_gain": (("draft-s0", 1.0, "negative"), ALIGNED, "with a negative prompt minus without"),
    "vsf_gain": (("draft-s0", 1.0, "vsf1"), UNGUIDED, "with VSF (scale 1) minus without"),
    "nag_gain": (("draft-s0", 1.0, "nag4"), UNGUIDED, "with NAG (scale 4) minus without"),
}


def document(found: Findings) -> Document:
    values: dict[str, Value | None] = {}
    for name, arm, what in AT_ONE:
        values[name] = _against_base(found, arm, 1.0, what)
    for strength in STRENGTHS:
        for family in FAMILY_NAMES:
            for what in ("follow", "plain_objects", "emotion", "reward", "diversity"):
                values[f"{family}_minus_base_{what}_at_{strength:g}"] = _against_base(found, family, strength, what)
    for name, (one, two, label) in WAYS_BACK.items():
        values[name] = _between(found, one, two, label)
        again = f"{label}, measured in batches"  # the same question with other noise, where that was done too
        values[f"{name}_in_batches"] = _between(found, one, two, again, engine=(False,))
    label = "image-to-image from a treated picture, aligned minus base"
    values["img2img_clean_up"] = _between(found, ("draft-s0", 1.0, "image"), ("base", 0.0, "image"), label)
    return Document(values={f"miniature.contrast.{name}": value for name, value in values.items() if value})


def _against_base(found: Findings, arm: str, strength: float, what: str) -> Value | None:
    metric, said = SAID[what]
    couples = found.beside_base([file for file in found.pick(arm, strength) if figures.has(metric, file)])
    if metric is figures.diversity:  # of each picture from all others: only the same others will do
        couples = [couple for couple in couples if np.array_equal(couple[0].pairs, couple[1].pairs)]
    if not couples:
        return None
    kept = {file.setting for file in figures.widest([file for file, _ in couples])}
    cut = figures.common([file for couple in couples if couple[0].setting in kept for file in couple])
    return figures.contrast(f"{said}, {NAMES[arm]} at {strength:g} minus base", cut, metric, found)


def _between(found: Findings, one: Arm, two: Arm, label: str, engine: tuple[bool, ...] = (True, False)) -> Value | None:
    first, second = found.together(one, two, engine=engine)
    if not (first and second):
        return None
    return figures.contrast(f"Requests followed, {label}", [first, second], figures.follow, found)
