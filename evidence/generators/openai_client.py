"""The official openai client without its retries, and what its errors mean."""

from __future__ import annotations

import json
from typing import Any

import httpx
from openai import APIConnectionError, APIError, APIStatusError, OpenAI

from evidence.generators.http_base import SAID, Remote, classified
from evidence.generators.transport import Limited
from evidence.interfaces import GenerationFailed


class OpenAIClient(Remote):
    def _client(self, key: str, base_url: str) -> OpenAI:
        limit = float(self.settings["timeout"] or 60)
        http = httpx.Client(transport=Limited(limit), follow_redirects=True)
        return OpenAI(api_key=key, base_url=base_url, max_retries=0, timeout=limit, http_client=http)  # type: ignore[arg-type]

    def _failure(self, error: Exception) -> tuple[str, int | None, dict[str, str]]:
        if isinstance(error, APIStatusError):
            return _message(error), error.status_code, dict(error.response.headers)
        if isinstance(error, APIConnectionError):
            return type(error.__cause__ or error).__name__, None, {}
        if isinstance(error, APIError | json.JSONDecodeError | AttributeError | TypeError | KeyError | IndexError):
            return f"not the answer of such a service ({type(error).__name__})", None, {}
        return type(error).__name__, None, {}


def told_inside(answer: Any, key: str = "") -> GenerationFailed | None:
    """The failure that an answer with status 200 tells of: an error in its body or in its first choice, a refusal, a
    filter. None where it tells of none."""
    choice = next(iter(getattr(answer, "choices", None) or []), None)
    for holder in (answer, choice):
        error = field(holder, "error")
        if isinstance(error, dict):
            code = error.get("code")
            status = int(str(code)) if str(code).isdigit() else None
            return classified(str(error.get("message") or ""), status, {}, key)
    if refusal := field(field(choice, "message"), "refusal"):
        return GenerationFailed(f"refused: {' '.join(str(refusal).split())[:SAID]}", retryable=False)
    if field(choice, "finish_reason") == "content_filter":
        return GenerationFailed("stopped by the service's content filter", retryable=False)
    return None


def field(holder: Any, name: str) -> Any:
    return holder.get(name) if isinstance(holder, dict) else getattr(holder, name, None)


def _message(error: APIStatusError) -> str:
    body: Any = error.body
    inner = body.get("error", body) if isinstance(body, dict) else body
    return str(inner.get("message", "")) if isinstance(inner, dict) else ""
