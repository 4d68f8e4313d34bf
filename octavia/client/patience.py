"""When a request is sent again, and for how long a client that waits bears a server that does not answer."""

import time
from typing import Final

import httpx
from httpx_retries import Retry

from octavia.backoff import Backoff
from octavia.client.errors import ApiError, WaitTimeout
from octavia.errors import OctaviaError

_PASSING: Final = frozenset({408, 425, 429, 502, 503, 504})


class _InProgress(httpx.TimeoutException):
    """The first request with this Idempotency-Key is still being served."""


def _check(answer: httpx.Response) -> None:
    """Have a conflict that will pass, of which the server says when, tried again."""
    if answer.status_code == 409 and "retry-after" in answer.headers:
        raise _InProgress("in progress")


def retrying(total: int) -> Retry:
    """What the transport sends again: whatever got no answer, 429, 502, 503 and 504, after the ``Retry-After``.

    Requests that must not have their effect twice carry an ``Idempotency-Key``, so POST and PATCH are sent again too.
    """
    return Retry(
        total,
        allowed_methods=("GET", "POST", "PATCH", "DELETE"),
        backoff_factor=0.5,
        backoff_jitter=0.5,
        max_backoff_wait=60.0,
        total_timeout=180.0,
        validate_response=_check,
    )


ONCE: Final = Retry(0)
"""Nothing is sent again: whoever sends it sees to that."""


class Patience:
    """Bears a server that is gone for a while, as when it is restarted.

    Parameters:
      seconds: For how long, each time.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: float | None = None
        self._backoff = Backoff(0.5, 10.0)

    def lost(self, error: OctaviaError) -> float:
        """Take note of a failure; returns the seconds to wait before the next request.

        Raises:
          OctaviaError: That error, if it is final or has lasted too long.
        """
        moment = time.monotonic()
        self._since = moment if self._since is None else self._since
        told = error if isinstance(error, ApiError) else None
        if (told and told.status not in _PASSING) or moment - self._since >= self._seconds:
            raise error
        asked = told.retry_after if told else None
        pause = self._backoff.next()
        return pause if asked is None else max(asked, pause)

    def regained(self) -> None:
        """Take note of an answer."""
        self._since = None
        self._backoff.reset()


class Looks:
    """When to look again whether a job has ended: soon at first, then less often.

    Parameters:
      timeout: The seconds that it may take; None: as long as it likes.
    """

    def __init__(self, timeout: float | None) -> None:
        self._backoff = Backoff(0.2, 2.0, factor=1.5)
        self._deadline = None if timeout is None else time.monotonic() + timeout

    def pause(self, at_least: float = 0.0) -> float:
        """The seconds until the next look.

        Raises:
          WaitTimeout: It has taken too long.
        """
        pause = max(self._backoff.next(), at_least)
        if self._deadline is None:
            return pause
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise WaitTimeout("The job has not ended in time.", hint="It goes on: wait again, watch it, or cancel it.")
        return min(pause, left)
