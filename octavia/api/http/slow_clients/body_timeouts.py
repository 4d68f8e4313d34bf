"""Time limits for request bodies, which uvicorn does not have."""

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from octavia.api.http.slow_clients.stopping import Stopping
from octavia.errors import InputError

_HINT = "Send it again over a better connection."


class BodyTimeouts:
    """Refuses a request whose body stops arriving, or arrives too slowly.

    Only the time in which we wait for the client counts, not the time in which it waits for us.

    Parameters:
      pause: Seconds for which nothing may arrive.
      bytes_per_second: The lowest average rate; checked once we have waited for ``pause`` seconds altogether.
      stopping: Ends the waiting when the server stops.
    """

    def __init__(self, app: ASGIApp, *, pause: float, bytes_per_second: int, stopping: Stopping) -> None:
        self.app = app
        self._stopping = stopping
        self._pause = pause
        self._bytes_per_second = bytes_per_second

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI; errors are raised where the body is read.

        Raises:
          InputError: ``upload_stalled`` or ``upload_too_slow``.
          Unavailable: The server is stopping.
        """
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        more = True
        received = 0
        waited = 0.0

        async def timed() -> Message:
            nonlocal more, received, waited
            if not more:  # the next message is the disconnect, at any time
                return await receive()
            started = anyio.current_time()
            try:
                with self._stopping.waiting(), anyio.fail_after(self._pause):
                    message = await receive()
            except TimeoutError:
                raise InputError(
                    f"Nothing more of the request arrived for {self._pause:g} s.", code="upload_stalled", hint=_HINT
                ) from None
            waited += anyio.current_time() - started
            received += len(message.get("body", b""))
            more = message["type"] == "http.request" and message.get("more_body", False)
            if more and waited > self._pause and received < waited * self._bytes_per_second:
                raise InputError(
                    f"The request arrived at less than {self._bytes_per_second:,} bytes a second.",
                    code="upload_too_slow",
                    hint=_HINT,
                )
            return message

        await self.app(scope, timed, send)
