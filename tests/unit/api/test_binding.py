"""Without keys, only requests from and for this machine are answered."""

from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocket

from octavia.api.binding import LoopbackOnly, check_host, keys_required
from octavia.errors import InputError
from octavia.settings import Settings
from octavia.web import create_app

LOOPBACK = ["127.0.0.1", "127.1.2.3", "::1", "localhost"]
REACHABLE = ["0.0.0.0", "::", "", "192.0.2.1", "no-such-host.invalid"]


@pytest.mark.parametrize(("auth", "required"), [("auto", False), ("off", False), ("keys", True)])
@pytest.mark.parametrize("host", LOOPBACK)
def test_loopback_is_served_with_and_without_keys(host: str, auth: Any, required: bool) -> None:
    settings = Settings(host=host, auth=auth)
    check_host(settings)
    assert keys_required(settings) is required


@pytest.mark.parametrize("auth", ["auto", "keys"])
@pytest.mark.parametrize("host", REACHABLE)
def test_other_hosts_require_keys_by_default(host: str, auth: Any) -> None:
    settings = Settings(host=host, auth=auth)
    check_host(settings)
    assert keys_required(settings)


@pytest.mark.parametrize("host", REACHABLE)
def test_check_host_refuses_other_hosts_without_keys(host: str) -> None:
    with pytest.raises(InputError) as caught:
        check_host(Settings(host=host, auth="off"))
    assert caught.value.code == "host_not_allowed"
    assert "127.0.0.1" in caught.value.hint


def test_create_app_refuses_other_hosts_without_keys() -> None:
    with pytest.raises(InputError, match=r"0\.0\.0\.0"):
        create_app(Settings(host="0.0.0.0", auth="off"))


@pytest.fixture
def app() -> Starlette:
    async def hello(request: Request) -> PlainTextResponse:
        return PlainTextResponse("hello")

    async def greet(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("hello")

    routes = [Route("/", hello, methods=["GET", "POST"]), WebSocketRoute("/ws", greet)]
    return Starlette(routes=routes, middleware=[Middleware(LoopbackOnly)])


@pytest.fixture
def client(app: Starlette) -> TestClient:
    return TestClient(app)


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8000", "localhost", "LOCALHOST:1", "localhost.:80", "[::1]:8000", "api.localhost:80"]
)
def test_requests_for_this_machine_are_answered(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"host": host}).text == "hello"


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "[::1", "", "::1", "0.0.0.0", "[]"),
        *(
            "evil.example@localhost",
            "localhost/evil.example",
            "localhost?x",
            "localhost, evil.example",
            "local\u017fhost",
        ),
        *("localhost:1@evil.example", "localhost:a", "localhost..", "localhost" * 5000, " " * 30_000 + "localhost"),
    ],
)
def test_a_foreign_name_for_this_machine_is_refused(client: TestClient, host: str) -> None:
    # Given a page that reaches us by a DNS name of its own, when it asks, then it gets nothing
    answer = client.get("/", headers=[(b"host", host.encode())])
    assert answer.status_code == 403
    assert answer.json()["code"] == "host_not_allowed"


def test_two_hosts_are_refused(client: TestClient) -> None:
    answer = client.get("/", headers=[("host", "127.0.0.1"), ("host", "evil.example")])
    assert (answer.status_code, answer.json()["code"]) == (403, "host_not_allowed")


# Pages

HERE = [
    "http://localhost:3000",
    "http://127.0.0.1:8000",
    "http://127.0.0.1",
    "https://[::1]:8443",
    "http://a.localhost",
]
ELSEWHERE = [
    *(
        "https://evil.example",
        "null",
        "",
        "http://localhost.evil.example",
        "http://evil.example:8000",
        "http://0.0.0.0",
    ),
    *("http://localhost:8000/path", "http://localhost/", "http://localhost?", "http://localhost#", "//localhost"),
    *("http://evil.example@localhost", "http://localhost@evil.example", "http://localhost:80:80", "localhost"),
    *("http://localhost http://evil.example", "http://localhost, http://evil.example", "http://localhost,", "http://"),
    *(
        "file://localhost",
        "chrome-extension://localhost",
        "javascript://localhost",
        "HTTP://localhost",
        "http:/localhost",
    ),
    *(
        "http://[::1",
        "http://::1",
        "http://[]",
        "http://local\u017fhost",
        "http://localhost\\evil.example",
        "http://127.1",
    ),
    *("http://" + "localhost." * 6000 + "example", "http" * 15_000, "http://[" + ":" * 60_000),
]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("origin", HERE)
def test_pages_on_this_machine_are_answered(client: TestClient, method: str, origin: str) -> None:
    answer = client.request(method, "/", headers={"host": "127.0.0.1", "origin": origin})
    assert answer.status_code == 200
    # But other pages do not get to read it
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST"])
@pytest.mark.parametrize("origin", ELSEWHERE, ids=lambda origin: origin[:40])
def test_what_is_no_plain_origin_of_this_machine_is_refused(client: TestClient, method: str, origin: str) -> None:
    answer = client.request(method, "/", headers=[(b"host", b"127.0.0.1"), (b"origin", origin.encode())])
    assert answer.status_code == 403
    assert len(answer.content) < 1000
    if method != "HEAD":
        assert answer.json()["code"] == "origin_not_allowed"


