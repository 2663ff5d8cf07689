"""The eleven aesthetic dimensions, in a module of their own: scores depend on them and on nothing else of prompts."""

from __future__ import annotations

DIMENSIONS = (
    "background",
    "clarity",
    "color aesthetic",
    "color brightness",
    "detail realism",
    "detail refinement",
    "emotion",
    "lighting distinction",
    "main object",
    "object pairing",
    "richness",
)  # the eleven that VisionReward's annotators rated and this evaluation uses, in the order of the judge's output
