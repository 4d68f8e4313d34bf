"""Every answer is named and logged, bugs included; an answer that comes early is one that the client gets to read."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.types import Message
from structlog.testing import capture_logs

from octavia.api.http.access import RequestLog
from octavia.api.http.slow_clients import early
from octavia.api.http.slow_clients.early import EarlyAnswer


async def hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


async def broken(request: Request) -> PlainTextResponse:
    raise RuntimeError("a secret detail")


async def broken_later(request: Request) -> StreamingResponse:
    async def blocks() -> AsyncIterator[bytes]:
        yield b"half"
        raise RuntimeError("too late")

    return StreamingResponse(blocks())


async def read_all(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


@pytest.fixture
def client() -> TestClient:
    routes = [Route("/", hello), Route("/broken", broken), Route("/later", broken_later), Route("/healthz", hello)]
    return TestClient(Starlette(routes=routes, middleware=[Middleware(RequestLog)]))


def test_a_request_gets_an_id_and_a_line_in_the_log(client: TestClient) -> None:
    with capture_logs() as logs:
        answer = client.get("/?secret=1")
    assert len(answer.headers["x-request-id"]) == 32
    (line,) = logs
    assert (line["event"], line["method"], line["path"], line["status"]) == ("http_request", "GET", "/", 200)
    assert "secret" not in str(line)


def test_a_key_in_a_path_is_not_logged(client: TestClient) -> None:
    # Given a key
    key = "oct_abcdefgh" + "-_X1" * 11
    # When a client names it where a prefix would do
    with capture_logs() as logs:
        client.delete(f"/api/v1/keys/{key}")
    # Then the log tells the prefix, and no more
    (line,) = logs
    assert line["path"] == "/api/v1/keys/oct_abcdefgh…"


@pytest.mark.parametrize(
    ("given", "kept"), [("abc-1.2_X", True), ("x" * 64, True), ("x" * 65, False), ("a b", False), ("a\tb", False)]
)
def test_a_clients_id_is_kept_if_it_is_one(client: TestClient, given: str, kept: bool) -> None:
    answer = client.get("/", headers={"x-request-id": given})
    assert (answer.headers["x-request-id"] == given) is kept


def test_health_checks_do_not_fill_the_log(client: TestClient) -> None:
    with capture_logs() as logs:
        client.get("/healthz")
    assert [line["log_level"] for line in logs] == ["debug"]


def test_a_bug_is_answered_and_logged_under_the_requests_id(client: TestClient) -> None:
    with capture_logs() as logs:
        answer = client.get("/broken")
    body = answer.json()
    assert (answer.status_code, body["code"]) == (500, "internal_error")
    assert answer.headers["content-type"] == "application/problem+json"
    assert body["request_id"] == answer.headers["x-request-id"]
    assert body["request_id"] in body["hint"]
    assert "secret" not in answer.text
    assert [line["event"] for line in logs] == ["request_crashed", "http_request"]


def test_a_bug_in_the_middle_of_an_answer_breaks_it_off(client: TestClient) -> None:
    with pytest.raises(RuntimeError, match="too late"):
        client.get("/later")


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

    def run(self, endpoint: Callable[[Request], Any]) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await (await endpoint(Request(scope, receive)))(scope, receive, send)

        anyio.run(EarlyAnswer(app), self.scope, self.receive, self.send)

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])


def test_an_answer_before_the_end_of_the_body_is_whole_before_more_is_read() -> None:
    # Given a request of several blocks
    connection = Connection([b"x" * 1000] * 5, content_length="5000")
    # When it is answered at once
    connection.run(hello)
    # Then the answer goes out before anything is read, says that the connection ends, and the rest is dropped
    assert connection.headers[b"connection"] == b"close"
    assert (connection.sent[1]["body"], connection.sent[1]["read"]) == (b"hello", 0)
    assert connection.sent[-1]["more_body"] is False
    assert connection.read == 5


def test_only_a_little_more_is_read() -> None:
    # Given a request that has no end
    connection = Connection([b"x" * 1024 * 1024] * 1000, transfer_encoding="chunked")
    connection.run(hello)
    assert connection.read == 4
    assert connection.sent[-1]["more_body"] is False


def test_a_client_that_sends_nothing_more_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a client that never sends the rest
    monkeypatch.setattr(early, "_LINGER_SECONDS", 0.1)
    connection = Connection([], content_length="5000")
    # When it is answered, then that comes to an end all the same
    connection.run(hello)
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
