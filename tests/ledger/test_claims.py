"""Verdicts follow from values: change a value and the verdict changes."""

from __future__ import annotations

import json
from typing import Any

import pytest

import ledger
from ledger.claims.rules import RULES
from ledger.problems import InputError
from ledger.schema import Claim, SecondVerdict
from tests.ledger.conftest import Project, number

TABLE = {
    "title": "Models",
    "caption": "All.",
    "columns": [{"id": "delta", "label": "Δ"}],
    "rows": [
        {"id": "base", "label": "Base", "group": "flux", "kind": "base"},
        {"id": "dance", "label": "Dance", "group": "flux", "kind": "aligned"},
    ],
}


ALIGNED_FLUX = {"table": "models", "group": "flux", "kind": "aligned"}


def row(rule: str, rests_on: list[str], **more: Any) -> str:
    """One claim as TOML."""
    lines = ["[[claims]]", 'id = "it"', 'sentence = "It is so."', 'where = "Page"', 'section = "numbers"']
    lines += [f'rule = "{rule}"', f"rests_on = {rests_on}".replace("'", '"')]
    for key, content in more.items():
        if isinstance(content, dict):
            content = "{ " + ", ".join(f'{k} = "{v}"' for k, v in content.items()) + " }"
            lines.append(f"{key} = {content}")
        else:
            lines.append(f"{key} = {content!r}".replace("'", '"'))
    return "\n".join(lines)


def judged(project: Project, rule: str, numbers: list[Any], **more: Any) -> Claim:
    """The claim judged on the given numbers, called a, b, c, ... in this order."""
    values = {chr(97 + i): item if isinstance(item, dict) else number(item) for i, item in enumerate(numbers)}
    ids = more.pop("rests_on", list(values))
    values |= more.pop("others", {})
    root = project(row(rule, ids, **more), one={"values": values, "tables": {"models": TABLE}})
    return ledger.load(root).claims["it"]


