"""The official openai client without its retries, and what its errors mean."""

from __future__ import annotations

import json
from typing import Any

from openai import APIConnectionError, APIError, APIStatusError, OpenAI

from evidence.generators.http_base import Remote


class OpenAIClient(Remote):
    def _client(self, key: str, base_url: str) -> OpenAI:
        return OpenAI(api_key=key, base_url=base_url, max_retries=0, timeout=float(self.settings["timeout"] or 60))

    def _failure(self, error: Exception) -> tuple[str, int | None, dict[str, str]]:
        if isinstance(error, APIStatusError):
            return _message(error), error.status_code, dict(error.response.headers)
        if isinstance(error, APIConnectionError):
            return type(error.__cause__ or error).__name__, None, {}
        if isinstance(error, APIError | json.JSONDecodeError | AttributeError | TypeError | KeyError | IndexError):
            return f"not the answer of such a service ({type(error).__name__})", None, {}
        return type(error).__name__, None, {}


def _message(error: APIStatusError) -> str:
    body: Any = error.body
    inner = body.get("error", body) if isinstance(body, dict) else body
    return str(inner.get("message", "")) if isinstance(inner, dict) else ""