def test_two_origins_are_refused_even_if_both_are_this_machine(client: TestClient) -> None:
    for second in ("http://localhost", "http://evil.example"):
        answer = client.get("/", headers=[("host", "localhost"), ("origin", "http://localhost"), ("origin", second)])
        assert (answer.status_code, answer.json()["code"]) == (403, "origin_not_allowed")


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("site", "status"),
    [
        *(("same-origin", 200), ("same-site", 200), ("none", 200)),
        *(("cross-site", 403), ("Cross-Site", 403), ("none, cross-site", 403), ("", 403), ("of-the-future", 403)),
    ],
)
def test_a_browser_says_that_a_page_of_another_site_asks(
    client: TestClient, method: str, site: str, status: int
) -> None:
    # Given a request without an Origin, as browsers send it for images, sounds, scripts and frames
    answer = client.request(method, "/", headers={"host": "127.0.0.1", "sec-fetch-site": site})
    # Then it depends on the page that sent it
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["code"] == "origin_not_allowed"


def test_two_values_about_the_site_are_refused(client: TestClient) -> None:
    twice = [("host", "127.0.0.1"), ("sec-fetch-site", "none"), ("sec-fetch-site", "none")]
    assert client.get("/", headers=twice).status_code == 403


@pytest.mark.parametrize(
    ("method", "path", "mode", "dest", "status"),
    [
        ("GET", "/docs", "navigate", "document", 200),
        ("GET", "/problems/queue_full", "navigate", "document", 200),
        ("GET", "/docs", "navigate", "iframe", 403),
        ("GET", "/docs", "no-cors", "document", 403),
        ("GET", "/docs", "", "", 403),
        ("GET", "/healthz", "no-cors", "image", 403),
        ("POST", "/docs", "navigate", "document", 403),
        ("GET", "/api/v1/jobs", "navigate", "document", 403),
        ("GET", "/api/v1/keys", "navigate", "document", 403),
        ("GET", "/no/such/route", "navigate", "document", 403),
    ],
)
def test_a_link_leads_to_pages_that_need_no_key(
    tmp_path: Path, method: str, path: str, mode: str, dest: str, status: int
) -> None:
    # Given a link on a page of another site
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": mode, "sec-fetch-dest": dest}
    app = create_app(Settings(data_dir=tmp_path, models_dir=tmp_path))
    client = TestClient(app, base_url="http://127.0.0.1:8000", headers=headers)
    # When the user follows it, Then documentation is shown, and nothing else
    assert client.request(method, path).status_code == status


@pytest.mark.parametrize(
    "headers",
    [
        *({"origin": "https://evil.example"}, {"host": "evil.example"}, {"origin": "null"}),
        *({"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}),
    ],
)
def test_pages_of_other_sites_may_not_open_a_websocket(client: TestClient, headers: dict[str, str]) -> None:
    # Given a page elsewhere, which a browser would let read from it
    with (
        pytest.raises(WebSocketDenialResponse) as refused,
        client.websocket_connect("ws://127.0.0.1/ws", headers=headers),
    ):
        pass
    assert refused.value.status_code == 403


@pytest.mark.parametrize("headers", [{}, {"origin": "http://localhost:3000"}])
def test_programs_and_pages_on_this_machine_may_open_a_websocket(client: TestClient, headers: dict[str, str]) -> None:
    with client.websocket_connect("ws://127.0.0.1/ws", headers=headers) as websocket:
        assert websocket.receive_text() == "hello"


@pytest.mark.parametrize(
    "header",
    [
        *("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix"),
        *("X-Forwarded-Port", "X-Forwarded-Server", "X-Original-Forwarded-For", "X-Real-IP", "Via", "CF-Connecting-IP"),
    ],
)
def test_what_a_proxy_passes_on_is_refused(client: TestClient, header: str) -> None:
    # Given a proxy on this machine, which says so in one header, or in another
    answer = client.get("/", headers={"host": "127.0.0.1", header: "127.0.0.1"})
    # Then nothing is answered without a key, wherever the proxy says that the request comes from
    assert (answer.status_code, answer.json()["code"]) == (403, "proxy_not_allowed")
    # And the operator learns how to go on
    assert header.lower() in answer.json()["detail"]
    assert "OCTAVIA_AUTH=keys" in answer.json()["hint"]
    with pytest.raises(WebSocketDenialResponse), client.websocket_connect("ws://127.0.0.1/ws", headers={header: "x"}):
        pass


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1", 200), ("::1", 200), ("::ffff:127.0.0.1", 200), ("192.0.2.1", 403), ("2001:db8::1", 403)],
)
def test_another_machine_is_refused_wherever_the_server_listens(app: Starlette, host: str, status: int) -> None:
    # Given a server that was started by other means, and listens on all addresses
    client = TestClient(app, client=(host, 50000))
    assert client.get("/", headers={"host": "127.0.0.1"}).status_code == status


def test_a_proxy_needs_keys_even_if_its_headers_are_believed(tmp_path: Path) -> None:
    # Given a proxy that is trusted to name the prefix, before an API without keys
    settings = Settings(data_dir=tmp_path, models_dir=tmp_path, trusted_proxies="127.0.0.1", auth="off")
    with TestClient(create_app(settings), base_url="http://127.0.0.1", client=("127.0.0.1", 50000)) as client:
        answer = client.get("/api/v1/jobs", headers={"x-forwarded-prefix": "/octavia"})
    assert (answer.status_code, answer.json()["code"]) == (403, "proxy_not_allowed")
