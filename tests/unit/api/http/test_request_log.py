"""Every request gets an id and a line in the log, bugs included."""

from collections.abc import AsyncIterator

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from octavia.api.http.request_log import RequestLog


async def hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


async def broken(request: Request) -> PlainTextResponse:
    raise RuntimeError("a secret detail")


async def broken_later(request: Request) -> StreamingResponse:
    async def blocks() -> AsyncIterator[bytes]:
        yield b"half"
        raise RuntimeError("too late")

    return StreamingResponse(blocks())


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
