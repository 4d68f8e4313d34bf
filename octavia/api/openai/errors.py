"""Errors as OpenAI's clients expect them: ``{"error": {"message", "type", "param", "code"}}``."""

from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel

from octavia.api.http.bodies import QuotingJSON
from octavia.api.http.problems import ErrorFormat
from octavia.errors import OctaviaError, TaskFailed, Unavailable

PREFIX: Final = "/v1"
"""Where all of this lies."""

NO_RETRY: Final = {"x-should-retry": "false"}
"""OpenAI's clients send a request again after most errors; this header says that it would be in vain."""

OF_JOBS: Final = (
    *("model_not_found", "job_not_found", "job_canceled", "wait_timeout", "unavailable", "artifact_missing"),
    *("invalid_idempotency_key", "idempotency_key_reused", "idempotency_in_progress"),
)
"""Codes of requests that wait for a job, whatever it does."""

_STATUS = {HTTPStatus.UNSUPPORTED_MEDIA_TYPE: 400, HTTPStatus.UNPROCESSABLE_ENTITY: 400}
_PARAMS = {"source_language": "language", "vocabulary": "prompt"}
_CODES = {HTTPStatus.UNAUTHORIZED: "invalid_api_key", HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_exceeded"}


class JobFailed(TaskFailed):
    """The job of a request ended without a result for a reason that does not lie in the request."""

    headers: Final = NO_RETRY


class WaitedTooLong(Unavailable):
    """The job of a request did not end in time."""

    code = "wait_timeout"

    def __init__(self, job_id: UUID, seconds: float, *, goes_on: bool) -> None:
        end = "it goes on" if goes_on else "was canceled"
        super().__init__(
            f"The job {job_id} did not end within {seconds:.0f} s, and {end}.",
            hint="Send the request again, with the same key, to go on waiting for it."
            if goes_on
            else "Send long recordings to POST /api/v1/jobs, which does not wait.",
        )
        self.headers = {} if goes_on else NO_RETRY


class OpenAIFault(BaseModel):
    """Why a request was refused, as OpenAI says it."""

    message: str
    type: str
    param: str | None
    code: str | None


class OpenAIProblem(BaseModel):
    """An error in OpenAI's protocol."""

    error: OpenAIFault


def shaped(error: OctaviaError, status: int, headers: dict[str, str]) -> QuotingJSON:
    """The answer to a request that ended with an error.

    Parameters:
      status: What it is elsewhere in the API; OpenAI knows no other than 400 for what it cannot accept.
    """
    return QuotingJSON(content(error, status), status_of(status), headers=headers)


def status_of(status: int) -> int:
    """What a status of the rest of the API is here."""
    return _STATUS.get(HTTPStatus(status), status)


def content(error: OctaviaError, status: int) -> dict[str, Any]:
    """An error as JSON; the message holds our hint too."""
    kind = "server_error" if status >= 500 else "requests" if status == 429 else "invalid_request_error"
    return {
        "error": {
            "message": f"{error.message} {error.hint}".strip(),
            "type": kind,
            "param": _PARAMS.get(error.field or "", error.field),
            "code": _CODES.get(HTTPStatus(status), error.code),
        }
    }


FORMAT: Final = ErrorFormat(PREFIX, shaped, status_of, OpenAIProblem)
"""The form of errors below ``PREFIX``."""
