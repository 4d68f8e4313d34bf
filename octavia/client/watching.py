"""Following a job's events over as many connections as it takes: what to ask for next, and when it is over."""

from collections.abc import Callable
from typing import Any, Final

import httpx
from httpx_sse import ServerSentEvent

from octavia.client import calls
from octavia.client.answers import ENDED, Event
from octavia.client.patience import ONCE, Patience
from octavia.errors import OctaviaError

_SILENCE_SECONDS: Final = 40.0
"""The server says something every 15 s; a connection that is silent for so long is dead."""

_BETWEEN_SECONDS: Final = 0.5

OnLost = Callable[[OctaviaError | None], None]
"""Called with what went wrong when a connection is lost, and with None when there is one again."""


class Watching:
    """One client's view of one job's events.

    Parameters:
      after: The last event that is known.
      patience: For how many seconds a server that does not answer is borne.
      on_lost: As ``OnLost``.
    """

    def __init__(self, job_id: calls.JobId, after: int, patience: float, on_lost: OnLost | None) -> None:
        self.path = calls.events_path(job_id)
        self._after = after
        self._last_type = ""
        self._patience = Patience(patience)
        self._on_lost = on_lost
        self._is_lost = False

    def arguments(self, timeout: httpx.Timeout) -> dict[str, Any]:
        """What the next connection asks for."""
        bounded = httpx.Timeout(_SILENCE_SECONDS, connect=timeout.connect)
        headers = {"Last-Event-ID": str(self._after)} if self._after else {}
        return {"headers": headers, "timeout": bounded, "extensions": {"retry": ONCE}}

    def connected(self, answer: httpx.Response) -> bool:
        """Take note of a good answer; returns whether events will come: if not, all were told."""
        self._patience.regained()
        if self._is_lost and self._on_lost:
            self._on_lost(None)
        self._is_lost = False
        return answer.status_code != 204

    def event(self, sent: ServerSentEvent) -> Event:
        """What the server sent."""
        event = Event(id=int(sent.id), type=sent.event, data=sent.json())
        self._after, self._last_type = event.id, event.type
        return event

    def ended(self) -> float:
        """The stream has ended in good order; returns the seconds to wait before the next connection.

        After a job's end there is one more: only the server knows whether this was the end of its last run.
        """
        return 0.0 if self._last_type in ENDED else _BETWEEN_SECONDS

    def lost(self, error: OctaviaError) -> float:
        """The connection is lost, or there was none; returns the seconds to wait before the next.

        Raises:
          OctaviaError: That error, if it is final or has lasted too long.
        """
        pause = self._patience.lost(error)
        if not self._is_lost and self._on_lost:
            self._on_lost(error)
        self._is_lost = True
        return pause
