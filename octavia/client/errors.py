"""Errors between a client and the service, with the stable ``code``, the message and the hint of the server."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx

from octavia.errors import Conflict, InputError, NotFound, OctaviaError, Unavailable
from octavia.urls import shown


class ApiError(OctaviaError):
    """The server answered with an error.

    Parameters, besides those of ``OctaviaError``:
      status: The HTTP status.
      retry_after: Seconds that the server asks to wait before the next request, if it does.
      request_id: Identifies the request in the log of the server.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: str,
        hint: str = "",
        field: str | None = None,
        retry_after: float | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message, code=code, hint=hint, field=field)
        self.status = status
        self.retry_after = retry_after
        self.request_id = request_id


class RequestRefused(ApiError, InputError):
    """The request is wrong: 4xx. Sending it again does not help."""


class AccessDenied(RequestRefused):
    """The key is missing, invalid, or not allowed to do this: 401, 403."""


class NotFoundError(RequestRefused, NotFound):
    """The job or result does not exist, or belongs to another owner: 404, 410."""


class ConflictError(RequestRefused, Conflict):
    """The state of the job does not allow this: 409."""


class TooManyRequests(ApiError, Unavailable):
    """The key has reached one of its limits: 429."""


class ServerError(ApiError, Unavailable):
    """The server cannot answer now: 408, 5xx."""


class Unreachable(Unavailable):
    """No answer came: there is no server, or the connection was lost."""

    code = "unreachable"


class WaitTimeout(Unavailable):
    """The job did not end within the timeout; it is still running."""

    code = "wait_timeout"


class Damaged(Unavailable):
    """A downloaded file differs from that on the server."""

    code = "download_damaged"


_CLASSES: Final[dict[int, type[ApiError]]] = {
    401: AccessDenied,
    403: AccessDenied,
    404: NotFoundError,
    408: ServerError,
    409: ConflictError,
    410: NotFoundError,
    429: TooManyRequests,
}


def error_of(answer: httpx.Response) -> ApiError:
    """The error in an answer that has been read; the answer may also be the page of a proxy."""
    try:
        body = answer.json()
    except ValueError:
        body = None
    fields: dict[str, Any] = body if isinstance(body, dict) else {}
    status = answer.status_code
    kind = _CLASSES.get(status, ServerError if status >= 500 else RequestRefused)
    return kind(
        str(fields.get("detail") or f"The server answered {status} {answer.reason_phrase}."),
        status=status,
        code=str(fields.get("code") or f"http_{status}"),
        hint=str(fields.get("hint") or ""),
        field=fields.get("field"),
        retry_after=_retry_after(answer.headers.get("retry-after")),
        request_id=fields.get("request_id"),
    )


@contextmanager
def reporting_unreachable(server: httpx.URL) -> Iterator[None]:
    """Raise ``Unreachable`` if a request in the block gets no answer."""
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unreachable(
            f"{shown(str(server)).rstrip('/')} does not answer: {str(error) or type(error).__name__}.",
            hint="Check the address, and that the server is running.",
        ) from error


def _retry_after(header: str | None) -> float | None:
    if header is None:
        return None
    try:
        if header.strip().isdecimal():
            return float(header)
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None
