"""HTTP for services: a limit on the whole of an answer, in seconds and in bytes, that ends the connection.

A client's own time limit starts again with every byte that drips in, and it unpacks whatever it is sent. Here an answer
must be whole by a deadline, may hold `MOST_BYTES` and may not be compressed, which bounds memory too.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx

MOST_BYTES = 64 * 2**20


class Limited(httpx.BaseTransport):
    """One exchange after the other, all of them over by `seconds` from now."""

    def __init__(self, seconds: float) -> None:
        self.ends = time.monotonic() + seconds
        self.inner = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.headers["Accept-Encoding"] = "identity"
        left = max(0.01, self.ends - time.monotonic())
        request.extensions["timeout"] = dict.fromkeys(("connect", "read", "write", "pool"), left)
        answer = self.inner.handle_request(request)
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            answer.close()
            raise httpx.DecodingError("a compressed answer, which was not asked for", request=request)
        assert isinstance(answer.stream, httpx.SyncByteStream)
        return httpx.Response(
            answer.status_code,
            headers=answer.headers,
            stream=_Bounded(answer.stream, self.ends, request),
            extensions=answer.extensions,
        )

    def close(self) -> None:
        self.inner.close()


class _Bounded(httpx.SyncByteStream):
    def __init__(self, stream: httpx.SyncByteStream, ends: float, request: httpx.Request) -> None:
        self.stream, self.ends, self.request = stream, ends, request

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for part in self.stream:
            size += len(part)
            if size > MOST_BYTES:
                raise httpx.ReadError(f"an answer of more than {MOST_BYTES} bytes", request=self.request)
            if time.monotonic() > self.ends:
                raise httpx.ReadTimeout("the answer took too long", request=self.request)
            yield part

    def close(self) -> None:
        self.stream.close()
