"""Damaged input of every kind ends in a ledger or in an `InputError` that names the file: never in a traceback."""

from __future__ import annotations

import copy
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ledger
from ledger.problems import InputError
from ledger.raw_scores import Layout, read_scores
from tests.ledger.conftest import number
from tests.ledger.test_import_scores import GOOD, PLAN, table
from tests.ledger.test_reading import EXHIBIT, TABLE

DOCUMENT = {
    "values": {
        "page.dog": number(2.0, interval=[1.0, 3.0], n=4, agrees_with="page.cat"),
        "page.cat": number(2.0),
        "models.flux.delta": number(None),
    },
    "tables": {"models": TABLE},
    "exhibits": {"dog": EXHIBIT},
    "runs": {"run": {"title": "R", "date": "d", "command": "c", "code": "c", "hardware": "h", "software": {}}},
}
CLAIM = """[[claims]]
id = "it"
sentence = "It is {page.dog}."
where = "Page"
section = "numbers"
rule = "all_below"
rests_on = ["page.*"]
options = { than = "page.cat" }
[claims.second]
name = "in a small model"
rule = "below_zero"
rests_on = ["page.dog"]
"""
LAYOUT = Layout.model_validate(
    {key: part for key, part in tomllib.loads(PLAN.read_text("utf-8")).items() if key in Layout.model_fields}
)
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=6),
    st.sampled_from(["page.dog", "javascript:x", "../x", "\ud800", "{page.dog}", "*", "<b>"]),
    st.just([]),
    st.just({}),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=4), st.integers(), max_size=2),
)
RELAXED = settings(max_examples=150, suppress_health_check=list(HealthCheck))


def places(tree: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of a tree."""
    steps = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    found = []
    for key, branch in list(steps):
        found += [(tree, key), *places(branch)]
    return found


@st.composite
def damaged_documents(draw: st.DrawFn) -> str:
    """The document with some branches replaced, removed or renamed."""
    tree = copy.deepcopy(DOCUMENT)
    for _ in range(draw(st.integers(1, 3))):
        spots = places(tree)
        if not spots:
            break
        container, key = draw(st.sampled_from(spots))
        deed = draw(st.sampled_from(["replace", "remove", "rename"]))
        if deed == "replace" or isinstance(container, list):
            container[key] = draw(ODD)
        else:
            branch = container.pop(key)
            if deed == "rename":
                container[draw(st.text(max_size=8))] = branch
    return json.dumps(tree, indent=1)


@st.composite
def damaged_text(draw: st.DrawFn, text: str) -> bytes:
    """Bytes of a text with a stretch cut out, doubled or overwritten."""
    raw = bytearray(text.encode())
    start = draw(st.integers(0, len(raw)))
    stop = min(len(raw), start + draw(st.integers(0, 30)))
    raw[start:stop] = draw(st.one_of(st.binary(max_size=6), st.just(bytes(raw[start:stop]) * 2)))
    return bytes(raw)


def load_or_refuse(root: Path) -> None:
    """Loads; a refusal must name a file for every defect, and a line unless the file as a whole is meant."""
    try:
        book = ledger.load(root)
    except InputError as error:
        assert error.problems
        for problem in error.problems:
            assert problem.file in ("results/one.json", "content/claims.toml")
            assert problem.line >= 0
            assert problem.message
            str(problem).encode("utf-8", "surrogatepass")
        return
    for id in book.ids():
        assert ledger.show(book.value(id))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("damaged")
    (folder / "results").mkdir()
    (folder / "content").mkdir()
    return folder


def put(root: Path, document: bytes, claims: bytes) -> None:
    (root / "results" / "one.json").write_bytes(document)
    (root / "content" / "claims.toml").write_bytes(claims)


@given(document=damaged_documents())
@RELAXED
def test_a_ledger_with_odd_branches_loads_or_is_refused(root: Path, document: str) -> None:
    put(root, document.encode("utf-8", "surrogatepass"), b"")
    load_or_refuse(root)


@given(document=damaged_text(json.dumps(DOCUMENT, indent=1)))
@RELAXED
def test_a_ledger_with_damaged_bytes_loads_or_is_refused(root: Path, document: bytes) -> None:
    put(root, document, b"")
    load_or_refuse(root)


@given(claims=damaged_text(CLAIM))
@RELAXED
def test_claims_with_damaged_bytes_load_or_are_refused(root: Path, claims: bytes) -> None:
    put(root, json.dumps(DOCUMENT).encode(), claims)
    load_or_refuse(root)


@given(scores=damaged_text(table(GOOD, [1, "tuned_v1", 1, *GOOD[3:]])))
@RELAXED
def test_scores_with_damaged_bytes_are_read_or_refused(root: Path, scores: bytes) -> None:
    file = root / "scores.csv"
    file.write_bytes(scores)
    try:
        assert read_scores(file, LAYOUT, []).lines >= 1
    except InputError as error:
        assert all(problem.file == "scores.csv" and problem.line >= 0 for problem in error.problems)
        assert error.problems


def test_the_undamaged_project_loads(root: Path) -> None:
    """Without this the tests above could pass by refusing everything."""
    put(root, json.dumps(DOCUMENT).encode(), CLAIM.encode())
    assert ledger.load(root).claims["it"].sentence == "It is 2.000."
