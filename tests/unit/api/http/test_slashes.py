"""Slashes too many in a path change nothing."""

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket

from octavia.api.http.slashes import Slashes


@pytest.fixture
def client() -> TestClient:
    async def echo(request: Request) -> PlainTextResponse:
        return PlainTextResponse(f"{request.url.path}?{request.url.query} {(await request.body()).decode()}")

    async def greet(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("hello")
        await websocket.close()

    routes = [Route("/v1/speech", echo, methods=["GET", "POST"]), Route("/", echo), WebSocketRoute("/v1/ws", greet)]
    return TestClient(Starlette(routes=routes, middleware=[Middleware(Slashes)]), follow_redirects=False)


@pytest.mark.parametrize("path", ["/v1/speech", "/v1/speech/", "/v1/speech//", "//v1/speech", "/v1//speech/"])
def test_a_path_is_answered_with_and_without_them(client: TestClient, path: str) -> None:
    # When a body is posted, then it arrives, without a redirect that clients would have to follow
    answer = client.post(f"http://testserver{path}?a=//", content="body")
    assert (answer.status_code, answer.text) == (200, "/v1/speech?a=// body")


def test_the_top_is_one_slash(client: TestClient) -> None:
    assert client.get("http://testserver//").text.startswith("/?")


def test_a_websocket_is_opened(client: TestClient) -> None:
    with client.websocket_connect("/v1//ws/") as websocket:
        assert websocket.receive_text() == "hello"


def test_a_browser_is_redirected_so_that_relative_links_hold(client: TestClient) -> None:
    answer = client.get("/v1/speech/?a=b", headers={"accept": "text/html,*/*"})
    # The address is relative, so that it holds below the path of a proxy
    assert (answer.status_code, answer.headers["location"]) == (308, "../speech?a=b")
    assert client.post("/v1/speech/", headers={"accept": "text/html,*/*"}).status_code == 200
