"""Requests whose bodies are still coming when the server has to end."""

from collections.abc import Iterator
from contextlib import contextmanager

from anyio import CancelScope
from starlette.requests import HTTPConnection

from octavia.errors import Unavailable


class Stopping:
    """Tracks requests that wait for their client, so that they are answered when the server stops, not cut off.

    Attributes:
      begun: The server is stopping; set before those requests' grace begins.
    """

    def __init__(self) -> None:
        self.begun = False
        self._refusing = False
        self._waiting: set[CancelScope] = set()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Around waiting for the client.

        Raises:
          Unavailable: It was taking too long for a server that must end.
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
            raise Unavailable("This server is being stopped.", hint="Send the request again; another one takes it.")

    def refuse(self) -> None:
        """Wait for nobody any more."""
        self._refusing = True
        for scope in tuple(self._waiting):
            scope.cancel()


def stopping_of(connection: HTTPConnection) -> Stopping:
    """Return the state of stopping of the app that serves a request."""
    stopping: Stopping = connection.app.state.stopping
    return stopping
