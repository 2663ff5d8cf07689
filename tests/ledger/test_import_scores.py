"""Raw four-way scores in, recomputed values out; a bad table is refused at its line and column, nothing written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ledger
from ledger import metrics
from ledger.import_scores import import_scores
from ledger.problems import InputError
from ledger.raw_scores import SCORE_COLUMNS
from tests.ledger.conftest import Project, number

HEADER = ["row", "model", "prompt_index", *SCORE_COLUMNS]
FIRST = (10.15819, 11.20141, 2.62795, 8.68934, 0.274658, 0.291992, 0.229004, 0.229126, 0.7583, 0.8428, 0.4326, 0.7095)
"""The first published row, of Nano Banana."""

ROWS = [
    {"id": "flux-dev", "label": "Flux Dev", "group": "Flux", "kind": "base"},
    {"id": "dance-flux", "label": "DanceFlux", "group": "Flux", "kind": "aesthetic-aligned"},
    {"id": "nano-banana", "label": "Nano Banana", "group": "Closed", "kind": "product"},
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


def run(project: Project, text: str, **values: Any) -> tuple[ledger.Ledger, Any]:
    root = project(generators=generators(**values))
    (root / "scores.csv").write_text(text, encoding="utf-8")
    report = import_scores(root / "scores.csv", root)
    return ledger.load(root), report


def test_the_first_published_row_gives_its_published_change(project: Project) -> None:
    book, report = run(project, table(pair("nano-banana", 0)))
    assert report.pairs == {"nano-banana": 1}
    assert book.value("recomputed.nano-banana.delta_hpsv3").value == pytest.approx(2.62795 - 10.15819)
    assert book.value("recomputed.nano-banana.hpsv3_after").value == 2.62795
    assert book.value("recomputed.nano-banana.delta_hpsv3_below_zero").value == 1
    assert book.value("recomputed.nano-banana.hpsv3_picks_requested").value == 0
    assert book.value("four_way.nano-banana.hpsv3_oidp").value == 11.20141


def test_the_code_names_of_the_authors_are_understood(project: Project) -> None:
    _, report = run(project, table(pair("flux_dev", 0), pair("dance_flux", 0), pair("nano-banana", 0)))
    assert report.pairs == {"flux-dev": 1, "dance-flux": 1, "nano-banana": 1}


def test_repeats_are_counted_once_and_the_released_count_is_kept(project: Project) -> None:
    lines = [pair("flux_dev", i, 1, 5, 2, 4 + 2 * (i % 2)) for i in range(4)]
    book, report = run(project, table(*lines, *lines[:1]))
    assert (report.rows, report.repeats) == (5, 1)
    assert book.value("recomputed.all.pairs").value == 4
    assert book.value("recomputed.as-released.pairs").value == 5
    assert book.value("recomputed.all.hpsv3_picks_requested").value == 0.5
    assert book.value("recomputed.as-released.hpsv3_picks_requested").value == 0.4


def test_every_measure_carries_n_spread_and_interval(project: Project) -> None:
    rng = np.random.default_rng(0)
    oiop, diop = rng.normal(12, 2, 40), rng.normal(9, 4, 40)
    lines = [pair("flux_dev", i, oiop[i], 11, diop[i], 10) for i in range(40)]
    book, _ = run(project, table(*lines))
    value = book.value("recomputed.flux-dev.delta_hpsv3")
    change = diop - oiop
    assert value.n == 40
    assert value.value == pytest.approx(change.mean(), rel=1e-6)
    assert value.sd == pytest.approx(change.std(), rel=1e-6)
    assert value.interval is not None
    assert value.interval[0] < change.mean() < value.interval[1]
    median = book.value("recomputed.flux-dev.delta_hpsv3_q50").value
    assert median == pytest.approx(np.median(change), rel=1e-6)
    share = book.value("recomputed.flux-dev.delta_hpsv3_below_zero").value
    assert share == pytest.approx((change < 0).mean())


def test_aligned_and_base_are_paired_by_prompt_and_not_by_line(project: Project) -> None:
    """In the file the aligned model's lines stand in reverse; paired by line the test would find nothing."""
    rng = np.random.default_rng(1)
    level = rng.normal(0, 50, 30)
    base = [pair("flux_dev", i, 0, 0, level[i], 0) for i in range(30)]
    aligned = [pair("dance_flux", i, 0, 0, level[i] + 1, 0) for i in reversed(range(30))]
    book, _ = run(project, table(*base, *aligned, pair("dance_flux", 99)))
    expected = metrics.wilcoxon_signed_rank(level + 1, level, "greater")
    value = book.value("recomputed.dance-flux.hpsv3_base_rank_biserial")
    assert (value.value, value.n) == (1.0, 30)
    assert value.p == pytest.approx(expected.p, rel=1e-6)
    assert (book.value("recomputed.dance-flux.hpsv3_base_r").value or 0) < -0.8


def test_the_histogram_of_changes_counts_every_prompt_once(project: Project) -> None:
    changes = [-4.0, -3.9, -2.0, -0.1, 0.0, 1.99, 2.0]
    book, _ = run(project, table(*(pair("flux_dev", i, 10.0, 11.0, 10 + change) for i, change in enumerate(changes))))
    bins = book.tables["distribution"].columns
    shares = [book.value(f"distribution.flux-dev.{column.id}").value or 0 for column in bins]
    assert [column.label for column in bins] == ["−4 to −2", "−2 to 0", "0 to 2", "2 to 4"]
    assert [round(7 * share) for share in shares] == [2, 2, 2, 1]


