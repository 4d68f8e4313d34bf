"""Every error answer, as RFC 9457 problem details; and the one table of which code has which HTTP status."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import structlog
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request

from octavia.api.http.bodies import QuotingJSON
from octavia.errors import Conflict, InputError, NotFound, OctaviaError, Unavailable
from octavia.jobs.access import keys

log = structlog.get_logger()

STATUS: Final[dict[str, int]] = {
    # The request itself cannot be read
    "bad_json": 400,
    "bad_multipart": 400,
    "upload_broken_off": 400,
    "unknown_field": 400,
    "duplicate_field": 400,
    "several_files": 400,
    "invalid_cursor": 400,
    "invalid_idempotency_key": 400,
    "invalid_event_id": 400,
    "key_required": 401,
    "invalid_key": 401,
    "key_expired": 401,
    "key_revoked": 401,
    "host_not_allowed": 403,
    "scope_missing": 403,
    "origin_not_allowed": 403,
    "upload_stalled": 408,
    "upload_too_slow": 408,
    "unsupported_content_type": 415,
    # What it names is not there, or not now
    "not_found": 404,
    "no_such_route": 404,
    "invalid_job_id": 404,
    "job_not_found": 404,
    "key_not_found": 404,
    "artifact_not_found": 404,
    "delivery_not_found": 404,
    "utterance_not_found": 404,
    "artifact_missing": 404,
    "model_not_found": 404,
    "method_not_allowed": 405,
    "invalid_state": 409,
    "not_ready": 409,
    "idempotency_in_progress": 409,
    "job_canceled": 409,
    "job_expired": 409,
    "expired": 410,
    "precondition_failed": 412,
    "precondition_required": 428,
    "range_not_satisfiable": 416,
    # It is too much
    "rate_limited": 429,
    "too_many_jobs": 429,
    "queue_full": 503,
    # It is too large
    "upload_too_large": 413,
    "text_too_long": 413,
    "field_too_long": 413,
    "body_too_large": 413,
    # It is read, and makes no sense
    "invalid_input": 422,
    "invalid_field": 422,
    "missing_field": 422,
    "idempotency_key_reused": 422,
    "not_applicable": 422,
    "wrong_input": 422,
    "empty_file": 422,
    "text_empty": 422,
    "metadata_too_large": 422,
    "language_required": 422,
    "unknown_language": 422,
    "same_language": 422,
    "invalid_times": 422,
    "unsupported_pair": 422,
    "unsupported_source_language": 422,
    "unsupported_format": 422,
    "voice_unavailable": 422,
    "voice_language": 422,
    "not_media": 422,
    "bad_subtitles": 422,
    "no_audio": 422,
    "truncated_media": 422,
    "media_too_long": 422,
    "media_too_complex": 422,
    "decoder_crashed": 422,
    "url_not_allowed": 422,
    "webhook_secret_required": 422,
    "model_unavailable": 422,
    # It is our fault
    "internal_error": 500,
    "unavailable": 503,
    "timeout": 503,
    "broker_unavailable": 503,
    "database_unavailable": 503,
    "database_outdated": 503,
    "storage_unavailable": 503,
    "storage_refused": 503,
    "broker_blocked": 503,
    "wait_timeout": 504,
    "storage_full": 503,
}
"""HTTP status by error code. A code that is not here gets the status of its class."""

_BY_CLASS: Final[tuple[tuple[type[OctaviaError], int], ...]] = (
    (NotFound, 404),
    (Conflict, 409),
    (InputError, 422),
    (Unavailable, 503),
    (OctaviaError, 500),
)
RETRY_AFTER_SECONDS: Final = 5
"""When to come again where nothing better is known: what is checked is checked once a second."""


@dataclass(frozen=True, slots=True)
class ErrorFormat:
    """The form of errors below a path prefix, for clients that expect another one than problem details.

    Parameters:
      prefix: A path without a slash at its end.
      answer: Makes the response of an error, its status in the rest of the API, and headers.
      status_of: Turns a status of the rest of the API into the one that is sent.
      schema: The model of the response's body.
    """

    prefix: str
    answer: Callable[[OctaviaError, int, dict[str, str]], QuotingJSON]
    status_of: Callable[[int], int]
    schema: type[BaseModel]


def format_of(formats: Iterable[ErrorFormat], path: str) -> ErrorFormat | None:
    """Return the format of errors at a path; None for problem details."""
    return next((format for format in formats if path.startswith(f"{format.prefix}/")), None)


class Problem(QuotingJSON):
    """An error answer."""

    media_type = "application/problem+json"


def problem(error: OctaviaError, request: HTTPConnection, *, headers: dict[str, str] | None = None) -> QuotingJSON:
    """The answer to a request that ended with ``error``."""
    status = status_of(error)
    headers = {"cache-control": "no-store", **_what_next(error, status), **(headers or {})}
    if (other := format_of(_formats(request), request.url.path)) is not None:
        return other.answer(error, status, headers)
    body: dict[str, Any] = {
        "type": f"/problems/{error.code}",
        "title": title_of(error.code),
        "status": status,
        "detail": error.message,
        "code": error.code,
        "hint": error.hint,
        "instance": keys.shortened(request.url.path),
        "request_id": getattr(request.state, "request_id", None),
    }
    if error.field is not None:
        body["field"] = error.field
    return Problem(body, status, headers=headers)


def _formats(request: HTTPConnection) -> Sequence[ErrorFormat]:
    """The formats of the app that serves a request; middleware may answer errors without an app around it."""
    app = request.scope.get("app")
    formats: Sequence[ErrorFormat] = getattr(app.state, "error_formats", ()) if app is not None else ()
    return formats


def title_of(code: str) -> str:
    """A code as words."""
    return code.replace("_", " ").capitalize().replace("json", "JSON")


def status_of(error: OctaviaError) -> int:
    """The HTTP status of an error."""
    if error.code in STATUS:
        return STATUS[error.code]
    return next(status for kind, status in _BY_CLASS if isinstance(error, kind))


def _what_next(error: OctaviaError, status: int) -> dict[str, str]:
    """Headers by which a client's library knows what to do about an error."""
    if status == HTTPStatus.UNAUTHORIZED:
        return {"www-authenticate": "Bearer"}
    retry_after = getattr(error, "retry_after", RETRY_AFTER_SECONDS if status == 503 else None)
    return {} if retry_after is None else {"retry-after": str(max(1, math.ceil(retry_after)))}


