"""Measured arrays -> values and tables of results/miniature.json.

Every number is computed here from the files that `miniature.measurement` wrote, with 95 % bootstrap intervals over
prompts and, where there are several, seeds. What was not measured is left out, never filled in.
"""

from __future__ import annotations

import json
import platform
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ledger import metrics
from ledger.schema import Column, Document, Row, Run, Source, Table, Value
from miniature import annotators, datasets, pack, world
from miniature.annotators import CELLS

Floats = NDArray[np.float64]
GPU, CPU = "miniature-gpu", "miniature-cpu"
MAIN = ("gatenone-low-s0", "gatenone-low-s1", "gatenone-low-s2")
ARM_NAMES = {"draft": "reward back-propagation", "dpo": "Diffusion-DPO"}
WEIGHTS = {"low": "prompt weighs little", "middle": "prompt weighs as much", "high": "prompt weighs more"}
GATES = {"none": "no gate", "80": "80 % agree", "95": "95 % agree"}
SHARE = "share"


@dataclass(frozen=True)
class Measured:
    """One file: arm ("base", "draft-s0", ...), strength, noise seed, way ("", "negative", "image"), its arrays."""

    arm: str
    strength: float
    seed: int
    way: str
    arrays: dict[str, Any]

    @property
    def pairs(self) -> NDArray[np.int64]:
        return np.asarray(self.arrays.get("pairs", np.arange(len(self.arrays["found_requested"]))))

    @property
    def run(self) -> str:
        return CPU if len(self.pairs) < PAIRS else GPU


PAIRS = 300


@cache
def _truth() -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """What plain, requested and emotion pictures should show, bool (n, labels)."""
    pairs = datasets.prompt_pairs("evaluation", PAIRS)
    plain = np.array([datasets.label_row(pair.scene, ()) for pair in pairs], bool)
    asked = np.array([datasets.label_row(pair.scene, pair.asked) for pair in pairs], bool)
    feelings = np.array([datasets.label_row(pair.scene, ()) for pair, _ in datasets.emotion_pairs(100)], bool)
    return plain, asked, feelings


@cache
def _kind(name: str) -> NDArray[np.bool_]:
    return np.array([label.split(":")[0] == name for label in datasets.labels()])


def load(folder: Path) -> list[Measured]:
    """Everything below `folder/measured`."""
    found = []
    for path in sorted((folder / "measured").glob("*.npz")):
        match = re.fullmatch(r"(.+)@([\d.]+)-n(\d)(?:-(\w+))?", path.stem)
        if match:
            with np.load(path) as arrays:
                content = dict(arrays)
            found.append(Measured(match[1], float(match[2]), int(match[3]), match[4] or "", content))
    return found


# --- what one picture says, per prompt --------------------------------------------------------------------------------


def follow(one: Measured) -> Floats:
    """Share of a prompt's requested treatments that the judge finds, (n,)."""
    return _found(one.arrays["found_requested"], _truth()[1][one.pairs], "treatment")


def objects(one: Measured) -> Floats:
    """Share of a plain prompt's objects that the judge finds, (n,)."""
    return _found(one.arrays["found_plain"], _truth()[0][one.pairs], "object")


def emotion(one: Measured) -> Floats:
    """Whether the named negative emotion is found, (m,)."""
    found = one.arrays["found_emotion"]
    return _found(found, _truth()[2][: len(found)], "emotion")


def artifacts(one: Measured) -> Floats:
    """Treatments found in a plain picture, none of which was asked for, (n,)."""
    return np.asarray(one.arrays["found_plain"][:, _kind("treatment")].sum(1), float)


def _found(found: NDArray[np.bool_], wanted: NDArray[np.bool_], kind: str) -> Floats:
    here = _kind(kind)
    return np.asarray((found & wanted)[:, here].sum(1) / np.maximum(1, wanted[:, here].sum(1)), float)


def _score(one: Measured, column: int, names: tuple[str, ...] = MAIN) -> Floats:
    """Mean over scorers of one of the four scores (0 oiop, 1 oidp, 2 diop, 3 didp), (n,)."""
    known = [str(name) for name in one.arrays["scorers"]]
    chosen = [known.index(name) for name in names if name in known]
    return np.asarray(one.arrays["scores"][chosen][:, :, column].mean(0), float)