def test_each_reported_number_is_compared_at_its_printed_precision(project: Project) -> None:
    values = {
        "nano-banana__delta_hpsv3": number(-7.530),
        "nano-banana__hpsv3_after": number(2.630),
    }
    book, report = run(project, table(pair("nano-banana", 0)), **values)
    assert [(item.reported, item.agrees) for item in report.comparisons] == [
        ("generators.nano-banana.delta_hpsv3", True),
        ("generators.nano-banana.hpsv3_after", False),
    ]
    assert book.agrees("generators.nano-banana.delta_hpsv3") is True
    assert book.agrees("generators.nano-banana.hpsv3_after") is False
    assert book.value("recomputed.nano-banana.hpsv3_after").caveat == "2.630 was reported."
    assert "1 of 2 reported numbers agree" in "\n".join(report.lines())


def test_a_pending_number_is_not_compared(project: Project) -> None:
    _, report = run(project, table(pair("nano-banana", 0)), **{"nano-banana__delta_hpsv3": number(None)})
    assert not report.comparisons


def test_the_same_scores_give_the_same_bytes(project: Project, written: Path) -> None:
    text = table(*(pair("flux_dev", i, float(i)) for i in range(9)))
    run(project, text)
    first = written.read_bytes()
    run(project, text)
    assert written.read_bytes() == first


def test_progress_is_told_from_start_to_end(project: Project) -> None:
    root = project(generators=generators())
    (root / "scores.csv").write_text(table(pair("flux_dev", 0), pair("dance_flux", 0)), encoding="utf-8")
    steps = list[tuple[int, int, str]]()
    import_scores(root / "scores.csv", root, lambda *step: steps.append(step))
    assert [(done, total) for done, total, _ in steps] == [(0, 3), (1, 3), (2, 3), (3, 3)]


# -- refusals ---------------------------------------------------------------------------------------------------------

GOOD = pair("flux_dev", 0)


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
        (table(changed("model", "flux_dve")), "model (column 2): unknown model 'flux_dve', did you mean 'flux_dev'?"),
        (
            table(GOOD, changed("hpsv3_oiop", 9)),
            "scores.csv:3 hpsv3_oiop (column 4): 9.0 repeats flux_dev, prompt 0, of line 2, which has 10.15819",
        ),
        (table(GOOD[:-1], header=HEADER[:-1]), "scores.csv:1 image_reward_didp: no such column, did you mean"),
        (table(GOOD, header=[*HEADER[:-1], "hpsv3_oiop"]), "scores.csv:1 hpsv3_oiop: this column stands twice"),
        (table(GOOD[:-1]), "scores.csv:2: 14 cells where the header has 15"),
        (table(), "scores.csv:1: no rows below the header"),
        ("", "scores.csv:1: no header: the file is empty"),
        (table(GOOD) + 'x,"unclosed', "scores.csv:3: not CSV"),
        (table(GOOD) + "\udcff", "not UTF-8 text"),
    ],
)
def test_a_bad_table_is_refused_at_its_line_and_nothing_is_written(
    project: Project, written: Path, text: str, expected: str
) -> None:
    root = project(generators=generators(), recomputed='{"values": {}}')
    (root / "scores.csv").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError) as caught:
        import_scores(root / "scores.csv", root)
    assert any(expected in str(problem) for problem in caught.value.problems), caught.value
    assert written.read_text(encoding="utf-8") == '{"values": {}}'
    assert [path.name for path in written.parent.iterdir() if path.suffix == ".part"] == []


def test_all_defects_of_a_table_come_together(project: Project) -> None:
    root = project(generators=generators())
    text = table(changed("hpsv3_diop", "x"), changed("model", "y"), changed("hpsv3_oiop", "nan"))
    (root / "scores.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        import_scores(root / "scores.csv", root)
    assert [problem.line for problem in caught.value.problems] == [2, 3, 4]


def test_a_missing_table_is_an_error_and_no_traceback(project: Project) -> None:
    with pytest.raises(InputError, match=r"nowhere\.csv: cannot be read"):
        import_scores(Path("nowhere.csv"), project(generators=generators()))


def test_without_a_table_of_generators_nothing_is_compared_or_written(project: Project, written: Path) -> None:
    root = project(generators={"values": {}})
    (root / "scores.csv").write_text(table(GOOD), encoding="utf-8")
    with pytest.raises(InputError, match="no table 'generators'"):
        import_scores(root / "scores.csv", root)
    assert not written.exists()


def test_a_model_without_a_row_in_the_table_is_refused(project: Project, written: Path) -> None:
    root = project(generators=generators())
    (root / "scores.csv").write_text(table(pair("playground", 0)), encoding="utf-8")
    with pytest.raises(InputError, match="no row 'playground'"):
        import_scores(root / "scores.csv", root)
    assert not written.exists()


def test_a_place_that_cannot_be_written_is_an_error_and_leaves_no_crumbs(project: Project, written: Path) -> None:
    root = project(generators=generators())
    (root / "scores.csv").write_text(table(GOOD), encoding="utf-8")
    written.mkdir()
    with pytest.raises(InputError, match=r"results/recomputed\.json: cannot be written"):
        import_scores(root / "scores.csv", root)
    assert sorted(path.name for path in written.parent.iterdir()) == ["generators.json", "recomputed.json"]
