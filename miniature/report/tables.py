"""Tables of what the arms draw: along the strength, side by side at 1, by treatment, by way back, and by engine."""

from __future__ import annotations

import re

from ledger.schema import Column, Document, Row, Value
from miniature.report import figures
from miniature.report.figures import MEASURED_ROWS, SHARE, Findings, Metric, common, counted, level, widest
from miniature.report.rows import GPU, Measured
from miniature.shipping.draw import FAMILY_NAMES
from miniature.world import scenes, splits

COLUMNS: dict[str, tuple[Metric, Column]] = {
    "follow": (figures.follow, Column(id="follow", label="requests followed", unit=SHARE, better="higher")),
    "reward": (figures.reward, Column(id="reward", label="reward of plain pictures", unit="cosine", better="higher")),
    "objects": (
        figures.objects,
        Column(id="objects", label="objects kept in plain pictures", unit=SHARE, better="higher"),
    ),
    "emotion": (
        figures.emotion,
        Column(id="emotion", label="named negative emotion found", unit=SHARE, better="higher"),
    ),
    "artifacts": (
        figures.artifacts,
        Column(id="artifacts", label="unasked treatments in plain pictures", unit="a picture", better="lower"),
    ),
}
IN_REQUESTED = Column(id="objects", label="objects kept in requested pictures", unit=SHARE, better="higher")


def document(found: Findings) -> list[Document]:
    return [part(found) for part in (dose, arms, treatments, ways_back, engine)]


def _cells(found: Findings, files: list[Measured], said: str) -> dict[str, Value]:
    return {
        name: level(f"{column.label.capitalize()}, {said}", files, metric, found)
        for name, (metric, column) in COLUMNS.items()
        if all(figures.has(metric, file) for file in files)
    }


def _note(files: list[Measured]) -> str:
    one, many = ("draw of noise", "draws of noise") if files[0].setting.arm == "base" else ("training", "trainings")
    return f"{f'{len(files)} {many}' if len(files) > 1 else f'one {one}'}, {len(files[0].pairs)} pairs"


def dose(found: Findings) -> Document:
    """Follow rate, reward, objects and emotions along the strength, both families."""
    cells: dict[Row, dict[str, Value]] = {}
    for family, name in FAMILY_NAMES.items():
        own = [f.setting for f in found.files if f.setting.way == "" and re.fullmatch(rf"{family}-s\d", f.setting.arm)]
        for strength in [0.0, *sorted({setting.strength for setting in own if setting.noise != "engine"})]:
            files = widest(found.pick("base" if strength == 0 else family, strength))
            row = Row(
                id=f"{family}-s{strength:.3f}".rstrip("0") if strength % 0.25 else f"{family}-s{strength:.2f}",
                label=f"{strength:g}",
                group=name,
                kind="aligned" if strength else "base",
                note=_note(files),
            )
            cells[row] = _cells(found, files, f"{name} at {strength:g}")
    columns = [column for _, column in COLUMNS.values()]
    return figures.table(
        "miniature_dose", "Dose and response", "What the judge finds as alignment grows.", columns, cells
    )


def arms(found: Findings) -> Document:
    """Every aligned variant at strength 1."""
    named = {
        "base": ("base model", "base", 0.0),
        "draft": ("reward back-propagation", "draft", 1.0),
        "dpo": ("Diffusion-DPO", "dpo", 1.0),
        "gate95": ("reward behind the 95 % gate", "draft-gate95", 1.0),
        "pluralist": ("pluralist reward", "draft-pluralist", 1.0),
        "hacked": ("over-optimised on purpose", "draft-hacked", 1.0),
    }
    tried = sorted({file.setting.arm for file in found.files if file.setting.arm.startswith("draft-leash")})
    named |= {arm.removeprefix("draft-"): (f"leash of {arm.removeprefix('draft-leash')}", arm, 1.0) for arm in tried}
    cells = {}
    for name, (label, arm, strength) in named.items():
        if files := found.pick(arm, strength):
            kept = widest(files)
            row = Row(id=name, label=label, kind="aligned" if strength else "base", note=_note(kept))
            cells[row] = _cells(found, kept, f"{label} at {strength:g}")
    columns = [column for _, column in COLUMNS.values()]
    caption = "The same base model, tuned to different rewards by different means."
    return figures.table("miniature_arms", "The variants at full strength", caption, columns, cells)


