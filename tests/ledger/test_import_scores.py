"""Raw four-way scores in, recomputed values out; a bad table is refused at its line and column, nothing written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ledger
from ledger import metrics, rows
from ledger.import_scores import import_scores
from ledger.problems import InputError
from ledger.recompute import recompute
from tests.ledger.conftest import Project, number

PROJECT = Path(__file__).parents[2]
PLAN = Path(__file__).with_name("scores.toml")
SCORES = [
    f"{prefix}_{way}" for prefix in ("hpsv3", "hpsv2", "image_reward") for way in ("oiop", "oidp", "diop", "didp")
]
HEADER = ["row", "model", "prompt_index", *SCORES]
FIRST = (10.15819, 11.20141, 2.62795, 8.68934, 0.274658, 0.291992, 0.229004, 0.229126, 0.7583, 0.8428, 0.4326, 0.7095)
"""The first published row, of a published file."""

ROWS = [
    {"id": "base", "label": "Base", "group": "Family", "kind": "base"},
    {"id": "tuned", "label": "Tuned", "group": "Family", "kind": "aesthetic-aligned"},
    {"id": "closed", "label": "Closed", "group": "Alone", "kind": "product"},
]


def generators(**values: Any) -> dict[str, Any]:
    columns = [{"id": name, "label": name} for name in ("delta_hpsv3", "hpsv3_after")]
    cells = {f"generators.{id.replace('__', '.')}": value for id, value in values.items()}
    return {
        "tables": {"generators": {"title": "D.1", "caption": "D.1", "columns": columns, "rows": ROWS}},
        "values": cells,
    }


def table(*lines: Sequence[object], header: Sequence[str] = HEADER) -> str:
    return "\n".join(",".join(map(str, line)) for line in (header, *lines)) + "\n"


def pair(model: str, prompt: int, *scores: float, row: int = 0) -> list[object]:
    """A line of the CSV; missing scores are taken from the first published row."""
    return [row, model, prompt, *scores, *FIRST[len(scores) :]]


@pytest.fixture
def written(tmp_path: Path) -> Path:
    return tmp_path / "results" / "recomputed.json"


def planned(project: Project, **documents: Any) -> Path:
    """A project with the plan of the import."""
    root = project(**documents)
    shutil.copyfile(PLAN, root / "content" / "scores.toml")
    return root


def run(project: Project, text: str, **values: Any) -> tuple[ledger.Ledger, Any]:
    root = planned(project, generators=generators(**values))
    (root / "scores.csv").write_text(text, encoding="utf-8")
    report = import_scores(root / "scores.csv", root)
    return ledger.load(root), report


def test_the_first_published_row_gives_its_published_change(project: Project) -> None:
    book, report = run(project, table(pair("closed", 0)))
    assert report.pairs == {"closed": 1}
    assert book.value("recomputed.closed.delta_hpsv3").value == pytest.approx(2.62795 - 10.15819)
    assert book.value("recomputed.closed.hpsv3_after").value == 2.62795
    assert book.value("recomputed.closed.delta_hpsv3_below_zero").value == 1
    assert book.value("recomputed.closed.hpsv3_picks_requested").value == 0
    assert book.value("four_way.closed.hpsv3_oidp").value == 11.20141


def test_the_code_names_of_the_authors_are_understood(project: Project) -> None:
    _, report = run(project, table(pair("base_v1", 0), pair("tuned_v1", 0), pair("closed", 0)))
    assert report.pairs == {"base": 1, "tuned": 1, "closed": 1}


def test_repeats_are_counted_once_and_the_released_count_is_kept(project: Project) -> None:
    lines = [pair("base_v1", i, 1, 5, 2, 4 + 2 * (i % 2)) for i in range(4)]
    book, report = run(project, table(*lines, *lines[:1]))
    assert (report.rows, report.repeats) == (5, 1)
    assert book.value("recomputed.all.pairs").value == 4
    assert book.value("recomputed.as-released.pairs").value == 5
    assert book.value("recomputed.all.hpsv3_picks_requested").value == 0.5
    assert book.value("recomputed.as-released.hpsv3_picks_requested").value == 0.4


def test_every_measure_carries_n_spread_and_interval(project: Project) -> None:
    rng = np.random.default_rng(0)
    oiop, diop = rng.normal(12, 2, 40), rng.normal(9, 4, 40)
    lines = [pair("base_v1", i, oiop[i], 11, diop[i], 10) for i in range(40)]
    book, _ = run(project, table(*lines))
    value = book.value("recomputed.base.delta_hpsv3")
    change = diop - oiop
    assert value.n == 40
    assert value.value == pytest.approx(change.mean(), rel=1e-6)
    assert value.sd == pytest.approx(change.std(), rel=1e-6)
    assert value.interval is not None
    assert value.interval[0] < change.mean() < value.interval[1]
    median = book.value("recomputed.base.delta_hpsv3_q50").value
    assert median == pytest.approx(np.median(change), rel=1e-6)
    share = book.value("recomputed.base.delta_hpsv3_below_zero").value
    assert share == pytest.approx((change < 0).mean())


def test_aligned_and_base_are_paired_by_prompt_and_not_by_line(project: Project) -> None:
    """In the file the aligned model's lines stand in reverse; paired by line the test would find nothing."""
    rng = np.random.default_rng(1)
    level = rng.normal(0, 50, 30)
    base = [pair("base_v1", i, 0, 0, level[i], 0) for i in range(30)]
    aligned = [pair("tuned_v1", i, 0, 0, level[i] + 1, 0) for i in reversed(range(30))]
    book, _ = run(project, table(*base, *aligned, pair("tuned_v1", 99)))
    expected = metrics.wilcoxon_signed_rank(level + 1, level, "greater")
    value = book.value("recomputed.tuned.hpsv3_base_rank_biserial")
    assert (value.value, value.n, value.not_run) == (1.0, 30, 1), "prompt 99 has no base"
    assert value.p == pytest.approx(expected.p, rel=1e-6)
    assert (book.value("recomputed.tuned.hpsv3_base_r").value or 0) < -0.8