def reward(one: Measured) -> Floats:
    """Main reward of plain pictures under plain prompts, (n,)."""
    return _score(one, 0)


def delta(one: Measured) -> Floats:
    """The published metric: diop - oiop of the main reward, (n,)."""
    return metrics.delta(_score(one, 2), _score(one, 0))


def diversity(one: Measured) -> Floats:
    """Mean cosine distance of each plain picture to all others, by the un-aligned encoder, (n,)."""
    vectors = np.asarray(one.arrays["plain"], float)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    alike = vectors @ vectors.T
    count = len(vectors)
    return np.asarray(1 - (alike.sum(1) - 1) / (count - 1), float)


# --- values -----------------------------------------------------------------------------------------------------------


def _value(
    label: str, samples: Floats, run: str, *, unit: str = SHARE, digits: int = 3, caveat: str | None = None
) -> Value:
    """Mean of (prompts,) or (seeds, prompts) with its interval."""
    grid = np.atleast_2d(samples)
    low, high = metrics.crossed_interval(grid, 0)
    source = Source(kind="measured", where=run)
    mean, sd = float(grid.mean()), float(grid.std())
    return Value(
        label=label,
        value=mean,
        unit=unit,
        digits=digits,
        source=source,
        n=grid.size,
        sd=sd,
        interval=(low, high),
        caveat=caveat,
    )


def _contrast(
    label: str, first: list[Floats], second: list[Floats], run: str, *, unit: str = SHARE, caveat: str
) -> Value:
    """Mean of first - second over (seeds, prompts), paired."""
    found = metrics.paired_bootstrap(np.stack(first), np.stack(second), 0)
    source = Source(kind="measured", where=run)
    return Value(
        label=label,
        value=found.mean,
        unit=unit,
        digits=3,
        source=source,
        n=found.n,
        sd=found.sd,
        interval=found.interval,
        caveat=caveat,
    )


