"""Drawing functions of pages/charts/figures.py: rows of marks, curves and histograms as static SVG, each drawn twice.

The wide drawing keeps labels beside the marks; the narrow one, for phones and half columns, puts them above, so that
nothing scrolls sideways and no letter is under eleven pixels. Style sheets show the one that fits its place. Marks
carry classes (`mark`, `interval`, `base`, `highlight`, ...), never colours, so that one drawing serves both variants,
dark mode and print.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from math import floor, log10

from markupsafe import Markup, escape

from ledger.book import scientific
from pages.charts.lettering import LEADING, fitted, length

END = ' text-anchor="end"'  # of a text whose place is its last letter; without, its first


@dataclass(frozen=True)
class Chart:
    """A drawn chart; `description` says in words what the marks show."""

    title: str
    description: str
    svg: Markup
    narrow: Markup


@dataclass(frozen=True)
class Dot:
    """One mark on a row."""

    value: float
    kind: str  # its class
    interval: tuple[float, float] | None = None
    text: str = ""

    @property
    def ends(self) -> tuple[float, ...]:
        return (self.value, *(self.interval or ()))


@dataclass(frozen=True)
class Line:
    """One row of a dot chart; `link` joins the first dot with the second, `bar` the first dot with the axis' start."""

    label: str
    dots: tuple[Dot, ...]
    group: str = ""
    link: bool = False
    bar: bool = False


@dataclass(frozen=True)
class Point:
    """One point of a curve."""

    x: float
    y: float
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class ChartLayout:
    """What a chart is drawn on: its width, where its axis begins and how far from the right edge it ends."""

    name: str
    width: int
    left: int
    right: int
    row: int  # height of a row of marks
    above: bool  # labels stand above their marks, not beside them
    ticks: int  # at most so many on an axis

    def scale(self, low: float, high: float, left: float | None = None, right: float | None = None) -> Scale:
        begin = self.left if left is None else left
        span, room = (high - low) or 1.0, self.width - begin - (self.right if right is None else right)
        return lambda value: begin + (value - low) / span * room

    def naming(self, text: str, figure: str = "") -> list[str]:
        """The lines of a row's name; `figure` stands behind a name that is above its marks."""
        return fitted(text, self.width - length(figure) - 12 if self.above else self.left - 14)

    def label(self, lines: Sequence[str], y: float, kind: str = "label") -> str:
        """The name of a row whose marks stand at height `y`."""
        more = LEADING * (len(lines) - 1)
        if self.above:
            return _lines(lines, f'class="{kind}"', 0, y - 11 - more)
        return _lines(lines, f'class="{kind}"', self.left - 14, y + 4 - more / 2, END)

    def unit(self, text: str, height: int) -> tuple[int, str]:
        """The name of an axis at the lower end of a drawing, and the height that the drawing then has."""
        x = self.width - (0 if self.above else self.right)
        lines = fitted(text, x)
        return height + LEADING * (len(lines) - 1), _lines(lines, 'class="unit"', x, height - 2, END)


Scale = Callable[[float], float]
Drawn = tuple[int, list[str]]  # height and elements
WIDE = ChartLayout("wide", width=760, left=210, right=60, row=26, above=False, ticks=8)
NARROW = ChartLayout("narrow", width=340, left=8, right=14, row=35, above=True, ticks=5)


