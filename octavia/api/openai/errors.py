"""Errors as OpenAI's clients expect them: ``{"error": {"message", "type", "param", "code"}}``."""

from http import HTTPStatus
from typing import Any, Final

from starlette.responses import JSONResponse

from octavia.errors import OctaviaError, TaskFailed, Unavailable

PREFIX: Final = "/v1"
"""Where all of this lies."""

NO_RETRY: Final = {"x-should-retry": "false"}
"""OpenAI's clients send a request again after most errors; this header says that it would be in vain."""

_STATUS = {HTTPStatus.UNSUPPORTED_MEDIA_TYPE: 400, HTTPStatus.UNPROCESSABLE_ENTITY: 400}
_PARAMS = {"source_language": "language", "vocabulary": "prompt"}
_CODES = {HTTPStatus.UNAUTHORIZED: "invalid_api_key", HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_exceeded"}


class JobFailed(TaskFailed):
    """The job of a request ended without a result for a reason that does not lie in the request."""

    headers: Final = NO_RETRY


class WaitedTooLong(Unavailable):
    """The job of a request did not end in time."""

    code = "wait_timeout"
    headers: Final = NO_RETRY


def applies(path: str) -> bool:
    """Whether requests to a path are answered in this shape."""
    return path.startswith(f"{PREFIX}/")


def shaped(error: OctaviaError, status: int, headers: dict[str, str]) -> JSONResponse:
    """The answer to a request that ended with an error.

    Parameters:
      status: What it is elsewhere in the API; OpenAI knows no other than 400 for what it cannot accept.
    """
    return JSONResponse(content(error, status), _STATUS.get(HTTPStatus(status), status), headers=headers)


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
