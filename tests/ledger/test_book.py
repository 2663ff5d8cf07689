"""The printed form of numbers and the downloads made from the ledger."""

from __future__ import annotations

import csv
import io
import json

import pytest

import ledger
from ledger import book
from ledger.schema import Publication, Value
from tests.ledger.conftest import Project, number


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (number(-3.165), "−3.165"),
        (number(9.07), "9.070"),
        (number(3300.0, digits=0), "3,300"),
        (number(1893.0, digits=0, unit="year"), "1893"),
        (number(54324.0, digits=0, unit="seed"), "54324"),
        (number(None), "pending"),
        (number(95.0, digits=0, qualifier="≥"), "≥\u00a095"),
        (number(1e-10, digits=2, qualifier="<"), "<\u00a010⁻¹⁰"),
        (number(-0.000263, digits=3), "−0.00026"),
        (number(5.493e-34, digits=4), "5.5·10⁻³⁴"),
        (number(0.0, digits=2), "0.00"),
        (number(-0.0, digits=2), "0.00"),
        (number(0.0002, digits=4), "0.0002"),
    ],
)
def test_numbers_are_printed_as_the_source_prints_them(value: dict[str, object], printed: str) -> None:
    assert book.show(Value.model_validate(value)) == printed


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (0.381, "38"),
        (0.965, "97"),
        (0.725, "73"),
        (0.19, "19"),
        (0.997, "99.7"),
        (0.0034, "0.3"),
        (1.0, "100"),
        (0.0, "0"),
        (-0.182, "−18"),
    ],
)
def test_a_share_is_printed_in_whole_per_cent_that_never_pass_for_all_or_none(value: float, printed: str) -> None:
    assert book.percent(Value.model_validate(number(value, unit="share"))) == printed


def test_a_difference_of_shares_is_printed_in_points_with_one_decimal() -> None:
    """A difference of one half of a point, in whole per cent, would read as one, and "%" as a ratio."""
    measure = {"rows": "rows/a.csv.gz", "statistic": "contrast", "of": {"way": "asked"}, "beside": {"way": "asked"}}
    value = Value.model_validate(number(-0.005, unit="share") | {"rows": "rows/a.csv.gz", "measure": measure})
    assert (book.percent(value), book.percent_sign(value)) == ("−0.5", "points")


def small(project: Project) -> ledger.Ledger:
    table = {
        "title": "Models",
        "caption": "All of them.",
        "columns": [{"id": "delta", "label": "Δ"}, {"id": "after", "label": "After"}],
        "rows": [{"id": "flux", "label": 'Flux, "the" one', "group": "Flux"}, {"id": "z", "label": "Z"}],
    }
    values = {
        "models.flux.delta": number(-3.1, n=300, interval=[-4.0, -2.0], caveat="One seed."),
        "models.flux.after": number(None),
        "models.z.delta": number(-1.0, qualifier="<"),
    }
    return ledger.load(project(one={"tables": {"models": table}, "values": values}))


def test_a_table_download_says_what_each_number_rests_on(project: Project) -> None:
    rows = list(csv.DictReader(io.StringIO(book.table_csv(small(project), "models"))))
    assert [row["label"] for row in rows] == ['Flux, "the" one', "Z"]
    assert (rows[0]["delta"], rows[0]["delta_low"], rows[0]["delta_n"]) == ("-3.1", "-4.0", "300")
    assert (rows[0]["delta_caveat"], rows[1]["delta_bound"]) == ("One seed.", "<")


def test_an_empty_cell_says_whether_it_is_pending_or_not_reported(project: Project) -> None:
    flux, z = book.table_records(small(project), "models")
    assert (flux["after"], flux["after_source"]) == (None, "pending: Table 1")
    assert (z["after"], z["after_source"]) == (None, "not reported")


def test_the_published_ledger_reads_back_as_it_was(project: Project) -> None:
    text = book.publication_json(small(project))
    again = Publication.model_validate_json(text, strict=True)
    assert again == book.publication(small(project))
    assert json.loads(text)["values"]["models.flux.delta"]["interval"] == [-4.0, -2.0]


def test_the_schema_names_every_part_and_forbids_strangers() -> None:
    schema = json.loads(json.dumps(book.publication_schema()))
    assert set(schema["properties"]) == {"values", "tables", "exhibits", "runs", "claims"}
    assert schema["additionalProperties"] is False
    assert schema["$defs"]["Value"]["required"] == ["label", "value", "unit", "digits", "source"]