@pytest.mark.parametrize(
    ("rule", "numbers", "more", "verdict"),
    [
        ("first_above_second", [-1, -3, -2, -5], {}, "holds"),
        ("first_above_second", [-1, -3, -6, -5], {}, "holds in part"),
        ("first_above_second", [-4, -3, -6, -5], {}, "contradicted"),
        ("first_above_second", [-1, None], {}, "cannot be checked"),
        ("first_above_second", [-1, -3, None, -5], {}, "holds"),
        ("positive", [1, None], {}, "holds"),
        ("positive", [-1, None], {}, "contradicted"),
        ("first_below_second", [1, 2], {}, "holds"),
        ("first_below_second", [2, 2], {}, "contradicted"),
        ("all_below", [0.1, 0.2], {"than": 0.5}, "holds"),
        ("all_below", [0.1, 0.9], {"than": 0.5}, "holds in part"),
        ("all_below", [number(0.45, interval=[0.35, 0.55])], {"than": 0.5}, "cannot be checked"),
        ("all_below", [0.1, number(0.45, interval=[0.35, 0.55])], {"than": 0.5}, "holds in part"),
        ("all_above", [0.1], {"than": 0.5}, "contradicted"),
        ("all_above", [0.1], {"than": None}, "cannot be checked"),
        ("within", [10.0, 15.0], {"low": 10, "high": 15}, "holds"),
        ("within", [1.7], {"low": 10, "high": 15}, "contradicted"),
        ("within", [10.0, 15.0], {"low": 10, "high": None}, "cannot be checked"),
        ("within", [15.04], {"low": number(10, digits=0), "high": number(15, digits=1)}, "holds"),
        ("within", [15.4], {"low": number(10, digits=0), "high": number(15, digits=1)}, "contradicted"),
        ("same_number", [3300.0, 3300.0], {}, "holds"),
        ("same_number", [3300.0, 3000.0], {}, "contradicted"),
        ("same_number", [number(13, digits=0), number(13.23, digits=2)], {}, "holds"),
        ("share_in_per_cent", [number(97, digits=0), 0.965], {}, "holds"),
        ("share_in_per_cent", [number(97, digits=0), 0.96], {}, "contradicted"),
        ("rest_in_per_cent", [number(81, digits=0), 0.19], {}, "holds"),
        ("rest_in_per_cent", [number(81, digits=0), 0.3], {}, "contradicted"),
        ("lowest", [1, 2, 3], {}, "holds"),
        ("lowest", [2, 1, 3], {}, "holds in part"),
        ("highest", [3, 2, 1], {}, "holds"),
        ("highest", [1, 2, 3], {}, "contradicted"),
        ("rank", [2, 5.0, 9.0, 1.0], {}, "holds"),
        ("rank", [1, 5.0, 9.0, 1.0], {}, "contradicted"),
        ("last", [1, 2, 3], {}, "holds"),
        ("last", [2, 1, 3], {}, "contradicted"),
        ("place_between_extremes", [number(0.57, digits=2), 5.86, -0.24, 10.55], {}, "holds"),
        ("place_between_extremes", [number(0.60, digits=2), 5.86, -0.24, 10.55], {}, "contradicted"),
        ("place_between_extremes", [0.5, 2, 2, 2], {}, "cannot be checked"),
        ("unanimous", [20, 0], {}, "holds"),
        ("unanimous", [20, 0, 19, 1], {}, "contradicted"),
        ("zero", [0.0, 0.0004], {}, "holds"),
        ("zero", [16.3, 0.363], {}, "contradicted"),
        ("rows_of_table", [2], {"table": "models"}, "holds"),
        ("rows_of_table", [10], {"table": "models"}, "contradicted"),
        ("rows_of_kind", [1], {"table": "models", "kind": "aligned"}, "holds"),
        ("rows_of_kind", [2], {"table": "models", "kind": "aligned"}, "contradicted"),
        ("rows_in_group", [number(2, qualifier="≥")], ALIGNED_FLUX, "contradicted"),
        ("rows_in_group", [number(1, qualifier="≥")], ALIGNED_FLUX, "holds"),
        ("sample_size", [number(1, n=300)], {"than": 300}, "holds"),
        ("sample_size", [number(1, n=299)], {"than": 300}, "contradicted"),
        ("sample_size", [number(1)], {"than": 300}, "cannot be checked"),
        ("same_words", [], {"here": "B", "there": "b"}, "holds"),
        ("same_words", [], {"here": "B", "there": "G"}, "contradicted"),
        ("not_measured", [], {"because": "Nobody did."}, "cannot be checked"),
        ("positive", [1.0, 2.0], {}, "holds"),
        ("positive", [-1.0], {}, "contradicted"),
        ("rederived", [1.0], {}, "cannot be checked"),
        ("one_test_set", [0.913, 0.954, 0.965, 0.972], {}, "contradicted"),
        ("one_test_set", [0.835, 0.910, 0.851, 0.919], {}, "holds"),
        ("one_test_set", [number(0.99, digits=2), number(0.995, digits=2)], {}, "holds"),
        ("one_test_set", [number(1, digits=2), number(1, digits=2)], {}, "holds"),
        ("one_test_set", [number(0.9, digits=2), number(1, digits=2)], {}, "contradicted"),
    ],
)  # fmt: skip
def test_a_rule_judges_by_the_numbers(
    project: Project, rule: str, numbers: list[Any], more: dict[str, Any], verdict: str
) -> None:
    given = {key: bound for key, bound in more.items() if not isinstance(bound, str)}
    bounds = {key: bound if isinstance(bound, dict) else number(bound) for key, bound in given.items()}
    options = {key: f"page.{key}" if key in bounds else text for key, text in more.items()}
    others = {f"page.{key}": bound for key, bound in bounds.items()}
    claim = judged(project, rule, numbers, others=others, **({"options": options} if options else {}))
    assert claim.verdict == verdict, claim.because
    assert claim.because.endswith(".")


def test_every_rule_is_tested_above_or_in_the_second_setting() -> None:
    marks = test_a_rule_judges_by_the_numbers.pytestmark  # type: ignore[attr-defined]
    tried = {case[0] for case in marks[0].args[1]}
    assert set(RULES) - tried == {"below_zero", "above_zero", "falls_steadily", "loses_less_than"}


def test_a_changed_value_changes_the_verdict_and_its_reason(project: Project) -> None:
    held = judged(project, "first_above_second", [-1.1, -3.2])
    fallen = judged(project, "first_above_second", [-4.1, -3.2])
    assert (held.verdict, fallen.verdict) == ("holds", "contradicted")
    assert "−4.100" in fallen.because


def test_a_recomputed_counterpart_decides_whether_a_number_was_rederived(project: Project) -> None:
    claim = judged(project, "rederived", [1.0], others={"z": number(1.0002, agrees_with="a")})
    assert claim.verdict == "holds"
    claim = judged(project, "rederived", [1.0], others={"z": number(1.002, agrees_with="a")})
    assert claim.verdict == "contradicted"


