"""One generator for each value of a swept setting; batch sizes and compilation, which stand in the name because they
move pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evidence.cards import Cards
from evidence.devices import fitting
from evidence.jobs.plan import configured
from evidence.order.families import expand
from evidence.registry import GENERATORS
from ledger.problems import InputError, Problem


def tuned(
    names: Sequence[str], cards: Cards, profile: str, *, batch: str = "", compiled: bool = False, gpu_gib: float | None
) -> list[str]:
    """Names with a batch size (a number, or `auto`: as many as fit beside the weights) and compilation added as
    overrides, where an adapter reads them. Both move pictures by some grey levels: that is why they stand in the name,
    in the recipe and in the key, and why neither is chosen behind anyone's back."""
    found = []
    for name in expand(names, cards):
        one = configured(name, cards.models)
        reads = GENERATORS[one.card.adapter].settings.model_fields
        if profile not in one.card.profiles:
            raise InputError([Problem("--profile", 0, name, f"has no profile '{profile}'")])
        settings = one.card.settings(profile)
        extra = {}
        steered = settings.get("method", "none") != "none"  # by negative prompts of any length: sampled apart
        if batch and "batch" in reads and not steered:
            extra["batch"] = str(fitting(one.card, settings, gpu_gib)) if batch == "auto" else batch
        if compiled and "compile" in reads and gpu_gib:
            extra["compile"] = "true"
        told = ",".join(f"{key}={value}" for key, value in extra.items() if str(settings.get(key)).lower() != value)
        found.append(f"{name}{',' if '@' in name else '@'}{told}" if told else name)
    return found


def points(name: str, sweep: Mapping[str, tuple[str, ...]]) -> list[str]:
    """`name` under each value of each swept setting, or `name` itself without a sweep. A setting of VSF or NAG turns
    its method on."""
    found = []
    for setting, choices in sweep.items():
        method = next((f"method={m}," for m in ("vsf", "nag") if setting.startswith(f"{m}_")), "")
        joint = "," if "@" in name else "@"
        found += [f"{name}{joint}{method}{setting}={choice}" for choice in choices]
    return found or [name]
