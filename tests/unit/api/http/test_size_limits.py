"""Addresses and headers that are larger than any need to be are refused before they are read."""

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocket

from octavia.api.http.size_limits import MOST_BYTES, SizeLimits


@pytest.fixture
def client() -> TestClient:
    async def echo(request: Request) -> PlainTextResponse:
        return PlainTextResponse("here")

    async def greet(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.close()

    routes = [Route("/{rest:path}", echo), WebSocketRoute("/ws", greet)]
    return TestClient(Starlette(routes=routes, middleware=[Middleware(SizeLimits)]), raise_server_exceptions=False)


def test_large_headers_are_refused(client: TestClient) -> None:
    # Given headers just below and just above the limit, those that the client adds included
    for size, status in ((MOST_BYTES - 1000, 200), (MOST_BYTES, 431)):
        assert client.get("/", headers={"x-large": "a" * size}).status_code == status
    # Then the answer says why, and what to do
    problem = client.get("/", headers={"x-large": "a" * MOST_BYTES}).json()
    assert problem["code"] == "headers_too_large"
    assert "fewer" in problem["hint"]


def test_many_headers_are_refused(client: TestClient) -> None:
    # Given headers that are small, but many
    headers = [("a", "")] * (MOST_BYTES // 5 + 1)
    assert client.get("/", headers=headers).json()["code"] == "headers_too_large"


@pytest.mark.parametrize(("path", "query"), [("a" * MOST_BYTES, ""), ("", "a" * MOST_BYTES), ("a" * 9000, "a" * 9000)])
def test_a_long_address_is_refused(client: TestClient, path: str, query: str) -> None:
    answer = client.get(f"/{path}?{query}")
    assert (answer.status_code, answer.json()["code"]) == (414, "address_too_long")


def test_an_address_of_ordinary_length_is_answered(client: TestClient) -> None:
    assert client.get(f"/{'a' * 8000}?{'a' * 8000}").status_code == 200


def test_a_websocket_is_refused_as_well(client: TestClient) -> None:
    with (
        pytest.raises(WebSocketDenialResponse) as refused,
        client.websocket_connect("/ws", headers={"x-large": "a" * MOST_BYTES}),
    ):
        pass
    assert refused.value.status_code == 431
