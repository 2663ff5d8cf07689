"""Rewards against the encoder they started from: who annotates, who is filtered out, and what the reward then picks."""

from __future__ import annotations

from ledger.schema import Column, Document, Measure, Row, Selection, Value
from miniature.annotators import CELLS, Cell
from miniature.figures.core import DEVICES, GPU, MAIN, SHARE, SWEPT, Figures, merged, table

WEIGHTS = {"low": "prompt weighs little", "middle": "prompt weighs as much", "high": "prompt weighs more"}
GATES = {"none": "no gate", "80": "80 % agree", "95": "95 % agree"}
ENCODER = ("encoder",)
COLUMNS = {  # column: label, set of pairs, whether the requested or the plain prompt is in hand
    "picks": ("prefers what was asked", "generated", "requested"),
    "plain": ("prefers plain for plain", "generated", "plain"),
    "rendered": ("asked, rendered truth", "rendered", "requested"),
    "emotion": ("named emotion over happy, rendered", "rendered-emotion", "requested"),
    "moods": ("named emotion over happy, generated", "moods", "requested"),
}


def document(figures: Figures) -> Document:
    return merged(part(figures) for part in (rewards, sweep, contrasts))


def trainings(cell: Cell) -> tuple[str, ...]:
    return tuple(f"{cell.id}-s{seed}" for seed in range(3))


def picks(scorers: tuple[str, ...], pairs: str, side: str) -> Selection:
    """1 where the picture that belongs to the prompt scores higher."""
    way, less = ("didp", "oidp") if side == "requested" else ("oiop", "diop")
    return Selection(where={"scorer": scorers, "prompt_set": (pairs,)}, way=way, less=less, above=0)


def gap(scorers: tuple[str, ...], prompt: str) -> Selection:
    return Selection(where={"scorer": scorers, "prompt_set": ("generated",)}, way=f"di{prompt}", less=f"oi{prompt}")


def _note(scorers: tuple[str, ...]) -> str:
    trained = "one encoder" if scorers == ENCODER else f"{len(scorers)} trainings"
    return f"{trained}; {DEVICES[GPU]}; no judge takes part"


def _value(figures: Figures, label: str, scorers: tuple[str, ...], measure: Measure) -> Value:
    unit = "" if measure.statistic == "auroc_between" else SHARE
    return figures.value(label, measure, unit=unit, run=GPU, note=_note(scorers))


def share(figures: Figures, label: str, scorers: tuple[str, ...], pairs: str, side: str) -> Value:
    measure = Measure(rows=SWEPT, statistic="share", of=picks(scorers, pairs, side), interval="wilson")
    return _value(figures, label, scorers, measure)


def rewards(figures: Figures) -> Document:
    named: dict[tuple[str, str, str], tuple[str, ...]] = {("encoder", "un-aligned encoder", ""): ENCODER}
    for cell in (*(cell for cell in CELLS if cell.weight == "low"), Cell("none", "high")):
        high = cell.weight == "high"
        label = "pluralist reward" if high else f"reward, {GATES[cell.gate]}"
        named["pluralist" if high else cell.id, label, "3 trainings"] = trainings(cell)
    cells = {}
    for (name, label, note), scorers in named.items():
        line = {
            column: share(figures, f"{label}: {said}", scorers, *which) for column, (said, *which) in COLUMNS.items()
        }
        requested, plain = picks(scorers, "generated", "requested"), picks(scorers, "generated", "plain")
        both = Measure(rows=SWEPT, statistic="average", of=requested, beside=plain, interval="wilson")
        line["balanced"] = _value(figures, f"{label}: balanced accuracy", scorers, both)
        area = Measure(
            rows=SWEPT, statistic="auroc_between", of=gap(scorers, "dp"), beside=gap(scorers, "op"),
            interval="bootstrap", resamples=400,
        )  # fmt: skip
        line["auroc"] = _value(figures, f"{label}: AUROC", scorers, area)
        cells[Row(id=name, label=label, kind="base" if name == "encoder" else "reward", note=note)] = line
    columns = [Column(id=name, label=said, unit=SHARE, better="higher") for name, (said, *_) in COLUMNS.items()]
    columns[2:2] = [
        Column(id="balanced", label="balanced accuracy", unit=SHARE, better="higher"),
        Column(id="auroc", label="AUROC", better="higher"),
    ]
    caption = "Forced choices with the request in hand."
    return table("miniature_rewards", "Rewards against their encoder", caption, columns, cells)


def sweep(figures: Figures) -> Document:
    cells = {}
    for cell in CELLS:
        label = f"{GATES[cell.gate]}, {WEIGHTS[cell.weight]}"
        row = Row(id=cell.id, label=GATES[cell.gate], group=WEIGHTS[cell.weight], kind="reward", note="3 trainings")
        cells[row] = {
            name: share(figures, f"{COLUMNS[name][0]}: {label}", trainings(cell), *COLUMNS[name][1:])
            for name in ("picks", "emotion")
        }
    columns = [Column(id=name, label=COLUMNS[name][0], unit=SHARE, better="higher") for name in ("picks", "emotion")]
    caption = "Nine pools of annotators, three trainings each; the gate and the weight of the prompt both matter."
    return table("miniature_sweep", "Who annotates, and who is filtered out", caption, columns, cells)


def contrasts(figures: Figures) -> Document:
    """Differences of picks, over the three trainings of each reward."""
    strict, high, both = (trainings(Cell(*cell)) for cell in (("95", "low"), ("none", "high"), ("95", "high")))
    named = {
        "reward_minus_encoder": (MAIN, ENCODER, "generated", "main reward minus its encoder"),
        "reward_minus_encoder_emotion": (MAIN, ENCODER, "rendered-emotion", "main reward minus its encoder"),
        "strict_gate_minus_no_gate": (strict, MAIN, "generated", "95 % gate minus no gate"),
        "high_weight_minus_low": (high, MAIN, "generated", "prompt weighs more minus prompt weighs little"),
        "strict_gate_minus_no_gate_high": (both, high, "generated", "95 % gate minus no gate, prompt weighs more"),
    }
    values = {}
    for name, (one, other, pairs, said) in named.items():
        what = "named emotion over happy" if "emotion" in name else "prefers what was asked"
        measure = Measure(
            rows=SWEPT, statistic="contrast", cluster="scorer", interval="t",
            of=picks(one, pairs, "requested"), beside=picks(other, pairs, "requested"),
        )  # fmt: skip
        value = _value(figures, f"{what}: {said}", one, measure)
        values[f"miniature.contrast.{name}"] = value
    chance = Measure(
        rows=SWEPT, statistic="share", of=picks(MAIN, "generated", "requested"), cluster="scorer", interval="t"
    )
    shown = _value(figures, "prefers what was asked: main reward minus chance", MAIN, chance)
    if shown.value is not None and shown.interval:
        moved = {"value": shown.value - 0.5, "interval": tuple(end - 0.5 for end in shown.interval), "measure": None}
        values["miniature.contrast.reward_minus_chance"] = shown.model_copy(update=moved)
    return Document(values={name: value for name, value in values.items() if value.value is not None})
