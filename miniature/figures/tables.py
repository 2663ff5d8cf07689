"""Tables of the arms' pictures: along the strength, side by side, by treatment, by way back, and by engine."""

from __future__ import annotations

from ledger import metrics
from ledger.schema import Column, Document, Row, Source, Value
from miniature.figures.core import (
    ALIGNED,
    BASE,
    CROSSED,
    DOSE,
    DPO,
    ENGINE,
    FIRST,
    FIRST_BASE,
    FIRST_PLURALIST,
    GATE95,
    HACKED,
    LEASHED,
    LEASHES,
    PLACEBO,
    PLURALIST,
    QUANTITIES,
    SHARE,
    UNLEASHED,
    Arm,
    Figures,
    columns,
    merged,
    table,
)
from miniature.world import scenes

SIDE = ("follow", "single", "reward", "objects", "emotion", "artifacts")


def document(figures: Figures) -> Document:
    return merged(part(figures) for part in (main, moved, dose, arms, judge, treatments, ways_back, engine))


def cells(figures: Figures, arm: Arm, names: tuple[str, ...]) -> dict[str, Value]:
    return {name: figures.level(arm, name) for name in names}


def main(figures: Figures) -> Document:
    """Base, aligned model, placebo and variants, on prompts that ask for each treatment alone and in pairs alike."""
    named = {"base": BASE, "aligned": ALIGNED, "placebo": PLACEBO, **LEASHES, "pluralist": PLURALIST}
    made = {
        Row(id=name, label=arm.label, kind="base" if name == "base" else "aligned", note=figures.note(arm)): {
            "corrected": corrected(figures, arm),
            **cells(figures, arm, (*DOSE, "diversity")),
        }
        for name, arm in named.items()
    }
    (follow, *others) = columns(*DOSE, "diversity")
    said = [
        follow,
        follow.model_copy(update={"id": "corrected", "label": "the same, corrected for the judge"}),
        *others,
    ]
    caption = "Each treatment alone and in company equally often. A placebo is the same change, its rows shuffled."
    return table("miniature_main", "Aligned, placebo, variants", caption, said, made)


def corrected(figures: Figures, arm: Arm) -> Value:
    """Requests followed, were the judge without error: (found - false alarms) / (recall - false alarms), recall on
    renders through the autoencoder (Rogan and Gladen, 1978). The recall's own uncertainty is not in the interval."""
    found, recall = figures.level(arm, "follow"), figures.level(RENDERED[1], "follow").value
    alarms: float = figures.told["judge"]["evaluation_decoded"]["treatment"]["false_alarms"]
    assert found.value is not None and recall is not None

    def true(share: float) -> float:
        return (share - alarms) / (recall - alarms)

    low, high = (true(end) for end in found.interval or (found.value, found.value))
    told = f"{found.caveat}; recall {recall:.3f}, false alarms {alarms:.4f}"
    update = {"label": f"{found.label}, corrected for the judge", "value": true(found.value), "interval": (low, high)}
    return found.model_copy(update={**update, "caveat": told, "measure": None})


def moved(figures: Figures) -> Document:
    """Aligned minus base at strength 1, as first published and as measured now."""
    made = {
        Row(id=what, label=QUANTITIES[what].label): {
            "first": figures.contrast(UNLEASHED[1.0], FIRST_BASE, what),
            "second": figures.contrast(ALIGNED, BASE, what),
        }
        for what in ("follow", "single", "objects", "reward", "emotion", "happy", "artifacts")
    }
    said = [
        Column(id="first", label="first measurement", unit="difference"),
        Column(id="second", label="this measurement", unit="difference"),
    ]
    caption = (
        "Aligned minus base at strength 1. First: one training without an anchor, prompts that confounded some looks "
        "with their company, a stricter judge. Now: three trainings, crossed prompts, thresholds at 1 % false alarms."
    )
    return table("miniature_moved", "What moved since the first measurement", caption, said, made)


def dose(figures: Figures) -> Document:
    """What the judge finds along the strength, now and in the first measurement."""
    made = {}
    ladders = (
        ("draft", "aligned", {0.0: BASE, **LEASHED}),
        ("unleashed", "first trainings", {0.0: FIRST_BASE, **UNLEASHED}),
        ("dpo", "Diffusion-DPO, first measurement", {0.0: FIRST_BASE, **DPO}),
    )
    for family, name, ladder in ladders:
        for strength, arm in ladder.items():
            beyond = family != "dpo" and strength > 1
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
    """The variants of the first measurement side by side, each at a strength that its row names."""
    named = {"base": FIRST_BASE, "first": UNLEASHED[1.0], "beyond": UNLEASHED[2.0], "dpo": DPO[1.0]}
    named |= {"gate95": GATE95, "pluralist": FIRST_PLURALIST, "hacked": HACKED}
    made = {
        Row(id=name, label=arm.label, kind="base" if name == "base" else "aligned", note=figures.note(arm)): cells(
            figures, arm, SIDE
        )
        for name, arm in named.items()
    }
    caption = "The first measurement: the same base model, tuned to different rewards by different means."
    return table("miniature_arms", "The first variants side by side", caption, columns(*SIDE), made)


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
    Arm("renders", ("renderer",)),
    Arm("renders through the autoencoder", ("renderer-decoded",)),
)


def treatments(figures: Figures) -> Document:
    """Requests followed by treatment, beside the judge's own recall on held-out renders."""
    judged = figures.told["judge"]["evaluation_decoded"]["by_treatment"]
    named = {
        "base": ("base follows", BASE),
        "aligned": ("aligned, 1, follows", ALIGNED),
        "placebo": ("placebo follows", PLACEBO),
    }
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
    caption = "Sixteen prompts of each treatment alone or in company, once a training."
    return table("miniature_treatments", "By treatment", caption, said, made)


def counted(label: str, hits: int, asked: int, note: str = "") -> Value:
    """A share that the training stages counted, with Wilson's interval."""
    share = hits / asked if asked else 0.0
    interval = metrics.wilson_interval(share, asked)
    source = Source(kind="measured", where=CROSSED)
    return Value(
        label=label, value=share, unit=SHARE, digits=2, source=source, n=asked, interval=interval, caveat=note or None
    )


def _engine(label: str, *rows: str) -> Arm:
    return Arm(label, rows, (ENGINE,))


WAYS_BACK = {
    "base": _engine("base model", "base"),
    "aligned": _engine("over-optimised, 2", "unleashed-s0@2"),
    "negative": _engine("over-optimised, negative prompt", "unleashed-s0@2+negative"),
    "unguided": _engine("over-optimised, no guidance", "unleashed-s0@2+unguided"),
    "vsf1": _engine("over-optimised, VSF 1, no guidance", "unleashed-s0@2+vsf1"),
    "nag4": _engine("over-optimised, NAG 4, no guidance", "unleashed-s0@2+nag4"),
    "pluralist": _engine("aligned to the pluralist reward", "unleashed-pluralist@1"),
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
        "unleashed-s0": ("over-optimised, strength 2", "unleashed-s0@2"),
        "dpo-s0": ("Diffusion-DPO, strength 1", "dpo-s0@1"),
    }
    sides = {"batches": "measured in batches", "engine": "by the evidence engine"}
    some = {"prompt": tuple(sorted({row.prompt for row in figures.rows[_DRAWN].where({"run": (ENGINE,)})}))}
    made, said = {}, []
    for name, (label, row) in arms.items():
        line = {}
        for what in ("follow", "objects"):
            for side in sides:
                arm = Arm(label, (row,), (ENGINE,) if side == "engine" else FIRST)
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
