"""Who wants a job's events and from which on, and how these are written."""

import re
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import HTTPConnection

from octavia import compact_json
from octavia.api.http import checks
from octavia.api.http.identity import principal
from octavia.errors import InputError
from octavia.jobs.tables.records import JobRecord

_ID: Final = re.compile(r"\d{1,9}", re.ASCII)


class EventsRequest(BaseModel):
    """The query of a job's events."""

    model_config = ConfigDict(extra="forbid")

    after: int = Field(0, ge=0, description="The number of the last event that is known; 0, the default: none.")


def position(connection: HTTPConnection, job: JobRecord) -> int:
    """The last event that the client has: what ``Last-Event-ID`` says, else the query.

    Raises:
      InputError: ``invalid_field``, or ``invalid_event_id``: the job has no event of this number.
    """
    after = checks.validate(EventsRequest, dict(connection.query_params)).after
    field = "after"
    given = connection.headers.get("last-event-id")
    if given is not None:
        field = "Last-Event-ID"
        after = int(given) if _ID.fullmatch(given) else -1
    if not 0 <= after <= job.event_seq:
        raise InputError(
            "This is not the id of an event of this job.",
            code="invalid_event_id",
            hint="Send the id of the last event that you got; leave it out to begin with the first.",
            field=field,
        )
    return after


def key_of(connection: HTTPConnection) -> UUID | None:
    """The id of the key that the client came with, if it needed one."""
    key = principal(connection).key
    return None if key is None else key.id


def to_json(value: Any) -> str:
    """JSON on one line; what is no Unicode is escaped."""
    text = compact_json.dumps(value)
    return text.encode("utf-8", "backslashreplace").decode()