class Report:
    """The document under way: files in, values and tables out."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.files = folder, load(folder)
        self.values: dict[str, Value] = {}
        self.tables: dict[str, Table] = {}

    def pick(self, arm: str, strength: float, way: str = "") -> list[Measured]:
        """Measured settings of an arm ("draft" stands for its seeds), one a seed."""
        name = re.compile(rf"{re.escape(arm)}(-s\d)?")
        near = [f for f in self.files if abs(f.strength - strength) < 1e-6 and f.way == way]
        return [f for f in near if name.fullmatch(f.arm)]

    def base_of(self, one: Measured, way: str = "") -> Measured | None:
        """The base model with the same noise."""
        return next((f for f in self.pick("base", 0.0, way) if f.seed == one.seed), None)

    def rows(
        self, table: str, title: str, caption: str, columns: list[Column], cells: dict[Row, dict[str, Value]]
    ) -> None:
        self.tables[table] = Table(title=title, caption=caption, columns=columns, rows=list(cells))
        self.values |= {
            f"{table}.{row.id}.{column}": value for row, values in cells.items() for column, value in values.items()
        }


def _widest(files: list[Measured]) -> list[Measured]:
    """Those of the files that cover the most prompt pairs: a narrow one would cut the others down to its own."""
    most = max((len(f.pairs) for f in files), default=0)
    return [f for f in files if len(f.pairs) == most]


def _common(files: list[Measured]) -> list[Measured]:
    """Files cut to the prompt pairs that all of them have."""
    shared = set.intersection(*({int(pair) for pair in f.pairs} for f in files))
    cut = []
    for f in files:
        at = [number for number, pair in enumerate(f.pairs) if int(pair) in shared]
        arrays = dict(f.arrays)
        for name in ("found_plain", "found_requested", "plain"):
            if name in arrays:
                arrays[name] = arrays[name][at]
        if "scores" in arrays:
            arrays["scores"] = arrays["scores"][:, at]
        arrays["pairs"] = f.pairs[at]
        cut.append(Measured(f.arm, f.strength, f.seed, f.way, arrays))
    return cut


def dose(report: Report) -> None:
    """Follow rate, reward, objects and emotions along the strength, both families."""
    columns = [
        Column(id="follow", label="requests followed", unit=SHARE, better="higher"),
        Column(id="reward", label="reward of plain pictures", unit="cosine", better="higher"),
        Column(id="objects", label="objects kept in plain pictures", unit=SHARE, better="higher"),
        Column(id="emotion", label="named negative emotion found", unit=SHARE, better="higher"),
        Column(id="artifacts", label="unasked treatments in plain pictures", unit="a picture", better="lower"),
    ]
    cells: dict[Row, dict[str, Value]] = {}
    for family, name in ARM_NAMES.items():
        strengths = sorted({f.strength for f in report.files if f.way == "" and re.fullmatch(rf"{family}-s\d", f.arm)})
        for strength in [0.0, *strengths]:
            files = report.pick("base" if strength == 0 else family, strength)
            if not files:
                continue
            files = _common(_widest(files))
            seeds = f"{len(files)} {'noise seeds' if not strength else 'trainings'}, {len(files[0].pairs)} pairs"
            row = Row(
                id=f"{family}-s{strength:.3f}".rstrip("0") if strength % 0.25 else f"{family}-s{strength:.2f}",
                label=f"{strength:g}",
                group=name,
                kind="base" if strength == 0 else "aligned",
                note=seeds,
            )
            run = files[0].run
            cells[row] = {
                "follow": _value(
                    f"Requests followed, {name} at {strength:g}", np.stack([follow(f) for f in files]), run
                ),
                "reward": _value(
                    f"Reward of plain pictures, {name} at {strength:g}",
                    np.stack([reward(f) for f in files]),
                    run,
                    unit="cosine",
                ),
                "objects": _value(f"Objects kept, {name} at {strength:g}", np.stack([objects(f) for f in files]), run),
                "emotion": _value(
                    f"Named emotions found, {name} at {strength:g}", np.stack([emotion(f) for f in files]), run
                ),
                "artifacts": _value(
                    f"Unasked treatments, {name} at {strength:g}",
                    np.stack([artifacts(f) for f in files]),
                    run,
                    unit="a picture",
                ),
            }
    if cells:
        report.rows("miniature_dose", "Dose and response", "What the judge finds as alignment grows.", columns, cells)


def contrasts(report: Report) -> None:
    """Aligned minus base, prompt by prompt, with the same noise."""
    plans = [
        ("aligned_minus_base_follow", "draft", follow, "Requests followed, aligned minus base", SHARE),
        ("dpo_minus_base_follow", "dpo", follow, "Requests followed, DPO minus base", SHARE),
        ("aligned_minus_base_emotion", "draft", emotion, "Named emotions found, aligned minus base", SHARE),
        (
            "aligned_minus_base_plain_objects",
            "draft",
            objects,
            "Objects kept in plain pictures, aligned minus base",
            SHARE,
        ),
        ("aligned_minus_base_reward", "draft", reward, "Reward of plain pictures, aligned minus base", "cosine"),
        (
            "aligned_minus_base_diversity",
            "draft",
            diversity,
            "Distance between plain pictures, aligned minus base",
            "cosine distance",
        ),
        (
            "delta_aligned_minus_base",
            "draft",
            delta,
            "Delta (diop - oiop) of the main reward, aligned minus base",
            "cosine",
        ),
        ("dpo_minus_base_plain_objects", "dpo", objects, "Objects kept in plain pictures, DPO minus base", SHARE),
        ("hacked_minus_base_follow", "draft-hacked", follow, "Requests followed, over-optimised minus base", SHARE),
        (
            "hacked_minus_base_plain_objects",
            "draft-hacked",
            objects,
            "Objects kept in plain pictures, over-optimised minus base",
            SHARE,
        ),
        (
            "hacked_minus_base_reward",
            "draft-hacked",
            reward,
            "Reward of plain pictures, over-optimised minus base",
            "cosine",
        ),
    ]
    for name, arm, metric, label, unit in plans:
        _against_base(report, f"miniature.contrast.{name}", arm, 1.0, metric, label, unit)
    steps = {"follow": follow, "plain_objects": objects, "emotion": emotion, "reward": reward, "diversity": diversity}
    said = {"follow": "Requests followed", "plain_objects": "Objects kept in plain pictures"}
    said |= {
        "emotion": "Named emotions found",
        "reward": "Reward of plain pictures",
        "diversity": "Distance of pictures",
    }
    for strength in (0.25, 0.375, 0.5, 1.5):
        for arm, what in product(ARM_NAMES, steps):
            name = f"miniature.contrast.{arm}_minus_base_{what}_at_" + f"{strength:.3f}".rstrip("0")
            label = f"{said[what]}, {ARM_NAMES[arm]} at {strength:g} minus base"
            unit = "cosine" if what in ("reward", "diversity") else SHARE
            _against_base(report, name, arm, strength, steps[what], label, unit)
    _against_base(
        report,
        "miniature.contrast.second_training_minus_base_follow",
        "draft-s1",
        1.0,
        follow,
        "Requests followed, a second training minus base",
        SHARE,
    )
    aligned = ("draft-s0", 1.0, "")
    unguided = ("draft-s0", 1.0, "nocfg")  # VSF and NAG replace guidance: they are compared without it
    pluralist = ("draft-pluralist", 1.0, "")
    _between(report, "pluralist_gain", pluralist, aligned, "pluralist minus main reward")
    _between(
        report, "negative_prompt_gain", ("draft-s0", 1.0, "negative"), aligned, "with a negative prompt minus without"
    )
    _between(report, "vsf_gain", ("draft-s0", 1.0, "vsf1"), unguided, "with VSF (scale 1) minus without")
    _between(report, "vsf_gain_at_2", ("draft-s0", 1.0, "vsf2"), unguided, "with VSF (scale 2) minus without")
    _between(report, "nag_gain", ("draft-s0", 1.0, "nag4"), unguided, "with NAG (scale 4) minus without")
    _between(
        report,
        "img2img_clean_up",
        ("draft-s0", 1.0, "image"),
        ("base", 0.0, "image"),
        "image-to-image from a treated picture, aligned minus base",
    )


def _against_base(report: Report, name: str, arm: str, strength: float, metric: Any, label: str, unit: str) -> None:
    chosen = [(f, base) for f in _widest(report.pick(arm, strength)) if (base := report.base_of(f)) is not None]
    if not chosen:
        return
    cut = _common([f for both in chosen for f in both])
    caveat = f"strength {strength:g}; {len(chosen)} training(s), {len(cut[0].pairs)} prompt pairs; same noise in both"
    first, second = [metric(f) for f in cut[0::2]], [metric(f) for f in cut[1::2]]
    report.values[name] = _contrast(label, first, second, chosen[0][0].run, unit=unit, caveat=caveat)


def _between(report: Report, name: str, one: tuple[str, float, str], two: tuple[str, float, str], label: str) -> None:
    first, second = report.pick(*one), report.pick(*two)
    if first and second:
        cut = _common([first[0], second[0]])
        caveat = f"one training, {len(cut[0].pairs)} prompt pairs, same noise in both"
        value = _contrast(
            f"Requests followed, {label}", [follow(cut[0])], [follow(cut[1])], first[0].run, caveat=caveat
        )
        report.values[f"miniature.contrast.{name}"] = value


def countermeasures(report: Report) -> None:
    """Ways back to the request, and what they cost."""
    ways = {
        "base": ("base model", ("base", 0.0, ""), "base"),
        "aligned": ("aligned, strength 1", ("draft-s0", 1.0, ""), "aligned"),
        "negative": ("aligned, negative prompt", ("draft-s0", 1.0, "negative"), "aligned"),
        "unguided": ("aligned, no guidance", ("draft-s0", 1.0, "nocfg"), "aligned"),
        "vsf1": ("aligned, VSF 1, no guidance", ("draft-s0", 1.0, "vsf1"), "aligned"),
        "vsf2": ("aligned, VSF 2, no guidance", ("draft-s0", 1.0, "vsf2"), "aligned"),
        "nag4": ("aligned, NAG 4, no guidance", ("draft-s0", 1.0, "nag4"), "aligned"),
        "pluralist": ("aligned to the pluralist reward", ("draft-pluralist", 1.0, ""), "aligned"),
        "hacked": ("over-optimised", ("draft-hacked", 1.0, ""), "aligned"),
    }
    found = {name: files[0] for name, (_, what, _) in ways.items() if (files := report.pick(*what))}
    if len(found) < 3:
        return
    cut = dict(zip(found, _common(list(found.values())), strict=True))
    cells = {}
    for name, one in cut.items():
        label, _, kind = ways[name]
        cells[
            Row(
                id=name,
                label=label,
                kind=kind,
                note=f"the same {len(one.pairs)} prompt pairs in all rows, ten of the twenty treatments",
            )
        ] = {
            "follow": _value(f"Requests followed, {label}", follow(one), CPU),
            "objects": _value(f"Objects kept, {label}", objects(one), CPU),
        }
    columns = [
        Column(id="follow", label="requests followed", unit=SHARE, better="higher"),
        Column(id="objects", label="objects kept in plain pictures", unit=SHARE, better="higher"),
    ]
    report.rows("miniature_countermeasures", "Ways back", "Follow rate and its cost.", columns, cells)


def scorers(report: Report) -> None:
    """Every reward of the sweep against its own encoder: rendered truth, generated pairs, feelings."""
    one = next((f for f in report.files if "all_names" in f.arrays), None)
    if one is None:
        return
    names = [str(name) for name in one.arrays["all_names"]]
    sets = {
        key: np.asarray(one.arrays[f"all_{key}"], float)
        for key in ("generated", "rendered", "rendered_emotion", "moods")
    }

    def picks(key: str, chosen: list[str], side: str = "requested") -> Floats:
        better, worse = (3, 1) if side == "requested" else (0, 2)
        scores = sets[key][[names.index(name) for name in chosen]]
        return np.asarray(scores[..., better] > scores[..., worse], float)

    def cells(label: str, chosen: list[str]) -> dict[str, Value]:
        scores = sets["generated"][[names.index(name) for name in chosen]]
        gaps = np.concatenate([(scores[..., 3] - scores[..., 1]).ravel(), (scores[..., 2] - scores[..., 0]).ravel()])
        area = metrics.auroc(np.repeat([1, 0], gaps.size // 2), gaps)
        both = (picks("generated", chosen) + picks("generated", chosen, "plain")) / 2
        source = Source(kind="measured", where=GPU)
        return {
            "picks": _value(
                f"{label}: prefers the requested picture, generated pairs", picks("generated", chosen), GPU
            ),
            "plain": _value(f"{label}: prefers plain for plain", picks("generated", chosen, "plain"), GPU),
            "balanced": _value(f"{label}: balanced accuracy, generated pairs", both, GPU),
            "auroc": Value(
                label=f"{label}: AUROC, generated pairs", value=area, unit="", digits=3, source=source, n=gaps.size
            ),
            "rendered": _value(
                f"{label}: prefers the requested picture, rendered truth", picks("rendered", chosen), GPU
            ),
            "emotion": _value(
                f"{label}: prefers the named emotion to the happy face, rendered",
                picks("rendered_emotion", chosen),
                GPU,
            ),
        }

    def seeds(cell_id: str) -> list[str]:
        return [name for seed in range(3) if (name := f"{cell_id}-s{seed}") in names]

    columns = [
        Column(id="picks", label="prefers what was asked", unit=SHARE, better="higher"),
        Column(id="plain", label="prefers plain for plain", unit=SHARE, better="higher"),
        Column(id="balanced", label="balanced accuracy", unit=SHARE, better="higher"),
        Column(id="auroc", label="AUROC", better="higher"),
        Column(id="rendered", label="asked, rendered truth", unit=SHARE, better="higher"),
        Column(id="emotion", label="named emotion over happy", unit=SHARE, better="higher"),
    ]
    table = {Row(id="encoder", label="un-aligned encoder", kind="base"): cells("Un-aligned encoder", ["encoder"])}
    for cell in CELLS:
        if cell.weight == "low" and seeds(cell.id):
            label = f"reward, {GATES[cell.gate]}"
            table[Row(id=cell.id, label=label, kind="reward", note="three seeds")] = cells(label, seeds(cell.id))
    high = annotators.Cell("none", "high").id
    if seeds(high):
        table[Row(id="pluralist", label="pluralist reward", kind="reward")] = cells("pluralist reward", seeds(high))
    report.rows(
        "miniature_rewards", "Rewards against their encoder", "Forced choices with the request in hand.", columns, table
    )
    sweep = {
        Row(id=cell.id, label=GATES[cell.gate], group=WEIGHTS[cell.weight], kind="reward"): {
            "picks": _value(
                f"Prefers what was asked: {GATES[cell.gate]}, {WEIGHTS[cell.weight]}",
                picks("generated", seeds(cell.id)),
                GPU,
            ),
            "emotion": _value(
                f"Named emotion over happy: {GATES[cell.gate]}, {WEIGHTS[cell.weight]}",
                picks("rendered_emotion", seeds(cell.id)),
                GPU,
            ),
        }
        for cell in CELLS
        if seeds(cell.id)
    }
    report.rows(
        "miniature_sweep",
        "Who annotates, and who is filtered out",
        "Nine pools, three seeds each.",
        [columns[0], columns[5]],
        sweep,
    )
    main, strict = seeds(annotators.Cell("none", "low").id), seeds(annotators.Cell("95", "low").id)
    main_picks, encoder_picks = picks("generated", main), np.repeat(picks("generated", ["encoder"]), len(main), 0)
    feel, encoder_feel = (
        picks("rendered_emotion", main),
        np.repeat(picks("rendered_emotion", ["encoder"]), len(main), 0),
    )
    note = f"{len(main)} seeds, {main_picks.shape[1]} pairs generated by the base model"
    values = {
        "reward_minus_encoder": (
            "Prefers what was asked: main reward minus its encoder",
            main_picks,
            encoder_picks,
            note,
        ),
        "reward_minus_chance": (
            "Prefers what was asked: main reward minus chance",
            main_picks,
            np.full_like(main_picks, 0.5),
            note,
        ),
        "strict_gate_minus_no_gate": (
            "Prefers what was asked: 95 % gate minus no gate",
            picks("generated", strict),
            main_picks,
            note,
        ),
        "reward_minus_encoder_emotion": (
            "Named emotion over happy: main reward minus its encoder",
            feel,
            encoder_feel,
            f"{len(main)} seeds, {feel.shape[1]} rendered pairs",
        ),
    }
    for name, (label, first, second, caveat) in values.items():
        report.values[f"miniature.contrast.{name}"] = _contrast(label, list(first), list(second), GPU, caveat=caveat)


def treatments(report: Report) -> None:
    """Follow rate by treatment, base and aligned, beside the judge's own recall on held-out renders."""
    judged = _stage(report.folder, "judge")["evaluation_decoded"]["by_treatment"]
    truth = _truth()[1]
    base = report.pick("base", 0.0)
    arms = {
        "base": base,
        "draft": _widest(report.pick("draft", 1.0)),
        "dpo": report.pick("dpo", 1.5),
    }
    cells = {}
    for name in world.TREATMENTS:
        at = datasets.labels().index(f"treatment:{name}")
        row = Row(id=name, label=name.replace("_", " "))
        hits, asked, _ = judged[name]
        cells[row] = {"judge": _counted(f"Judge's recall of {row.label}", hits, asked, GPU)}
        for arm, files in arms.items():
            wanted = sum(int(truth[f.pairs, at].sum()) for f in files)
            found = sum(int((f.arrays["found_requested"][:, at] & truth[f.pairs, at]).sum()) for f in files)
            if wanted:
                cells[row][arm] = _counted(f"{row.label} followed, {arm}", found, wanted, files[0].run)
    columns = [
        Column(id="judge", label="judge's own recall", unit=SHARE, better="higher"),
        Column(id="base", label="base follows", unit=SHARE, better="higher"),
        Column(id="draft", label="aligned at 1 follows", unit=SHARE, better="higher"),
        Column(id="dpo", label="DPO at 1.5 follows", unit=SHARE, better="higher"),
    ]
    report.rows("miniature_treatments", "By treatment", "Few requests each: indicative.", columns, cells)


