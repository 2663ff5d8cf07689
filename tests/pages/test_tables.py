"""Tables as they are set: the best of a family is marked, rows without a number stand apart."""

from __future__ import annotations

import pytest

from ledger.schema import Column, Row
from pages.rendering.tables import arrange

ROWS = [Row(id="a", label="A", group="f"), Row(id="b", label="B", group="f"), Row(id="c", label="C", group="g"),
        Row(id="d", label="D", group="g")]  # fmt: skip
UP, DOWN = Column(id="up", label="U", better="higher"), Column(id="down", label="D", better="lower")


@pytest.mark.parametrize(
    ("cells", "best"),
    [
        ({("a", "up"): 1.0, ("b", "up"): 2.0, ("a", "down"): 1.0, ("b", "down"): 2.0}, {("b", "up"), ("a", "down")}),
        ({("a", "up"): 2.0, ("b", "up"): 2.0}, {("a", "up"), ("b", "up")}),
        ({("a", "up"): 2.0, ("c", "up"): 1.0}, set()),
        ({("a", "up"): -2.0, ("b", "up"): -3.0}, {("a", "up")}),
    ],
)
def test_the_best_of_a_family_is_the_one_that_its_column_calls_better(cells, best):
    """A family of one has no best; equals share it."""
    assert arrange(ROWS, [UP, DOWN], cells).best == best


def test_a_column_without_a_direction_has_no_best():
    assert arrange(ROWS, [Column(id="up", label="U")], {("a", "up"): 1.0, ("b", "up"): 2.0}).best == frozenset()


def test_rows_without_a_number_in_the_shown_columns_stand_apart():
    arranged = arrange(ROWS, [UP], {("a", "up"): 1.0, ("b", "down"): 2.0})
    assert [row.id for row in arranged.rows] == ["a"] and [row.id for row in arranged.pending] == ["b", "c", "d"]


def test_a_table_without_any_number_keeps_its_rows():
    assert arrange(ROWS, [UP], {}).rows == ROWS


def test_pending_rows_are_folded_below_their_table_and_lead_to_their_reasons(themed):
    html = themed("tables").read("clean/index.html")
    main, _, rest = html.partition('data-table="models"')[2].partition("1 row without a number yet")
    assert "Alpha" in main and "Beta &amp; sons" not in main
    assert 'data-ref="models.beta.delta"' in rest.partition("</details>")[0]


def test_signs_in_the_name_of_a_file_of_rows_are_spelled_in_its_link(themed):
    """`#` in an address begins an anchor: the link led to another file, and nothing said so."""

    def add_rows(site):
        site.write("results/rows/a #1 50%.csv", b"x\n1\n")
        site.json(
            "results/numbers.json", lambda doc: doc["values"]["models.alpha.delta"].update(rows="rows/a #1 50%.csv")
        )

    site = themed("rows", add_rows)
    assert 'href="../rows/a%20%231%2050%25.csv"' in site.read("data/values/models.html")
    assert (site.out / "data/rows/a #1 50%.csv").read_bytes() == b"x\n1\n"
