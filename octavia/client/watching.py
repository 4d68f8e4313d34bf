"""The events of a job over several connections: the next request, and the end of the stream."""

from collections.abc import Callable
from typing import Any, Final

import httpx
from httpx_sse import ServerSentEvent

from octavia.client import calls
from octavia.client.answers import ENDED, Event
from octavia.client.patience import ONCE, Patience
from octavia.errors import OctaviaError

_SILENCE_SECONDS: Final = 40.0
"""The server sends something every 15 s; a connection that is silent for longer is dead."""

_BETWEEN_SECONDS: Final = 0.5

OnLost = Callable[[OctaviaError | None], None]
"""Called with the error when the connection is lost, and with None when it is back."""


class Watching:
    """The state of watching one job; parameters as for ``Octavia`` and its ``watch``."""

    def __init__(self, job_id: calls.JobId, after: int, patience: float, on_lost: OnLost | None) -> None:
        self.path = calls.path_of(job_id, "events")
        self._after = after
        self._last_type = ""
        self._patience = Patience(patience)
        self._on_lost = on_lost
        self._is_lost = False

    def arguments(self, timeout: httpx.Timeout) -> dict[str, Any]:
        """The arguments of the next request: the events after the last one received."""
        bounded = httpx.Timeout(_SILENCE_SECONDS, connect=timeout.connect)
        headers = {"Last-Event-ID": str(self._after)} if self._after else {}
        return {"headers": headers, "timeout": bounded, "extensions": {"retry": ONCE}}

    def connected(self, answer: httpx.Response) -> bool:
        """Report a successful answer; return False if no more events will come (204)."""
        self._patience.regained()
        if self._is_lost and self._on_lost:
            self._on_lost(None)
        self._is_lost = False
        return answer.status_code != 204

    def event(self, sent: ServerSentEvent) -> Event:
        """Parse an event that the server sent."""
        event = Event(id=int(sent.id), type=sent.event, data=sent.json())
        self._after, self._last_type = event.id, event.type
        return event

    def ended(self) -> float:
        """Report the regular end of a stream; return the seconds to wait before the next connection.

        After the event that ends a job one more connection follows: only the server knows whether a new run began.
        """
        return 0.0 if self._last_type in ENDED else _BETWEEN_SECONDS

    def lost(self, error: OctaviaError) -> float:
        """Report a lost or failed connection; return the seconds to wait, or raise, as ``Patience.lost``."""
        pause = self._patience.lost(error)
        if not self._is_lost and self._on_lost:
            self._on_lost(error)
        self._is_lost = True
        return pause