def _counted(label: str, hits: int, asked: int, run: str) -> Value:
    share = hits / asked if asked else 0.0
    source = Source(kind="measured", where=run)
    return Value(
        label=label,
        value=share,
        unit=SHARE,
        digits=2,
        source=source,
        n=asked,
        interval=metrics.wilson_interval(share, asked),
    )


def accuracy(report: Report) -> None:
    """How good the parts are on held-out renders."""
    judged = _stage(report.folder, "judge")
    for key, place, kind in (
        ("treatment", "evaluation", "treatment"),
        ("treatment_decoded", "evaluation_decoded", "treatment"),
        ("object", "evaluation", "object"),
        ("emotion", "emotion", "emotion"),
        ("object_on_faces", "emotion", "object"),
    ):
        part = judged[place][kind]
        hits = round(part["recall"] * part["asked"])
        report.values[f"miniature.judge.{key}_recall"] = _counted(
            f"Judge's recall on held-out renders: {key.replace('_', ' ')}", hits, part["asked"], GPU
        )
    alarm = judged["evaluation"]["treatment"]["false_alarms"]
    source = Source(kind="measured", where=GPU)
    report.values["miniature.judge.false_alarms"] = Value(
        label="Judge: false alarms per treatment and picture",
        value=alarm,
        unit=SHARE,
        digits=4,
        source=source,
        n=2 * PAIRS * len(world.TREATMENTS),
    )
    decoded = _stage(report.folder, "autoencoder")
    for side in ("clean", "treated"):
        report.values[f"miniature.autoencoder.psnr_{side}"] = Value(
            label=f"Autoencoder, {side} held-out renders",
            value=decoded[f"psnr_{side}"],
            unit="dB",
            digits=1,
            source=source,
            n=decoded["n"] // 2,
        )
    seen = _stage(report.folder, "encoder")["evaluation"]
    report.values["miniature.encoder.rendered"] = Value(
        label="Encoder prefers the requested picture, rendered truth",
        value=seen["picks_requested"],
        unit=SHARE,
        digits=3,
        source=source,
        n=seen["n"],
    )
    report.values["miniature.margin.plain_objects"] = Value(
        label="Loss of objects still called kept",
        value=0.05,
        unit=SHARE,
        digits=2,
        source=source,
        caveat="set before the measurement",
    )
    for name, pairs, where in _gates(report.folder):
        report.values[name] = Value(label=where, value=pairs, unit="pairs", digits=0, source=source)


