"""Sampling under a rule of attention (VSF, NAG), where the settings spec for one and there is a negative prompt."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from torch import Tensor

from evidence.registry import Setting
from evidence.steering.nag import NormalizedAttentionGuidance
from evidence.steering.streams import Rule, Tokens, installed
from evidence.steering.vsf import ValueSignFlip


def rule(settings: Mapping[str, Setting]) -> Rule | None:
    """None where the method is off: `none`, a VSF scale of 0, a NAG scale of 1."""
    number = {name: float(value) for name, value in settings.items() if isinstance(value, int | float)}
    if settings["method"] == "vsf" and number["vsf_scale"] > 0:
        return ValueSignFlip(number["vsf_scale"], number["vsf_offset"])
    if settings["method"] == "nag" and number["nag_scale"] > 1:
        return NormalizedAttentionGuidance(number["nag_scale"], number["nag_tau"], number["nag_alpha"])
    return None


def steered(
    transformer: Any, settings: Mapping[str, Setting], embedded: dict[str, Tensor]
) -> AbstractContextManager[None]:
    """Runs the transformer under the rule of the settings. Takes `negative_tokens` (batch, 1) out of `embedded`: how
    many of the last text tokens are negative; where it is absent, the plain pipeline runs."""
    wanted, counts = rule(settings), embedded.pop("negative_tokens", None)
    if wanted is None or counts is None:
        return nullcontext()
    negative = int(counts[0, 0])
    return installed(transformer, wanted, Tokens(embedded["prompt_embeds"].shape[1] - negative, negative))
