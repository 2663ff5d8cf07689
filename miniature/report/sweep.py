"""Rewards against the encoder they started from: who annotates, who is filtered out, and what the reward then picks."""

from __future__ import annotations

import numpy as np

from ledger import metrics
from ledger.schema import Column, Document, Row, Value
from miniature.annotators import CELLS, Cell
from miniature.report.figures import DEVICES, SHARE, SWEPT_ROWS, Findings, mean, number, table
from miniature.report.rows import GPU, Floats, Swept

WEIGHTS = {"low": "prompt weighs little", "middle": "prompt weighs as much", "high": "prompt weighs more"}
GATES = {"none": "no gate", "80": "80 % agree", "95": "95 % agree"}
SETS = {
    "generated": "pairs that the base model drew",
    "rendered": "rendered pairs",
    "rendered_emotion": "rendered faces",
    "moods": "faces that the base model drew",
}
COLUMNS = [
    Column(id="picks", label="prefers what was asked", unit=SHARE, better="higher"),
    Column(id="plain", label="prefers plain for plain", unit=SHARE, better="higher"),
    Column(id="balanced", label="balanced accuracy", unit=SHARE, better="higher"),
    Column(id="auroc", label="AUROC", better="higher"),
    Column(id="rendered", label="asked, rendered truth", unit=SHARE, better="higher"),
    Column(id="emotion", label="named emotion over happy, rendered", unit=SHARE, better="higher"),
    Column(id="moods", label="named emotion over happy, generated", unit=SHARE, better="higher"),
]


def document(found: Findings) -> list[Document]:
    return [part(found.swept) for part in (rewards, sweep, contrasts)]


def trainings(swept: Swept, cell: Cell) -> list[str]:
    return [name for seed in range(3) if (name := f"{cell.id}-s{seed}") in swept.names]


def picks(swept: Swept, kind: str, names: list[str], side: str = "requested") -> Floats:
    """Whether the picture that belongs to the prompt scores higher, (rewards, n)."""
    better, worse = (3, 1) if side == "requested" else (0, 2)
    scores = swept.scores[kind][[swept.names.index(name) for name in names]]
    return np.asarray(scores[..., better] > scores[..., worse], float)


def _share(label: str, samples: Floats, kind: str, names: list[str]) -> Value:
    return mean(f"{label}, {SETS[kind]}", samples, GPU, caveat=_told(samples, kind, names), rows=SWEPT_ROWS)


def _told(samples: Floats, kind: str, names: list[str]) -> str:
    trained = "one encoder" if names == ["encoder"] else f"{len(names)} trainings"
    return f"{samples.shape[1]} {SETS[kind]}; {trained}; {DEVICES[GPU]}; no judge takes part"


def _cells(swept: Swept, label: str, names: list[str]) -> dict[str, Value]:
    asked, plain = (picks(swept, "generated", names, side) for side in ("requested", "plain"))
    scores = swept.scores["generated"][[swept.names.index(name) for name in names]]
    gaps = np.concatenate([(scores[..., 3] - scores[..., 1]).ravel(), (scores[..., 2] - scores[..., 0]).ravel()])
    area = metrics.auroc(np.repeat([1, 0], gaps.size // 2), gaps)
    told = _told(asked, "generated", names)
    return {
        "picks": _share(f"{label}: prefers the requested picture", asked, "generated", names),
        "plain": _share(f"{label}: prefers plain for plain", plain, "generated", names),
        "balanced": _share(f"{label}: balanced accuracy", (asked + plain) / 2, "generated", names),
        "auroc": number(
            f"{label}: AUROC, {SETS['generated']}", area, GPU, "", n=gaps.size, caveat=told, rows=SWEPT_ROWS
        ),
    } | {
        column: _share(f"{label}: prefers {what}", picks(swept, kind, names), kind, names)
        for column, kind, what in (
            ("rendered", "rendered", "the requested picture"),
            ("emotion", "rendered_emotion", "the named emotion to the happy face"),
            ("moods", "moods", "the named emotion to the happy face"),
        )
    }


def rewards(swept: Swept) -> Document:
    cells = {
        Row(id="encoder", label="un-aligned encoder", kind="base"): _cells(swept, "Un-aligned encoder", ["encoder"])
    }
    for cell in (*(cell for cell in CELLS if cell.weight == "low"), Cell("none", "high")):
        if names := trainings(swept, cell):
            high = cell.weight == "high"
            label = "pluralist reward" if high else f"reward, {GATES[cell.gate]}"
            row = Row(id="pluralist" if high else cell.id, label=label, kind="reward", note=f"{len(names)} trainings")
            cells[row] = _cells(swept, label.capitalize(), names)
    caption = "Forced choices with the request in hand."
    return table("miniature_rewards", "Rewards against their encoder", caption, COLUMNS, cells)


def sweep(swept: Swept) -> Document:
    cells = {}
    for cell in CELLS:
        if names := trainings(swept, cell):
            label = f"{GATES[cell.gate]}, {WEIGHTS[cell.weight]}"
            cells[Row(id=cell.id, label=GATES[cell.gate], group=WEIGHTS[cell.weight], kind="reward")] = {
                "picks": _share(
                    f"Prefers what was asked: {label}", picks(swept, "generated", names), "generated", names
                ),
                "emotion": _share(
                    f"Named emotion over happy: {label}",
                    picks(swept, "rendered_emotion", names),
                    "rendered_emotion",
                    names,
                ),
            }
    columns = [column for column in COLUMNS if column.id in ("picks", "emotion")]
    caption = "Nine pools, three trainings each."
    return table("miniature_sweep", "Who annotates, and who is filtered out", caption, columns, cells)


def contrasts(swept: Swept) -> Document:
    main, strict = trainings(swept, Cell("none", "low")), trainings(swept, Cell("95", "low"))
    asked, feel = picks(swept, "generated", main), picks(swept, "rendered_emotion", main)
    encoder = {kind: picks(swept, kind, ["encoder"]) for kind in SETS}
    label = "Prefers what was asked: "
    named = {
        "reward_minus_encoder": (label + "main reward minus its encoder", asked - encoder["generated"], "generated"),
        "reward_minus_chance": (label + "main reward minus chance", asked - 0.5, "generated"),
        "strict_gate_minus_no_gate": (
            label + "95 % gate minus no gate",
            picks(swept, "generated", strict) - asked,
            "generated",
        ),
        "reward_minus_encoder_emotion": (
            "Named emotion over happy: main reward minus its encoder",
            feel - encoder["rendered_emotion"],
            "rendered_emotion",
        ),
    }
    return Document(
        values={
            f"miniature.contrast.{name}": _share(label, difference, kind, main)
            for name, (label, difference, kind) in named.items()
        }
    )
