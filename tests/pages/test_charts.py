"""Charts: every mark from the ledger, every mark sayable in words, nothing drawn from nothing."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest

from ledger.book import Ledger
from ledger.schema import Column, Row, Source, Table, Value
from pages.charts.figures import CHARTS, draw

SVG = "{http://www.w3.org/2000/svg}"


def _value(number: float, interval: tuple[float, float] | None = None) -> Value:
    source = Source(kind="reported", where="a test")
    return Value(label="x", value=number, unit="", digits=2, source=source, interval=interval)


def _ledger(table: str, columns: dict[str, str], rows: list[Row], cells: dict[str, Value]) -> Ledger:
    shelf = Table(title="t", caption="c", columns=[Column(id=i, label=name) for i, name in columns.items()], rows=rows)
    return Ledger(values={f"{table}.{name}": value for name, value in cells.items()}, tables={table: shelf})


FULL = {
    "dumbbell": _ledger(
        "generators",
        {"delta_hpsv3": "Δ", "hpsv3_after": "after"},
        [Row(id="a", label="Base & co", group="f"), Row(id="b", label="Tuned", group="f", kind="aesthetic-aligned")],
        {
            "a.delta_hpsv3": _value(-5.0, (-5.5, -4.5)), "a.hpsv3_after": _value(4.0),
            "b.delta_hpsv3": _value(-1.0), "b.hpsv3_after": _value(9.0),
        },
    ),
    "reward_chance": _ledger(
        "reward_models",
        {"accuracy": "acc", "implied_tn": "tn"},
        [Row(id="a", label="A", kind="aligned")],
        {"a.accuracy": _value(0.4, (0.3, 0.5)), "a.implied_tn": _value(0.1)},
    ),
    "emotion": _ledger(
        "emotion_choice", {"anger": "anger"}, [Row(id="a", label="A")], {"a.anger": _value(0.2, (0.1, 0.3))}
    ),
    "leaderboard": _ledger(
        "leaderboard",
        {"hpsv3": "HPSv3"},
        [Row(id="gen", label="G"), Row(id="lapis", label="LAPIS")],
        {"gen.hpsv3": _value(9.0), "lapis.hpsv3": _value(5.0)},
    ),
    "distribution": _ledger(
        "distribution",
        {"b0": "-4", "b1": "-2", "b2": "0"},
        [Row(id="a", label="A")],
        {"a.b0": _value(0.5), "a.b1": _value(0.3), "a.b2": _value(0.2)},
    ),
    **{
        name: _ledger(
            "miniature_dose",
            {"follow": "f", "reward": "r"},
            [Row(id=f"{arm}-{n}", label=str(n), group=arm) for arm in ("draft", "dpo") for n in (0.0, 0.5, 1.0)],
            {
                f"{arm}-{n}.{column}": _value(0.9 - 0.4 * n, (0.8 - 0.4 * n, 1.0 - 0.4 * n))
                for arm in ("draft", "dpo") for n in (0.0, 0.5, 1.0) for column in ("follow", "reward")
            },
        )
        for name in ("dose_response", "trade_off")
    },
    **{
        name: _ledger(table, {"picks": "p", "follow": "f"}, [Row(id="a", label="A", group="g")], {
            "a.picks": _value(0.3, (0.2, 0.4)), "a.follow": _value(0.3, (0.2, 0.4)),
        })
        for name, table in (
            ("reward_vs_encoder", "miniature_rewards"), ("sweep", "miniature_sweep"),
            ("countermeasures", "miniature_countermeasures"),
        )
    },
}  # fmt: skip


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_without_values_is_not_drawn(name):
    """An empty frame would look like a result."""
    assert draw(name, Ledger()) is None


@pytest.mark.parametrize("sheet", ["svg", "narrow"])
@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_is_valid_svg_with_a_name_and_a_description(name, sheet):
    chart = draw(name, FULL[name])
    assert chart is not None
    drawing = str(getattr(chart, sheet))
    root = ElementTree.fromstring(drawing.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))
    assert root.get("role") == "img"
    ids = {element.get("id") for element in root.iter()}
    assert set(root.get("aria-labelledby", "").split()) <= ids
    assert root.find(f"{SVG}title").text == chart.title and root.find(f"{SVG}desc").text == chart.description
    assert "style=" not in drawing, "the content policy forbids inline style"


@pytest.mark.parametrize("name", sorted(set(CHARTS) - {"leaderboard", "distribution"}))
def test_intervals_are_drawn_where_they_are_known(name):
    chart = draw(name, FULL[name])
    assert 'class="interval"' in chart.svg and 'class="interval"' in chart.narrow


@pytest.mark.parametrize("sheet", ["svg", "narrow"])
@pytest.mark.parametrize("name", CHARTS)
def test_no_mark_and_no_text_stands_outside_the_frame(name, sheet):
    svg = str(getattr(draw(name, FULL[name]), sheet))
    width, height = map(float, re.search(r'viewBox="0 0 (\d+) (\d+)"', svg).groups())
    for axis, limit in (("x", width), ("cx", width), ("x1", width), ("y", height), ("cy", height), ("y1", height)):
        for number in re.findall(rf'\s{axis}="(-?[\d.]+)"', svg):
            assert 0 <= float(number) <= limit, f"{axis}={number}"


@pytest.mark.parametrize("name", CHARTS)
def test_the_narrow_drawing_says_what_the_wide_one_says(name):
    """Labels, figures and marks; ticks may be fewer. Its letters are 13 units of 340."""

    def said(svg):
        texts = re.findall(r'<text class="(label|figure|group|unit|rule-label)"[^>]*>([^<]*)<', str(svg))
        return sorted(texts), len(re.findall('class="mark', str(svg))), len(re.findall('class="interval"', str(svg)))

    chart = draw(name, FULL[name])
    assert said(chart.svg) == said(chart.narrow)
    assert int(re.search(r'viewBox="0 0 (\d+)', str(chart.narrow))[1]) <= 340


def test_the_name_of_a_curve_stands_beside_it_and_not_on_another():
    """Where two curves end close together, the names part."""
    rows, cells = [], {}
    for arm, fall in (("back-propagation", 0.3), ("preference pairs", 0.29)):
        for strength in (0.0, 0.5, 1.0):
            rows.append(Row(id=f"{arm[0]}-{strength}", label=str(strength), group=arm))
            cells[f"{arm[0]}-{strength}.follow"] = _value(0.9 - fall * strength)
    chart = draw("dose_response", _ledger("miniature_dose", {"follow": "f"}, rows, cells))
    for svg in (chart.svg, chart.narrow):
        places = re.findall(r'class="label" x="([\d.]+)" y="([\d.]+)"', str(svg))
        (x1, y1), (x2, y2) = [tuple(map(float, place)) for place in places]
        assert abs(y1 - y2) >= 12 or abs(x1 - x2) >= 90


def test_marks_stand_where_their_values_say():
    """The mark is in the middle of its interval, the interval ends at chance, as the numbers do."""
    svg = str(draw("reward_chance", FULL["reward_chance"]).svg)
    at = float(re.search(r'class="mark aligned" cx="([\d.]+)"', svg)[1])
    rule = float(re.search(r'class="rule" x1="([\d.]+)"', svg)[1])
    low, high = map(float, re.search(r'class="interval" d="M([\d.]+) [\d.]+H([\d.]+)', svg).groups())
    assert low < at < high == pytest.approx(rule)
    assert at == pytest.approx((low + high) / 2, abs=0.2)


def test_groups_are_named_where_rows_repeat_their_labels():
    """Three pools with three gates each: nine rows of which three are called the same."""
    rows = [Row(id=f"{g}{n}", label=f"gate {n}", group=f"weight {g}") for g in "ab" for n in range(2)]
    cells = {f"{row.id}.picks": _value(0.3) for row in rows}
    svg = str(draw("sweep", _ledger("miniature_sweep", {"picks": "p"}, rows, cells)).svg)
    assert svg.index("weight a") < svg.index("gate 0") < svg.index("weight b")


def test_a_narrow_axis_still_has_ticks():
    full = FULL["trade_off"]
    values = {name: _value(0.28 + 0.001 * index) for index, name in enumerate(full.values)}
    svg = str(draw("trade_off", Ledger(values=values, tables=full.tables)).svg)
    assert svg.count('class="tick"') >= 5 + 3


def test_labels_from_the_ledger_are_escaped():
    assert "Base &amp; co" in draw("dumbbell", FULL["dumbbell"]).svg


def test_the_works_of_art_have_a_mark_of_their_own():
    svg = draw("leaderboard", FULL["leaderboard"]).svg
    assert svg.index("G</text>") < svg.index("LAPIS</text>") and "mark art" in svg


def test_pending_values_are_left_out():
    full = FULL["reward_chance"]
    pending = Value(label="x", value=None, unit="", digits=2, source=Source(kind="pending", where="not run"))
    values = {**full.values, "reward_models.a.accuracy": pending}
    assert draw("reward_chance", Ledger(values=values, tables=full.tables)) is None


def test_unknown_rows_do_not_stop_a_chart():
    full = FULL["emotion"]
    table = full.tables["emotion_choice"].model_copy(update={"rows": [Row(id="a", label="A"), Row(id="z", label="Z")]})
    chart = draw("emotion", Ledger(values=full.values, tables={"emotion_choice": table}))
    assert ">Z" not in chart.svg