def treatments(found: Findings) -> Document:
    """Follow rate by treatment, base and aligned, beside the judge's own recall on held-out renders."""
    judged = found.training["judge"]["evaluation_decoded"]["by_treatment"]
    asked = figures.truth()[1]
    named = {
        "base": ("base follows", found.pick("base", 0.0)),
        "draft": ("aligned at 1 follows", widest(found.pick("draft", 1.0))),
        "dpo": ("DPO at 1.5 follows", widest(found.pick("dpo", 1.5))),
    }
    cells = {}
    for name in scenes.TREATMENTS:
        at = splits.labels().index(f"treatment:{name}")
        hits, shown, _ = judged[name]
        row = Row(id=name, label=name.replace("_", " "))
        own = "held-out renders seen through the autoencoder; its biases were set on other renders"
        cells[row] = {"judge": counted(f"Judge's recall of {row.label}", hits, shown, GPU, caveat=own)}
        for arm, (label, files) in named.items():
            wanted = sum(int(asked[file.pairs, at].sum()) for file in files)
            seen = sum(int((file.requested[:, at] & asked[file.pairs, at]).sum()) for file in files)
            told = f"{_note(files)}; the judge finds {hits} of {shown} in held-out renders seen through the autoencoder"
            if wanted:
                text = f"{row.label.capitalize()}: {label}"
                cells[row][arm] = counted(text, seen, wanted, files[0].run, caveat=told, rows=MEASURED_ROWS)
    columns = [Column(id="judge", label="judge's own recall", unit=SHARE, better="higher")]
    columns += [Column(id=arm, label=label, unit=SHARE, better="higher") for arm, (label, _) in named.items()]
    return figures.table("miniature_treatments", "By treatment", "Few requests each: indicative.", columns, cells)


WAYS_BACK = {
    "base": ("base model", ("base", 0.0, "")),
    "aligned": ("aligned, strength 1", ("draft-s0", 1.0, "")),
    "negative": ("aligned, negative prompt", ("draft-s0", 1.0, "negative")),
    "unguided": ("aligned, no guidance", ("draft-s0", 1.0, "unguided")),
    "vsf1": ("aligned, VSF 1, no guidance", ("draft-s0", 1.0, "vsf1")),
    "nag4": ("aligned, NAG 4, no guidance", ("draft-s0", 1.0, "nag4")),
    "pluralist": ("aligned to the pluralist reward", ("draft-pluralist", 1.0, "")),
}


def ways_back(found: Findings) -> Document:
    """Ways back to the request, and what they cost, on the same prompts with the same noise."""
    files = found.together(*(setting for _, setting in WAYS_BACK.values()))
    cells = {}
    for (name, (label, _)), file in zip(WAYS_BACK.items(), files, strict=True):
        if file is None:
            continue
        row = Row(id=name, label=label, kind="base" if name == "base" else "aligned", note=f"{len(file.pairs)} pairs")
        cells[row] = {
            "follow": level(f"Requests followed, {label}", [file], figures.follow, found),
            "objects": level(f"Objects kept in requested pictures, {label}", [file], figures.objects_requested, found),
        }
    columns = [COLUMNS["follow"][1], IN_REQUESTED]
    caption = "Follow rate and its cost, with the same prompts and noise in all rows."
    return figures.table("miniature_countermeasures", "Ways back", caption, columns, cells)


def engine(found: Findings) -> Document:
    """The main comparison twice: in batches beside the training, and by the engine that measures the large models."""
    arms = {"base": ("base model", 0.0), "draft-s0": ("aligned, strength 1", 1.0), "dpo-s0": ("DPO, strength 1", 1.0)}
    sides = {"batches": "measured in batches", "engine": "by the evidence engine"}
    twice = [(what, side) for what in ("follow", "objects") for side in sides]
    columns = {
        (what, side): COLUMNS[what][1].model_copy(
            update={"id": f"{what}_{side}", "label": f"{COLUMNS[what][1].label}, {sides[side]}"}
        )
        for what, side in twice
    }
    cells = {}
    for arm, (label, strength) in arms.items():
        batches, by_engine = found.pick(arm, strength)[:1], found.pick(arm, strength, engine=True)
        if batches and by_engine:
            files = dict(zip(sides, common(batches + by_engine), strict=True))
            row = Row(id=arm, label=label, kind="aligned" if strength else "base", note=_note([files["engine"]]))
            cells[row] = {
                columns[what, side].id: level(
                    f"{columns[what, side].label}, {label}", [files[side]], COLUMNS[what][0], found
                )
                for what, side in twice
            }
    caption = "The same prompts with other noise and other code: stock pipelines, files on disk, scores read from them."
    return figures.table("miniature_engine", "Measured twice", caption, [*columns.values()], cells)
