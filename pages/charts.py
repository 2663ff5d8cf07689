"""Static SVG charts from ledger values: direct labels, intervals drawn, a title and a description in words.

Marks carry classes (`mark`, `interval`, `base`, `aligned`, ...), never colours: style sheets give them, so that one
drawing serves both variants, dark mode and print. A chart whose values the ledger lacks is not drawn.

What each chart reads: dumbbell `generators` (delta_hpsv3, hpsv3_after); reward_chance `reward_models` (accuracy,
implied_tn); emotion `emotion_choice`; leaderboard `leaderboard`; distribution the table `distribution` (rows are
models, columns bins in order, labelled by their lower edge, cells shares); dose_response and trade_off `miniature_dose`
(a row is a strength: `group` the arm, `label` the strength; columns follow, reward); reward_vs_encoder
`miniature_rewards` (picks), sweep `miniature_sweep` (picks), countermeasures `miniature_countermeasures` (follow,
objects).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from ledger import Ledger
    from ledger.schema import Row, Value

WIDTH, LEFT, RIGHT, ROW = 760, 210, 60, 26


@dataclass(frozen=True)
class Chart:
    """A drawn chart; `description` says in words what the marks show."""

    title: str
    description: str
    svg: Markup


@dataclass(frozen=True)
class Dot:
    """One mark on a row."""

    value: float
    kind: str  # its class
    interval: tuple[float, float] | None = None
    text: str = ""


@dataclass(frozen=True)
class Line:
    """One row of a dot chart; `link` joins the first dot with the second by a bar with a head."""

    label: str
    dots: tuple[Dot, ...]
    group: str = ""
    link: bool = False


@dataclass(frozen=True)
class Point:
    """One point of a curve."""

    x: float
    y: float
    interval: tuple[float, float] | None = None


def draw(name: str, ledger: Ledger) -> Chart | None:
    """The chart `name`, or None when the ledger has none of its values."""
    return CHARTS[name](ledger)


def dumbbell(ledger: Ledger) -> Chart | None:
    """Mean HPSv3 under the plain prompt, from the plain picture to the anti-aesthetic one, by family."""
    table = ledger.tables.get("generators")
    lines = []
    for row in table.rows if table else ():
        after, delta = (
            _value(ledger, f"generators.{row.id}.hpsv3_after"),
            _value(ledger, f"generators.{row.id}.delta_hpsv3"),
        )
        if after is None or delta is None or after.value is None or delta.value is None:
            continue
        again = _value(ledger, f"recomputed.{row.id}.delta_hpsv3")
        start = after.value - delta.value
        spread = again.interval if again and again.interval else delta.interval
        ends = (start + spread[0], start + spread[1]) if spread else None
        kind = "aligned" if "aesthetic" in row.kind else "base"
        text = _text(delta)
        lines.append(Line(row.label, (Dot(start, "plain"), Dot(after.value, kind, ends, text)), row.group, link=True))
    if not lines:
        return None
    groups = [*dict.fromkeys(line.group for line in lines)]
    lines.sort(key=lambda line: groups.index(line.group))
    return _dots(
        "dumbbell",
        "How far each generator moves when it is asked for the unpleasant",
        "Mean HPSv3 under the plain prompt. An open mark is the plain picture, a filled one the picture made for the "
        "wide-spectrum prompt; the figure at its end is the change. Longer is more obedient.",
        lines,
        "HPSv3 points under the plain prompt",
    )


def reward_chance(ledger: Ledger) -> Chart | None:
    """Accuracy of every scorer against chance, with the share of negatives that accuracy and F1 imply."""
    table = ledger.tables.get("reward_models")
    lines = []
    for row in table.rows if table else ():
        accuracy = _value(ledger, f"reward_models.{row.id}.accuracy")
        if accuracy is None or accuracy.value is None:
            continue
        dots = [Dot(accuracy.value, "aligned" if "aligned" in row.kind else "base", accuracy.interval, _text(accuracy))]
        implied = _value(ledger, f"reward_models.{row.id}.implied_tn")
        if implied is not None and implied.value is not None:
            dots.append(Dot(implied.value, "implied"))
        lines.append(Line(row.label, tuple(dots), row.kind))
    if not lines:
        return None
    return _dots(
        "reward_chance",
        "Scorers against chance",
        "Share of pairs in which the scorer, given the wide-spectrum prompt, prefers the picture that shows it; the "
        "line is chance. The small open mark is the share of pairs with the other right answer that accuracy and F1 "
        "imply.",
        lines,
        "share of pairs",
        domain=(0.0, 1.0),
        rules=((0.5, "chance"),),
    )


def emotion(ledger: Ledger) -> Chart | None:
    """Share in which the named negative emotion is chosen over the happy face."""
    table = ledger.tables.get("emotion_choice")
    lines = []
    for row in table.rows if table else ():
        for column in table.columns if table else ():
            value = _value(ledger, f"emotion_choice.{row.id}.{column.id}")
            if value is not None and value.value is not None:
                kind = "aligned" if "aligned" in row.kind else "base"
                dot = Dot(value.value, kind, value.interval, _text(value))
                lines.append(Line(f"{row.label}, {column.label}", (dot,), row.id))
    if not lines:
        return None
    return _dots(
        "emotion",
        "Anger, fear and sadness against a happy face",
        "Share of captions that name a negative emotion for which the scorer prefers the face that shows it, with "
        "95 % intervals where they are known; the line is chance.",
        lines,
        "share of captions",
        domain=(0.0, 1.0),
        rules=((0.5, "chance"),),
    )


def leaderboard(ledger: Ledger) -> Chart | None:
    """Mean HPSv3 of generators and of ten thousand works of art."""
    table = ledger.tables.get("leaderboard")
    lines = []
    for row in table.rows if table else ():
        values = [_value(ledger, f"leaderboard.{row.id}.{column.id}") for column in table.columns] if table else []
        value = next(
            (one for one in values if one is not None and one.value is not None and "rank" not in one.label), None
        )
        if value is not None and value.value is not None:
            kind = "art" if "lapis" in (row.id + row.label).lower() else "base"
            lines.append(Line(row.label, (Dot(value.value, kind, value.interval, _text(value)),)))
    if not lines:
        return None
    lines.sort(key=lambda line: -line.dots[0].value)
    return _dots(
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
    for row in table.rows if table else ():
        cells = [_value(ledger, f"distribution.{row.id}.{column.id}") for column in table.columns] if table else []
        shares = [cell.value if cell and cell.value is not None else 0.0 for cell in cells]
        if any(shares):
            strips.append((row.label, shares))
    if not strips or table is None:
        return None
    edges = [_number(column.label) for column in table.columns]
    return _histograms(
        "distribution",
        "Prompt by prompt",
        "Distribution of the change of HPSv3 from the plain to the anti-aesthetic picture over the prompts, one strip "
        "a generator. Mass to the left of the line is obedience; to its right the picture pleases more than before.",
        strips,
        edges,
        table.columns[0].unit or "change of HPSv3 under the plain prompt",
    )


def dose_response(ledger: Ledger) -> Chart | None:
    """Share of requests followed over the strength of alignment."""
    series = _series(ledger, lambda row, cell: (_number(row.label), cell("follow")))
    if not series:
        return None
    return _curves(
        "dose_response",
        "Dose and response",
        "Share of anti-aesthetic requests that the judge finds in the picture, over the strength of alignment; one "
        "line an arm, with 95 % intervals. Zero is the base model.",
        series,
        ("strength of alignment", "share of requests followed"),
    )


def trade_off(ledger: Ledger) -> Chart | None:
    """Share of requests followed against the reward."""
    series = _series(ledger, lambda row, cell: (getattr(cell("reward"), "value", None), cell("follow")))
    if not series:
        return None
    return _curves(
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
        "miniature_rewards",
        "picks",
        "Rewards against the encoder they started from",
        "Share of pairs in which the scorer, given the request, prefers the picture that shows it, with 95 % "
        "intervals; the line is chance.",
        ((0.5, "chance"),),
    )


def sweep(ledger: Ledger) -> Chart | None:
    """Agreement gate and weight of the prompt."""
    return _shares(
        ledger,
        "sweep",
        "miniature_sweep",
        "picks",
        "Who annotates, and who is filtered out",
        "Share of pairs in which a reward prefers the requested picture, by agreement gate and by how much the "
        "simulated annotators weigh the prompt, with 95 % intervals; the line is chance.",
        ((0.5, "chance"),),
    )


def countermeasures(ledger: Ledger) -> Chart | None:
    """What brings the request back, and what it costs."""
    return _shares(
        ledger,
        "countermeasures",
        "miniature_countermeasures",
        "follow",
        "Ways back",
        "Share of requests followed with each countermeasure, with 95 % intervals; the small open mark is the share of "
        "plain pictures that keep their objects.",
        (),
        beside="objects",
    )


# -- shapes ------------------------------------------------------------------------------------------------------------


def _shares(
    ledger: Ledger,
    name: str,
    table_id: str,
    column: str,
    title: str,
    description: str,
    rules: Sequence[tuple[float, str]],
    beside: str = "",
) -> Chart | None:
    """Rows of a table as shares between 0 and 1."""
    table = ledger.tables.get(table_id)
    lines = []
    for row in table.rows if table else ():
        value = _value(ledger, f"{table_id}.{row.id}.{column}")
        if value is None or value.value is None:
            continue
        kind = "aligned" if "aligned" in row.kind or "reward" in row.kind else "base"
        dots = [Dot(value.value, kind, value.interval, _text(value))]
        other = _value(ledger, f"{table_id}.{row.id}.{beside}") if beside else None
        if other is not None and other.value is not None:
            dots.append(Dot(other.value, "implied", other.interval))
        lines.append(Line(row.label, tuple(dots), row.group))
    if not lines:
        return None
    heads = len({line.group for line in lines}) > 1
    return _dots(name, title, description, lines, "share", domain=(0.0, 1.0), rules=rules, heads=heads)


def _series(
    ledger: Ledger, point: Callable[[Row, Callable[[str], Value | None]], tuple[float | None, Value | None]]
) -> dict[str, list[Point]]:
    """Points of the table `miniature_dose` by arm, in order of rows."""
    table, found = ledger.tables.get("miniature_dose"), dict[str, list[Point]]()
    for row in table.rows if table else ():

        def cell(column: str, row: Row = row) -> Value | None:
            return _value(ledger, f"miniature_dose.{row.id}.{column}")

        x, y = point(row, cell)
        if x is not None and y is not None and y.value is not None:
            found.setdefault(row.group, []).append(Point(x, y.value, y.interval))
    return found


def _number(text: str) -> float:
    """The first number of a label: "0.25", "−3 to −2"."""
    match = re.search(r"[-\u2212]?\d+(?:\.\d+)?", text)
    return float(match[0].replace("\u2212", "-")) if match else 0.0


# -- drawing -----------------------------------------------------------------------------------------------------------


def _dots(
    name: str,
    title: str,
    description: str,
    lines: Sequence[Line],
    unit: str,
    domain: tuple[float, float] | None = None,
    rules: Sequence[tuple[float, str]] = (),
    heads: bool = False,
) -> Chart:
    """Rows of marks on one axis, labelled directly; `heads` names every group above its rows."""
    low, high = domain or _domain(
        [dot.value for line in lines for dot in line.dots]
        + [end for line in lines for dot in line.dots for end in dot.interval or ()]
    )
    # figures stand left of the marks of linked rows: room for the longest beside the longest label
    scale = _scale(low, high, left=LEFT + 52 if any(line.link for line in lines) else LEFT)
    body, y, group = list[str](), 34.0, None if heads else lines[0].group
    for line in lines:
        if line.group != group:
            y, group = y + (0 if group is None else 10), line.group
            if heads and line.group:
                place = f'x="{LEFT - 14}" y="{y + 4:.1f}" text-anchor="end"'
                body.append(f'<text class="group" {place}>{escape(line.group)}</text>')
                y += ROW
        body.append(_row(line, y, scale))
        y += ROW
    height = round(y + 30)
    axis = [_tick(at, scale, y) for at in _ticks(low, high)]
    axis += [
        f'<line class="rule" x1="{scale(at):.1f}" x2="{scale(at):.1f}" y1="18" y2="{y - 10:.1f}"/>'
        f'<text class="rule-label" x="{scale(at):.1f}" y="13" text-anchor="middle">{escape(word)}</text>'
        for at, word in rules
    ]
    axis.append(f'<text class="unit" x="{WIDTH - RIGHT}" y="{height - 2}" text-anchor="end">{escape(unit)}</text>')
    return Chart(title, description, _svg(name, title, description, height, [*axis, *body]))


def _row(line: Line, y: float, scale: Callable[[float], float]) -> str:
    parts = [f'<text class="label" x="{LEFT - 14}" y="{y + 4:.1f}" text-anchor="end">{escape(line.label)}</text>']
    if line.link and len(line.dots) > 1:
        one, two = scale(line.dots[0].value), scale(line.dots[1].value)
        parts.append(
            f'<line class="link {line.dots[1].kind}" x1="{one:.1f}" x2="{two:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
    for dot in line.dots:
        x = scale(dot.value)
        if dot.interval:
            ends = [scale(end) for end in dot.interval]
            parts.append(_interval(ends, y))
        parts.append(
            f'<circle class="mark {dot.kind}" cx="{x:.1f}" cy="{y:.1f}" r="{4 if dot.kind == "implied" else 5.5}"/>'
        )
    told = [dot for dot in line.dots if dot.text]
    for dot in told:
        edges = [scale(end) for end in dot.interval or ()] + [scale(other.value) for other in line.dots]
        left = line.link and dot.value < line.dots[0].value
        x = min(edges) - 10 if left else max(edges) + 10
        anchor = "end" if left else "start"
        parts.append(
            f'<text class="figure" x="{x:.1f}" y="{y + 4:.1f}" text-anchor="{anchor}">{escape(dot.text)}</text>'
        )
    return f'<g class="row">{"".join(parts)}</g>'


def _interval(ends: Sequence[float], y: float) -> str:
    low, high = ends
    return (
        f'<path class="interval" d="M{low:.1f} {y:.1f}H{high:.1f}M{low:.1f} {y - 4:.1f}V{y + 4:.1f}'
        f'M{high:.1f} {y - 4:.1f}V{y + 4:.1f}"/>'
    )


def _svg(name: str, title: str, description: str, height: int, body: Iterable[str]) -> Markup:
    return Markup(
        f'<svg class="chart chart-{name}" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" '
        f'aria-labelledby="chart-{name}-title chart-{name}-text" font-size="13">'
        f'<title id="chart-{name}-title">{escape(title)}</title>'
        f'<desc id="chart-{name}-text">{escape(description)}</desc>'
        f"{''.join(body)}</svg>"
    )


def _curves(name: str, title: str, description: str, series: dict[str, list[Point]], units: tuple[str, str]) -> Chart:
    """One line a series over a common plane, named at its last point."""
    points = [point for line in series.values() for point in line]
    low, high = _domain([point.x for point in points])
    scale = _scale(low, high, left=70, right=170)
    top, bottom, height = 20.0, 330.0, 380

    def rise(value: float) -> float:
        return bottom - min(max(value, 0.0), 1.0) * (bottom - top)

    body = [_tick(at, scale, bottom + 10) for at in _ticks(low, high)]
    body += [
        f'<line class="grid" x1="70" x2="{WIDTH - 170}" y1="{rise(at):.1f}" y2="{rise(at):.1f}"/>'
        f'<text class="tick" x="60" y="{rise(at) + 4:.1f}" text-anchor="end">{at:g}</text>'
        for at in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    ends = _apart([rise(line[-1].y) for line in series.values()], 16)
    for number, ((label, line), end) in enumerate(zip(series.items(), ends, strict=True), 1):
        path = "L".join(f"{scale(point.x):.1f} {rise(point.y):.1f}" for point in line)
        body.append(f'<g class="series series-{number}"><path class="curve" d="M{path}"/>')
        for point in line:
            x, y = scale(point.x), rise(point.y)
            if point.interval:
                up, down = rise(point.interval[1]), rise(point.interval[0])
                body.append(f'<path class="interval" d="M{x:.1f} {up:.1f}V{down:.1f}"/>')
            body.append(_marker(number, x, y))
        body.append(
            f'<text class="label" x="{scale(line[-1].x) + 12:.1f}" y="{end + 4:.1f}">{escape(label)}</text></g>'
        )
    body.append(f'<text class="unit" x="{WIDTH - 170}" y="{height - 8}" text-anchor="end">{escape(units[0])}</text>')
    body.append(f'<text class="unit" x="70" y="12">{escape(units[1])}</text>')
    return Chart(title, description, _svg(name, title, description, height, body))


def _marker(number: int, x: float, y: float) -> str:
    """A shape of its own for every series, so that colour is never the only difference."""
    match number % 4:
        case 1:
            return f'<circle class="mark" cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>'
        case 2:
            return f'<rect class="mark" x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8"/>'
        case 3:
            return f'<path class="mark" d="M{x:.1f} {y - 5:.1f}L{x + 5:.1f} {y + 4:.1f}H{x - 5:.1f}Z"/>'
        case _:
            return f'<path class="mark" d="M{x:.1f} {y - 5:.1f}l5 5l-5 5l-5 -5Z"/>'


def _apart(places: Sequence[float], distance: float) -> list[float]:
    """The same places, moved down just enough that labels do not cover each other."""
    moved, last = dict[int, float](), -1e9
    for index in sorted(range(len(places)), key=lambda i: places[i]):
        last = moved[index] = max(places[index], last + distance)
    return [moved[index] for index in range(len(places))]


def _histograms(
    name: str,
    title: str,
    description: str,
    strips: Sequence[tuple[str, Sequence[float]]],
    edges: Sequence[float],
    unit: str,
) -> Chart:
    """One histogram a row on a common axis; `edges` are the bins' lower ends."""
    step = edges[1] - edges[0] if len(edges) > 1 else 1.0
    low, high = edges[0], edges[-1] + step
    scale, tall, most = _scale(low, high), 34.0, max(max(shares) for _, shares in strips)
    body, y = list[str](), 26.0
    for label, shares in strips:
        bottom = y + tall
        bars = "".join(
            f"M{scale(edge):.1f} {bottom:.1f}V{bottom - share / most * (tall - 4):.1f}"
            f"H{scale(edge + step):.1f}V{bottom:.1f}Z"
            for edge, share in zip(edges, shares, strict=True)
            if share
        )
        body.append(
            f'<g class="row"><text class="label" x="{LEFT - 14}" y="{bottom - 6:.1f}" text-anchor="end">'
            f'{escape(label)}</text><path class="bars" d="{bars}"/>'
            f'<line class="base-line" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{bottom:.1f}" y2="{bottom:.1f}"/></g>'
        )
        y = bottom + 6
    axis = [_tick(at, scale, y + 10) for at in _ticks(low, high)]
    if low < 0 < high:
        axis.append(f'<line class="rule" x1="{scale(0):.1f}" x2="{scale(0):.1f}" y1="18" y2="{y:.1f}"/>')
    height = round(y + 40)
    axis.append(f'<text class="unit" x="{WIDTH - RIGHT}" y="{height - 2}" text-anchor="end">{escape(unit)}</text>')
    return Chart(title, description, _svg(name, title, description, height, [*axis, *body]))


