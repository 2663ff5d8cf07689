"""How good the parts are on held-out renders, and how many pairs each gate leaves: what training said of itself."""

from __future__ import annotations

from ledger.schema import Document, Value
from miniature.annotators import CELLS
from miniature.report.figures import SHARE, Findings, counted, number
from miniature.report.rows import GPU, PAIRS
from miniature.report.sweep import GATES, WEIGHTS
from miniature.world import scenes

RECALL = (
    ("treatment", "evaluation", "treatment"),
    ("treatment_decoded", "evaluation_decoded", "treatment"),
    ("object", "evaluation", "object"),
    ("object_decoded", "evaluation_decoded", "object"),
    ("emotion", "emotion", "emotion"),
    ("emotion_decoded", "emotion_decoded", "emotion"),
    ("object_on_faces", "emotion", "object"),
)
MARGIN = 0.05


def document(found: Findings) -> Document:
    values = {f"miniature.judge.{key}": value for key, value in _judge(found).items()}
    values |= {f"miniature.{key}": value for key, value in _others(found).items()}
    for cell in CELLS:
        if stored := found.training["rewards"].get(f"{cell.id}-s0"):
            label = f"kept: {GATES[cell.gate]}, {WEIGHTS[cell.weight]}"
            values[f"miniature.pairs.{cell.id}"] = number(f"Pairs {label}", stored["pairs"], GPU, "pairs", 0)
            contested = number(f"Contested pairs {label}", stored["contested"], GPU, "pairs", 0)
            values[f"miniature.contested.{cell.id}"] = contested
    return Document(values=values)


def _judge(found: Findings) -> dict[str, Value]:
    judge = found.training["judge"]
    values = {}
    for key, place, kind in RECALL:
        part = judge[place][kind]
        label = f"Judge's recall on held-out renders: {key.replace('_', ' ')}"
        values[f"{key}_recall"] = counted(label, round(part["recall"] * part["asked"]), part["asked"], GPU)
    alarm = judge["evaluation"]["treatment"]["false_alarms"]
    count = 2 * PAIRS * len(scenes.TREATMENTS)
    label = "Judge: false alarms per treatment and picture"
    values["false_alarms"] = number(label, alarm, GPU, SHARE, 4, n=count)
    return values


def _others(found: Findings) -> dict[str, Value]:
    decoded, seen = found.training["autoencoder"], found.training["encoder"]["evaluation"]
    values = {
        f"autoencoder.psnr_{side}": number(
            f"Autoencoder, {side} held-out renders", decoded[f"psnr_{side}"], GPU, "dB", 1, n=decoded["n"] // 2
        )
        for side in ("clean", "treated")
    }
    label = "Encoder prefers the requested picture, rendered truth"
    values["encoder.rendered"] = number(label, seen["picks_requested"], GPU, SHARE, n=seen["n"])
    label = "Loss of objects still called kept"
    values["margin.plain_objects"] = number(label, MARGIN, GPU, SHARE, 2, caveat="set before the measurement")
    return values
