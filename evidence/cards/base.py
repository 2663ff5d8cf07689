"""Cards of TOML: what models.toml and scorers.toml share.

One top-level table per card; its id is the key; `like = "other"` takes from another card what it does not say itself. A
card is validated by a pydantic model that refuses unknown keys; every problem is reported with file, line and the
nearest known name. Weights are addressed as `hf-hub:owner/name[@revision][:file]` or `local-dir:path` (prefixes as in
open_clip). Nothing here imports torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ledger.problems import InputError, Problem, did_you_mean, explain, relative, toml_line
from ledger.text import read_toml

ROOT = Path(__file__).resolve().parents[2]


class Card(BaseModel):
    """Base of all cards. `id` is the name of the table that holds it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    not_inherited: ClassVar[frozenset[str]] = frozenset({"label", "note", "unknown"})  # what `like` leaves behind

    id: str
    label: str = Field(default_factory=lambda said: said["id"], min_length=1)


CardType = TypeVar("CardType", bound=Card)


def read_cards(
    path: Path, card_type: type[CardType] | Mapping[str, type[CardType]], root: Path = ROOT
) -> dict[str, CardType]:
    """All cards of `path` in file order. Raises InputError with every problem of the file.

    `card_type` is one type for all, or types by `adapter`: then each adapter has keys of its own."""
    name, (text, tables) = relative(path, root), read_toml(path, root)
    cards, problems = dict[str, CardType](), list[Problem]()
    for row_id, table in tables.items():
        if not isinstance(table, dict):
            problems.append(Problem(name, toml_line(text, (row_id,)), row_id, "belongs into the table of a card"))
            continue
        try:
            any_type = card_type if isinstance(card_type, type) else next(iter(card_type.values()))
            whole = _inherited(row_id, tables, any_type)
            chosen = _type_of(whole, card_type)
            cards[row_id] = chosen.model_validate({"id": row_id, **whole})
        except LookupError as error:
            message, key = error.args
            problems.append(Problem(name, toml_line(text, (row_id, key)), f"{row_id}.{key}", message))
        except ValidationError as error:
            problems += explain(error, chosen, name, {"id": row_id, **whole}, lambda at: toml_line(text, at), (row_id,))
    if problems:
        raise InputError(problems)
    return cards


def _type_of(table: dict[str, Any], card_type: type[CardType] | Mapping[str, type[CardType]]) -> type[CardType]:
    if isinstance(card_type, type):
        return card_type
    adapter = str(table.get("adapter"))
    if adapter not in card_type:
        near = did_you_mean(adapter, card_type)
        raise LookupError(f"no adapter '{adapter}'{near}; known: {', '.join(card_type)}", "adapter")
    return card_type[adapter]


def _inherited(
    row_id: str, tables: dict[str, Any], card_type: type[Card], below: tuple[str, ...] = ()
) -> dict[str, Any]:
    table = dict(tables[row_id])
    model = table.pop("like", "")
    if not model:
        return table
    if not isinstance(tables.get(model), dict) or model in (row_id, *below):
        raise LookupError(f"no other card '{model}'{did_you_mean(str(model), tables)}", "like")
    parent = _inherited(model, tables, card_type, (*below, row_id))
    return _merged({k: v for k, v in parent.items() if k not in card_type.not_inherited}, table)


def _merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    both = {k: _merged(v, new[k]) for k, v in old.items() if isinstance(v, dict) and isinstance(new.get(k), dict)}
    return old | new | both


def pick(cards: dict[str, CardType], wanted: list[str], file: str) -> list[CardType]:
    """The wanted cards in the wanted order; InputError with the nearest name for each unknown one."""
    problems = [
        Problem(file, 0, name, f"no such card{did_you_mean(name, cards)}; known: {', '.join(cards)}")
        for name in wanted
        if name not in cards
    ]
    if problems:
        raise InputError(problems)
    return [cards[name] for name in wanted]
