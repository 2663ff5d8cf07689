"""Tables of what the arms draw: along the strength, side by side, by treatment, by way back, and by engine."""

from __future__ import annotations

from ledger import metrics
from ledger.schema import Column, Document, Row, Source, Value
from miniature.figures.core import (
    ALIGNED,
    BASE,
    BEYOND,
    CROSS,
    CROSSED,
    DOSE,
    DPO,
    DRAFT,
    ENGINE,
    GATE95,
    GPU,
    HACKED,
    PLURALIST,
    SHARE,
    Arm,
    Figures,
    columns,
    merged,
    table,
)
from miniature.world import scenes

SIDE = ("follow", "single", "reward", "objects", "emotion", "artifacts")


def document(figures: Figures) -> Document:
    return merged(part(figures) for part in (dose, arms, crossed, judge, treatments, ways_back, engine))


def cells(figures: Figures, arm: Arm, names: tuple[str, ...]) -> dict[str, Value]:
    return {name: figures.level(arm, name) for name in names}


def dose(figures: Figures) -> Document:
    """What the judge finds along the strength, for both families of algorithm."""
    made = {}
    for family, name, ladder in (("draft", "reward back-propagation", DRAFT), ("dpo", "Diffusion-DPO", DPO)):
        for strength, arm in {0.0: BASE, **ladder}.items():
            beyond = family == "draft" and strength > 1
            row = Row(
                id=f"{family}-s{strength:.2f}",
                label=f"{strength:g}{', over-optimised' if beyond else ''}",
                group=name,
                kind="aligned" if strength else "base",
                note=figures.note(arm),
            )
            made[row] = cells(figures, arm, DOSE)
    caption = "What the judge finds as alignment grows; above 1 plain pictures break as well."
    return table("miniature_dose", "Dose and response", caption, columns(*DOSE), made)


def arms(figures: Figures) -> Document:
    """The variants side by side, each at a strength that its row names."""
    named = {"base": BASE, "draft": ALIGNED, "beyond": BEYOND, "dpo": DPO[1.0], "gate95": GATE95}
    named |= {"pluralist": PLURALIST, "hacked": HACKED}
    made = {
        Row(id=name, label=arm.label, kind="aligned" if arm is not BASE else "base", note=figures.note(arm)): cells(
            figures, arm, SIDE
        )
        for name, arm in named.items()
    }
    caption = "The same base model, tuned to different rewards by different means. Equal strength is not equal reward."
    return table("miniature_arms", "The variants side by side", caption, columns(*SIDE), made)


def crossed(figures: Figures) -> Document:
    """Base, aligned variant and its placebo on prompts that ask for every treatment alone and in pairs alike."""
    made = {
        Row(id=name, label=arm.label, kind="base" if name == "base" else "aligned", note=figures.note(arm)): cells(
            figures, arm, DOSE
        )
        for name, arm in CROSS.items()
    }
    caption = "New prompts: each treatment alone and in company equally often. A placebo is the same change, shuffled."
    return table("miniature_crossed", "Against a placebo", caption, columns(*DOSE), made)


def judge(figures: Figures) -> Document:
    """What the judge finds of renders that show exactly what was asked: the ceiling of every rate."""
    made = {
        Row(id=arm.rows[0], label=arm.label, note=f"{figures.note(arm)}; rendered truth"): cells(figures, arm, SEEN)
        for arm in RENDERED
        if set(arm.rows) <= figures.have
    }
    caption = "Recall on renders of the crossed prompts: the most that a model which follows everything could score."
    return table("miniature_judge", "What the judge finds of rendered truth", caption, columns(*SEEN), made)


SEEN = ("follow", "single", "double", "objects", "wide_objects", "artifacts")
RENDERED = (
    Arm("renders", ("renderer",), (CROSSED,)),
    Arm("renders through the autoencoder", ("renderer-decoded",), (CROSSED,)),
)


