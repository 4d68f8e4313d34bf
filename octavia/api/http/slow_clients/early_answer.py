"""Answers that are sent before the whole request has arrived, in a way that clients can read them."""

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LINGER_BYTES = 4 * 1024 * 1024


class EarlyAnswer:
    """Closes the connection after an answer that did not wait for the request's body, but not at once.

    uvicorn would read the rest, all 5 GB of it. Closing with unread bytes resets the connection, and many clients then
    discard the answer. So the whole answer is sent, then up to 4 MiB more are read and dropped while the client reads
    it, and then the connection ends.

    Parameters:
      linger: Seconds for which more is read after the answer.
    """

    def __init__(self, app: ASGIApp, *, linger: float = 2.0) -> None:
        self.app = app
        self._linger = linger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http" or not _has_body(Headers(scope=scope)):
            await self.app(scope, receive, send)
            return
        unread = True
        early = False

        async def noted() -> Message:
            nonlocal unread
            message = await receive()
            unread = message["type"] == "http.request" and message.get("more_body", False)
            return message

        async def linger() -> None:
            left = _LINGER_BYTES
            with anyio.move_on_after(self._linger):
                while unread and left > 0:
                    left -= len((await noted()).get("body", b""))

        async def ended(message: Message) -> None:
            nonlocal early
            if message["type"] == "http.response.start":
                early = unread
                if early:
                    MutableHeaders(scope=message)["connection"] = "close"
                await send(message)
            elif early and not message.get("more_body", False):
                await send({**message, "more_body": True})
                await linger()
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            else:
                await send(message)

        await self.app(scope, noted, ended)


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
