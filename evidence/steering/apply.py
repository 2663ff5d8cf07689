"""Sampling under a rule of attention (VSF, NAG), where the settings spec for one and there is a negative prompt."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from torch import Tensor

from evidence.registry import Setting
from evidence.steering.doubled import doubled
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
    """Runs the transformer under the rule of the settings. Takes out of `embedded` either `negative_tokens` (batch, 1),
    how many of the last text tokens are negative, or `unwanted_embeds` and `unwanted_pooled`, the embeddings of
    negative prompts; where there is neither, the plain pipeline runs."""
    wanted, counts = rule(settings), embedded.pop("negative_tokens", None)
    unwanted, pooled = embedded.pop("unwanted_embeds", None), embedded.pop("unwanted_pooled", None)
    if isinstance(wanted, NormalizedAttentionGuidance) and unwanted is not None and pooled is not None:
        return doubled(transformer, wanted, unwanted, pooled)
    if wanted is None or counts is None:
        return nullcontext()
    negative = int(counts[0, 0])
    return installed(transformer, wanted, Tokens(embedded["prompt_embeds"].shape[1] - negative, negative))