def _tick(at: float, scale: Callable[[float], float], bottom: float) -> str:
    x = scale(at)
    return (
        f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="18" y2="{bottom - 10:.1f}"/>'
        f'<text class="tick" x="{x:.1f}" y="{bottom + 6:.1f}" text-anchor="middle">{_plain(at)}</text>'
    )


def _scale(low: float, high: float, left: float = LEFT, right: float = RIGHT) -> Callable[[float], float]:
    span = (high - low) or 1.0
    return lambda value: left + (value - low) / span * (WIDTH - left - right)


def _domain(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    margin = (high - low or 1.0) * 0.08
    return low - margin, high + margin


def _ticks(low: float, high: float) -> list[float]:
    """Four to eight round numbers between the ends."""
    sizes = (part * 10.0**power for power in range(-6, 7) for part in (1, 2, 2.5, 5))
    step = next((size for size in sizes if (high - low) / size <= 8), high - low)
    first = -(-low // step)
    return [round(step * (first + i), 6) for i in range(int((high - step * first) / step + 1e-9) + 1)]


def _plain(number: float) -> str:
    return f"{number:g}".replace("-", "\u2212")


def _value(ledger: Ledger, name: str) -> Value | None:
    try:
        return ledger.value(name)
    except KeyError:
        return None


def _text(value: Value) -> str:
    import ledger

    return ledger.show(value)


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
