"""Which part of the project may know which: arrows run one way, between packages and between the parts of `pages`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

PROJECT = Path(__file__).parents[2]
PACKAGES = ("ledger", "effects", "pages", "evidence", "miniature")
MAY_IMPORT = {
    "ledger": set(),
    "effects": set(),
    "pages": {"ledger", "effects"},
    "evidence": {"ledger", "effects"},
    "miniature": {"ledger", "effects", "evidence"},  # which draws and scores what is measured, and knows no miniature
}
ORDER = ("cache", "source", "charts", "images", "rendering", "output", "build")  # of pages; each knows those before it


def imports(file: Path) -> Iterator[str]:
    """Modules of the project that a file imports, wherever and whatever for."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def needs(folder: Path, package: str, depth: int) -> dict[str, set[str]]:
    """Part -> parts that it imports; a part is named by the step `depth` of a module's address."""
    found: dict[str, set[str]] = {}
    for file in folder.rglob("*.py"):
        part = ([package, *file.relative_to(folder).parts])[depth].removesuffix(".py")
        steps = (name.split(".") for name in imports(file))
        used = {step[depth] for step in steps if step[0] in PACKAGES and (depth == 0 or step[0] == package)}
        found.setdefault(part, set()).update(used - {part})
    return found


def test_packages_know_only_what_stands_below_them() -> None:
    for package in PACKAGES:
        known = needs(PROJECT / package, package, 0)[package]
        assert known <= MAY_IMPORT[package], f"{package} imports {known - MAY_IMPORT[package]}"


def test_the_parts_of_pages_import_one_way() -> None:
    """Also for the eyes of a type checker: a circle of types is a circle for whoever reads it."""
    known = needs(PROJECT / "pages", "pages", 1)
    list(TopologicalSorter(known).static_order())  # CycleError names the circle
    assert {*ORDER} <= known.keys()
    for place, part in enumerate(ORDER):
        above = known[part] & {*ORDER[place:]}
        assert not above, f"pages.{part} imports pages.{', pages.'.join(sorted(above))}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Also inside functions and for a type checker alone: what each needs of the other belongs below both."""
    files = {file for package in PACKAGES for file in (PROJECT / package).rglob("*.py")}
    modules = {".".join(file.relative_to(PROJECT).with_suffix("").parts): file for file in files}
    known = {
        name: {used for one in imports(file) for used in (one, one.rpartition(".")[0]) if used in modules} - {name}
        for name, file in modules.items()
    }
    list(TopologicalSorter(known).static_order())  # CycleError names the circle
