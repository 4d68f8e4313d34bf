"""What goes wrong between a client and the service: each with the server's stable ``code``, its sentence and hint."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx

from octavia.errors import Conflict, InputError, NotFound, OctaviaError, Unavailable


class ApiError(OctaviaError):
    """The server answered with an error.

    Parameters:
      status: Of the answer.
      retry_after: The seconds that the server asks to wait before the next request, if it does.
      request_id: By which the operator finds the request in the log.

    The rest as for ``OctaviaError``.
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
    """The request is at fault: 4xx. Sending it again gives the same."""


class AccessDenied(RequestRefused):
    """No valid key, or one that may not do this: 401, 403."""


class NotFoundError(RequestRefused, NotFound):
    """No such job or result, or none that the key's owner may see: 404, 410."""


class ConflictError(RequestRefused, Conflict):
    """The job's state does not allow it: 409."""


class TooManyRequests(ApiError, Unavailable):
    """More than the key may ask for: 429."""


class ServerError(ApiError, Unavailable):
    """The server cannot answer, or not now: 408, 5xx."""


class Unreachable(Unavailable):
    """No answer came: no server there, or the connection broke off."""

    code = "unreachable"


class WaitTimeout(Unavailable):
    """The job did not end in the time that the caller gave it; it goes on."""

    code = "wait_timeout"


class Damaged(Unavailable):
    """A downloaded file is not the one that the server has."""

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
    """The error that an answer, which was read, tells of; a proxy's page will do."""
    try:
        body = answer.json()
    except ValueError:
        body = None
    told: dict[str, Any] = body if isinstance(body, dict) else {}
    status = answer.status_code
    kind = _CLASSES.get(status, ServerError if status >= 500 else RequestRefused)
    return kind(
        str(told.get("detail") or f"The server answered {status} {answer.reason_phrase}."),
        status=status,
        code=str(told.get("code") or f"http_{status}"),
        hint=str(told.get("hint") or ""),
        field=told.get("field"),
        retry_after=_retry_after(answer.headers.get("retry-after")),
        request_id=told.get("request_id"),
    )


def unreachable(error: httpx.HTTPError | httpx.InvalidURL, base_url: str) -> Unreachable:
    """The error for a request to which no answer came."""
    return Unreachable(
        f"{base_url} does not answer: {str(error) or type(error).__name__}.",
        hint="See that the address is right and the server runs.",
    )


def _retry_after(header: str | None) -> float | None:
    if header is None:
        return None
    try:
        if header.strip().isdecimal():
            return float(header)
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None
