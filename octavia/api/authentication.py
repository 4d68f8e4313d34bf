"""Middleware that finds the client of each request and WebSocket by its key or session, and limits its rate."""

import math

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from octavia.api.context import context_of
from octavia.api.http.cookies import clear_session_cookie, session_cookie
from octavia.api.http.identity import LOCAL, Principal
from octavia.api.http.operations import is_public
from octavia.api.http.origin import check_origin
from octavia.api.http.problems import on_octavia_error
from octavia.api.live.websocket import refuse
from octavia.errors import InputError, OctaviaError
from octavia.jobs.access import keys, limits, sessions
from octavia.jobs.access.limits import Rate

SUBPROTOCOL = "octavia.bearer"
"""Precedes the key in ``Sec-WebSocket-Protocol``, the only header of a WebSocket that pages can set in browsers."""


class Authentication:
    """Sets ``principal``, refuses invalid keys and those used too often, and adds ``RateLimit`` headers.

    Parameters:
      required: True requires a key at all routes that need a scope. False lets requests without a key act for the
        owner ``local``, though never as an administrator; a request with a key still acts for the key's owner.
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
            if error.code == "session_expired":
                clear_session_cookie(refusal, connection)
            await refusal(scope, receive, send)
            return

        async def with_rate(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_headers(rate))
            elif message["type"] == "websocket.accept" and SUBPROTOCOL in scope["subprotocols"]:
                message = {**message, "subprotocol": SUBPROTOCOL}
            await send(message)

        await self.app(scope, receive, with_rate)

    async def _admit(self, connection: HTTPConnection) -> tuple[Principal, Rate | None]:
        token = _token(connection)
        if not self._required and not (token or "").startswith(keys.START):
            # Many clients cannot send requests without a key, and send any.
            return LOCAL, None
        cookie = session_cookie(connection) if token is None else None
        credential = cookie if token is None else token
        if credential is None:
            raise InputError(
                "The API requires a key.",
                code="key_required",
                hint="Send Authorization: Bearer oct_…; `octavia keys create` makes a key.",
            )
        context = context_of(connection)
        if cookie is not None:
            check_origin(connection)
        key, rate = await context.db(
            limits.admit,
            credential,
            requests_per_minute=context.settings.requests_per_minute,
            authenticate=keys.authenticate if cookie is None else sessions.authenticate,
        )
        most = context.settings.jobs_in_flight if key.jobs_in_flight is None else key.jobs_in_flight
        return Principal(key.owner, key.scopes, key, most), rate


def _token(connection: HTTPConnection) -> str | None:
    """Return the key of a request, valid or not; None without one."""
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
