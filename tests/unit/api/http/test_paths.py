"""The path under which a proxy serves us: from the operator, or from a proxy that is trusted."""

from ipaddress import ip_network
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket

from octavia.api.http.paths import RootPath, path_of, root_of

PROXY = "10.0.0.7"


def client(root: str = "", trusted: str = "10.0.0.0/8", address: str = PROXY) -> TestClient:
    async def show(request: Request) -> JSONResponse:
        return JSONResponse([root_of(request), path_of(request), request.url.path])

    async def greet(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_json([root_of(websocket), path_of(websocket)])
        await websocket.close()

    routes = [
        Mount("/api/v1", routes=[Route("/jobs", show), WebSocketRoute("/ws", greet)]),
        Mount("/v1", routes=[Route("/models", show)]),
        Route("/docs", show),
    ]
    middleware = [Middleware(RootPath, root=root, trusted=[ip_network(trusted)])]
    return TestClient(Starlette(routes=routes, middleware=middleware), client=(address, 50000))


def seen(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    found: list[str] = answer.json()
    return found


@pytest.mark.parametrize("root", ["/octavia", "/a/b", "/docs-of-us", "/api/octavia"])
@pytest.mark.parametrize("path", ["/api/v1/jobs", "/docs", "/v1/models"])
def test_a_proxy_may_remove_the_path_or_not(root: str, path: str) -> None:
    # Given a path that the operator has set
    served = client(root)
    # When the proxy has removed it, or has not, then links begin with it, and the route is the same
    assert seen(served.get(path)) == seen(served.get(f"{root}{path}")) == [root, path, f"{root}{path}"]


def test_a_path_that_is_one_of_ours_is_removed_by_the_proxy() -> None:
    served = client("/api")
    assert seen(served.get("/api/v1/jobs")) == ["/api", "/api/v1/jobs", "/api/api/v1/jobs"]
    assert seen(served.get("/v1/models")) == ["/api", "/v1/models", "/api/v1/models"]


def test_a_path_that_only_begins_alike_is_another() -> None:
    assert client("/octavia").get("/octavia2/docs").status_code == 404
    assert client("/octavia").get("/octavia").status_code == 404


def test_websockets_have_it_too() -> None:
    with client("/octavia").websocket_connect("/octavia/api/v1/ws") as websocket:
        assert websocket.receive_json() == ["/octavia", "/api/v1/ws"]


@pytest.mark.parametrize(
    ("given", "root"),
    [
        ("/octavia", "/octavia"),
        ("/octavia/", "/octavia"),
        ("/", ""),
        ("", ""),
        ("/a, /b/", "/a/b"),
        ("/v1.2~x", "/v1.2~x"),
    ],
)
def test_a_trusted_proxy_names_the_path(given: str, root: str) -> None:
    assert seen(client().get("/docs", headers={"x-forwarded-prefix": given})) == [root, "/docs", f"{root}/docs"]


def test_several_proxies_name_their_parts() -> None:
    headers = [("x-forwarded-prefix", "/outer"), ("x-forwarded-prefix", "/inner")]
    assert seen(client().get("/docs", headers=headers))[0] == "/outer/inner"


@pytest.mark.parametrize(
    "given",
    [
        *(
            "//evil.example",
            "https://evil.example/x",
            "octavia",
            "/a/../b",
            "/./a",
            "/a//b",
            "/a?b",
            "/a#b",
            "/a b",
            "/\\b",
        ),
        *("/<script>", '/"x', "/é", "/%2e%2e"),
    ],
)
def test_what_is_no_plain_path_is_ignored(given: str) -> None:
    assert seen(client().get("/docs", headers={"x-forwarded-prefix": given.encode()}))[0] == ""


@pytest.mark.parametrize("address", ["192.0.2.1", "testclient", "::1"])
def test_a_stranger_names_nothing(address: str) -> None:
    assert seen(client(address=address).get("/docs", headers={"x-forwarded-prefix": "/evil"}))[0] == ""


def test_an_address_within_ipv6_is_the_same_proxy() -> None:
    served = client(address=f"::ffff:{PROXY}")
    assert seen(served.get("/docs", headers={"x-forwarded-prefix": "/octavia"}))[0] == "/octavia"


def test_the_operator_has_the_last_word() -> None:
    assert seen(client("/octavia").get("/docs", headers={"x-forwarded-prefix": "/evil"}))[0] == "/octavia"


def test_the_root_path_of_another_server_is_kept() -> None:
    # Given an app that runs below a path of a larger one
    outer = TestClient(Starlette(routes=[Mount("/outer", client("/octavia").app)]))
    assert seen(outer.get("/outer/docs"))[0] == "/outer"


@pytest.mark.parametrize(
    "headers", [{"x-forwarded-host": "evil.example"}, {"forwarded": "host=evil.example;proto=ftp"}]
)
def test_other_headers_change_nothing(headers: dict[str, str]) -> None:
    assert seen(client().get("/docs", headers=headers)) == ["", "/docs", "/docs"]
