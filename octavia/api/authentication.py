"""On whose behalf each request and each WebSocket comes: its key decides, or that none is asked for."""

import math
from collections.abc import Sequence

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from octavia.api.context import context_of
from octavia.api.http.identity import LOCAL, Principal
from octavia.api.http.operations import DescribedRoute
from octavia.api.http.problems import on_octavia_error
from octavia.api.live.websocket import refuse
from octavia.errors import InputError, OctaviaError
from octavia.jobs.access import keys, limits
from octavia.jobs.access.limits import Rate

SUBPROTOCOL = "octavia.bearer"
"""Stands before the key in ``Sec-WebSocket-Protocol``: the one header of a WebSocket that a browser lets pages set."""


class Authentication:
    """Sets ``principal``, refuses who has no valid key or has used it too often, and says how often it may be used.

    Parameters:
      required: False lets requests without a key act for everybody's owner; one that comes with a key is still its
        owner's. True asks all for a key, but at routes that need no scope.
    """

    def __init__(self, app: ASGIApp, *, required: bool) -> None:
        self.app = app
        self._required = required

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] not in ("http", "websocket") or is_public(scope["app"].routes, scope):
            await self.app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        try:
            connection.state.principal, rate = await self._admit(connection)
        except OctaviaError as error:
            if scope["type"] == "websocket":
                await refuse(WebSocket(scope, receive, send), error)
                return
            refusal = await on_octavia_error(connection, error)
            refusal.headers.update(_headers(getattr(error, "rate", None)))
            await refusal(scope, receive, send)
            return

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_headers(rate))
            elif message["type"] == "websocket.accept" and SUBPROTOCOL in scope["subprotocols"]:
                message = {**message, "subprotocol": SUBPROTOCOL}
            await send(message)

        await self.app(scope, receive, told)

    async def _admit(self, connection: HTTPConnection) -> tuple[Principal, Rate | None]:
        token = _token(connection)
        if not self._required and not (token or "").startswith(keys.START):
            # Many a client cannot do without a key, and sends any.
            return LOCAL, None
        if token is None:
            raise InputError(
                "This needs a key.",
                code="key_required",
                hint="Send Authorization: Bearer oct_…; `octavia keys create` makes one.",
            )
        context = context_of(connection)
        key, rate = await context.db(limits.admit, token, requests_per_minute=context.settings.requests_per_minute)
        most = context.settings.jobs_in_flight if key.jobs_in_flight is None else key.jobs_in_flight
        return Principal(key.owner, key.scopes, key, most), rate


def is_public(routes: Sequence[BaseRoute], scope: Scope) -> bool:
    """Whether what a request asks for is there for everybody; what says nothing of itself is not."""
    for route in routes:
        match, inner = route.matches(scope)
        if match is Match.FULL:
            if isinstance(route, DescribedRoute):
                method = "GET" if scope["method"] == "HEAD" else scope["method"]
                return route.operations[method].scope is None
            return is_public(getattr(route, "routes", None) or (), {**scope, **inner})
    return False


def _token(connection: HTTPConnection) -> str | None:
    """What stands where a key belongs, if anything does."""
    given = connection.headers.getlist("authorization")
    if given:
        scheme, _, token = given[0].strip().partition(" ")
        return token.strip() if len(given) == 1 and scheme.lower() == "bearer" and token.strip() else None
    offered = connection.scope.get("subprotocols", ())
    return offered[1] if len(offered) == 2 and offered[0] == SUBPROTOCOL else None


def _headers(rate: Rate | None) -> dict[str, str]:
    if rate is None:
        return {}
    return {
        "ratelimit-limit": str(rate.limit),
        "ratelimit-remaining": str(rate.remaining),
        "ratelimit-reset": str(math.ceil(rate.reset)),
    }
