"""The version of our own code that determines a sample: a digest of an adapter's source and of what it imports from us.

Comments, docstrings and layout do not count, so that a better sentence does not throw away a week of pictures. Read
from the files, not by import: a plan needs no torch.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@lru_cache(maxsize=256)
def source_digest(module: str) -> str:
    """Twelve hex digits for `evidence.generators.flux` and every module below `evidence/` that it imports, directly or
    not; for an adapter of an installed package also what it imports of that package. Raises FileNotFoundError for a
    module that has no source."""
    digest = hashlib.sha256()
    for name, tree in sorted(_closure(module).items()):
        digest.update(f"{name}\0{ast.dump(tree)}\0".encode())
    return digest.hexdigest()[:12]


# what adapters import but no pixel depends on: how a service is reached, what is refused, where weights lie
_NEUTRAL = {
    "evidence",
    "evidence.cards",
    "evidence.cards.base",
    "evidence.cards.models",
    "evidence.cards.scorers",
    "evidence.generators",
    "evidence.generators.http_base",
    "evidence.generators.openai_client",
    "evidence.generators.refuse",
    "evidence.generators.transport",
    "evidence.interfaces",
    "evidence.registry",
    "evidence.generators.sampling",
    "evidence.scorers",
    "evidence.weights",
}


def _closure(module: str) -> dict[str, ast.Module]:
    found: dict[str, ast.Module] = {}
    waiting, owners = [module], ("evidence", module.partition(".")[0])
    while waiting:
        name = waiting.pop()
        if name in found or (_neutral(name) and name != module):
            continue
        path = _file(name)
        if path is None:
            if name == module:
                raise FileNotFoundError(f"{module} has no source that could be read")
            continue
        found[name] = _bare(ast.parse(path.read_text("utf-8")))
        waiting += [other for other in _imports(found[name]) if other.partition(".")[0] in owners]
    return found


def _neutral(name: str) -> bool:
    return name in _NEUTRAL or name.endswith(("_settings", "_card"))


def _file(name: str) -> Path | None:
    """Of our tree; elsewhere as Python finds it."""
    if name.partition(".")[0] != "evidence":
        return _elsewhere(name)
    stem = ROOT.joinpath(*name.split("."))
    for path in (stem.with_suffix(".py"), stem / "__init__.py"):
        if path.is_file():
            return path
    return None


def _elsewhere(name: str) -> Path | None:
    try:
        found = importlib.util.find_spec(name)
    except ModuleNotFoundError:  # a name below a module, not a module
        return None
    return Path(found.origin) if found and found.origin and found.origin.endswith(".py") else None


def _imports(tree: ast.Module) -> list[str]:
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


def _bare(tree: ast.Module) -> ast.Module:
    """Without docstrings."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:] or ([] if isinstance(node, ast.Module) else [ast.Pass()])
    return tree
