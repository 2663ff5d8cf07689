"""Rows on disk: what is written is read back, the same rows give the same bytes, and what is damaged is named."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from ledger import rows
from ledger.problems import InputError
from ledger.rows import Row

SCORED = Row("run", "model", "1", "scorer", "diop", seed="7", kind="wide", number=1 / 3, sample="ab12")
FAILED = Row("run", "model", "2", "scorer", "diop", seed="7", kind="wide", status="failed")
NOT_RUN = Row("run", "model, other", "3", "scorer", "diop", label="treatment:blur", status="not_run")


def text_of(path: Path) -> str:
    return gzip.decompress(path.read_bytes()).decode()


def test_rows_come_back_as_they_were_and_keep_every_digit(tmp_path: Path) -> None:
    path = rows.write(tmp_path / "a.csv.gz", [SCORED, FAILED, NOT_RUN])
    assert set(rows.read(path).all) == {SCORED, FAILED, NOT_RUN}


def test_order_and_time_of_writing_leave_no_trace(tmp_path: Path) -> None:
    """Otherwise every run would change committed files and their digests."""
    first = rows.write(tmp_path / "a.csv.gz", [SCORED, FAILED, NOT_RUN]).read_bytes()
    assert rows.write(tmp_path / "b.csv.gz", [NOT_RUN, SCORED, FAILED]).read_bytes() == first
    assert first[4:8] == bytes(4), "the time in the gzip header"


def test_the_schema_beside_the_files_names_every_column(tmp_path: Path) -> None:
    path = rows.write(tmp_path / "a.csv.gz", [SCORED])
    schema = json.loads((tmp_path / "schema.json").read_text())
    assert ",".join(field["name"] for field in schema["fields"]) == text_of(path).splitlines()[0]


@pytest.mark.parametrize(
    "bad",
    [
        SCORED._replace(number=None),
        FAILED._replace(number=1.0),
        SCORED._replace(number=float("nan")),
        SCORED._replace(status="done"),
        SCORED._replace(prompt=""),
    ],
)
def test_what_could_not_be_read_back_is_not_written(tmp_path: Path, bad: Row) -> None:
    with pytest.raises(ValueError, match="of Row"):
        rows.write(tmp_path / "a.csv.gz", [bad])
    assert list(tmp_path.iterdir()) == []


def test_one_observation_is_not_written_twice(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one identity"):
        rows.write(tmp_path / "a.csv.gz", [SCORED, SCORED._replace(number=2.0)])


def defects(tmp_path: Path, *lines: str, header: str = ",".join(rows.COLUMNS)) -> list[str]:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress("\n".join([header, *lines, ""]).encode()))
    with pytest.raises(InputError) as caught:
        rows.read(path)
    return [str(problem) for problem in caught.value.problems]


GOOD = "run,model,1,scorer,diop,,,,,,0.5,scored,"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (GOOD.replace("0.5", "nan"), "a.csv.gz:3 number: 'nan' is no finite number"),
        (GOOD.replace("0.5", "-1e308"), "a.csv.gz:3 number: '-1e308' is beyond 1e+100, of which no sum of squares"),
        (GOOD.replace("0.5", "1_0"), "a.csv.gz:3 number: '1_0' is no finite number"),
        (GOOD.replace("0.5", ""), "a.csv.gz:3 number: is empty, yet the status is scored"),
        (GOOD.replace("scored", "failed"), "a.csv.gz:3 number: stands beside the status failed"),
        (GOOD.replace("scored", "faild"), "a.csv.gz:3 status: 'faild' is none of scored, failed, not_run, did you"),
        (GOOD.replace("model", ""), "a.csv.gz:3 row: is empty"),
        (GOOD + ",x", "a.csv.gz:3: 14 cells where the header has 13"),
        (GOOD.replace(",1,", ",0,"), "a.csv.gz:3: repeats the observation of line 2"),
    ],
)
def test_a_damaged_line_is_named_with_its_column(tmp_path: Path, line: str, said: str) -> None:
    (found,) = defects(tmp_path, GOOD.replace(",1,", ",0,"), line)
    assert found.startswith(said)


def test_an_unknown_column_is_named_with_the_nearest_known(tmp_path: Path) -> None:
    header = ",".join(rows.COLUMNS).replace("scorer", "scorers")
    found = defects(tmp_path, header=header)
    assert "a.csv.gz:1 scorers: no such column, did you mean 'scorer'?" in found
    assert "a.csv.gz:1 scorer: this column is missing" in found


def test_a_cut_or_foreign_file_is_one_line(tmp_path: Path) -> None:
    path = rows.write(tmp_path / "a.csv.gz", [SCORED, FAILED])
    for content in (path.read_bytes()[:-20], b"run,row\n"):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"a\.csv\.gz: not a whole gzip file"):
            rows.read(path)


def test_bytes_that_are_no_text_are_named_at_their_line(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress((",".join(rows.COLUMNS) + "\n" + GOOD + "\n").encode() + b"caf\xe9\n"))
    with pytest.raises(InputError, match=r"a\.csv\.gz:3: not UTF-8"):
        rows.read(path)


def test_rows_are_selected_by_exact_text_and_by_beginning() -> None:
    made = rows.Rows((SCORED, FAILED, NOT_RUN))
    assert list(made.where({"row": ["model"]})) == [SCORED, FAILED]
    assert list(made.where({"row": ["model*"], "prompt": ["2", "3"]})) == [FAILED, NOT_RUN]
