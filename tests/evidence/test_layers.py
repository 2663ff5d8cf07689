"""Which part of the engine may know which: no two packages import each other, directly or around a corner."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import evidence

HERE = Path(evidence.__path__[0])


def part_of(module: str) -> str:
    """`evidence.jobs.plan` -> jobs; empty outside."""
    steps = module.split(".")
    return steps[1] if steps[0] == "evidence" and len(steps) > 1 else ""


def imported(file: Path) -> set[str]:
    """Parts that a module imports at run time; what only a type checker reads, and what a function asks for, counts."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module] if node.module != "evidence" else [f"evidence.{alias.name}" for alias in node.names]
            found |= {part_of(name) for name in names}
    return found - {""}


def test_no_two_parts_import_each_other() -> None:
    """`graphlib.CycleError` names the circle."""
    needs: dict[str, set[str]] = {}
    for file in HERE.rglob("*.py"):
        part = file.relative_to(HERE).parts[0].removesuffix(".py")
        needs.setdefault(part, set()).update(imported(file) - {part})
    order = list(TopologicalSorter(needs).static_order())
    assert order.index("samples") < order.index("jobs") < order.index("protocols") < order.index("order")
    assert order.index("devices") < order.index("ready") and order.index("progress") < order.index("engines")