def test_what_nobody_measured_is_named_and_does_not_lower_the_verdict(project: Project) -> None:
    """A pending row, a value without counterpart or n says nothing against a claim that the others bear out."""
    claim = judged(project, "positive", [1.0, None])
    assert claim.verdict == "holds"
    assert "Not measured: no number yet for" in claim.because
    claim = judged(project, "sample_size", [number(1, n=300), number(1)], others={"page.than": number(300)},
                   options={"than": "page.than"})  # fmt: skip
    assert claim.verdict == "holds" and "states no number of samples" in claim.because
    assert judged(project, "positive", [-1.0, None]).verdict == "contradicted"


def test_a_claim_has_a_weight(project: Project) -> None:
    """A slip of bookkeeping must not be counted with what the argument rests on."""
    values = {"values": {"a": number(1)}}
    assert ledger.load(project(row("positive", ["a"]), one=values)).claims["it"].weight == "argument"
    text = row("positive", ["a"], weight="detail")
    assert ledger.load(project(text, one=values)).claims["it"].weight == "detail"


def test_a_claim_prints_its_numbers_and_keeps_their_ids(project: Project) -> None:
    values = {"page.pairs": number(3300.0, digits=0)}
    text = row("positive", ["page.pairs"]).replace("It is so.", "There are {page.pairs} pairs.")
    claim = ledger.load(project(text, one={"values": values})).claims["it"]
    assert claim.sentence == "There are 3,300 pairs."
    assert claim.sentence_marked == "There are {page.pairs} pairs."
    assert "{page.pairs}" in claim.because_marked
    assert "{" not in claim.because


def test_a_claim_may_print_a_share_in_per_cent(project: Project) -> None:
    text = row("positive", ["page.right"]).replace("It is so.", "It is right in {page.right %} of cases.")
    claim = ledger.load(project(text, one={"values": {"page.right": number(0.381, unit="share")}})).claims["it"]
    assert claim.sentence == "It is right in 38 % of cases."


def test_a_pattern_takes_all_values_it_fits_in_the_order_of_the_ledger(project: Project) -> None:
    values = {"dose.s0.follow": number(3), "dose.s1.follow": number(2), "dose.s1.other": number(9)}
    claim = ledger.load(project(row("positive", ["dose.*.follow"]), one={"values": values})).claims["it"]
    assert claim.rests_on == ["dose.s0.follow", "dose.s1.follow"]


# -- in a second setting -----------------------------------------------------------------------------------------------


def measured(low: float, high: float) -> dict[str, Any]:
    return number((low + high) / 2, interval=[low, high])


def second(rule: str, ids: list[str], **options: str) -> str:
    """The second setting of the claim before it, as TOML."""
    lines = ["[claims.second]", 'name = "in a small model"', f'rule = "{rule}"', f"rests_on = {json.dumps(ids)}"]
    lines += ["options = { " + ", ".join(f'{k} = "{v}"' for k, v in options.items()) + " }"] if options else []
    return "\n".join(lines)


def in_second(project: Project, rule: str, values: list[dict[str, Any]], **options: str) -> SecondVerdict:
    ids = [f"small.v{i}" for i in range(len(values))]
    text = row("not_measured", [], options={"because": "Nobody did."}) + "\n" + second(rule, ids, **options)
    document = {"values": {**dict(zip(ids, values, strict=True)), "small.margin": number(0.05)}}
    claim = ledger.load(project(text, one=document)).claims["it"]
    assert claim.verdict == "cannot be checked", "the second setting leaves the first verdict alone"
    assert claim.second is not None
    return claim.second


@pytest.mark.parametrize(
    ("rule", "values", "options", "verdict"),
    [
        ("below_zero", [measured(-0.9, -0.8)], {}, "reproduced"),
        ("below_zero", [measured(-0.1, 0.1)], {}, "not reproduced"),
        ("below_zero", [measured(0.2, 0.4)], {}, "opposite"),
        ("below_zero", [measured(-0.9, -0.8), measured(0.2, 0.4)], {}, "reproduced in part"),
        ("below_zero", [number(-5.0)], {}, "not reproduced"),
        ("above_zero", [measured(0.2, 0.4)], {}, "reproduced"),
        ("above_zero", [measured(-0.4, -0.2)], {}, "opposite"),
        ("falls_steadily", [measured(0.9, 1.0), measured(0.5, 0.7), measured(0.1, 0.3)], {}, "reproduced"),
        ("falls_steadily", [measured(0.5, 1.0), measured(0.4, 0.9)], {}, "not reproduced"),
        ("falls_steadily", [measured(0.9, 1.0), measured(0.0, 0.1), measured(0.2, 0.4)], {}, "not reproduced"),
        ("falls_steadily", [measured(0.9, 1.0), measured(0.1, 0.2), measured(0.11, 0.21)], {}, "reproduced"),
        ("falls_steadily", [measured(0.1, 0.2), measured(0.8, 0.9)], {}, "opposite"),
        ("loses_less_than", [measured(-0.04, 0.01)], {"margin": "small.margin"}, "reproduced"),
        ("loses_less_than", [measured(-0.2, 0.1)], {"margin": "small.margin"}, "not reproduced"),
        ("loses_less_than", [measured(-0.5, -0.4)], {"margin": "small.margin"}, "opposite"),
    ],
)
def test_a_second_setting_reproduces_or_not_by_the_interval(
    project: Project, rule: str, values: list[dict[str, Any]], options: dict[str, str], verdict: str
) -> None:
    found = in_second(project, rule, values, **options)
    assert found.verdict == verdict, found.because
    assert found.because


