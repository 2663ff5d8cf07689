"""Generators: `requests -> pictures`, by the adapter of their card (evidence.registry), imported when it is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evidence.registry import GENERATORS, PictureKind

if TYPE_CHECKING:
    from evidence.cards.models import ModelCard
    from evidence.interfaces import Generator


def load(
    card: ModelCard,
    profile: str = "controlled",
    device: str = "cpu",
    *,
    kind: PictureKind = "plain",
    sharing: Generator | None = None,
) -> Generator:
    """A generator under one profile of its card.

    `kind` chooses between the settings for the plain and the wide-spectrum picture, which differ only in `as-published`
    profiles of some cards. `sharing` is a generator loaded before: its weights are used again where they are those of
    this card, also for another strength of its LoRA.
    Raises Unavailable, weights.WeightsChanged, or KeyError for an unknown profile.
    """
    made = GENERATORS[card.adapter].load()
    settings = card.settings(profile, kind)
    if isinstance(sharing, made) and sharing.card.needs == card.needs:
        return sharing.under(settings, card)  # type: ignore[no-any-return]
    return made(card, settings, device)  # type: ignore[no-any-return]
