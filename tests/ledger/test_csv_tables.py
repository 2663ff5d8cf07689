"""Tables that authors keep as CSV: every number a value with its source, every mistake named at its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ledger
from ledger.csv_tables import read_tables
from ledger.problems import InputError

TOML = """title = "Restoration"
row = "method"
group = "family"
ignore = ["comment"]
source = { kind = "reported", where = "Table 1" }

[columns.psnr]
label = "PSNR"
unit = "dB"
digits = 1
better = "higher"

[columns.time]
label = "Time"
digits = 0
source = { kind = "reported", where = "Table 2" }
"""
CSV = "method,family,psnr,time,comment\nOurs (v2),new,31.25,\u221212,fast\nMed\u00edan,old,,7,\n"


def _paper(root: Path, toml: str = TOML, table: str | bytes = CSV) -> Path:
    folder = root / "results/tables"
    folder.mkdir(parents=True)
    (folder / "synthetic.toml").write_text(toml, encoding="utf-8")
    (folder / "synthetic.csv").write_bytes(table if isinstance(table, bytes) else table.encode())
    return root


def test_every_cell_is_a_value_with_its_source(tmp_path):
    found = ledger.load(_paper(tmp_path))
    value = found.value("synthetic.ours-v2.psnr")
    assert (value.value, value.unit, value.digits, value.source.where) == (31.25, "dB", 1, "Table 1")
    assert value.label == "PSNR of Ours (v2)"
    assert found.value("synthetic.ours-v2.time").value == -12
    assert found.value("synthetic.median.time").source.where == "Table 2"
    assert "synthetic.median.psnr" not in found.values
    assert [(row.id, row.group) for row in found.tables["synthetic"].rows] == [("ours-v2", "new"), ("median", "old")]
    assert [(column.id, column.better) for column in found.tables["synthetic"].columns] == [
        ("psnr", "higher"),
        ("time", "none"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("31.25", "31,25", "results/tables/synthetic.csv:2: has 6 cells, the first line 5"),
        ("31.25", "n/a", "results/tables/synthetic.csv:2 psnr: 'n/a' is not a number: write 1234.5, or leave the cell"),
        ("31.25", "inf", "results/tables/synthetic.csv:2 psnr: 'inf' is not a finite number"),
        ("psnr", "pnsr", "results/tables/synthetic.csv:1 psnr: no such column, did you mean 'pnsr'?"),
        ("comment", "remark", "results/tables/synthetic.csv:1 remark: is not declared: add [columns.remark]"),
        (
            "Med\u00edan",
            "Ours (v2)",
            "results/tables/synthetic.csv:3 method: 'Ours (v2)' has the id 'ours-v2' of",
        ),
        (",", ";", "results/tables/synthetic.csv:1: the columns are parted by semicolons (';'): save the table with"),
        (CSV, "", "results/tables/synthetic.csv:1: is empty"),
        ("Ours (v2)", '"Ours', "results/tables/synthetic.csv:3: not CSV"),
    ],
)
def test_a_mistake_in_the_csv_is_named_at_its_line(tmp_path, old, new, said):
    with pytest.raises(InputError) as caught:
        ledger.load(_paper(tmp_path, table=CSV.replace(old, new)))
    assert any(str(problem).startswith(said) for problem in caught.value.problems), str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("digits = 1", "digits = 9", "results/tables/synthetic.toml:10 columns.psnr.digits: "),
        ("better", "beter", "results/tables/synthetic.toml:11 columns.psnr.beter: "),
        ('kind = "reported"', 'kind = "guessed"', "results/tables/synthetic.toml:5 source.kind: "),
    ],
)
def test_a_mistake_in_the_toml_is_named_at_its_line(tmp_path, old, new, said):
    with pytest.raises(InputError) as caught:
        ledger.load(_paper(tmp_path, toml=TOML.replace(old, new, 1)))
    assert any(str(problem).startswith(said) for problem in caught.value.problems), str(caught.value)


def test_a_csv_and_its_toml_belong_together(tmp_path):
    folder = _paper(tmp_path) / "results/tables"
    (folder / "lone.csv").write_text("a,b\n")
    (folder / "other.toml").write_text("")
    _, problems = read_tables(tmp_path)
    assert [str(problem) for problem in problems] == [
        "results/tables/lone.toml: no such file: it says what the columns of lone.csv are",
        "results/tables/other.toml: there is no other.csv beside it",
    ]


def test_windows_line_ends_a_byte_order_mark_and_quoted_commas_are_read(tmp_path):
    table = ("\ufeff" + CSV.replace("fast", '"fast, ""very"""').replace("\n", "\r\n")).encode()
    assert ledger.load(_paper(tmp_path, table=table)).value("synthetic.ours-v2.psnr").value == 31.25


