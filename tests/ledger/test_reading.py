"""What `ledger.load` merges, and how it refuses what is wrong: every defect at its file and line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import ledger
from ledger.problems import InputError
from tests.ledger.conftest import Project, number

PICTURE = {"id": "original", "label": "Original", "alt": "A dog."}
EXHIBIT = {
    "title": "Dog",
    "kind": "photograph",
    "caption": "A dog.",
    "credit": "Nobody",
    "licence": "CC0",
    "pictures": [PICTURE],
}
TABLE = {
    "title": "Models",
    "caption": "All of them.",
    "columns": [{"id": "delta", "label": "Δ"}],
    "rows": [{"id": "flux", "label": "Flux"}],
}


def refused(root: Path) -> list[str]:
    with pytest.raises(InputError) as caught:
        ledger.load(root)
    return [str(problem) for problem in caught.value.problems]


def test_values_cells_and_scores_are_found_by_one_id(project: Project) -> None:
    picture = {**PICTURE, "scores": {"hpsv3": number(5.0)}}
    root = project(
        one={"values": {"page.loose": number(1), "models.flux.delta": number(2)}, "tables": {"models": TABLE}},
        two={"exhibits": {"dog": {**EXHIBIT, "pictures": [picture]}}},
    )
    book = ledger.load(root)
    ids = ["page.loose", "models.flux.delta", "exhibits.dog.original.hpsv3"]
    assert [book.value(id).value for id in ids] == [1, 2, 5]
    assert list(book.ids()) == ids
    assert book.cell("models", "flux", "delta") is book.value("models.flux.delta")


def test_an_unknown_value_names_the_nearest(project: Project) -> None:
    book = ledger.load(project(one={"values": {"page.scream": number()}}))
    with pytest.raises(ledger.UnknownValue, match=r"no such value 'page\.screem', did you mean 'page\.scream'\?"):
        book.value("page.screem")


def test_a_missing_cell_is_nothing_and_not_an_error(project: Project) -> None:
    assert ledger.load(project(one={"tables": {"models": TABLE}})).cell("models", "flux", "delta") is None


def test_a_project_without_results_is_empty(tmp_path: Path) -> None:
    assert not list(ledger.load(tmp_path).ids())


def test_a_score_may_point_to_a_number_that_stands_elsewhere(project: Project) -> None:
    picture = {**PICTURE, "scores_from": {"hpsv3": "page.dog"}}
    root = project(one={"values": {"page.dog": number(4)}, "exhibits": {"dog": {**EXHIBIT, "pictures": [picture]}}})
    assert ledger.load(root).value("exhibits.dog.original.hpsv3").value == 4


def test_counterparts_know_each_other_though_only_one_was_told(project: Project) -> None:
    root = project(one={"values": {"a": number(1.0004), "b": number(1.0, agrees_with="a"), "c": number(3)}})
    book = ledger.load(root)
    assert book.value("a").agrees_with == "b"
    assert (book.agrees("a"), book.agrees("b"), book.agrees("c")) == (True, True, None)


def test_counterparts_that_print_differently_do_not_agree(project: Project) -> None:
    book = ledger.load(project(one={"values": {"a": number(1.0006), "b": number(1.0, agrees_with="a")}}))
    assert book.agrees("a") is False


def test_a_bound_agrees_with_what_lies_below_it(project: Project) -> None:
    values = {"a": number(1e-10, qualifier="<"), "b": number(1e-44, agrees_with="a")}
    assert ledger.load(project(one={"values": values})).agrees("a") is True
    values["b"]["value"] = 1e-3
    assert ledger.load(project(one={"values": values})).agrees("a") is False


# -- refusals ---------------------------------------------------------------------------------------------------------


def with_value(**changes: Any) -> dict[str, Any]:
    return {"values": {"page.dog": {**number(), **changes}}}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (with_value(value="1.5"), "results/one.json:5 values.page.dog.value: must be a number, not '1.5'"),
        (with_value(value=True), "results/one.json:5 values.page.dog.value: must be a number, not true"),
        (with_value(value=float("nan")), "results/one.json:5 values.page.dog.value: must be a finite number"),
        (with_value(value=float("inf")), "results/one.json:5 values.page.dog.value: must be a finite number"),
        (with_value(unti="x"), "results/one.json:12 values.page.dog.unti: unknown key 'unti', did you mean 'unit'?"),
        (with_value(interval=[1, float("nan")]), "values.page.dog.interval[1]: must be a finite number"),
        (
            with_value(source={"kind": "reported", "where": "x", "uri": "y"}),
            "values.page.dog.source.uri: unknown key 'uri', did you mean 'url'?",
        ),
        (with_value(source={"kind": "reported", "where": "x", "url": "javascript:alert(1)"}), "source.url"),
        (with_value(value=None), "values.page.dog: a value is null exactly when its source is pending"),
        ({"values": {"Page Dog": number()}}, "'Page Dog' is no id"),
        ({"values": {"exhibits.dog": number()}}, "belong to scores beside pictures"),
        ({"vales": {}}, "results/one.json:2 vales: unknown key 'vales', did you mean 'values'?"),
        ({"tables": {"t": {"title": "T", "columns": [], "rows": []}}}, "tables.t.caption: is missing"),
        ([], "results/one.json:1"),
        ("{", "results/one.json:1: not JSON"),
        ('{"values": {}}\n{', "results/one.json:2: not JSON: Extra data"),
        ("", "results/one.json:1: not JSON"),
        ("[" * 100_000, "results/one.json: not JSON"),
        ('{"values": {"a": 1' + "0" * 5000 + "}}", "results/one.json"),
    ],
)
def test_a_broken_document_is_named_with_its_line(project: Project, document: Any, expected: str) -> None:
    problems = refused(project(one=document))
    assert any(expected in problem for problem in problems), problems


def test_bytes_that_are_no_text_are_named_with_their_line(project: Project) -> None:
    root = project(one={})
    (root / "results" / "one.json").write_bytes(b'{\n"values": {},\n\xff}')
    assert refused(root) == ["results/one.json:3: not UTF-8 text (invalid start byte): save it as UTF-8"]


def test_a_key_spelled_twice_is_refused_because_a_parser_keeps_only_the_last(project: Project) -> None:
    one = json.dumps(number())
    root = project(one=f'{{"values": {{\n "a": {one},\n "b": {one},\n "a": {one}\n}}}}')
    assert refused(root) == ["results/one.json:4 values.a: this key is spelled twice"]


def test_one_id_in_two_files_is_refused_and_both_are_named(project: Project) -> None:
    root = project(one={"exhibits": {"dog": EXHIBIT}}, two={"exhibits": {"dog": EXHIBIT}})
    assert refused(root) == [
        "results/two.json:3 exhibits.dog: two exhibits with one id; the other is in results/one.json"
    ]


def test_defects_of_all_files_come_together(project: Project) -> None:
    root = project(one=with_value(value="x"), two="{", claims="[[claims]]\nid = 3\n")
    files = {problem.split(":")[0] for problem in refused(root)}
    assert files == {"results/one.json", "results/two.json", "content/claims.toml"}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (with_value(agrees_with="page.cat"), "no such value 'page.cat', did you mean 'page.dog'?"),
        (with_value(source={"kind": "measured", "where": "run-1"}), "no such run 'run-1'"),
        (
            {"values": {"models.flux.dleta": number()}, "tables": {"models": TABLE}},
            "table 'models' has no such cell, did you mean 'models.flux.delta'?",
        ),
        ({"tables": {"models": {**TABLE, "rows": TABLE["rows"] * 2}}}, "rows[1].id: two rows are called 'flux'"),
        ({"exhibits": {"dog": {**EXHIBIT, "pictures": [PICTURE, PICTURE]}}}, "two pictures are called 'original'"),
        ({"exhibits": {"dog": {**EXHIBIT, "pictures": []}}}, "exhibits.dog.pictures"),
        (
            {"exhibits": {"dog": {**EXHIBIT, "pictures": [{**PICTURE, "scores_from": {"hpsv3": "page.dog"}}]}}},
            "scores_from.hpsv3: no such value 'page.dog'",
        ),
        (
            {"exhibits": {"dog": {**EXHIBIT, "pictures": [{**PICTURE, "alt": ""}]}}},
            "exhibits.dog.pictures[0].alt",
        ),
    ],
)
def test_a_reference_that_leads_nowhere_is_refused(project: Project, document: Any, expected: str) -> None:
    problems = refused(project(one=document))
    assert len(problems) == 1
    assert expected in problems[0]
    assert problems[0].startswith("results/one.json:")


def test_a_tag_outside_the_taxonomy_is_refused(project: Project) -> None:
    root = project(one={"exhibits": {"dog": {**EXHIBIT, "tags": ["intentional_blurr"]}}})
    (root / "content" / "taxonomy.toml").write_text(
        '[[category]]\nid = "clarity"\n[[category.sub_category]]\nid = "intentional_blur"\n', encoding="utf-8"
    )
    place = "results/one.json:17 exhibits.dog.tags[0]"
    said = "no such sub-category 'intentional_blurr', did you mean 'intentional_blur'?"
    assert refused(root) == [f"{place}: {said}"]


@pytest.mark.parametrize("kind", ["figure", "video", "installation view"])
def test_an_exhibit_may_be_of_any_kind_and_have_any_tag_where_there_is_no_taxonomy(project: Project, kind: str) -> None:
    """A paper of another field has its own kinds of exhibits and no taxonomy of anti-aesthetics."""
    exhibit = {**EXHIBIT, "kind": kind, "tags": ["benchmark.night"]}
    assert ledger.load(project(one={"exhibits": {"dog": exhibit}})).exhibits["dog"].kind == kind


def test_a_link_out_of_the_project_is_not_followed(project: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "one.json"
    outside.write_text("{}", encoding="utf-8")
    root = project()
    (root / "results" / "one.json").symlink_to(outside)
    assert refused(root) == ["results/one.json: a link that leads out of the project"]


def test_a_folder_named_like_a_document_is_an_error_and_no_traceback(project: Project) -> None:
    root = project()
    (root / "results" / "one.json").mkdir()
    assert refused(root) == ["results/one.json: cannot be read: Is a directory"]


def test_a_thousand_defects_are_counted_and_not_all_spelled_out(project: Project) -> None:
    problems = refused(project(one={"values": {f"v{i}": {"label": "x"} for i in range(1000)}}))
    assert len(problems) < 70
    assert any("more defects" in problem for problem in problems)


def test_a_later_defect_is_placed_in_its_file(project: Project) -> None:
    """Pages find that a picture file is missing; the message must point into the JSON."""
    book = ledger.load(project(one={"exhibits": {"dog": EXHIBIT}}))
    problem = book.problem(("exhibits", "dog", "pictures", 0, "alt"), "too short")
    assert str(problem) == "results/one.json:13 exhibits.dog.pictures[0].alt: too short"


def test_importing_the_package_loads_neither_pydantic_nor_numpy() -> None:
    code = "import ledger, ledger.problems, sys; print({'pydantic', 'numpy', 'cv2', 'torch'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


def test_loading_the_ledger_loads_neither_cv2_nor_torch_nor_scipy(project: Project) -> None:
    code = (
        "import ledger, sys; from pathlib import Path; ledger.load(Path(sys.argv[1]));"
        "print({'cv2', 'torch', 'scipy', 'numpy'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code, str(project())], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
