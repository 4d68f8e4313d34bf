"""Retries of requests, and the pauses of a client that waits for a job or for the server."""

import time
from typing import Final

import httpx
from httpx_retries import Retry

from octavia.backoff import Backoff
from octavia.client.errors import ApiError, Damaged, WaitTimeout
from octavia.errors import OctaviaError

_TEMPORARY: Final = frozenset({408, 425, 429, 502, 503, 504})


class _InProgress(httpx.TimeoutException):
    """The server still works on the first request with this Idempotency-Key."""


def _check(answer: httpx.Response) -> None:
    """Raise, so that it is retried, on a conflict that will end: the server then sends ``Retry-After``."""
    if answer.status_code == 409 and "retry-after" in answer.headers:
        raise _InProgress("in progress")


def retrying(total: int) -> Retry:
    """The retries of a transport: after no answer, 429, 502, 503 and 504, when the ``Retry-After`` has passed.

    A request is sent again ``total`` times at most. POST and PATCH are retried too: requests that must not take effect
    twice carry an ``Idempotency-Key``.
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
"""No retries by the transport, because the caller sends the request again itself."""


class Patience:
    """Tolerates a server that does not answer for at most so many seconds, such as during a restart."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: float | None = None
        self._backoff = Backoff(0.5, 10.0)

    def lost(self, error: OctaviaError) -> float:
        """Report a failed request; return the seconds to wait before the next one.

        Raises:
          OctaviaError: The given error, if it is not temporary or the outage has lasted too long.
        """
        moment = time.monotonic()
        self._since = moment if self._since is None else self._since
        told = error if isinstance(error, ApiError) else None
        lasting = isinstance(error, Damaged) or (told is not None and told.status not in _TEMPORARY)
        if lasting or moment - self._since >= self._seconds:
            raise error
        asked = told.retry_after if told else None
        pause = self._backoff.next()
        return pause if asked is None else max(asked, pause)

    def regained(self) -> None:
        """Report an answer, which ends an outage."""
        self._since = None
        self._backoff.reset()


class Polling:
    """The pauses between requests for the status of a job: 0.2 s at first, growing to 2 s.

    The job must have ended after ``timeout`` seconds; None for no limit.
    """

    def __init__(self, timeout: float | None) -> None:
        self._backoff = Backoff(0.2, 2.0, factor=1.5)
        self._deadline = None if timeout is None else time.monotonic() + timeout

    def pause(self, at_least: float = 0.0) -> float:
        """The seconds until the next request, not beyond the timeout. Raises ``WaitTimeout`` once that has passed."""
        pause = max(self._backoff.next(), at_least)
        if self._deadline is None:
            return pause
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise WaitTimeout(
                "The job has not ended in time.", hint="It is still running: wait again, watch it, or cancel it."
            )
        return min(pause, left)
