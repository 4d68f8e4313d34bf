"""The API behind a real server: in a thread, where tests can look into it, or in a process of its own."""

import os
import re
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, cast

import httpx

from octavia.api import server
from octavia.api.live.hub import Hub
from octavia.settings import Settings
from octavia.web import create_app
from tests.support.ports import free_port

_SERVE = """
from octavia.api import server
from octavia.settings import Settings
from octavia.web import create_app
settings = Settings()
server.run(create_app(settings), settings)
"""


class Server:
    """uvicorn in a thread of this process."""

    def __init__(self, settings: Settings, *, poll_seconds: float | None = None) -> None:
        self.port = free_port()
        settings = settings.model_copy(update={"port": self.port})
        self.app = create_app(settings)
        if poll_seconds is not None:
            self.hub.poll_seconds = poll_seconds
        self._server = server.Server(self.app, settings)
        self.config = self._server.config
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    @property
    def hub(self) -> Hub:
        return cast("Hub", self.app.state.hub)

    @property
    def connections(self) -> list[Any]:
        """The protocols of all connections."""
        return list(self._server.server_state.connections)

    @property
    def answering(self) -> int:
        """How many requests are in progress."""
        return len(self._server.server_state.tasks)

    def __enter__(self) -> "Server":
        self._thread.start()
        until_answers(self.port)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(30)


@contextmanager
def server_process(settings: Settings, *within: str) -> Iterator[subprocess.Popen[bytes]]:
    """uvicorn in a process of its own, on the settings' port; killed in the end.

    Parameters:
      within: What to put before its command.
    """
    environment: Mapping[str, str] = os.environ | settings.environment()
    process = subprocess.Popen([*within, sys.executable, "-c", _SERVE], env=environment)
    try:
        until_answers(settings.port)
        yield process
    finally:
        process.kill()
        process.wait()


def until_answers(port: int) -> None:
    """Wait until ``/healthz`` does."""
    deadline = time.monotonic() + 60
    # One client for all tries: making one reads the certificates of all authorities, and that slows what it waits for.
    with httpx.Client(timeout=5) as client:
        while True:
            try:
                client.get(f"http://127.0.0.1:{port}/healthz")
                return
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)


class RawClient:
    """Speaks HTTP byte by byte, as no decent client would."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)

    def __enter__(self) -> "RawClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def post(self, **headers: str) -> None:
        """Begin a submission."""
        lines = ["POST /api/v1/jobs HTTP/1.1", f"Host: 127.0.0.1:{self._socket.getpeername()[1]}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode())

    def send(self, data: bytes) -> None:
        """Send bytes of the body as they are."""
        self._socket.sendall(data)

    def send_chunk(self, data: bytes) -> None:
        """Send bytes as one chunk."""
        self._socket.sendall(b"%x\r\n%s\r\n" % (len(data), data))

    def answered(self, within: float = 0.05) -> bool:
        """Return True if an answer begins, or has begun."""
        return bool(select.select([self._socket], [], [], within)[0])

    def reset(self) -> None:
        """Break the connection off."""
        self._socket.close()

    def response(self) -> str:
        """The next answer, of a connection that may go on."""
        received = bytearray()
        while b"\r\n\r\n" not in received and (data := self._socket.recv(65536)):
            received += data
        length = re.search(rb"\ncontent-length: (\d+)", received)
        end = received.find(b"\r\n\r\n") + 4 + (int(length[1]) if length else 0)
        while len(received) < end and (data := self._socket.recv(65536)):
            received += data
        return received.decode()

    def answer(self) -> str:
        """All that comes until the server ends the connection."""
        received = bytearray()
        while data := self._socket.recv(65536):
            received += data
        return received.decode()
