"""Requests whose bodies are still arriving when the server stops."""

from collections.abc import Iterator
from contextlib import contextmanager

from anyio import CancelScope
from starlette.requests import HTTPConnection

from octavia.errors import Unavailable


class Stopping:
    """Tracks requests that wait for their client, so that a server that stops answers them instead of cutting them off.

    Attributes:
      begun: The server is stopping; set before the grace of these requests begins.
    """

    def __init__(self) -> None:
        self.begun = False
        self._refusing = False
        self._waiting: set[CancelScope] = set()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Return a context to wait for the client in.

        Raises ``Unavailable`` if the server stopped while it was waiting.
        """
        with CancelScope() as scope:
            self._waiting.add(scope)
            if self._refusing:
                scope.cancel()
            try:
                yield
            finally:
                self._waiting.discard(scope)
        if scope.cancelled_caught:
            raise Unavailable("This server is stopping.", hint="Send the request again to another server, or later.")

    def refuse(self) -> None:
        """Stop waiting for clients, from now on."""
        self._refusing = True
        for scope in tuple(self._waiting):
            scope.cancel()


def stopping_of(connection: HTTPConnection) -> Stopping:
    """Return the ``Stopping`` of the app that serves a request."""
    stopping: Stopping = connection.app.state.stopping
    return stopping