def test_a_misspelt_value_of_the_second_setting_is_named(project: Project) -> None:
    """It used to silence the second verdict without a word."""
    text = row("positive", ["a"]) + "\n" + second("below_zero", ["smal.v0"])
    with pytest.raises(InputError, match=r"claims\.toml:11 claims\[0\]\.second\.rests_on: .* did you mean 'small\.v0'"):
        ledger.load(project(text, one={"values": {"a": number(), "small.v0": number()}}))


def test_an_odd_list_of_the_second_setting_is_named(project: Project) -> None:
    text = row("positive", ["a"]) + "\n" + second("first_above_second", ["a"])
    with pytest.raises(InputError, match=r"second\.rests_on: rule 'first_above_second' reads values two by two"):
        ledger.load(project(text, one={"values": {"a": number()}}))


# -- what people get wrong --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (row("positve", ["a"]), "claims.toml:6 claims[0].rule: no such rule 'positve', did you mean 'positive'?"),
        (row("positive", ["aa"]), "content/claims.toml:7 claims[0].rests_on: no such value 'aa'"),
        (row("positive", ["zz.*"]), "content/claims.toml:7 claims[0].rests_on: no such value 'zz.*'"),
        (row("positive", []), "rule 'positive' needs at least 1 values, and there are 0"),
        (row("first_above_second", ["a"]), "reads values two by two, and there are 1"),
        (row("all_below", ["a"]), "rule 'all_below' needs the option 'than'"),
        (row("all_below", ["a"], options={"than": "b"}), "claims[0].options: no such value 'b'"),
        (row("positive", ["a"], options={"then": "a"}), "rule 'positive' has no option 'then'"),
        (row("rows_of_table", ["a"], options={"table": "x"}), "no such table 'x'"),
        (row("positive", ["a"]).replace("so.", "{b}."), "claims.toml:3 claims[0].sentence: no such value 'b'"),
        (f"{row('positive', ['a'])}\n" * 2, "content/claims.toml:9 claims[1].id: two claims are called 'it'"),
        (row("positive", ["a"], wehre="x"), "unknown key 'wehre', did you mean 'where'?"),
        (row("positive", ["a"], verdict="holds"), "unknown key 'verdict'"),
        ('[[claims]]\nid = "it"\n', "claims[0].sentence: is missing"),
        ("[[claim]]\n", "unknown key 'claim', did you mean 'claims'?"),
        ('[[claims]]\nid = "it\n', "content/claims.toml:2: not TOML"),
    ],
)  # fmt: skip
def test_a_wrong_claim_is_named_with_its_line(project: Project, text: str, expected: str) -> None:
    root = project(text, one={"values": {"a": number()}})
    with pytest.raises(InputError) as caught:
        ledger.load(root)
    assert any(expected in str(problem) for problem in caught.value.problems), caught.value


def test_a_claim_of_a_section_that_the_page_lacks_is_refused(project: Project) -> None:
    root = project(row("positive", ["a"]), one={"values": {"a": number()}})
    section = root / "content" / "sections" / "01-nummbers"
    section.mkdir(parents=True)
    (section / "section.toml").write_text('id = "nummbers"\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"claims\.toml:5 claims\[0\]\.section: .* did you mean 'nummbers'"):
        ledger.load(root)


def test_two_patterns_pair_what_their_stars_stand_for_alike(project: Project) -> None:
    values = {
        f"t.{row}.{column}": number(n)
        for row, low in (("x", 1), ("y", 5))
        for column, n in (("a", low), ("b", low + 1))
    }
    root = project(row("first_below_second", ["t.*.a", "t.*.b"]), one={"values": values})
    assert ledger.load(root).claims["it"].verdict == "holds"
