"""Pieces that many endpoints share: a JSON answer, and the id of a job in a path."""

from typing import Any
from uuid import UUID

from pydantic import BaseModel
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response

from octavia import compact_json
from octavia.errors import NotFound


class QuotingJSON(JSONResponse):
    """JSON that may quote what a client sent: what in it is no Unicode is escaped."""

    def render(self, content: Any) -> bytes:
        """As bytes."""
        return compact_json.dumps(content).encode("utf-8", "backslashreplace")


def answer(
    content: BaseModel, status: int = 200, headers: dict[str, str] | None = None, *, exclude_none: bool = False
) -> Response:
    """A JSON answer that no cache keeps."""
    return Response(
        content.model_dump_json(exclude_none=exclude_none),
        status,
        headers={"cache-control": "no-store", **(headers or {})},
        media_type="application/json",
    )


def job_id_of(connection: HTTPConnection) -> UUID:
    """The id in the path.

    Raises:
      NotFound: ``invalid_job_id``: it cannot be one.
    """
    given = connection.path_params["job_id"]
    try:
        job_id = UUID(given)
    except ValueError:
        job_id = None
    if job_id is None or str(job_id) != given.lower():
        raise NotFound(
            f"{given[:100]!r} is not the id of a job.",
            code="invalid_job_id",
            hint="An id is a UUID, as the answer to a submission gives it.",
            field="job_id",
        )
    return job_id
