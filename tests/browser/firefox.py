"""The system's Firefox, driven through Marionette, the protocol that it speaks itself: no driver has to be installed.

Messages are JSON with their length before it (https://firefox-source-docs.mozilla.org/testing/marionette).
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any


class Firefox:
    """A headless Firefox with a fresh profile below `folder`."""

    def __init__(self, folder: Path) -> None:
        binary = shutil.which("firefox") or shutil.which("firefox-esr")
        assert binary, "no Firefox: run `make browser`"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        (folder / "user.js").write_text(f'user_pref("marionette.port", {port});\n')
        command = [binary, "--headless", "--no-remote", "--marionette", "--profile", str(folder)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.socket, self.count = _connected(port), 0
        self._read()  # what it is
        self.ask("WebDriver:NewSession", capabilities={})

    def ask(self, command: str, **given: Any) -> Any:
        """The answer to one command; RuntimeError when Firefox refuses."""
        self.count += 1
        message = json.dumps([0, self.count, command, given]).encode()
        self.socket.sendall(str(len(message)).encode() + b":" + message)
        _, _, error, answer = self._read()
        if error:
            raise RuntimeError(f"{command}: {error['message']}")
        return answer

    def run(self, script: str, *arguments: Any, seconds: float = 30) -> Any:
        """What the body of an async function returns in the page."""
        self.ask("WebDriver:SetTimeouts", script=int(seconds * 1000))
        body = f"const done = arguments[arguments.length - 1]; (async () => {{ {script} }})().then(done, done);"
        return self.ask("WebDriver:ExecuteAsyncScript", script=body, args=list(arguments))["value"]

    def close(self) -> None:
        self.socket.close()
        self.process.terminate()
        self.process.wait(30)

    def _read(self) -> Any:
        digits = b""
        while not digits.endswith(b":"):
            digits += self._receive(1)
        size, content = int(digits[:-1]), b""
        while len(content) < size:
            content += self._receive(size - len(content))
        return json.loads(content)

    def _receive(self, most: int) -> bytes:
        received = self.socket.recv(most)
        if not received:
            raise RuntimeError("Firefox hung up")
        return received


def _connected(port: int, seconds: float = 90) -> socket.socket:
    until = time.monotonic() + seconds
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=300)
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
