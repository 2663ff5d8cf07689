"""How good the parts are on held-out renders, and how many pairs each gate leaves: from the reports of training."""

from __future__ import annotations

from ledger.schema import Document, Source, Value
from miniature.annotators import CELLS
from miniature.calibration import ARTIFACTS, RECALL_LOST
from miniature.figures.core import CROSSED, GPU, SHARE, Figures
from miniature.figures.rewards import GATES, WEIGHTS
from miniature.figures.tables import counted
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


def document(figures: Figures) -> Document:
    values = {f"miniature.judge.{key}": value for key, value in _judge(figures).items()}
    values |= {f"miniature.{key}": value for key, value in _others(figures).items()}
    for cell in CELLS:
        if stored := figures.told["rewards"].get(f"{cell.id}-s0"):
            label = f"kept: {GATES[cell.gate]}, {WEIGHTS[cell.weight]}"
            values[f"miniature.pairs.{cell.id}"] = _told(f"Pairs {label}", stored["pairs"], "pairs", 0)
            values[f"miniature.contested.{cell.id}"] = _told(
                f"Contested pairs {label}", stored["contested"], "pairs", 0
            )
    return Document(values=values)


def _told(label: str, value: float, unit: str, digits: int, n: int | None = None, note: str | None = None) -> Value:
    source = Source(kind="measured", where=GPU)
    return Value(label=label, value=value, unit=unit, digits=digits, source=source, n=n, caveat=note)


def _judge(figures: Figures) -> dict[str, Value]:
    judge = figures.told["judge"]
    values = {}
    for key, place, kind in RECALL:
        part = judge[place][kind]
        label = f"Judge's recall on held-out renders: {key.replace('_', ' ')}"
        values[f"{key}_recall"] = counted(label, round(part["recall"] * part["asked"]), part["asked"])
    alarm, count = judge["evaluation"]["treatment"]["false_alarms"], 2 * judge["evaluation"]["n"] // 2
    label = "Judge: false alarms per treatment and picture"
    alarms = _told(label, alarm, SHARE, 4, count * len(scenes.TREATMENTS))
    note = f"on {judge['renders']} validation renders, half of them through the autoencoder"
    values["renders"] = _told(
        "Validation renders on which the judge's thresholds were set", judge["renders"], "pictures", 0
    )
    values["alarm_rate"] = _told(
        "False alarms of each label that were allowed", judge["false_alarms"], SHARE, 2, note=note
    )
    values["false_alarms"] = alarms.model_copy(update={"source": Source(kind="measured", where=CROSSED)})
    return values


def _others(figures: Figures) -> dict[str, Value]:
    decoded, seen = figures.told["autoencoder"], figures.told["encoder"]["evaluation"]
    values = {
        f"autoencoder.psnr_{side}": _told(
            f"Autoencoder, {side} held-out renders", decoded[f"psnr_{side}"], "dB", 1, decoded["n"] // 2
        )
        for side in ("clean", "treated")
    }
    label = "Encoder prefers the requested picture, rendered truth"
    values["encoder.rendered"] = _told(label, seen["picks_requested"], SHARE, 3, seen["n"])
    note = "set before the measurement"
    values["margin.plain_objects"] = _told("Loss of objects that strength 1 allows", RECALL_LOST, SHARE, 2, note=note)
    label = "Unasked treatments a picture that strength 1 allows"
    values["margin.artifacts"] = _told(label, ARTIFACTS, "a picture", 2, note=note)
    return values
