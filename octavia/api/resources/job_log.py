"""``/jobs/{job_id}/log``: the story of a job, in order, for its owner and for operators."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from octavia.api.context import context_of
from octavia.api.http import checks
from octavia.api.http.bodies import answer
from octavia.api.http.checks import job_id_of
from octavia.api.http.identity import owner, principal
from octavia.api.http.operations import operation
from octavia.api.schemas.answers import ErrorOut, from_record
from octavia.jobs.access.keys import Scope
from octavia.jobs.status import story
from octavia.jobs.tables.states import Stage


class LogRequest(BaseModel, extra="forbid"):
    """The query of a job's log."""

    cursor: str | None = Field(None, max_length=200, description="The next_cursor of the previous page.")
    limit: int = Field(100, ge=1, le=1000, description="Entries per page, 1 to 1000.")


class LogEntryOut(BaseModel):
    """One thing that happened to a job; fields that do not concern it are null.

    ``at`` is the start of an attempt; ``waited_seconds`` in the queue before it, without the pause before a retry, and
    ``seconds`` from its start to its end. ``attempt`` counts as the limit of attempts does: one that was given back
    does not count. ``worker`` is its place at its supervisor; ``host`` and ``pid`` are shown to operators only.
    ``next_at``: when the next attempt may begin. ``edits``: how many utterances' edits a run carries out.
    """

    at: datetime
    what: story.What
    run: int | None
    edits: int | None
    stage: Stage | None
    chunk: int | None
    attempt: int | None
    status: str | None
    worker: str | None
    host: str | None
    pid: int | None
    waited_seconds: float | None
    seconds: float | None
    ended_at: datetime | None
    next_at: datetime | None
    error: ErrorOut | None
    webhook_id: UUID | None

    @classmethod
    def of(cls, entry: story.Entry, *, for_operator: bool) -> "LogEntryOut":
        """Return the answer about an entry."""
        # Names of machines and processes are no business of clients, and help those who look for a way in.
        host, pid, slot = entry.worker.rsplit(":", 2) if entry.worker and entry.worker.count(":") >= 2 else (None,) * 3
        shown = for_operator and pid is not None and pid.isdigit()
        return from_record(
            cls,
            entry,
            worker=slot,
            host=host if shown else None,
            pid=pid if shown else None,
            waited_seconds=None if entry.waited is None else round(entry.waited, 3),
            seconds=None if entry.ended_at is None else round((entry.ended_at - entry.at).total_seconds(), 3),
            webhook_id=entry.id,
        )


class LogOut(BaseModel):
    """A page of a job's log, oldest first."""

    entries: list[LogEntryOut]
    next_cursor: str | None


@operation(
    "Show a job's log",
    tag="Jobs",
    scope=Scope.READ,
    query=LogRequest,
    answers={200: LogOut},
    problems=("invalid_job_id", "job_not_found", "unknown_field", "invalid_field", "invalid_cursor"),
)
async def show_log(request: Request) -> Response:
    """``GET /jobs/{job_id}/log``: what happened to it, in order: who worked on what, for how long, and why again.

    Operators (scope ``operate``) see the log of any job, with hosts and process ids.
    """
    query, client = checks.validate(LogRequest, dict(request.query_params)), principal(request)
    operates = Scope.OPERATE in client.scopes
    page = await context_of(request).db(
        story.of_job,
        job_id_of(request),
        client.operates_on if operates else owner(request),
        cursor=query.cursor,
        limit=query.limit,
    )
    found = [LogEntryOut.of(entry, for_operator=operates) for entry in page.entries]
    return answer(LogOut(entries=found, next_cursor=page.next_cursor))