def test_the_histogram_of_changes_counts_every_prompt_once(project: Project) -> None:
    changes = [-4.0, -3.9, -2.0, -0.1, 0.0, 1.99, 2.0]
    book, _ = run(project, table(*(pair("base_v1", i, 10.0, 11.0, 10 + change) for i, change in enumerate(changes))))
    bins = book.tables["distribution"].columns
    shares = [book.value(f"distribution.base.{column.id}").value or 0 for column in bins]
    assert [column.label for column in bins] == ["−4 to −2", "−2 to 0", "0 to 2", "2 to 4"]
    assert [round(7 * share) for share in shares] == [2, 2, 2, 1]


def test_each_reported_number_is_compared_at_its_printed_precision(project: Project) -> None:
    values = {
        "closed__delta_hpsv3": number(-7.530),
        "closed__hpsv3_after": number(2.630),
    }
    book, report = run(project, table(pair("closed", 0)), **values)
    assert [(item.reported, item.agrees) for item in report.comparisons] == [
        ("generators.closed.delta_hpsv3", True),
        ("generators.closed.hpsv3_after", False),
    ]
    assert book.agrees("generators.closed.delta_hpsv3") is True
    assert book.agrees("generators.closed.hpsv3_after") is False
    assert book.value("recomputed.closed.hpsv3_after").caveat == "2.630 was reported."
    assert "1 of 2 reported numbers agree" in "\n".join(report.lines())


def test_a_pending_number_is_not_compared(project: Project) -> None:
    _, report = run(project, table(pair("closed", 0)), closed__delta_hpsv3=number(None))
    assert not report.comparisons


def test_the_same_scores_give_the_same_bytes(project: Project, written: Path) -> None:
    text = table(*(pair("base_v1", i, float(i)) for i in range(9)))
    run(project, text)
    first = written.read_bytes()
    run(project, text)
    assert written.read_bytes() == first


def test_progress_is_told_from_start_to_end(project: Project) -> None:
    root = planned(project, generators=generators())
    (root / "scores.csv").write_text(table(pair("base_v1", 0), pair("tuned_v1", 0)), encoding="utf-8")
    steps = list[tuple[int, int, str]]()
    import_scores(root / "scores.csv", root, lambda *step: steps.append(step))
    total = steps[0][1]
    assert [(done, of) for done, of, _ in steps] == [(step, total) for step in range(total + 1)]


# -- refusals ---------------------------------------------------------------------------------------------------------

GOOD = pair("base_v1", 0)