async def on_octavia_error(request: HTTPConnection, error: Exception) -> QuotingJSON:
    """Answer one of our own errors."""
    assert isinstance(error, OctaviaError)
    if status_of(error) >= 500:
        log.warning("request_failed", code=error.code, reason=str(error))
    return problem(error, request, headers=getattr(error, "headers", None))


async def on_http_error(request: Request, error: Exception) -> QuotingJSON:
    """Answer what Starlette itself refuses: unknown paths and methods."""
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = ", ".join(sorted((error.headers or {}).get("Allow", "").split(", ")))
        known: OctaviaError = InputError(
            f"{request.method} is not possible here.", code="method_not_allowed", hint=f"Allowed: {allowed}."
        )
        return problem(known, request, headers={"allow": allowed})
    if error.status_code == HTTPStatus.NOT_FOUND:
        known = NotFound(
            f"There is nothing at {keys.shortened(request.url.path)}.",
            code="no_such_route",
            hint="The API lies under /api/v1.",
        )
        return problem(known, request)
    return problem(InputError(error.detail), request)


async def on_disconnect(request: Request, error: Exception) -> QuotingJSON:
    """The client went away in the middle of its request: nobody reads this, but the access log tells it."""
    return problem(InputError("The request broke off.", code="upload_broken_off"), request)
