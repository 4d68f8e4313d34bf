"""Errors as OpenAI's clients expect them: ``{"error": {"message", "type", "param", "code"}}``."""

from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel

from octavia.api.http.bodies import QuotingJSON
from octavia.api.http.problems import ErrorFormat
from octavia.api.submission import idempotency
from octavia.errors import OctaviaError, TaskFailed, Unavailable

PREFIX: Final = "/v1"
"""The path below which OpenAI's protocol is served."""

NO_RETRY: Final = {"x-should-retry": "false"}
"""Tells OpenAI's clients, which repeat a request after most errors, that repeating it is useless."""

JOB_PROBLEMS: Final = (
    *("model_not_found", "job_not_found", "job_canceled", "wait_timeout", "unavailable", "artifact_missing"),
    *idempotency.PROBLEMS,
)
"""Codes of errors that any request that waits for a job may get."""

_STATUS = {HTTPStatus.UNSUPPORTED_MEDIA_TYPE: 400, HTTPStatus.UNPROCESSABLE_ENTITY: 400}
_PARAMS = {"source_language": "language", "vocabulary": "prompt"}
_CODES = {HTTPStatus.UNAUTHORIZED: "invalid_api_key", HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_exceeded"}


class JobFailed(TaskFailed):
    """A request's job failed for a reason that does not lie in the request."""

    headers: Final = NO_RETRY


class WaitedTooLong(Unavailable):
    """A request's job did not end in time."""

    code = "wait_timeout"

    def __init__(self, job_id: UUID, seconds: float, *, goes_on: bool) -> None:
        end = "continues" if goes_on else "was canceled"
        super().__init__(
            f"The job {job_id} did not end within {seconds:.0f} s, and {end}.",
            hint="Send the request again, with the same key, to continue waiting for it."
            if goes_on
            else "Send long recordings to POST /api/v1/jobs, which does not wait.",
        )
        self.headers = {} if goes_on else NO_RETRY


class OpenAIFault(BaseModel):
    """The reason why a request was refused, in OpenAI's words."""

    message: str
    type: str
    param: str | None
    code: str | None


class OpenAIProblem(BaseModel):
    """An error in OpenAI's protocol."""

    error: OpenAIFault


def error_response(error: OctaviaError, status: int, headers: dict[str, str]) -> QuotingJSON:
    """Return the answer to a request that ended with an error.

    Parameters:
      status: The HTTP status that the error has in the rest of the API.
    """
    return QuotingJSON(error_body(error, status), status_of(status), headers=headers)


def status_of(status: int) -> int:
    """Return OpenAI's HTTP status for one of the rest of the API: 400 for every request that cannot be accepted."""
    return _STATUS.get(HTTPStatus(status), status)


def error_body(error: OctaviaError, status: int) -> dict[str, Any]:
    """Return an error's JSON; its message includes our hint. ``status`` is as for ``error_response``."""
    kind = "server_error" if status >= 500 else "requests" if status == 429 else "invalid_request_error"
    return {
        "error": {
            "message": f"{error.message} {error.hint}".strip(),
            "type": kind,
            "param": _PARAMS.get(error.field or "", error.field),
            "code": _CODES.get(HTTPStatus(status), error.code),
        }
    }


FORMAT: Final = ErrorFormat(PREFIX, error_response, status_of, OpenAIProblem)
"""The format of errors below ``PREFIX``."""
