"""Operations guard their endpoints by scope, and describe them."""

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as ASGIScope

from octavia.api.http.identity import Principal
from octavia.api.http.operations import operation, route
from octavia.errors import InputError
from octavia.jobs.access.keys import Scope


@operation("Greet", tag="Jobs", scope=Scope.WRITE, answers={200: "text/plain"})
async def greet(request: Request) -> Response:
    """``GET /``: a greeting."""
    return PlainTextResponse("hello")


def test_an_operation_describes_its_endpoint() -> None:
    assert (greet.name, greet.description, greet.tag) == ("greet", "``GET /``: a greeting.", "Jobs")


@pytest.mark.parametrize(("method", "body"), [("GET", "hello"), ("HEAD", "")])
def test_a_route_calls_the_operation_of_the_method(method: str, body: str) -> None:
    # Given a client with all scopes
    app = Starlette(routes=[found := route("/", get=greet)])
    app.add_middleware(_As, principal=Principal("local", frozenset(Scope)))
    # When it sends a request, then the operation answers it
    assert TestClient(app).request(method, "/").text == body
    assert found.operations == {"GET": greet}


def test_an_operation_requires_its_scope() -> None:
    app = Starlette(routes=[route("/", get=greet)])
    app.add_middleware(_As, principal=Principal("local", frozenset({Scope.READ})))
    with pytest.raises(InputError) as caught:
        TestClient(app).get("/")
    assert caught.value.code == "scope_missing"


class _As:
    """Lets every request come from one client."""

    def __init__(self, app: ASGIApp, *, principal: Principal) -> None:
        self.app, self.principal = app, principal

    async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["principal"] = self.principal
        await self.app(scope, receive, send)
