from __future__ import annotations

from pydantic import Field

from evidence.registry import Settings, generator


@generator(
    "openrouter-chat",
    "evidence.generators.openrouter_chat:OpenRouterChat",
    packages=("openai",),
    remote=True,
    key="OPENROUTER_API_KEY",
)
class OpenRouterChatSettings(Settings):
    instruction: str
    timeout: float = Field(default=180.0, gt=0)  # seconds for the whole of one picture
