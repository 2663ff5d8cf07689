"""Cards under overrides of their settings, as a name carries them: `flux-dev-vsf@vsf_scale=3,steps=20`.

Besides settings that the adapter of the card reads there are `lora_scale`, and `negative` (true or false): whether the
words of polish of a prompt are passed as its negative prompt. What nobody reads, or what would be ignored, is an error.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from evidence.cards import models
from evidence.registry import GENERATORS
from ledger.problems import InputError, Problem, did_you_mean, explain


def overridden(name: str, cards: Mapping[str, models.ModelCard]) -> tuple[models.ModelCard, bool | None]:
    """The card that `name` names, under its overrides, and `negative` where it is among them. Raises InputError with
    the nearest known name or setting, or with what is wrong with a value."""
    base, _, text = name.partition("@")
    if base not in cards:
        raise InputError([Problem("evidence/cards/models.toml", 0, base, f"no such card{did_you_mean(base, cards)}")])
    said = dict(_setting(name, part) for part in text.split(",") if part)
    negative, scale = said.pop("negative", None), said.pop("lora_scale", None)
    card = cards[base]
    known = GENERATORS[card.adapter].settings.model_fields
    wrong = [
        f"adapter '{card.adapter}' reads no '{key}'{did_you_mean(key, [*known, 'lora_scale', 'negative'])}"
        for key in said
        if key not in known
    ]
    if negative not in (None, True, False):
        wrong.append("negative: neither true nor false")
    if scale is not None and not (card.lora and isinstance(scale, int | float)):
        wrong.append("lora_scale: not a number" if card.lora else "lora_scale: the card has no LoRA")
    _refuse(name, wrong)
    try:
        profiles = {key: _profile(profile, said) for key, profile in card.profiles.items()}
    except ValidationError as error:
        raise InputError(explain(error, models.Profile, f"--models {name}", said, lambda _: 0)) from None
    scales = {} if scale is None else {"lora_scale": float(scale)}
    changed = card.model_copy(update={"profiles": profiles, **scales})
    if said:
        defects = (defect for profile in profiles for defect in models.profile_defects(changed, profile))
        _refuse(name, (f"{'.'.join(where)}: {message}" for where, message in defects))
    return changed, negative


def _refuse(name: str, messages: Iterable[str]) -> None:
    if problems := [Problem("--models", 0, name, message) for message in dict.fromkeys(messages)]:
        raise InputError(problems)


def _setting(name: str, part: str) -> tuple[str, Any]:
    key, equals, value = part.partition("=")
    if not equals:
        _refuse(name, [f"'{part}' is not setting=value"])
    try:
        return key.strip(), tomllib.loads(f"x = {value}")["x"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value.strip()


def _profile(profile: models.Profile, said: Mapping[str, Any]) -> models.Profile:
    merged = profile.model_dump(exclude_none=True) | dict(said)
    if said.keys() & {"width", "height"}:
        side = merged.pop("size", None)
        merged = {"width": side, "height": side} | merged if side else merged
    kinds = {
        kind: {k: v for k, v in merged[kind].items() if v is not None and k not in said} for kind in ("plain", "wide")
    }
    return models.Profile.model_validate(merged | kinds)
