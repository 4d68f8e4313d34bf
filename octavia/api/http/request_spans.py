"""A span for every request, which continues the trace of a client that sends one (W3C Trace Context)."""

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from octavia import tracing
from octavia.api.http.operations import template_of
from octavia.api.http.paths import path_of

_UNTRACED = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked by machines, all day long."""


class RequestSpans:
    """Traces requests, and has their lines in the log name the trace. Only for processes that trace."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http" or path_of(Request(scope)) in _UNTRACED:
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        status = 0

        async def with_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        span = tracing.begin(
            request.method,
            {"http.request.method": request.method, "url.scheme": request.url.scheme},
            parent=tracing.valid_traceparent(request.headers.get("traceparent")),
            kind="server",
        )
        try:
            with structlog.contextvars.bound_contextvars(trace_id=tracing.trace_id()):
                await self.app(scope, receive, with_status)
        finally:
            # The route's path, not the request's, which may hold names and keys.
            template = template_of(request)
            if template is not None:
                span.rename(f"{request.method} {template}")
            span.note({"http.route": template, "http.response.status_code": status or None})
            if status >= 500 or not status:
                span.fail(str(status or "no_answer"))
            span.end()
