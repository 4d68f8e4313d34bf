"""Slashes too many in a path: at its end, as some clients add, or doubled, as when a base URL ends with one."""

import re

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_DOUBLED = re.compile(r"//+")


class Slashes:
    """Answers a path with slashes too many as the one without, at once: a redirected POST may lose its body.

    Browsers are redirected, because a page names its files relatively to its address.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        app = self.app
        if scope["type"] in ("http", "websocket"):
            given = scope["path"]
            path = _DOUBLED.sub("/", given)
            path = path.rstrip("/") or "/"
            if path != given:
                scope = {**scope, "path": path}
                if given.endswith("/") and _shows_pages(scope):
                    query = scope["query_string"].decode("latin-1")
                    app = RedirectResponse(f"../{path.rpartition('/')[2]}{'?' if query else ''}{query}", 308)
        await app(scope, receive, send)


def _shows_pages(scope: Scope) -> bool:
    return scope.get("method") in ("GET", "HEAD") and "text/html" in Headers(scope=scope).get("accept", "")
