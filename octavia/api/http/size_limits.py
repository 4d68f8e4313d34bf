"""Limits for the address and the headers of a request, which are read before anything is known of its sender."""

from typing import Final

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from octavia.api.http.problems import problem_response
from octavia.errors import InputError

MOST_BYTES: Final = 16 * 1024
"""For all headers together, and for the address with its query: what servers and proxies commonly take."""

_LINE: Final = len(": \r\n")


class SizeLimits:
    """Refuses requests with more than ``MOST_BYTES`` of headers, or of an address.

    The server's own limit (uvicorn's ``h11_max_incomplete_event_size``) counts only what comes in several pieces.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        error = _refusal(scope) if scope["type"] in ("http", "websocket") else None
        if error is None:
            await self.app(scope, receive, send)
        else:
            await problem_response(error, HTTPConnection(scope))(scope, receive, send)


def _refusal(scope: Scope) -> InputError | None:
    if len(scope.get("raw_path") or scope["path"]) + len(scope["query_string"]) > MOST_BYTES:
        return InputError(
            f"The address is longer than {MOST_BYTES} bytes.",
            code="address_too_long",
            hint="Ask for less at once, with shorter values in the query.",
        )
    if sum(len(name) + len(value) + _LINE for name, value in scope["headers"]) > MOST_BYTES:
        return InputError(
            f"The headers are larger than {MOST_BYTES} bytes together.",
            code="headers_too_large",
            hint="Send fewer headers, or shorter ones; a browser's cookies for this host may be the reason.",
        )
    return None
