"""Charts: every mark from the ledger, every mark sayable in words, nothing drawn from nothing."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest

from ledger.book import Ledger
from ledger.problems import InputError
from ledger.schema import Column, Row, Source, Table, Value
from pages.charts.figures import draw
from pages.charts.lettering import LEADING, length
from pages.source.settings import ChartSpec

SVG = "{http://www.w3.org/2000/svg}"


def _value(number: float, interval: tuple[float, float] | None = None) -> Value:
    source = Source(kind="reported", where="a test")
    return Value(label="x", value=number, unit="", digits=2, source=source, interval=interval)


def _ledger(table: str, columns: dict[str, str], rows: list[Row], cells: dict[str, Value]) -> Ledger:
    shelf = Table(title="t", caption="c", columns=[Column(id=i, label=name) for i, name in columns.items()], rows=rows)
    return Ledger(values={f"{table}.{name}": value for name, value in cells.items()}, tables={table: shelf})


STEPS = (0.0, 0.5, 1.0)
CURVES = _ledger(
    "steps",
    {"share": "s", "cost": "c"},
    [Row(id=f"{arm}-{n}", label=str(n), group=arm) for arm in ("one", "two") for n in STEPS],
    {
        f"{arm}-{n}.{column}": _value(0.9 - 0.4 * n, (0.8 - 0.4 * n, 1.0 - 0.4 * n))
        for arm in ("one", "two")
        for n in STEPS
        for column in ("share", "cost")
    },
)
FULL: dict[str, tuple[dict[str, Any], Ledger]] = {
    "dumbbells": (
        {
            "type": "dumbbells", "values": "models.*.after", "change": "models.*.change",
            "order": "groups", "highlight": ["tuned"],
        },
        _ledger(
            "models",
            {"change": "Δ", "after": "after"},
            [Row(id="a", label="Base & co", group="f"), Row(id="b", label="Tuned", group="f", kind="tuned")],
            {
                "a.change": _value(-5.0, (-5.5, -4.5)), "a.after": _value(4.0),
                "b.change": _value(-1.0), "b.after": _value(9.0),
            },
        ),
    ),
    "before_after": (
        {"type": "dumbbells", "values": "t.*.after", "start": "t.*.before"},
        _ledger(
            "t",
            {"before": "b", "after": "a"},
            [Row(id="a", label="A")],
            {"a.before": _value(0.2), "a.after": _value(0.6, (0.5, 0.7))},
        ),
    ),
    "dots": (
        {
            "type": "dots", "values": "scorers.*.accuracy", "beside": "scorers.*.other",
            "domain": (0, 1), "rules": [{"at": 0.5, "label": "chance"}], "highlight": ["tuned"],
        },
        _ledger(
            "scorers",
            {"accuracy": "acc", "other": "o"},
            [Row(id="a", label="A", kind="tuned")],
            {"a.accuracy": _value(0.4, (0.3, 0.5)), "a.other": _value(0.1)},
        ),
    ),
    "cells": (
        {"type": "dots", "values": "choice.*.*", "group": "row"},
        _ledger("choice", {"anger": "anger"}, [Row(id="a", label="A")], {"a.anger": _value(0.2, (0.1, 0.3))}),
    ),
    "bars": (
        {"type": "bars", "values": "ranks.*.points", "order": "descending", "highlight": ["art"]},
        _ledger(
            "ranks",
            {"points": "P"},
            [Row(id="art", label="Art"), Row(id="gen", label="G")],
            {"gen.points": _value(9.0, (8.0, 9.5)), "art.points": _value(5.0)},
        ),
    ),
    "histograms": (
        {"type": "histograms", "values": "bins.*.*"},
        _ledger(
            "bins",
            {"b0": "-4", "b1": "-2", "b2": "0"},
            [Row(id="a", label="A")],
            {"a.b0": _value(0.5), "a.b1": _value(0.3), "a.b2": _value(0.2)},
        ),
    ),
    "curves": ({"type": "curves", "values": "steps.*.share"}, CURVES),
    "across": ({"type": "curves", "values": "steps.*.share", "across": "steps.*.cost"}, CURVES),
}  # fmt: skip


def _draw(name: str, ledger: Ledger | None = None, **changed: Any) -> Any:
    written, full = FULL[name]
    spec = ChartSpec.model_validate({"title": "A title", "description": "What it shows.", **written, **changed})
    return draw(name, spec, full if ledger is None else ledger)


@pytest.mark.parametrize("name", FULL)
def test_a_chart_without_values_is_not_drawn(name):
    """An empty frame would look like a result."""
    assert _draw(name, Ledger()) is None


@pytest.mark.parametrize("name", FULL)
def test_a_chart_is_valid_svg_whose_drawings_share_a_name_and_a_description(name):
    chart = _draw(name)
    assert chart is not None
    wide, narrow = (
        ElementTree.fromstring(str(drawing).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))
        for drawing in (chart.svg, chart.narrow)
    )
    title, description = wide.find(f"{SVG}title"), wide.find(f"{SVG}desc")
    assert title.text == chart.title and description.text.startswith(chart.description)
    for root in (wide, narrow):
        assert root.get("role") == "img"
        assert root.get("aria-labelledby").split() == [title.get("id"), description.get("id")]
    assert "style=" not in chart.svg + chart.narrow, "the content policy forbids inline style"


@pytest.mark.parametrize("name", sorted(set(FULL) - {"histograms"}))
def test_intervals_are_drawn_where_they_are_known(name):
    chart = _draw(name)
    assert 'class="interval"' in chart.svg and 'class="interval"' in chart.narrow


@pytest.mark.parametrize("sheet", ["svg", "narrow"])
@pytest.mark.parametrize("name", FULL)
def test_no_mark_and_no_text_stands_outside_the_frame(name, sheet):
    svg = str(getattr(_draw(name), sheet))
    width, height = map(float, re.search(r'viewBox="0 0 (\d+) (\d+)"', svg).groups())
    for axis, limit in (("x", width), ("cx", width), ("x1", width), ("y", height), ("cy", height), ("y1", height)):
        for number in re.findall(rf'\s{axis}="(-?[\d.]+)"', svg):
            assert 0 <= float(number) <= limit, f"{axis}={number}"


@pytest.mark.parametrize("name", FULL)
def test_the_narrow_drawing_says_what_the_wide_one_says(name):
    """Labels, figures and marks; ticks may be fewer. Its letters are 13 units of 340."""

    def said(svg):
        texts = re.findall(r'<text class="(label|figure|group|unit|rule-label)"[^>]*>([^<]*)<', str(svg))
        return sorted(texts), len(re.findall('class="mark', str(svg))), len(re.findall('class="interval"', str(svg)))

    chart = _draw(name)
    assert said(chart.svg) == said(chart.narrow)
    assert int(re.search(r'viewBox="0 0 (\d+)', str(chart.narrow))[1]) <= 340


def test_the_words_of_a_chart_carry_its_numbers():
    """Who cannot see the marks reads every row with its value and interval."""
    desc = re.search("<desc[^>]*>(.*)</desc>", str(_draw("dumbbells").svg))[1]
    assert desc == "What it shows. Base &amp; co: 9, \u22125.00 (3.5 to 4.5); Tuned: 10, \u22121.00."
    assert "one: 0.9 at 0, 0.7 at 0.5, 0.5 at 1; two:" in str(_draw("curves").svg)


def test_the_name_of_a_curve_stands_beside_it_and_not_on_another():
    """Where two curves end close together, the names part."""
    rows, cells = [], {}
    for arm, fall in (("back-propagation", 0.3), ("preference pairs", 0.29)):
        for strength in STEPS:
            rows.append(Row(id=f"{arm[0]}-{strength}", label=str(strength), group=arm))
            cells[f"{arm[0]}-{strength}.share"] = _value(0.9 - fall * strength)
    chart = _draw("curves", _ledger("steps", {"share": "f"}, rows, cells))
    for svg in (chart.svg, chart.narrow):
        places = re.findall(r'class="label" x="([\d.]+)" y="([\d.]+)"', str(svg))
        (x1, y1), (x2, y2) = [tuple(map(float, place)) for place in places]
        assert abs(y1 - y2) >= 12 or abs(x1 - x2) >= 90


def test_marks_stand_where_their_values_say():
    """The mark is in the middle of its interval, the interval ends at chance, as the numbers do."""
    svg = str(_draw("dots").svg)
    at = float(re.search(r'class="mark highlight" cx="([\d.]+)"', svg)[1])
    rule = float(re.search(r'class="rule" x1="([\d.]+)"', svg)[1])
    low, high = map(float, re.search(r'class="interval" d="M([\d.]+) [\d.]+H([\d.]+)', svg).groups())
    assert low < at < high == pytest.approx(rule)
    assert at == pytest.approx((low + high) / 2, abs=0.2)


def test_a_bar_ends_at_its_value_and_begins_at_zero():
    svg = str(_draw("bars").svg)
    bars = re.findall(r'class="bars" d="M([\d.]+) [\d.]+H([\d.]+)', svg)
    ends = re.findall(r'class="mark \w+" cx="([\d.]+)"', svg)
    assert [end for _, end in bars] == ends and len({start for start, _ in bars}) == 1
    lengths = [float(end) - float(start) for start, end in bars]
    assert lengths[0] / lengths[1] == pytest.approx(9 / 5, rel=0.01)


def test_groups_are_named_where_rows_repeat_their_labels():
    """Three pools with three gates each: nine rows of which three are called the same."""
    rows = [Row(id=f"{g}{n}", label=f"gate {n}", group=f"weight {g}") for g in "ab" for n in range(2)]
    cells = {f"{row.id}.accuracy": _value(0.3) for row in rows}
    known = _ledger("scorers", {"accuracy": "p"}, rows, cells)
    svg = str(_draw("dots", known, heads=True, beside=None).svg).partition("</desc>")[2]
    assert svg.index("weight a") < svg.index("gate 0") < svg.index("weight b")


def test_a_narrow_axis_still_has_ticks():
    values = {name: _value(0.28 + 0.001 * index) for index, name in enumerate(CURVES.values)}
    svg = str(_draw("across", Ledger(values=values, tables=CURVES.tables)).svg)
    assert svg.count('class="tick"') >= 5 + 3


def test_labels_from_the_ledger_are_escaped():
    assert "Base &amp; co" in _draw("dumbbells").svg


def test_highest_first_and_one_row_set_off():
    svg = _draw("bars").svg
    assert svg.index("G</text>") < svg.index("Art</text>") < svg.index("mark highlight")


def test_a_kind_of_the_page_is_set_off_unless_the_chart_says_otherwise():
    written, known = FULL["cells"]
    spec = ChartSpec.model_validate({"title": "t", "description": "d", **written})
    assert "mark base" in draw("cells", spec, known).svg
    assert "mark highlight" in draw("cells", spec, known, ["a"]).svg


def test_pending_values_are_left_out():
    known = FULL["dots"][1]
    pending = Value(label="x", value=None, unit="", digits=2, source=Source(kind="pending", where="not run"))
    values = {**known.values, "scorers.a.accuracy": pending}
    assert _draw("dots", Ledger(values=values, tables=known.tables)) is None


def test_unknown_rows_do_not_stop_a_chart():
    known = FULL["cells"][1]
    table = known.tables["choice"].model_copy(update={"rows": [Row(id="a", label="A"), Row(id="z", label="Z")]})
    assert ">Z" not in _draw("cells", Ledger(values=known.values, tables={"choice": table})).svg


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("emotion_choice.*.*", "emotion_choise.*.*", "no table 'emotion_choise', did you mean 'emotion_choice'?"),
        (
            "emotion_choice.*.*",
            "emotion_choice.alfa.*",
            "table 'emotion_choice' has no row 'alfa', did you mean 'alpha'?",
        ),
        (
            "emotion_choice.*.*",
            "emotion_choice.*.angr",
            "table 'emotion_choice' has no column 'angr', did you mean 'anger'?",
        ),
        ("emotion_choice.*.*", "emotion_choice", "names no cells: write table.row.column"),
        ('group = "row"', 'up = "share"', "up is for curves, not for dots"),
        ('type = "dots"', 'type = "pie"', "must be 'dots', 'bars', 'dumbbells', 'curves' or 'histograms'"),
        ("axis =", "axes =", "unknown key 'axes', did you mean 'axis'?"),
        ('type = "dots"', 'type = "histograms"', "is for dots and bars and dumbbells, not for histograms"),
    ],
)
def test_a_chart_that_cannot_be_drawn_is_refused_at_its_line(small, old, new, said):
    """A pattern that fits nothing would silently leave the chart out."""
    small.replace("content/charts.toml", old, new, 1)
    with pytest.raises(InputError) as caught:
        small.build()
    line = next(
        n for n, text in enumerate((small.root / "content/charts.toml").read_text().splitlines(), 1) if new in text
    )
    (problem,) = [str(one) for one in caught.value.problems]
    assert problem.startswith(("content/charts.toml:1 ", f"content/charts.toml:{line} ")) and said in problem


def test_shares_are_drawn_in_per_cent_and_their_domain_and_rules_with_them():
    """ "0.381 of the pairs" is what a machine says."""
    cells = {
        f"a.{name}": _value(number, ends).model_copy(update={"unit": "share", "digits": 3})
        for name, number, ends in (("accuracy", 0.381, (0.3, 0.5)), ("other", 0.1, None))
    }
    ledger = _ledger("scorers", {"accuracy": "acc", "other": "o"}, [Row(id="a", label="A")], cells)
    drawing = str(_draw("dots", ledger).svg)
    assert re.findall('<text class="(?:figure|tick)"[^>]*>([^<]*)<', drawing) == [
        "0",
        "20",
        "40",
        "60",
        "80",
        "100",
        "38.1",
    ]
    half = re.search('<line class="rule" x1="([^"]*)"', drawing)[1]
    low, high = (re.search(f'<text class="tick" x="([^"]*)"[^>]*>{end}<', drawing)[1] for end in ("0", "100"))
    assert float(half) == (float(low) + float(high)) / 2
    curves = _ledger(
        "steps",
        {"share": "s", "cost": "c"},
        CURVES.tables["steps"].rows,
        {name.partition(".")[2]: one.model_copy(update={"unit": "share"}) for name, one in CURVES.values.items()},
    )
    assert re.findall('text-anchor="end">(\\d+)<', str(_draw("curves", curves).svg)) == [
        "0",
        "20",
        "40",
        "60",
        "80",
        "100",
    ]


def test_a_chart_of_empty_cells_is_refused(small):
    """It was left out with a note among others, and the page went out without it."""
    row = {"id": "nobody", "label": "Nobody"}
    small.json("results/numbers.json", lambda doc: doc["tables"]["emotion_choice"]["rows"].append(row))
    small.replace("content/charts.toml", "emotion_choice.*.*", "emotion_choice.nobody.*", 1)
    with pytest.raises(InputError, match="values: selects no value: all of these cells of table 'emotion_choice'"):
        small.build()


def test_a_rule_beyond_the_values_widens_the_axis():
    """It was drawn outside the frame."""
    svg = str(_draw("before_after", rules=[{"at": 30.0, "label": "chance"}]).svg)
    assert 210 <= float(re.search('<line class="rule" x1="([^"]*)"', svg)[1]) <= 700


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("domain = [1, 0]", "domain needs its lower end first"),
        ("domain = [nan, 1]", "domain[0]: must be a finite number, not nan"),
        ("domain = [0, 0.1]", "beyond 0 to 0.1"),
        ('highlight = ["alfa"]', "no row or kind of rows 'alfa', did you mean 'alpha'?"),
    ],
)
def test_what_would_be_drawn_outside_or_not_at_all_is_refused(small, line, said):
    head = '[emotion]\ntype = "dots"\ntitle = "t"\ndescription = "d"\nvalues = "emotion_choice.*.*"\n'
    small.write("content/charts.toml", f"{head}{line}\n")
    with pytest.raises(InputError) as caught:
        small.build()
    assert all(said in str(problem) for problem in caught.value.problems)


def test_a_curve_over_rows_without_numbers_is_refused(small):
    """All of its points stood at 0."""
    small.write(
        "content/charts.toml",
        '[emotion]\ntype = "curves"\ntitle = "t"\ndescription = "d"\nvalues = "emotion_choice.*.*"\n',
    )
    with pytest.raises(InputError, match="has no number in its label, which is its place; or set `across`"):
        small.build()


def test_a_chart_that_no_text_shows_is_noted(small):
    small.write(
        "content/charts.toml",
        (small.root / "content/charts.toml").read_text(encoding="utf-8")
        + '[spare]\ntype = "dots"\ntitle = "t"\ndescription = "d"\nvalues = "emotion_choice.*.*"\n',
    )
    assert "chart 'spare' of content/charts.toml is shown by no text" in small.build().notes


LONG = {
    "long names": [("Retrieval-augmented diffusion with guidance and a description that never ends at all", 2.0),
                   ("Supercalifragilisticexpialidocious-without-any-space-in-it-at-all-whatsoever", 1.0)],
    "wide letters": [("拡散モデルに基づく画像生成における美的整合の普遍性についての考察と実験", 2.0), ("短い", 1.0)],
    "huge": [("a", 2e12), ("b", -3e9)],
    "beyond": [("a", 2e300), ("b", 1.0)],
    "tiny": [("a", 2e-12), ("b", -1e-9)],
    "equal": [("a", 2.0), ("b", 2.0)],
    "zero": [("a", 0.0), ("b", 0.0)],
    "negative": [("a", -1234567.25), ("b", -2.0)],
    "one": [("a", 3.0)],
    "forty": [(f"Method number {n} of forty, of a name of some words", 30.0 - n) for n in range(40)],
}  # fmt: skip
KINDS = {
    "dots": {"rules": [{"at": 1.0, "label": "the human level as we measured it"}, {"at": 1.01, "label": "chance"}]},
    "bars": {"axis": "decibels of peak signal-to-noise ratio over the whole long test set of everything there is"},
    "dumbbells": {"start": "t.*.x"},
    "curves": {
        "across": "t.*.x",
        "axis": "a name of an axis that is long enough for two lines",
        "up": "a long name " * 4,
    },
}


@pytest.mark.parametrize("sheet", ["svg", "narrow"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", LONG)
def test_no_word_of_a_chart_leaves_the_frame_or_covers_another_name(case, kind, sheet):
    """Names longer than "Stable Diffusion", numbers longer than "31.25" and names of lines near the edge did."""
    rows = [Row(id=str(n), label=label) for n, (label, _) in enumerate(LONG[case])]
    cells = {f"{n}.y": _value(number) for n, (_, number) in enumerate(LONG[case])}
    cells |= {f"{n}.x": _value(float(n)) for n in range(len(rows))}
    spec = ChartSpec.model_validate(
        {"type": kind, "title": "t", "description": "d", "values": "t.*.y", "axis": "x", **KINDS[kind]}
    )
    svg = str(getattr(draw("c", spec, _ledger("t", {"y": "Y", "x": "X"}, rows, cells)), sheet))
    width = float(re.search(r'viewBox="0 0 (\d+)', svg)[1])
    boxes = list[tuple[float, float, float, str]]()
    for attributes, inner in re.findall("<text([^>]*)>(.*?)</text>", svg):
        x, y = (float(re.search(rf' {axis}="([^"]*)"', attributes)[1]) for axis in "xy")
        for number, text in enumerate(re.split("<tspan[^>]*>", inner.replace("</tspan>", ""))):
            place = "middle" if 'class="tick"' in attributes and "end" not in attributes else attributes
            share = 1.0 if '"end"' in place else 0.5 if "middle" in place else 0.0
            begin = x - share * length(text)
            assert begin >= -length(text) / 2 * ("tick" in attributes) - 0.1, text
            assert begin + length(text) <= width + 14 + 0.1, text
            if not {"tick", "figure"} & {*re.findall("tick|figure", attributes)}:
                boxes.append((begin, begin + length(text), y + LEADING * number, text))
    for n, (begin, end, y, text) in enumerate(boxes):
        for other_begin, other_end, other_y, other in boxes[:n]:
            apart = end <= other_begin or other_end <= begin or abs(y - other_y) >= 12
            assert apart, f"{text} covers {other}"


def test_large_numbers_of_an_axis_are_spelled_without_an_e():
    svg = str(
        _draw(
            "dots",
            _ledger(
                "scorers",
                {"accuracy": "a"},
                [Row(id="a", label="A"), Row(id="b", label="B")],
                {"a.accuracy": _value(4e9), "b.accuracy": _value(25000)},
            ),
            domain=None,
            rules=[],
        ).svg
    )
    assert "e+" not in svg and ">2·10⁹<" in svg


def test_a_histogram_of_something_below_zero_is_refused(small):
    small.json(
        "results/numbers.json",
        lambda doc: [
            doc["values"][name].update(value=-1) for name in doc["values"] if name.startswith("emotion_choice.")
        ],
    )
    small.write(
        "content/charts.toml",
        '[emotion]\ntype = "histograms"\ntitle = "t"\ndescription = "d"\nvalues = "emotion_choice.*.*"\n',
    )
    with pytest.raises(InputError):
        small.build()
