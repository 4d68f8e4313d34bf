"""An id and a line in the log for every request, and an answer to unexpected errors."""

import re
import time
from uuid import uuid4

import structlog
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from octavia.api.http import request_metrics
from octavia.api.http.identity import Principal
from octavia.api.http.paths import path_of
from octavia.api.http.problems import problem_response
from octavia.errors import OctaviaError
from octavia.jobs.access import keys

log = structlog.get_logger()

_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_LONGEST_PATH = 1000
"""Characters; longer ones are cut in the log, which strangers could fill otherwise."""

_QUIET = ("/healthz", "/readyz", "/metrics")


class RequestLog:
    """Gives each request the client's ``X-Request-ID`` or a new one, logs it, and answers 500 for a bug.

    Starlette would answer 500 outside of all middleware, without a request id.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        given = request.headers.get("x-request-id", "")
        request_id = given if _GIVEN_ID.fullmatch(given) else uuid4().hex
        request.state.request_id = request_id
        arrived = Request(dict(scope))  # routes change the scope
        path = keys.mask_keys(request.url.path)[:_LONGEST_PATH]
        started = time.perf_counter()
        status = 0
        began = started

        async def with_id(message: Message) -> None:
            nonlocal status, began
            if message["type"] == "http.response.start":
                status, began = message["status"], time.perf_counter()
                MutableHeaders(scope=message)["x-request-id"] = request_id
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self.app(scope, receive, with_id)
            except Exception:
                log.exception("request_crashed", method=request.method, path=path)
                if status:  # an answer has begun: the server must cut the connection
                    raise
                error = OctaviaError(
                    "Something went wrong here.", hint=f"Report it with the lines of the API's log for {request_id}."
                )
                await problem_response(error, request)(scope, receive, with_id)
            finally:
                write = log.debug if path_of(request) in _QUIET and status < 400 else log.info
                request_metrics.count(arrived, status, (began if status else time.perf_counter()) - started)
                seconds = round(time.perf_counter() - started, 4)
                client: Principal | None = getattr(request.state, "principal", None)
                key = {"key": client.key.prefix} if client and client.key else {}
                write("http_request", method=request.method, path=path, status=status, seconds=seconds, **key)
