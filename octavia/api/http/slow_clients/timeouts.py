"""How long a request's body may take: no server that we know of bounds that."""

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from octavia.api.http.slow_clients.stopping import Stopping
from octavia.errors import InputError


class BodyTimeouts:
    """Breaks off a body that stops coming, or that only drips.

    The time that counts is what we wait for the client, not what it waits for us.

    Parameters:
      pause: Seconds for which nothing may come.
      bytes_per_second: What must come on average, once it was waited for as long as ``pause``.
      stopping: Says when the server must end, and waits for nobody.
    """

    def __init__(self, app: ASGIApp, *, pause: float, bytes_per_second: int, stopping: Stopping) -> None:
        self.app = app
        self._stopping = stopping
        self._pause = pause
        self._bytes_per_second = bytes_per_second

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI; what is wrong is raised where the body is read.

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
            if not more:  # what comes now is that the client has gone, whenever that is
                return await receive()
            started = anyio.current_time()
            try:
                with self._stopping.waiting(), anyio.fail_after(self._pause):
                    message = await receive()
            except TimeoutError:
                raise _stalled(self._pause) from None
            waited += anyio.current_time() - started
            received += len(message.get("body", b""))
            more = message["type"] == "http.request" and message.get("more_body", False)
            if more and waited > self._pause and received < waited * self._bytes_per_second:
                raise _too_slow(self._bytes_per_second)
            return message

        await self.app(scope, timed, send)


def _stalled(seconds: float) -> InputError:
    return InputError(
        f"No more of the request came for {seconds:g} s.",
        code="upload_stalled",
        hint="Send it again over a better connection.",
    )


def _too_slow(bytes_per_second: int) -> InputError:
    return InputError(
        f"The request came at less than {bytes_per_second:,} bytes a second.",
        code="upload_too_slow",
        hint="Send it again over a better connection.",
    )
