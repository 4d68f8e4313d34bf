"""The event after which a client continues, and the JSON in which events are sent."""

import re
from typing import Any, Final

from pydantic import Field
from starlette.requests import HTTPConnection

from octavia import compact_json
from octavia.api.http import checks
from octavia.api.http.fields import Fields
from octavia.errors import InputError
from octavia.jobs.tables.records import JobRecord

_ID: Final = re.compile(r"\d{1,9}", re.ASCII)


class EventsRequest(Fields):
    """The query of a request for a job's events."""

    after: int = Field(0, ge=0, description="The number of the last event received; 0, the default, for all events.")


def position(connection: HTTPConnection, job: JobRecord) -> int:
    """Return the number of the last event that the client has: ``Last-Event-ID``, else ``after`` in the query.

    Raises ``InputError``: ``invalid_field``, or ``invalid_event_id`` if the job has no event of this number.
    """
    after = checks.validate(EventsRequest, dict(connection.query_params)).after
    field = "after"
    given = connection.headers.get("last-event-id")
    if given is not None:
        field = "Last-Event-ID"
        after = int(given) if _ID.fullmatch(given) else -1
    if not 0 <= after <= job.event_seq:
        raise InputError(
            "The job has no event with this id.",
            code="invalid_event_id",
            hint="Send the id of the last event that you received, or none to begin with the first event.",
            field=field,
        )
    return after


def to_json(value: Any) -> str:
    """JSON on one line; what is no Unicode is escaped."""
    return compact_json.dumps(value).encode("utf-8", "backslashreplace").decode()
