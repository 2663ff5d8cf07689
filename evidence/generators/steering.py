"""Which rule of attention the settings ask for, where a pipeline can run under one."""

from __future__ import annotations

from collections.abc import Mapping

from evidence.attention import Rule
from evidence.generators import Setting
from evidence.nag import NormalizedAttentionGuidance
from evidence.vsf import ValueSignFlip


def rule(settings: Mapping[str, Setting]) -> Rule | None:
    """None where the method is off: `none`, a VSF scale of 0, a NAG scale of 1."""
    number = {name: float(value) for name, value in settings.items() if isinstance(value, int | float)}
    if settings["method"] == "vsf" and number["vsf_scale"] > 0:
        return ValueSignFlip(number["vsf_scale"], number["vsf_offset"])
    if settings["method"] == "nag" and number["nag_scale"] > 1:
        return NormalizedAttentionGuidance(number["nag_scale"], number["nag_tau"], number["nag_alpha"])
    return None