def changed(column: str, content: object) -> list[object]:
    line = list(GOOD)
    line[HEADER.index(column)] = content
    return line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (table(GOOD, changed("hpsv3_diop", "abc")), "scores.csv:3 hpsv3_diop (column 6): 'abc' is no number"),
        (table(changed("hpsv3_diop", "nan")), "scores.csv:2 hpsv3_diop (column 6): 'nan' is not a finite number"),
        (table(changed("hpsv2_oiop", "-Infinity")), "'-Infinity' is not a finite number"),
        (table(changed("hpsv2_oiop", "")), "scores.csv:2 hpsv2_oiop (column 8): '' is no number"),
        (table(changed("hpsv2_oiop", "1_000")), "'1_000' is no number"),
        (table(changed("hpsv2_oiop", "1e300")), "'1e300' is no score"),
        (table(changed("prompt_index", "1.5")), "scores.csv:2 prompt_index (column 3): '1.5' is no prompt index"),
        (table(changed("prompt_index", "-1")), "'-1' is no prompt index"),
        (table(changed("model", "base_v2")), "model (column 2): unknown model 'base_v2', did you mean 'base_v1'?"),
        (
            table(GOOD, changed("hpsv3_oiop", 9)),
            "scores.csv:3 hpsv3_oiop (column 4): 9.0 repeats base, prompt 0, of line 2, which has 10.15819",
        ),
        (table(GOOD[:-1], header=HEADER[:-1]), "scores.csv:1: no column 'image_reward_didp', did you mean 'image_"),
        (table([*GOOD, 1], header=[*HEADER, "mps_oiop"]), "scores.csv:1: columns that no scorer has: 'mps_oiop'; add"),
        (table(GOOD).replace(",", ";"), "scores.csv:1: the columns are parted by semicolons (';'): save"),
        (table(GOOD).replace(",", "\t"), "scores.csv:1: the columns are parted by tabs"),
        ("sep=,\n" + table(GOOD), "scores.csv:1: the line 'sep=,' is a note to a spreadsheet: remove it"),
        (table(GOOD, header=[*HEADER[:-1], "hpsv3_oiop"]), "scores.csv:1 hpsv3_oiop: this column stands twice"),
        (table(GOOD[:-1]), "scores.csv:2: 14 cells where the header has 15"),
        (table(), "scores.csv:1: no rows below the header"),
        ("", "scores.csv:1: no header: the file is empty"),
        ("\n" + table(GOOD), "scores.csv:1: no header: the first line is empty"),
        (table(GOOD) + 'x,"unclosed', "scores.csv:3: not CSV"),
        (table(GOOD) + "\udcff", "scores.csv:3: not UTF-8 text"),
    ],
)  # fmt: skip
def test_a_bad_table_is_refused_at_its_line_and_nothing_is_written(
    project: Project, written: Path, text: str, expected: str
) -> None:
    root = planned(project, generators=generators(), recomputed='{"values": {}}')
    (root / "scores.csv").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError) as caught:
        import_scores(root / "scores.csv", root)
    assert any(expected in str(problem) for problem in caught.value.problems), caught.value
    assert written.read_text(encoding="utf-8") == '{"values": {}}'
    assert [path.name for path in written.parent.iterdir() if path.name.startswith(".draft-")] == []


