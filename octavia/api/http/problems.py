"""Error answers as RFC 9457 problem details, and the table of all error codes with their HTTP status and meaning."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, NamedTuple

import structlog
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request

from octavia.api.http.bodies import QuotingJSON
from octavia.api.http.paths import path_of, root_of
from octavia.errors import Conflict, CountChanged, InputError, NotFound, OctaviaError, Unavailable
from octavia.jobs.access import keys

log = structlog.get_logger()


class ProblemKind(NamedTuple):
    """The HTTP status of an error code, and a sentence or two on its meaning and remedy for everyone who gets it."""

    status: int
    meaning: str


_MEANINGS: Final[dict[int, dict[str, str]]] = {
    400: {
        "bad_json": "The body, or a JSON field, is not JSON (RFC 8259). Check quotes, commas and depth; send UTF-8.",
        "bad_multipart": "The form cannot be read. Have a library build it, with the boundary named in its header.",
        "upload_broken_off": "The connection ended within the request. Send it again, with an Idempotency-Key.",
        "unknown_field": "There is no such field; the hint lists the fields.",
        "duplicate_field": "A field was sent twice. Send it once.",
        "several_files": "A job takes one file. Submit one job for each file.",
        "unknown_filter_word": "There is no such word in the filter language; the hint lists the words.",
        "invalid_filter": "The filter cannot be read; the message says which part and where, the hint what it takes.",
        "invalid_cursor": "The cursor does not come from a page of this list. Send next_cursor unchanged.",
        "invalid_idempotency_key": "An Idempotency-Key is 1 to 255 printable ASCII characters.",
        "invalid_event_id": "Last-Event-ID is not the id of an event of this job. Leave it out to get all events.",
    },
    401: {
        "key_required": "The API requires a key. Send Authorization: Bearer oct_….",
        "invalid_key": "The key does not exist. Check it for missing characters, or ask the operator for one.",
        "key_expired": "The key has expired. Ask the operator for another one.",
        "key_revoked": "The key was revoked. Ask the operator for another one.",
        "session_expired": "The browser's session has ended. Sign in again with a key.",
    },
    403: {
        "host_not_allowed": "An API without keys answers only requests from and to this machine. Use http://127.0.0.1.",
        "scope_missing": "The key may not do this. Use one with the scope named in the message.",
        "admin_key_required": "This takes an administrator's key, also on an API that requires none for other things.",
        "proxy_not_allowed": "An API without keys answers nothing that a proxy passes on. Make a key, and send it.",
        "origin_not_allowed": "A page of another site sent the request. Send it from a program, or from our own pages.",
    },
    404: {
        "not_found": "There is nothing of this name.",
        "no_such_route": "There is nothing at this address. See /docs for all addresses.",
        "invalid_job_id": "The id in the path is not a UUID, so there cannot be such a job.",
        "job_not_found": "The job does not exist, was deleted, or has another owner.",
        "key_not_found": "There is no such key.",
        "pause_not_found": "There is no such pause, or it has ended. See /api/v1/operator/pauses.",
        "dead_letter_not_found": "There is no such dead letter, or it is no longer there.",
        "artifact_not_found": "The job has no such result; the hint lists its results.",
        "delivery_not_found": "There is no such webhook; GET /webhooks lists them.",
        "utterance_not_found": "The job has no such utterance. GET its utterances to see their ids.",
        "artifact_missing": "The result is recorded, but its file is gone. Run the job again.",
        "model_not_found": "There is no such model; /v1/models lists the models.",
    },
    405: {"method_not_allowed": "The address does not take this method; the hint lists its methods."},
    408: {
        "upload_stalled": "No more of the request arrived for too long. Send it again over a better connection.",
        "upload_too_slow": "The request arrived too slowly. Send it again over a better connection.",
    },
    409: {
        "invalid_state": "The job's state does not allow this. See its status.",
        "not_ready": "The job has no results yet. Wait for its end.",
        "idempotency_in_progress": "The first request with this key is still running. Try again after Retry-After.",
        "job_canceled": "The job of this request was canceled before it was done.",
        "count_changed": "The action concerns another number now than was confirmed: count. Confirm it with that.",
        "job_expired": "The job's files have expired, so it cannot run again. Submit the recording again.",
    },
    410: {"expired": "The job's results have expired. Submit the recording again."},
    412: {
        "precondition_failed": "The utterances have changed since the version in If-Match. Read them again first.",
    },
    413: {
        "upload_too_large": "The file is larger than this deployment takes. Compress or cut it.",
        "text_too_long": "The text is longer than this deployment takes. Submit it in parts.",
        "field_too_long": "A field is longer than any valid value.",
        "body_too_large": "The body is larger than any valid one.",
    },
    414: {"address_too_long": "The address with its query is longer than any valid one. Send less in the query."},
    415: {"unsupported_content_type": "The body has a type that this address does not take. See /docs for its types."},
    416: {"range_not_satisfiable": "The range lies outside of the file. The hint gives the file's size."},
    422: {
        "invalid_input": "The request is not valid; the message says why.",
        "invalid_field": "A field has an invalid value; the hint says which values are valid.",
        "missing_field": "A required field is missing.",
        "pause_too_wide": "Name a queue, a host or both; or send everything as true.",
        "idempotency_key_reused": "The key was used for a different request. Make a new key for every new request.",
        "not_applicable": "A field was set that has no effect for this type of job. Leave it out.",
        "wrong_input": "This type of job does not take this input. Send a file instead of text, or the reverse.",
        "empty_file": "The file has no bytes.",
        "text_empty": "The text has no words.",
        "metadata_too_large": "The metadata is larger than 4 kB of JSON.",
        "language_required": "Name the language: there is no speech to detect it from.",
        "unknown_language": "The language is not known. Send an ISO 639 code such as en.",
        "same_language": "Source and target language are the same.",
        "invalid_times": "The utterance would leave the recording, end before its start, or overlap the one named.",
        "unsupported_pair": "No model translates this pair, not even by way of English. See /api/v1/languages.",
        "unsupported_source_language": "No model recognizes speech in this language. See /api/v1/languages.",
        "unsupported_format": "There is no such format; the hint lists the formats.",
        "voice_unavailable": "There is no such voice, or none for this language. See /api/v1/voices.",
        "voice_language": "The voice speaks another language than the text.",
        "not_media": "The file is not audio or video that can be read.",
        "bad_subtitles": "The subtitles cannot be read; the message says where and as which format.",
        "no_audio": "The video has no sound.",
        "no_such_track": "The file has fewer sound tracks than audio_track; the hint lists them.",
        "truncated_media": "The file ends too early. Send all of it.",
        "media_too_long": "The recording is longer than this deployment takes. Cut it.",
        "media_too_complex": "The file needs more time or memory than a recording should. Convert it to FLAC or MP3.",
        "decoder_crashed": "The file crashed the decoder. Convert it, for example to FLAC or MP3, and send that.",
        "url_not_allowed": "Octavia does not open this address: it is malformed, private, or redirects.",
        "webhook_secret_required": "The webhook cannot be signed. Send webhook_secret, or use a key.",
        "model_unavailable": "The model is not installed and must not be downloaded. Ask the operator to pull it.",
    },
    428: {"precondition_required": "The request has no If-Match. Send the ETag of the utterances that you read."},
    429: {
        "rate_limited": "The key was used too often. Try again after Retry-After.",
        "too_many_jobs": "The key has too many unfinished jobs. Wait until one of them ends.",
    },
    431: {"headers_too_large": "The request's headers are larger than any need to be. Send fewer, or shorter ones."},
    500: {"internal_error": "Something went wrong here. Report it with its request_id."},
    503: {
        "queue_full": "Too many jobs are waiting. Try again after Retry-After.",
        "too_many_connections": "Too many connections are open, here or from your address. Close some, or try later.",
        "unavailable": "Something that is needed does not answer. Try again after Retry-After.",
        "timeout": "Something that is needed did not answer in time.",
        "background_failed": "A part of this server fails again and again. Its log says why.",
        "no_workers": "No living worker serves a queue that jobs need. Start one, or see why none comes up.",
        "broker_unavailable": "The broker does not answer. Try again after Retry-After.",
        "database_unavailable": "The database does not answer. Try again after Retry-After.",
        "database_outdated": "The database has another release's schema. Have the operator run `octavia db upgrade`.",
        "storage_unavailable": "The storage does not answer. Try again after Retry-After.",
        "storage_refused": "The storage may not be read or written. Ask the operator to check its permissions.",
        "workers_failing": "The workers end whenever they are started. Have the operator look into their log.",
        "broker_blocked": "The broker is low on memory or disk. Try again after Retry-After.",
        "storage_full": "There is no room for the file. Try again after Retry-After, or ask the operator for room.",
    },
    504: {"wait_timeout": "The job took longer than a request may wait. Use the API that does not wait."},
}
PROBLEM_KINDS: Final = {
    code: ProblemKind(status, meaning) for status, meanings in _MEANINGS.items() for code, meaning in meanings.items()
}
"""Every known error code. One that is not here gets the status of its class."""

_BY_CLASS: Final[tuple[tuple[type[OctaviaError], int], ...]] = (
    (NotFound, 404),
    (Conflict, 409),
    (InputError, 422),
    (Unavailable, 503),
    (OctaviaError, 500),
)
RETRY_AFTER_SECONDS: Final = 5
"""Default of ``Retry-After``."""


@dataclass(frozen=True, slots=True)
class ErrorFormat:
    """The format of errors below a path prefix, for clients that do not expect problem details.

    Parameters:
      prefix: A path without a trailing slash.
      answer: Makes the response from an error, its status in the rest of the API, and headers.
      status_of: Maps a status of the rest of the API to the one that is sent.
      schema: The model of the response's body.
    """

    prefix: str
    answer: Callable[[OctaviaError, int, dict[str, str]], QuotingJSON]
    status_of: Callable[[int], int]
    schema: type[BaseModel]


def format_of(formats: Iterable[ErrorFormat], path: str) -> ErrorFormat | None:
    """Return the format of errors at a path; None for problem details."""
    return next((format for format in formats if path.startswith(f"{format.prefix}/")), None)


class Problem(BaseModel):
    """The reason why a request was refused (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    hint: str
    instance: str
    request_id: str | None
    field: str | None = None
    count: int | None = None


def problem_response(
    error: OctaviaError, request: HTTPConnection, *, headers: dict[str, str] | None = None
) -> QuotingJSON:
    """Return the answer to a request that failed with ``error``: a ``Problem``, or the format of its path prefix."""
    status = status_of(error)
    headers = {"cache-control": "no-store", **_remedy_headers(error, status), **(headers or {})}
    if (other := format_of(_formats(request), path_of(request))) is not None:
        return other.answer(error, status, headers)
    body: dict[str, Any] = {
        "type": problem_url(error.code, root_of(request)),
        "title": title_of(error.code),
        "status": status,
        "detail": error.message,
        "code": error.code,
        "hint": error.hint,
        "instance": keys.mask_keys(request.url.path),
        "request_id": getattr(request.state, "request_id", None),
    }
    if error.field is not None:
        body["field"] = error.field
    if isinstance(error, CountChanged):
        body["count"] = error.count
    return QuotingJSON(body, status, headers, media_type="application/problem+json")


def _formats(request: HTTPConnection) -> Sequence[ErrorFormat]:
    """Return the formats of the app that serves a request; there is no app where middleware is tested alone."""
    app = request.scope.get("app")
    formats: Sequence[ErrorFormat] = getattr(app.state, "error_formats", ()) if app is not None else ()
    return formats


def problem_url(code: str, root: str) -> str:
    """Return the path of the page about a code; ``root``: the path under which a proxy serves the API."""
    return f"{root}/problems/{code}"


def title_of(code: str) -> str:
    """Return a code as words."""
    return code.replace("_", " ").capitalize().replace("json", "JSON")


def status_of(error: OctaviaError) -> int:
    """Return the HTTP status of an error: that of its code, else that of its class."""
    if error.code in PROBLEM_KINDS:
        return PROBLEM_KINDS[error.code].status
    return next(status for kind, status in _BY_CLASS if isinstance(error, kind))


def _remedy_headers(error: OctaviaError, status: int) -> dict[str, str]:
    """Return headers that let a client's library react: authenticate, or try again later."""
    if status == HTTPStatus.UNAUTHORIZED:
        return {"www-authenticate": "Bearer"}
    retry_after = getattr(error, "retry_after", RETRY_AFTER_SECONDS if status == 503 else None)
    return {} if retry_after is None else {"retry-after": str(max(1, math.ceil(retry_after)))}


async def on_octavia_error(request: HTTPConnection, error: Exception) -> QuotingJSON:
    """Answer an error that Octavia raised on purpose."""
    assert isinstance(error, OctaviaError)
    if status_of(error) >= 500:
        log.warning("request_failed", code=error.code, reason=str(error))
    return problem_response(error, request, headers=getattr(error, "headers", None))


async def on_http_error(request: Request, error: Exception) -> QuotingJSON:
    """Answer an error of Starlette: an unknown path or method."""
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = ", ".join(sorted((error.headers or {}).get("Allow", "").split(", ")))
        known: OctaviaError = InputError(
            f"This address does not take {request.method}.", code="method_not_allowed", hint=f"It takes {allowed}."
        )
        return problem_response(known, request, headers={"allow": allowed})
    if error.status_code == HTTPStatus.NOT_FOUND:
        root = root_of(request)
        known = NotFound(
            f"There is nothing at {keys.mask_keys(request.url.path)}.",
            code="no_such_route",
            hint=f"The API is below {root}/api/v1; {root}/docs describes it.",
        )
        return problem_response(known, request)
    return problem_response(InputError(error.detail), request)


async def on_disconnect(request: Request, error: Exception) -> QuotingJSON:
    """Answer a request whose client went away before its end; nobody reads this, but the access log records it."""
    return problem_response(InputError("The connection ended within the request.", code="upload_broken_off"), request)
