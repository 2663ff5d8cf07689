"""A server of our own on loopback that speaks the services' wire formats, and misbehaves on request.

`Service(answers)` plays its list of answers, one a request, the last one again and again; it remembers what was sent.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from PIL import Image

from tests.evidence.tiny.loopback import Loopback, QuietHandler

Answer = Callable[["Handler"], None]


def picture(colours: tuple[int, int, int] | None = None, size: tuple[int, int] = (1024, 1024)) -> bytes:
    """PNG bytes: a gradient, or one colour throughout."""
    image = Image.linear_gradient("L").resize(size).convert("RGB") if colours is None else None
    buffer = io.BytesIO()
    (image or Image.new("RGB", size, colours)).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


@dataclass
class Received:
    method: str
    path: str
    headers: dict[str, str]
    body: Any


class Handler(QuietHandler):
    owner: Service

    def _play(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        received = Received(
            self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, json.loads(body) if body else None
        )
        place = len(self.owner.received)
        self.owner.received.append(received)
        self.owner.answers[min(place, len(self.owner.answers) - 1)](self)

    do_GET = do_POST = _play

    def reply(self, status: int, content: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


@dataclass
class Service(Loopback):
    handler: ClassVar[type[QuietHandler]] = Handler

    answers: list[Answer]
    received: list[Received] = field(default_factory=list)


def says(content: Any, status: int = 200, **headers: str) -> Answer:
    """JSON. `{url}` in a text becomes the address of the service."""

    def answer(handler: Handler) -> None:
        text = json.dumps(content).replace("{url}", handler.owner.url)
        handler.reply(status, text.encode(), "application/json", {k.replace("_", "-"): v for k, v in headers.items()})

    return answer


def echoes_the_key(status: int = 401) -> Answer:
    """An error that quotes the key whole, in part and in base64, as careless services do."""

    def answer(handler: Handler) -> None:
        key = handler.headers.get("Authorization", "").removeprefix("Bearer ")
        coded = base64.b64encode(key.encode()).decode()
        said = f"Incorrect API key provided: {key[:10]}***{key[-8:]} ({key}) [{coded}]"
        handler.reply(status, json.dumps({"error": {"message": said}, "detail": said}).encode(), "application/json")

    return answer


def html(status: int = 200) -> Answer:
    return lambda handler: handler.reply(status, b"<html><body>Please wait</body></html>", "text/html")


def content(data: bytes, kind: str = "image/png") -> Answer:
    return lambda handler: handler.reply(200, data, kind)


def cut() -> Answer:
    """Announces more than it sends, then closes."""

    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        handler.wfile.write(b'{"id": "x", "data": [')
        handler.close_connection = True

    return answer


def drips(seconds: float) -> Answer:
    """A byte every now and then, so that no single read ever times out."""

    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        ends = time.monotonic() + seconds
        try:
            while time.monotonic() < ends:
                handler.wfile.write(b" ")
                handler.wfile.flush()
                time.sleep(0.05)
        except OSError:
            pass

    return answer


def notice() -> bytes:
    """PNG bytes of a grey card with a few marks, as a service sends in place of a picture."""
    image = Image.new("RGB", (1024, 1024), (128, 128, 128))
    image.paste(Image.linear_gradient("L").resize((100, 20)), (60, 60))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def packed() -> Answer:
    """A small answer that would unpack to a large one."""

    def answer(handler: Handler) -> None:
        body = gzip.compress(b" " * 2**22)
        handler.send_response(200)
        for name, value in (("Content-Type", "application/json"), ("Content-Encoding", "gzip")):
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def endless() -> Answer:
    """More bytes than any picture needs."""

    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(2**26))
        handler.end_headers()
        try:
            for _ in range(2**10):
                handler.wfile.write(b" " * 2**16)
        except OSError:
            pass

    return answer


def coded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def chat(data: bytes | None, text: str | None = "Here you are.") -> Any:
    """A chat completion with (or without) a picture, as OpenRouter words it."""
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if data is not None:
        url = f"data:image/png;base64,{coded(data)}"
        message["images"] = [{"type": "image_url", "image_url": {"url": url}}]
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    return {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}


def images(data: bytes) -> Any:
    return {"created": 1, "data": [{"b64_json": coded(data)}]}


def prediction(status: str, output: Any = None, error: str | None = None) -> Any:
    """A prediction of Replicate."""
    urls = {"get": "{url}/v1/predictions/p1", "cancel": "{url}/v1/predictions/p1/cancel"}
    told = {"id": "p1", "model": "m", "version": "v", "input": {}, "urls": urls, "logs": "", "created_at": None}
    return told | {"status": status, "output": output, "error": error, "source": "api"}