def test_all_defects_of_a_table_come_together(project: Project) -> None:
    root = planned(project, generators=generators())
    text = table(changed("hpsv3_diop", "x"), changed("model", "y"), changed("hpsv3_oiop", "nan"))
    (root / "scores.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        import_scores(root / "scores.csv", root)
    assert [problem.line for problem in caught.value.problems] == [2, 3, 4]


def test_a_missing_table_is_an_error_and_no_traceback(project: Project) -> None:
    with pytest.raises(InputError, match=r"nowhere\.csv: no such file"):
        import_scores(Path("nowhere.csv"), planned(project, generators=generators()))


def test_without_a_table_of_generators_nothing_is_compared_or_written(project: Project, written: Path) -> None:
    root = planned(project, generators={"values": {}})
    (root / "scores.csv").write_text(table(GOOD), encoding="utf-8")
    with pytest.raises(InputError, match="no table 'generators'"):
        import_scores(root / "scores.csv", root)
    assert not written.exists()


def test_a_place_that_cannot_be_written_is_an_error_and_leaves_no_crumbs(project: Project, written: Path) -> None:
    root = planned(project, generators=generators())
    (root / "scores.csv").write_text(table(GOOD), encoding="utf-8")
    written.mkdir()
    with pytest.raises(InputError, match=r"results/recomputed\.json: cannot be written"):
        import_scores(root / "scores.csv", root)
    left = sorted(path.relative_to(written.parent).as_posix() for path in written.parent.rglob("*"))
    assert left == ["generators.json", "recomputed.json", "rows", "rows/schema.json"]


def test_a_wrong_delimiter_is_said_once_and_not_column_by_column(project: Project) -> None:
    root = planned(project, generators=generators())
    (root / "scores.csv").write_text(table(GOOD).replace(",", ";"), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        import_scores(root / "scores.csv", root)
    assert len(caught.value.problems) == 1


def test_without_a_plan_the_error_says_where_to_write_one(project: Project) -> None:
    root = project(generators=generators())
    (root / "scores.csv").write_text(table(GOOD), encoding="utf-8")
    with pytest.raises(InputError, match=r"content/scores\.toml: no such file: it says what the columns are called"):
        import_scores(root / "scores.csv", root)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('prefix = "hpsv3"', 'prefx = "hpsv3"', "scorers.hpsv3.prefx: unknown key 'prefx', did you mean 'prefix'?"),
        ('statistic = "count"', 'statistic = "cuont"', "values[9].measure.statistic: must be 'count'"),
        ("Δ{scorer_label} of {model_label}", "Δ{scorer_label} of {modle}", "values[1]: no such word 'modle'"),
        (
            'base_v1 = "base"',
            'base_v1 = "bass"',
            "models.base_v1: no row of table 'generators' is called 'bass', did you",
        ),
        ('way = "diop"', 'way = "doip"', "measure.of.way: no way is called 'doip', did you mean"),
        ('document = "recomputed"', 'document = "generators"', "no table 'generators' in results/"),
        (
            'document = "recomputed"',
            'document = "shown"',
            "results/shown.json holds other things, which an import would",
        ),
        ('table = "generators"', 'table = "generatosr"', "table: no table 'generatosr' in results/, did you mean"),
    ],
)
def test_a_wrong_plan_is_named_with_its_field(project: Project, old: str, new: str, expected: str) -> None:
    root = planned(project, generators=generators())
    plan = root / "content" / "scores.toml"
    plan.write_text(plan.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    (root / "results/shown.json").write_text(
        '{"tables": {"own": {"title": "t", "caption": "", "columns": [], "rows": []}}}'
    )
    (root / "scores.csv").write_text(table(GOOD), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        import_scores(root / "scores.csv", root)
    assert expected in str(caught.value)


def test_the_models_may_be_rows_of_a_table_from_csv(project: Project) -> None:
    """Only tables in JSON were known to the import."""
    root = planned(project, other={"values": {}})
    folder = root / "results/tables"
    folder.mkdir()
    (folder / "generators.csv").write_text("name,points\nBase,1\nTuned,2\n")
    (folder / "generators.toml").write_text(
        'title = "t"\nrow = "name"\nsource = { kind = "reported", where = "x" }\n'
        '[columns.points]\nlabel = "P"\ndigits = 0\n'
    )
    (root / "scores.csv").write_text(table(GOOD), encoding="utf-8")
    assert import_scores(root / "scores.csv", root).pairs


# -- computed again ---------------------------------------------------------------------------------------------------


def test_every_imported_value_recomputes_from_its_rows(project: Project) -> None:
    rng = np.random.default_rng(4)
    lines = [pair(model, i, *rng.normal(size=12)) for model in ("base_v1", "tuned_v1") for i in range(20)]
    book, _ = run(project, table(*lines))
    found = list(recompute(book))
    assert len(found) == len(book.values)
    assert [str(item) for item in found if item.differences or item.missing] == []


def test_a_changed_row_is_found_by_the_value_it_changes(project: Project) -> None:
    book, _ = run(project, table(*(pair("base_v1", i, float(i)) for i in range(9))))
    path = book.root / "results" / "rows" / "published-scores.csv.gz"
    kept = rows.read(path).all
    rows.write(path, [row._replace(number=99.0) if (row.way, row.prompt) == ("diop", "3") else row for row in kept])
    (found,) = recompute(book, ["recomputed.base.hpsv3_after"])
    assert found.differences and "the rows give" in str(found)
    path.unlink()
    (found,) = recompute(book, ["recomputed.base.hpsv3_after"])
    assert found.missing and "results/rows/published-scores.csv.gz is not here" in str(found)


def test_a_value_without_a_measure_cannot_be_computed_again(project: Project) -> None:
    book, _ = run(project, table(pair("closed", 0)), closed__delta_hpsv3=number(-7.530))
    with pytest.raises(InputError) as caught:
        list(recompute(book, ["generators.closed.delta_hpsv3", "recomputed.closed.dleta_hpsv3"]))
    said = str(caught.value)
    assert "generators.closed.delta_hpsv3: has no measure; it is reported: Table 1" in said
    assert "no such value, did you mean 'recomputed.closed.delta_hpsv3'?" in said


def test_the_commands_report_what_agrees_on_any_console(project: Project) -> None:
    """A Windows console of code page 1252 has no minus sign of U+2212: the report must arrive all the same."""
    root = planned(project, generators=generators(closed__delta_hpsv3=number(-7.530)))
    (root / "scores.csv").write_text(table(pair("closed", 0)), encoding="utf-8")
    for encoding in ("cp1252", "utf-8"):
        for command in (["import-scores", str(root / "scores.csv")], ["recompute", "recomputed.closed.delta_hpsv3"]):
            done = subprocess.run(
                [sys.executable, "build.py", *command, "--root", str(root)],
                cwd=PROJECT, env={**os.environ, "PYTHONIOENCODING": encoding}, capture_output=True,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            assert "−7.530" in done.stdout.decode(encoding) if encoding == "utf-8" else b"-7.530" in done.stdout
