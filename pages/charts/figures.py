"""The charts of the page, a function each, from ledger values: direct labels, intervals drawn, a description in words.

A chart whose values the ledger lacks is not drawn. What each reads: dumbbell `generators` (delta_hpsv3, hpsv3_after);
reward_chance `reward_models` (accuracy, implied_tn); emotion `emotion_choice`; leaderboard `leaderboard`; distribution
the table `distribution` (rows are models, columns bins in order, labelled by their lower edge, cells shares);
dose_response and trade_off `miniature_dose` (a row is a strength: `group` the arm, `label` the strength; columns
follow, reward); reward_vs_encoder `miniature_rewards` (picks), sweep `miniature_sweep` (picks), countermeasures
`miniature_countermeasures` (follow, objects). How they are drawn is pages/charts/svg.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pages.charts.svg import Chart, Dot, Line, Point, curves, dots, histograms

if TYPE_CHECKING:
    from ledger import Ledger
    from ledger.schema import Row, Value

CHANCE = ((0.5, "chance"),)
SHARE = (0.0, 1.0)


def draw(name: str, ledger: Ledger) -> Chart | None:
    """The chart `name`, or None when the ledger has none of its values."""
    return CHARTS[name](ledger)


def dumbbell(ledger: Ledger) -> Chart | None:
    """Mean HPSv3 under the plain prompt, from the plain picture to the anti-aesthetic one, by family."""
    lines = []
    for row in _rows(ledger, "generators"):
        after = _number(ledger, f"generators.{row.id}.hpsv3_after")
        delta = _number(ledger, f"generators.{row.id}.delta_hpsv3")
        if after is None or delta is None:
            continue
        again = _number(ledger, f"recomputed.{row.id}.delta_hpsv3")
        start = after[0] - delta[0]
        spread = again[1].interval if again and again[1].interval else delta[1].interval
        ends = (start + spread[0], start + spread[1]) if spread else None
        kind = "aligned" if "aesthetic" in row.kind else "base"
        marks = (Dot(start, "plain"), Dot(after[0], kind, ends, _text(delta[1])))
        lines.append(Line(row.label, marks, row.group, link=True))
    if not lines:
        return None
    groups = [*dict.fromkeys(line.group for line in lines)]
    lines.sort(key=lambda line: groups.index(line.group))
    return dots(
        "dumbbell",
        "How far each generator moves when it is asked for the unpleasant",
        "Mean HPSv3 under the plain prompt. An open mark is the plain picture, a filled one the picture made for the "
        "wide-spectrum prompt; the figure at its end is the change. Longer is more obedient.",
        lines,
        "HPSv3 points under the plain prompt",
    )


def reward_chance(ledger: Ledger) -> Chart | None:
    """Accuracy of every scorer against chance, with the share of negatives that accuracy and F1 imply."""
    lines = []
    for row in _rows(ledger, "reward_models"):
        accuracy = _number(ledger, f"reward_models.{row.id}.accuracy")
        implied = _number(ledger, f"reward_models.{row.id}.implied_tn")
        if accuracy is None:
            continue
        marks = [_dot(accuracy, "aligned" if "aligned" in row.kind else "base")]
        if implied is not None:
            marks.append(Dot(implied[0], "implied"))
        lines.append(Line(row.label, tuple(marks), row.kind))
    if not lines:
        return None
    return dots(
        "reward_chance",
        "Scorers against chance",
        "Share of pairs in which the scorer, given the wide-spectrum prompt, prefers the picture that shows it; the "
        "line is chance. The small open mark is the share of pairs with the other right answer that accuracy and F1 "
        "imply.",
        lines,
        "share of pairs",
        domain=SHARE,
        rules=CHANCE,
    )


def emotion(ledger: Ledger) -> Chart | None:
    """Share in which the named negative emotion is chosen over the happy face."""
    table = ledger.tables.get("emotion_choice")
    lines = []
    for row in _rows(ledger, "emotion_choice"):
        for column in table.columns if table else ():
            found = _number(ledger, f"emotion_choice.{row.id}.{column.id}")
            if found is not None:
                dot = _dot(found, "aligned" if "aligned" in row.kind else "base")
                lines.append(Line(f"{row.label}, {column.label}", (dot,), row.id))
    if not lines:
        return None
    return dots(
        "emotion",
        "Anger, fear and sadness against a happy face",
        "Share of captions that name a negative emotion for which the scorer prefers the face that shows it, with "
        "95 % intervals where they are known; the line is chance.",
        lines,
        "share of captions",
        domain=SHARE,
        rules=CHANCE,
    )


def leaderboard(ledger: Ledger) -> Chart | None:
    """Mean HPSv3 of generators and of ten thousand works of art."""
    table = ledger.tables.get("leaderboard")
    lines = []
    for row in _rows(ledger, "leaderboard"):
        cells = [_number(ledger, f"leaderboard.{row.id}.{column.id}") for column in table.columns] if table else []
        found = next((one for one in cells if one is not None and "rank" not in one[1].label), None)
        if found is not None:
            lines.append(Line(row.label, (_dot(found, "art" if "lapis" in (row.id + row.label).lower() else "base"),)))
    if not lines:
        return None
    lines.sort(key=lambda line: -line.dots[0].value)
    return dots(
        "leaderboard",
        "Works of art on the generators' own leaderboard",
        "Mean HPSv3 of the systems on the leaderboard of its authors, highest first, and of the works in LAPIS.",
        lines,
        "HPSv3 points",
    )


def distribution(ledger: Ledger) -> Chart | None:
    """Histograms of per-prompt changes, one strip a model."""
    table = ledger.tables.get("distribution")
    strips = []
    for row in _rows(ledger, "distribution"):
        cells = [_number(ledger, f"distribution.{row.id}.{column.id}") for column in table.columns] if table else []
        shares = [cell[0] if cell else 0.0 for cell in cells]
        if any(shares):
            strips.append((row.label, shares))
    if not strips or table is None:
        return None
    return histograms(
        "distribution",
        "Prompt by prompt",
        "Distribution of the change of HPSv3 from the plain to the anti-aesthetic picture over the prompts, one strip "
        "a generator. Mass to the left of the line is obedience; to its right the picture pleases more than before.",
        strips,
        [_first(column.label) for column in table.columns],
        "change of HPSv3 under the plain prompt",
    )


def dose_response(ledger: Ledger) -> Chart | None:
    """Share of requests followed over the strength of alignment."""
    series = _series(ledger, lambda row: _first(row.label))
    if not series:
        return None
    return curves(
        "dose_response",
        "Dose and response",
        "Share of anti-aesthetic requests that the judge finds in the picture, over the strength of alignment; one "
        "line an arm, with 95 % intervals. Zero is the base model.",
        series,
        ("strength of alignment", "share of requests followed"),
    )


def trade_off(ledger: Ledger) -> Chart | None:
    """Share of requests followed against the reward."""

    def reward(row: Row) -> float | None:
        found = _number(ledger, f"miniature_dose.{row.id}.reward")
        return found[0] if found else None

    series = _series(ledger, reward)
    if not series:
        return None
    return curves(
        "trade_off",
        "What the reward costs",
        "Share of anti-aesthetic requests followed against the mean reward, along rising strength of alignment; one "
        "line an arm, with 95 % intervals.",
        series,
        ("mean reward", "share of requests followed"),
    )


def reward_vs_encoder(ledger: Ledger) -> Chart | None:
    """Each preference reward against the encoder it was trained from."""
    return _shares(
        ledger,
        "reward_vs_encoder",
        "miniature_rewards.picks",
        "Rewards against the encoder they started from",
        "Share of pairs in which the scorer, given the request, prefers the picture that shows it, with 95 % "
        "intervals; the line is chance.",
        CHANCE,
    )


def sweep(ledger: Ledger) -> Chart | None:
    """Agreement gate and weight of the prompt."""
    return _shares(
        ledger,
        "sweep",
        "miniature_sweep.picks",
        "Who annotates, and who is filtered out",
        "Share of pairs in which a reward prefers the requested picture, by agreement gate and by how much the "
        "simulated annotators weigh the prompt, with 95 % intervals; the line is chance.",
        CHANCE,
    )


def countermeasures(ledger: Ledger) -> Chart | None:
    """What brings the request back, and what it costs."""
    return _shares(
        ledger,
        "countermeasures",
        "miniature_countermeasures.follow",
        "Ways back",
        "Share of requests followed with each countermeasure, with 95 % intervals; the small open mark is the share of "
        "those pictures in which the judge finds the object.",
        beside="objects",
    )


def _shares(
    ledger: Ledger,
    name: str,
    cells: str,
    title: str,
    description: str,
    rules: Sequence[tuple[float, str]] = (),
    beside: str = "",
) -> Chart | None:
    """The cells `table.column` as shares between 0 and 1, with a second column beside them."""
    table, column = cells.split(".")
    lines = []
    for row in _rows(ledger, table):
        found = _number(ledger, f"{table}.{row.id}.{column}")
        other = _number(ledger, f"{table}.{row.id}.{beside}") if beside else None
        if found is None:
            continue
        marks = [_dot(found, "aligned" if "aligned" in row.kind or "reward" in row.kind else "base")]
        if other is not None:
            marks.append(Dot(other[0], "implied", other[1].interval))
        lines.append(Line(row.label, tuple(marks), row.group))
    if not lines:
        return None
    heads = len({line.group for line in lines}) > 1
    return dots(name, title, description, lines, "share", domain=SHARE, rules=rules, heads=heads)


def _series(ledger: Ledger, across: Callable[[Row], float | None]) -> dict[str, list[Point]]:
    """Shares of requests followed by arm, in order of rows of the table `miniature_dose`."""
    found = dict[str, list[Point]]()
    for row in _rows(ledger, "miniature_dose"):
        x, follow = across(row), _number(ledger, f"miniature_dose.{row.id}.follow")
        if x is not None and follow is not None:
            found.setdefault(row.group, []).append(Point(x, follow[0], follow[1].interval))
    return found


def _rows(ledger: Ledger, name: str) -> Sequence[Row]:
    table = ledger.tables.get(name)
    return table.rows if table else ()


def _number(ledger: Ledger, name: str) -> tuple[float, Value] | None:
    """A value with its number; None where it is unknown or pending."""
    try:
        value = ledger.value(name)
    except KeyError:
        return None
    return None if value.value is None else (value.value, value)


def _dot(found: tuple[float, Value], kind: str) -> Dot:
    return Dot(found[0], kind, found[1].interval, _text(found[1]))


def _text(value: Value) -> str:
    import ledger

    return ledger.show(value)


def _first(text: str) -> float:
    """The first number of a label: "0.25", "−3 to −2"."""
    match = re.search(r"[-\u2212]?\d+(?:\.\d+)?", text)
    return float(match[0].replace("\u2212", "-")) if match else 0.0


CHARTS: dict[str, Callable[[Ledger], Chart | None]] = {
    "dumbbell": dumbbell,
    "reward_chance": reward_chance,
    "emotion": emotion,
    "leaderboard": leaderboard,
    "distribution": distribution,
    "dose_response": dose_response,
    "trade_off": trade_off,
    "reward_vs_encoder": reward_vs_encoder,
    "sweep": sweep,
    "countermeasures": countermeasures,
}
