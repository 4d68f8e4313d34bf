"""Only this machine is served, and only when it is meant."""

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from octavia.api.binding import LoopbackOnly, check_host
from octavia.errors import InputError
from octavia.settings import Settings
from octavia.web import create_app


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_may_be_served(host: str) -> None:
    check_host(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1", "no-such-host.invalid"])
def test_nothing_else_may(host: str) -> None:
    with pytest.raises(InputError) as caught:
        check_host(host)
    assert caught.value.code == "host_not_allowed"
    assert "127.0.0.1" in caught.value.hint


def test_an_app_for_another_address_is_not_even_made() -> None:
    with pytest.raises(InputError, match=r"0\.0\.0\.0"):
        create_app(Settings(host="0.0.0.0"))


@pytest.fixture
def client() -> TestClient:
    async def hello(request: Request) -> PlainTextResponse:
        return PlainTextResponse("hello")

    route = Route("/", hello, methods=["GET", "POST"])
    return TestClient(Starlette(routes=[route], middleware=[Middleware(LoopbackOnly)]))


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "LOCALHOST:1", "[::1]:8000", "api.localhost:80"])
def test_requests_for_this_machine_are_answered(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"host": host}).text == "hello"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "[::1", ""])
def test_a_name_that_someone_points_here_is_refused(client: TestClient, host: str) -> None:
    # Given a page that reaches us by a DNS name of its own, when it asks, then it gets nothing
    answer = client.get("/", headers={"host": host})
    assert answer.status_code == 403
    assert answer.json()["code"] == "host_not_allowed"


@pytest.mark.parametrize(
    ("origin", "status"),
    [("https://evil.example", 403), ("null", 403), ("http://localhost:3000", 200), ("http://127.0.0.1:8000", 200)],
)
def test_only_pages_of_this_machine_may_post(client: TestClient, origin: str, status: int) -> None:
    answer = client.post("/", headers={"host": "127.0.0.1", "origin": origin})
    assert answer.status_code == status


def test_reading_across_origins_is_left_to_the_browser(client: TestClient) -> None:
    answer = client.get("/", headers={"host": "127.0.0.1", "origin": "https://evil.example"})
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers
