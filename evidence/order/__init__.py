"""Orders: what a user asked for, and where it is stored.

runs/NAME/orders/<digest>.json   what was asked for, so that `status` and `collect` need no arguments
runs/NAME/samples/<aa>/<key>.*   what was made; shared by all orders of the run
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from pydantic import Field, ValidationError

from evidence.cards.models import CONTROLLED
from evidence.samples.identity import canonical
from evidence.samples.store import Store, without_secrets
from ledger.files import replace_text
from ledger.problems import ID, ID_RULE, InputError, Problem, did_you_mean
from ledger.schema import Strict

ROOT = Path(__file__).resolve().parents[2]
RUNS = ROOT / "runs"


class Order(Strict):
    """What a user asked for. Names are those of the command line."""

    models: tuple[str, ...]
    protocol: tuple[str, ...] = ("pairs",)
    prompt_set: str = ""  # empty: the protocol's own
    prompts: int | None = None
    seeds: int = 1  # repeats of every prompt; 0 leaves the samplers free
    profile: str = CONTROLLED
    scorers: tuple[str, ...] = ()
    judges: tuple[str, ...] = ()
    options: dict[str, str] = Field(default_factory=dict)
    sweep: dict[str, tuple[str, ...]] = Field(default_factory=dict)  # setting -> its values, one generator for each

    @property
    def digest(self) -> str:
        return hashlib.sha256(canonical(self.model_dump(mode="json")).encode()).hexdigest()[:16]


def folder(name: str, runs: Path = RUNS) -> Path:
    """Where a run lies. InputError for a name that could not stand in the ledger."""
    if not re.fullmatch(ID, name):
        raise InputError([Problem("--run", 0, name, f"no name for a run: {ID_RULE}")])
    return runs / name


def store_of(name: str, runs: Path = RUNS) -> Store:
    return Store(folder(name, runs) / "samples")


def keep_order(order: Order, name: str, command: str, runs: Path = RUNS) -> None:
    told = {"order": order.model_dump(mode="json"), "command": without_secrets(command)}
    path = folder(name, runs) / "orders" / f"{order.digest}.json"
    replace_text(path, json.dumps(told, indent=1) + "\n")


def orders(name: str, runs: Path = RUNS) -> list[tuple[Order, str]]:
    """Every order of a run with its command, oldest first. InputError for a run that does not exist, and for a file of
    it that cannot be read."""
    found = sorted(
        (folder(name, runs) / "orders").glob("*.json"), key=lambda path: (path.stat().st_mtime_ns, path.name)
    )
    if not found:
        known = sorted(path.parent.parent.name for path in runs.glob("*/orders/*.json"))
        hint = did_you_mean(name, known)
        raise InputError(
            [Problem("runs", 0, name, f"there is no such run{hint}; start one with `python build.py evidence`")]
        )
    return [_read(path) for path in found]


def _read(path: Path) -> tuple[Order, str]:
    mend = "delete it and give the order again: its samples stay"
    try:
        told = json.loads(path.read_text("utf-8"))
        return Order.model_validate(told["order"]), str(told["command"])
    except json.JSONDecodeError as error:
        problem = Problem(str(path), error.lineno, "", f"not JSON: {error.msg}; {mend}")
    except (ValidationError, KeyError, TypeError, UnicodeDecodeError, RecursionError) as error:
        problem = Problem(str(path), 0, "", f"no order that can be read ({type(error).__name__}); {mend}")
    raise InputError([problem])