def _stage(folder: Path, name: str) -> dict[str, Any]:
    """What a stage said of itself."""
    found: dict[str, Any] = json.loads((folder / name / "report.json").read_text())
    return found


def _gates(folder: Path) -> list[tuple[str, int, str]]:
    """Pairs and contested pairs that each gate leaves."""
    found = []
    for cell in CELLS:
        path = folder / "rewards" / f"{cell.id}-s0.json"
        if path.exists():
            stored = json.loads(path.read_text())
            found.append(
                (
                    f"miniature.pairs.{cell.id}",
                    stored["pairs"],
                    f"Pairs kept: {GATES[cell.gate]}, {WEIGHTS[cell.weight]}",
                )
            )
            found.append(
                (
                    f"miniature.contested.{cell.id}",
                    stored["contested"],
                    f"Contested pairs kept: {GATES[cell.gate]}, {WEIGHTS[cell.weight]}",
                )
            )
    return found


def runs(folder: Path) -> dict[str, Run]:
    """Provenance of the values: as `runs.json` of the folder tells it, where training was spread over machines."""
    code = f"weights {pack.digest()[:16]}"
    if (folder / "runs.json").exists():
        stored: dict[str, dict[str, Any]] = json.loads((folder / "runs.json").read_text())
        return {name: Run(**run, code=code) for name, run in stored.items()}
    here = {name: version(name) for name in ("torch", "transformers", "diffusers", "numpy")}
    made = Run(
        title="The miniature: training and measurement",
        date=datetime.now(UTC).date().isoformat(),
        command="python build.py miniature train",
        code=code,
        hardware=platform.processor() or platform.machine(),
        software=here | {"python": platform.python_version()},
        seeds=[0, 1, 2],
    )
    return {GPU: made, CPU: made}


def document(folder: Path) -> Document:
    """All values and tables that the measured files support."""
    report = Report(folder)
    for part in (dose, contrasts, countermeasures, scorers, treatments, accuracy):
        part(report)
    return Document(values=report.values, tables=report.tables, runs=runs(folder))


def write(folder: Path, target: Path) -> str:
    """Write `target`, keeping the exhibits that are in it; a line on what was written."""
    found = document(folder)
    before = Document.model_validate_json(target.read_text()) if target.exists() else Document()
    whole = found.model_copy(update={"exhibits": before.exhibits})
    target.write_text(whole.model_dump_json(indent=1, exclude_defaults=True) + "\n")
    return f"{target}: {len(whole.values)} values, {len(whole.tables)} tables, {len(whole.exhibits)} exhibits"
