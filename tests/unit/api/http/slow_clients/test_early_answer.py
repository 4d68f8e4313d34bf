"""Clients can read an answer that is sent before the end of their request."""

from collections.abc import Callable
from typing import Any

import anyio
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Message

from octavia.api.http.slow_clients.early_answer import EarlyAnswer


async def hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


async def read_all(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


class Connection:
    """The server's side of a request whose body comes in blocks, as an ASGI server shows it."""

    def __init__(self, blocks: list[bytes], **headers: str) -> None:
        self.blocks = blocks
        self.scope = {
            "type": "http",
            "method": "POST",
            "path": "/",
            "query_string": b"",
            "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
        }
        self.sent: list[Message] = []
        self.read = 0

    async def receive(self) -> Message:
        if self.read == len(self.blocks):
            await anyio.sleep_forever()
        self.read += 1
        return {"type": "http.request", "body": self.blocks[self.read - 1], "more_body": self.read < len(self.blocks)}

    async def send(self, message: Message) -> None:
        self.sent.append({**message, "read": self.read})

    def run(self, endpoint: Callable[[Request], Any], **options: float) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await (await endpoint(Request(scope, receive)))(scope, receive, send)

        anyio.run(EarlyAnswer(app, **options), self.scope, self.receive, self.send)

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])


def test_an_early_answer_is_sent_before_more_is_read() -> None:
    # Given a request of several blocks
    connection = Connection([b"x" * 1000] * 5, content_length="5000")
    # When it is answered at once
    connection.run(hello)
    # Then the answer goes out before anything is read, says that the connection ends, and the rest is dropped
    assert connection.headers[b"connection"] == b"close"
    assert (connection.sent[1]["body"], connection.sent[1]["read"]) == (b"hello", 0)
    assert connection.sent[-1]["more_body"] is False
    assert connection.read == 5


def test_only_a_little_is_read_after_an_early_answer() -> None:
    # Given a request that has no end
    connection = Connection([b"x" * 1024 * 1024] * 1000, transfer_encoding="chunked")
    connection.run(hello)
    assert connection.read == 4
    assert connection.sent[-1]["more_body"] is False


def test_a_silent_client_is_waited_for_only_as_long_as_linger() -> None:
    # Given a client that never sends the rest
    connection = Connection([], content_length="5000")
    # When it is answered, then that comes to an end all the same
    connection.run(hello, linger=0.1)
    assert connection.sent[-1]["more_body"] is False


@pytest.mark.parametrize("headers", [{}, {"content_length": "0"}])
def test_a_request_without_a_body_keeps_its_connection(headers: dict[str, str]) -> None:
    connection = Connection([b""], **headers)
    connection.run(hello)
    assert b"connection" not in connection.headers
    assert connection.read == 0


def test_a_request_that_was_read_keeps_its_connection() -> None:
    connection = Connection([b"x" * 1000] * 5, content_length="5000")
    connection.run(read_all)
    assert b"connection" not in connection.headers
    assert connection.sent[-1]["body"] == b"5000"