def dots(
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
    ends = [end for line in lines for dot in line.dots for end in (*dot.ends, *([0.0] if line.bar else []))]
    ends += [at for at, _ in rules]
    draw = partial(_dots, lines=lines, unit=unit, domain=domain or _domain(ends), rules=rules, heads=heads)
    data = [f"{line.label}: {', '.join(map(_said, line.dots))}" for line in lines]
    return _chart(name, title, description, data, draw)


def _said(dot: Dot) -> str:
    spread = f" ({_plain(dot.interval[0])} to {_plain(dot.interval[1])})" if dot.interval else ""
    return f"{dot.text or _plain(dot.value)}{spread}"


def curves(
    name: str,
    title: str,
    description: str,
    series: Mapping[str, Sequence[Point]],
    units: tuple[str, str],
    upright: tuple[float, float] | None = None,
) -> Chart:
    """One line a series on a common plane, named where there is room beside it; `upright`: ends of the upright axis."""

    def said(line: Sequence[Point]) -> str:
        return ", ".join(f"{_plain(point.y)} at {_plain(point.x)}" for point in line)

    data = [f"{name}: {said(line)}" for name, line in series.items()]
    ends = [end for line in series.values() for point in line for end in (point.y, *(point.interval or ()))]
    return _chart(
        name, title, description, data, partial(_curves, series=series, units=units, upright=upright or _domain(ends))
    )


def histograms(
    name: str,
    title: str,
    description: str,
    strips: Sequence[tuple[str, Sequence[float]]],
    edges: Sequence[float],
    unit: str,
) -> Chart:
    """One histogram a row on a common axis; `edges` are the bins' lower ends."""
    data = [
        f"{label}: most in the bin from {_plain(edges[shares.index(max(shares))])}, {_plain(max(shares))} %"
        for label, shares in strips
    ]
    return _chart(name, title, description, data, partial(_histograms, strips=strips, edges=edges, unit=unit))


def _chart(name: str, title: str, description: str, data: Sequence[str], draw: Callable[[ChartLayout], Drawn]) -> Chart:
    """Both drawings. What they say in words, the description and the data row by row, stands in the wide one."""
    words = f"{description} {'; '.join(data)}."
    told = f"chart-{name}-title", f"chart-{name}-text"
    named = f'<title id="{told[0]}">{escape(title)}</title><desc id="{told[1]}">{escape(words)}</desc>'

    def svg(sheet: ChartLayout) -> Markup:
        height, body = draw(sheet)
        return Markup(
            f'<svg class="chart {sheet.name} chart-{name}" viewBox="0 0 {sheet.width} {height}" width="{sheet.width}" '
            f'height="{height}" role="img" aria-labelledby="{told[0]} {told[1]}" font-size="13">'
            f"{named if sheet is WIDE else ''}{''.join(body)}</svg>"
        )

    return Chart(title, description, svg(WIDE), svg(NARROW))


# -- rows of marks -----------------------------------------------------------------------------------------------------


def _dots(
    sheet: ChartLayout,
    lines: Sequence[Line],
    unit: str,
    domain: tuple[float, float],
    rules: Sequence[tuple[float, str]],
    heads: bool,
) -> Drawn:
    scale = _room(sheet, lines, domain)
    named = _above(sheet, rules, scale)
    top = LEADING * max((level for _, _, level in named), default=0)
    body, y, group = list[str](), top + (45.0 if sheet.above else 34.0), None if heads else lines[0].group
    for line in lines:
        if line.group != group:
            y, group = y + (0 if group is None else 10), line.group
            if heads and line.group:
                body.append(sheet.label(sheet.naming(line.group)[:1], y, "group"))
                y += 20 if sheet.above else sheet.row
        name = sheet.naming(line.label, _figures(line))
        more = LEADING * (len(name) - 1)
        y += more if sheet.above else more / 2
        body.append(_row(sheet, line, name, y, scale))
        y += sheet.row + (0 if sheet.above else more / 2)
    y -= sheet.row - 26
    axis = [_axis(_ticks(*domain, sheet.ticks), scale, y, 18 + top)]
    axis += [
        f'<line class="rule" x1="{_px(scale(at))}" x2="{_px(scale(at))}" y1="{18 + top}" y2="{_px(y - 10)}"/>'
        f'<text class="rule-label" x="{_px(x)}" y="{13 + LEADING * level}" text-anchor="middle">{escape(word)}</text>'
        for (at, _), (x, word, level) in zip(rules, named, strict=True)
    ]
    height, below = sheet.unit(unit, round(y + 30))
    return height, [*axis, below, *body]


def _room(sheet: ChartLayout, lines: Sequence[Line], domain: tuple[float, float]) -> Scale:
    """The scale of rows whose figures stand beside their marks, some of them on the left, within the frame."""
    if sheet.above:
        return sheet.scale(*domain)
    before = [length(_figures(line)) for line in lines if line.link or (line.bar and line.dots[0].value < 0)]
    left = max(52.0, *before) if before else 0.0
    right = max(length(_figures(line)) + 14 for line in lines)
    return sheet.scale(*domain, left=sheet.left + left, right=max(sheet.right, right))


def _figures(line: Line) -> str:
    return max((dot.text for dot in line.dots), key=length, default="")


def _above(sheet: ChartLayout, rules: Sequence[tuple[float, str]], scale: Scale) -> list[tuple[float, str, int]]:
    """Of the name of every rule: its middle, within the frame, its letters, and the line that it shares with none
    that it would cover."""
    placed = list[tuple[float, str, int]]()
    for at, word in rules:
        text = fitted(word, sheet.width, 1)[0]
        half = length(text) / 2
        x = min(max(scale(at), half), sheet.width - half)
        taken = {level for other, words, level in placed if abs(x - other) < half + length(words) / 2 + 8}
        placed.append((x, text, next(level for level in range(len(rules)) if level not in taken)))
    return placed


def _row(sheet: ChartLayout, line: Line, name: Sequence[str], y: float, scale: Scale) -> str:
    parts = [sheet.label(name, y)]
    if line.link and len(line.dots) > 1:
        one, two = scale(line.dots[0].value), scale(line.dots[1].value)
        parts.append(
            f'<line class="link {line.dots[1].kind}" x1="{_px(one)}" x2="{_px(two)}" y1="{_px(y)}" y2="{_px(y)}"/>'
        )
    if line.bar:
        zero, end = scale(0.0), scale(line.dots[0].value)
        parts.append(f'<path class="bars" d="M{_px(zero)} {_px(y - 7)}H{_px(end)}V{_px(y + 7)}H{_px(zero)}Z"/>')
    for dot in line.dots:
        if dot.interval:
            low, high = map(scale, dot.interval)
            parts.append(
                f'<path class="interval" d="M{_px(low)} {_px(y)}H{_px(high)}M{_px(low)} {_px(y - 4)}V{_px(y + 4)}'
                f'M{_px(high)} {_px(y - 4)}V{_px(y + 4)}"/>'
            )
        radius = 4 if dot.kind == "beside" else 5.5
        parts.append(f'<circle class="mark {dot.kind}" cx="{_px(scale(dot.value))}" cy="{_px(y)}" r="{radius}"/>')
    parts += [_figure(sheet, line, dot, y, scale) for dot in line.dots if dot.text]
    return f'<g class="row">{"".join(parts)}</g>'


def _figure(sheet: ChartLayout, line: Line, dot: Dot, y: float, scale: Scale) -> str:
    """The number of a mark: beyond all marks of its row, or at the end of the row's name."""
    edges = [scale(end) for one in line.dots for end in one.ends]
    left = (line.link and dot.value < line.dots[0].value) or (line.bar and dot.value < 0)
    x, anchor = (min(edges) - 10, END) if left else (max(edges) + 10, "")
    if sheet.above:
        x, y, anchor = float(sheet.width), y - 15, END
    return f'<text class="figure" x="{_px(x)}" y="{_px(y + 4)}"{anchor}>{escape(dot.text)}</text>'


# -- curves ------------------------------------------------------------------------------------------------------------


def _curves(
    sheet: ChartLayout,
    series: Mapping[str, Sequence[Point]],
    units: tuple[str, str],
    upright: tuple[float, float],
) -> Drawn:
    floor, ceiling = upright
    steps = [(at, _plain(at)) for at in _ticks(floor, ceiling, 5)]
    left, right = (34, 12) if sheet.above else (70, 170)
    left = max(left, round(max(length(text) for _, text in steps) + 10))
    low, high = _domain([point.x for line in series.values() for point in line])
    scale = sheet.scale(low, high, left, right)
    top, bottom = 20.0, 250.0 if sheet.above else 300.0

    def rise(value: float) -> float:
        return bottom - (min(max(value, floor), ceiling) - floor) / (ceiling - floor) * (bottom - top)

    body = [_axis(_ticks(low, high, sheet.ticks), scale, bottom + 10)]
    body += [
        f'<line class="grid" x1="{left}" x2="{sheet.width - right}" y1="{_px(rise(at))}" y2="{_px(rise(at))}"/>'
        f'<text class="tick" x="{left - 8}" y="{_px(rise(at) + 4)}"{END}>{text}</text>'
        for at, text in steps
    ]
    drawn = {name: [(scale(point.x), rise(point.y)) for point in line] for name, line in series.items()}
    taken = [place for line in drawn.values() for place in _along(line)]
    for number, (name, line) in enumerate(series.items(), 1):
        path = "L".join(f"{_px(x)} {_px(y)}" for x, y in drawn[name])
        body.append(f'<g class="series series-{number}"><path class="curve" d="M{path}"/>')
        for point, (x, y) in zip(line, drawn[name], strict=True):
            if point.interval:
                up, down = rise(point.interval[1]), rise(point.interval[0])
                body.append(f'<path class="interval" d="M{_px(x)} {_px(up)}V{_px(down)}"/>')
            body.append(_marker(number, x, y))
        text = fitted(name, sheet.width - left, 1)[0]
        x, y = _beside(drawn[name][-1], length(text), taken, sheet.width)
        taken += [(x + step, y - 5) for step in range(0, round(length(text)), 8)]
        body.append(f'<text class="label" x="{_px(x)}" y="{_px(y)}">{escape(text)}</text></g>')
    across = fitted(units[0], sheet.width - right)
    body.append(_lines(across, 'class="unit"', sheet.width - right, bottom + 42, END))
    begin = 0 if sheet.above else left
    body.append(_lines(fitted(units[1], sheet.width - begin, 1), 'class="unit"', begin, 12))
    return round(bottom + 50) + LEADING * (len(across) - 1), body


def _along(line: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Places on a polyline, close enough together that no word slips between them."""
    found = [line[0]]
    for (x, y), (to_x, to_y) in pairwise(line):
        steps = max(1, round(max(abs(to_x - x), abs(to_y - y)) / 6))
        found += [(x + (to_x - x) * i / steps, y + (to_y - y) * i / steps) for i in range(1, steps + 1)]
    return found


def _beside(
    end: tuple[float, float], length: float, taken: Sequence[tuple[float, float]], width: float
) -> tuple[float, float]:
    """Where a name of this length stands near the end of its curve: inside the frame, on as little as possible."""
    x, y = end
    places = [(x + 12, y + 4)]
    for away in (20, 30, 44, 60):
        places += [(x + side, y + rise) for rise in (4 + away, 4 - away) for side in (-length + 6, -length / 2, -6)]
    inside = [place for place in places if place[0] >= 36 and place[0] + length <= width]

    def covered(place: tuple[float, float]) -> int:
        return sum(place[0] - 6 < x < place[0] + length + 6 and place[1] - 15 < y < place[1] + 7 for x, y in taken)

    return min(inside or places[:1], key=covered)  # the first of the best: the nearest


def _marker(number: int, x: float, y: float) -> str:
    """A shape of its own for every series, so that colour is never the only difference."""
    match number % 4:
        case 1:
            return f'<circle class="mark" cx="{_px(x)}" cy="{_px(y)}" r="4.5"/>'
        case 2:
            return f'<rect class="mark" x="{_px(x - 4)}" y="{_px(y - 4)}" width="8" height="8"/>'
        case 3:
            return f'<path class="mark" d="M{_px(x)} {_px(y - 5)}L{_px(x + 5)} {_px(y + 4)}H{_px(x - 5)}Z"/>'
        case _:
            return f'<path class="mark" d="M{_px(x)} {_px(y - 5)}l5 5l-5 5l-5 -5Z"/>'


# -- histograms --------------------------------------------------------------------------------------------------------


def _histograms(
    sheet: ChartLayout, strips: Sequence[tuple[str, Sequence[float]]], edges: Sequence[float], unit: str
) -> Drawn:
    step = edges[1] - edges[0] if len(edges) > 1 else 1.0
    low, high = edges[0], edges[-1] + step
    scale, tall, most = sheet.scale(low, high), 28.0, max(max(shares) for _, shares in strips)
    body, y = list[str](), 24.0
    for label, shares in strips:
        name = sheet.naming(label)
        more = LEADING * (len(name) - 1)
        bottom = y + tall + (more if sheet.above else more / 2)
        steps = "".join(
            f"V{_px(bottom - share / most * (tall - 2))}H{_px(scale(edge + step))}"
            for edge, share in zip(edges, shares, strict=True)
        )
        body.append(
            f'<g class="row">{sheet.label(name, bottom - (6 if sheet.above else 10))}'
            f'<path class="bars" d="M{_px(scale(low))} {_px(bottom)}{steps}V{_px(bottom)}Z"/>'
            f'<line class="base-line" x1="{sheet.left}" x2="{sheet.width - sheet.right}" '
            f'y1="{_px(bottom)}" y2="{_px(bottom)}"/></g>'
        )
        y = bottom + 5 + (0 if sheet.above else more / 2)
    axis = [_axis(_ticks(low, high, sheet.ticks), scale, y + 10)]
    if low < 0 < high:
        axis.append(f'<line class="rule" x1="{_px(scale(0))}" x2="{_px(scale(0))}" y1="18" y2="{_px(y)}"/>')
    height, below = sheet.unit(unit, round(y + 40))
    return height, [*axis, below, *body]


# -- axes --------------------------------------------------------------------------------------------------------------


def _lines(lines: Sequence[str], kind: str, x: float, y: float, anchor: str = "") -> str:
    """A text in lines, of which the first stands at `y`."""
    rest = "".join(f'<tspan x="{_px(x)}" dy="{LEADING}">{escape(line)}</tspan>' for line in lines[1:])
    return f'<text {kind} x="{_px(x)}" y="{_px(y)}"{anchor}>{escape(lines[0])}{rest}</text>'


def _axis(ticks: Iterable[float], scale: Scale, bottom: float, top: float = 18) -> str:
    """Upright lines at the ticks, as one path, and their numbers below."""
    places = [(scale(at), _plain(at)) for at in ticks]
    lines = "".join(f"M{_px(x)} {_px(top)}V{_px(bottom - 10)}" for x, _ in places)
    numbers = "".join(f'<text class="tick" x="{_px(x)}" y="{_px(bottom + 6)}">{number}</text>' for x, number in places)
    return f'<path class="grid" d="{lines}"/><g text-anchor="middle">{numbers}</g>'


def _px(length: float) -> str:
    """Pixels to a tenth, without a zero behind the point."""
    return f"{length:.1f}".removesuffix(".0")


def _domain(values: Iterable[float]) -> tuple[float, float]:
    known = list(values)
    low, high = min(known), max(known)
    margin = (high - low or 1.0) * 0.08
    return low - margin, high + margin


def _ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers between the ends, at most one more than asked."""
    power = floor(log10((high - low) / most))
    sizes = [part * 10.0**one for one in (power - 1, power, power + 1) for part in (1, 2, 2.5, 5)]
    step = next(size for size in sizes if (high - low) / size <= most)
    first = -(-low // step)
    places = (step * (first + i) for i in range(int((high - step * first) / step + 1e-9) + 1))
    return [float(f"{place:.10g}") + 0.0 for place in places]


def _plain(number: float) -> str:
    """Four digits that count: "12,350", and "3·10⁹" for what is very large or small."""
    if number and not 1e-4 <= abs(number) < 1e6:
        return scientific(number, 3).replace("-", "\u2212")
    return f"{float(f'{number:.4g}'):,.10g}".replace("-", "\u2212")