def treatments(figures: Figures) -> Document:
    """Requests followed by treatment, beside the judge's own recall on held-out renders."""
    judged = figures.told["judge"]["evaluation_decoded"]["by_treatment"]
    named = {"base": ("base follows", BASE), "draft": ("aligned, 1, follows", ALIGNED), "beyond": ("2 follows", BEYOND)}
    made = {}
    for name in scenes.TREATMENTS:
        hits, shown, _ = judged[name]
        row = Row(id=name, label=name.replace("_", " "))
        note = "held-out renders seen through the autoencoder; the judge's thresholds were set on other renders"
        made[row] = {"judge": counted(f"Judge's recall of {row.label}", hits, shown, note)}
        for arm, (_, which) in named.items():
            value = figures.level(which, "follow", {"label": (f"treatment:{name}",)})
            made[row][arm] = value.model_copy(update={"label": f"{row.label.capitalize()}: {which.label}"})
    said = [Column(id="judge", label="judge's own recall", unit=SHARE, better="higher")]
    said += [Column(id=arm, label=label, unit=SHARE, better="higher") for arm, (label, _) in named.items()]
    caption = (
        "Few requests each: indicative. In this first set of prompts decay, digital artifacts, blur, low contrast and "
        "color inconsistency were asked for almost only beside a second look, where base and judge both find less."
    )
    return table("miniature_treatments", "By treatment", caption, said, made)


def counted(label: str, hits: int, asked: int, note: str = "") -> Value:
    """A share that the training stages counted, with Wilson's interval."""
    share = hits / asked if asked else 0.0
    interval = metrics.wilson_interval(share, asked)
    source = Source(kind="measured", where=GPU)
    return Value(
        label=label, value=share, unit=SHARE, digits=2, source=source, n=asked, interval=interval, caveat=note or None
    )


def _engine(label: str, *rows: str) -> Arm:
    return Arm(label, rows, (ENGINE,))


WAYS_BACK = {
    "base": _engine("base model", "base"),
    "aligned": _engine("over-optimised, 2", "draft-s0@2"),
    "negative": _engine("over-optimised, negative prompt", "draft-s0@2+negative"),
    "unguided": _engine("over-optimised, no guidance", "draft-s0@2+unguided"),
    "vsf1": _engine("over-optimised, VSF 1, no guidance", "draft-s0@2+vsf1"),
    "nag4": _engine("over-optimised, NAG 4, no guidance", "draft-s0@2+nag4"),
    "pluralist": _engine("aligned to the pluralist reward", "draft-pluralist@1"),
}


def ways_back(figures: Figures) -> Document:
    """Ways back to the request, and what they cost, on the same prompts with the same noise."""
    names = ("follow", "single", "wide_objects")
    made = {
        Row(id=name, label=arm.label, kind="base" if name == "base" else "aligned", note=figures.note(arm)): {
            "objects" if one == "wide_objects" else one: value for one, value in cells(figures, arm, names).items()
        }
        for name, arm in WAYS_BACK.items()
    }
    said = [one.model_copy(update={"id": "objects"}) if one.id == "wide_objects" else one for one in columns(*names)]
    caption = "Requests followed and the cost in objects, on the same prompts and noise. VSF and NAG replace guidance."
    return table("miniature_countermeasures", "Ways back", caption, said, made)


def engine(figures: Figures) -> Document:
    """The main comparison twice: in batches beside the training, and by the engine that measures the large models."""
    arms = {
        "base": ("base model", "base"),
        "draft-s0": ("over-optimised, strength 2", "draft-s0@2"),
        "dpo-s0": ("Diffusion-DPO, strength 1", "dpo-s0@1"),
    }
    sides = {"batches": "measured in batches", "engine": "by the evidence engine"}
    some = {"prompt": tuple(sorted({row.prompt for row in figures.rows[_DRAWN].where({"run": (ENGINE,)})}))}
    made, said = {}, []
    for name, (label, row) in arms.items():
        line = {}
        for what in ("follow", "objects"):
            for side in sides:
                arm = _engine(label, row) if side == "engine" else Arm(label, (row,))
                where = some | ({"seed": ("0",)} if side == "batches" else {})
                line[f"{what}_{side}"] = figures.level(arm, what, where)  # type: ignore[arg-type]
        made[Row(id=name, label=label, kind="base" if name == "base" else "aligned")] = line
    for what in ("follow", "objects"):
        (column,) = columns(what)
        said += [
            column.model_copy(update={"id": f"{what}_{side}", "label": f"{column.label}, {text}"})
            for side, text in sides.items()
        ]
    caption = "The same prompts with other noise and other code: stock pipelines, files on disk, scores read from them."
    return table("miniature_engine", "Measured twice", caption, said, made)


_DRAWN = "rows/miniature.csv.gz"