@pytest.mark.parametrize("separator", ["\u2028", "\u0085", "\x0c"])
def test_what_only_python_takes_for_the_end_of_a_line_is_part_of_a_cell(tmp_path, separator):
    table = CSV.replace("fast", f"very{separator}fast")
    assert ledger.load(_paper(tmp_path, table=table)).value("synthetic.ours-v2.psnr").value == 31.25


@given(st.binary(max_size=200))
def test_any_bytes_are_a_table_or_named_problems(tmp_path_factory, content):
    root = _paper(tmp_path_factory.mktemp("t"), table=content)
    try:
        ledger.load(root)
    except InputError as error:
        assert all(problem.file.startswith("results/tables/") for problem in error.problems)


@pytest.mark.parametrize(
    ("toml", "table", "said"),
    [
        ("", ",old,1,2,\n", "csv:4 method: the row has no name"),
        ("", "光漏れ,old,1,2,\n", "csv:4 method: '光漏れ' holds no letter of an id"),
        ("", "ours v2,old,1,2,\n", "'ours v2' has the id 'ours-v2' of another row: `id` in the TOML names a column"),
        ("pending", "", "toml:5 source: a number in a table is not pending: leave its cell empty"),
        ("measured", "", "toml:5 source.where: no such run 'Table 1'"),
    ],
)
def test_rows_and_sources_that_cannot_be_are_named_once(tmp_path, toml, table, said):
    """The first four were tracebacks of pydantic, the last a line for every cell."""
    with pytest.raises(InputError) as caught:
        ledger.load(_paper(tmp_path, TOML.replace("reported", toml, 1) if toml else TOML, CSV + table))
    (problem,) = caught.value.problems
    assert said in str(problem)


def test_a_column_may_hold_the_ids_of_rows(tmp_path):
    """Names in Japanese hold no letter of an id."""
    toml = TOML.replace('ignore = ["comment"]', 'id = "comment"')
    found = ledger.load(
        _paper(tmp_path, toml, "method,family,psnr,time,comment\n光漏れ,x,1,2,leak\nぼかし,x,3,4,blur\n")
    )
    assert found.value("synthetic.blur.psnr").label == "PSNR of ぼかし"


def test_columns_of_nothing_at_the_end_are_those_of_a_spreadsheet(tmp_path):
    found = ledger.load(_paper(tmp_path, table=CSV.replace("\n", ",,\n")))
    assert found.value("synthetic.ours-v2.psnr").value == 31.25


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (CSV.partition("\n")[0] + "\n", "csv:1: holds no row"),
        (",method,family,psnr,time,comment\n0,Ours,new,1,2,x\n", "csv:1: column 1 has no name: name it, or remove it"),
    ],
)
def test_a_table_without_rows_or_with_a_nameless_column_is_refused(tmp_path, table, said):
    with pytest.raises(InputError) as caught:
        ledger.load(_paper(tmp_path, table=table))
    assert [said in str(problem) for problem in caught.value.problems] == [True]


def test_the_first_column_is_headed_by_what_it_is_called(tmp_path):
    """It was headed "Row" in every table from CSV."""
    assert ledger.load(_paper(tmp_path)).tables["synthetic"].row_label == "Method"
    named = TOML.replace('row = "method"', 'row = "method"\nrow_label = "How"')
    (tmp_path / "results/tables/synthetic.toml").write_text(named, encoding="utf-8")
    assert ledger.load(tmp_path).tables["synthetic"].row_label == "How"
