"""``/operator/workers``: every worker process, what it does, and when it was last seen."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from octavia.api.context import Context, context_of
from octavia.api.http.bodies import answer
from octavia.api.http.identity import principal
from octavia.api.http.operations import operation
from octavia.api.schemas.answers import from_record
from octavia.jobs.access.keys import Scope
from octavia.jobs.status import worker_states
from octavia.jobs.status.worker_states import WorkerState, WorkerStatus
from octavia.jobs.tables.states import Stage


class TaskInHandOut(BaseModel, from_attributes=True):
    """The task that a worker runs; chunk -1 stands for the whole job."""

    job_id: UUID
    owner: str
    stage: Stage
    chunk: int
    attempt: int
    since: datetime | None


class WorkerOut(BaseModel):
    """A worker process. ``failing`` stands for processes that end as soon as they are started, and has no pid."""

    id: str
    host: str
    pid: int
    queues: list[str]
    release: str = Field(description="Version of Octavia that it runs; empty for one that does not say.")
    memory_bytes: int
    seen_at: datetime
    silent_seconds: float
    state: WorkerState
    task: TaskInHandOut | None

    @classmethod
    def of(cls, worker: WorkerStatus) -> "WorkerOut":
        """Return the answer about a worker."""
        return from_record(
            cls,
            worker,
            queues=list(worker.queues),
            memory_bytes=worker.memory,
            silent_seconds=round(worker.silent_seconds, 3),
        )


class WorkerListOut(BaseModel):
    """All known workers, by id."""

    workers: list[WorkerOut]


@operation("List workers", tag="Operator", scope=Scope.OPERATE, answers={200: WorkerListOut})
async def list_workers(request: Request) -> Response:
    """``GET /operator/workers``: those that live, and those that fell silent, until they are forgotten."""
    found = await read_workers(context_of(request), principal(request).operates_on)
    return answer(WorkerListOut(workers=[WorkerOut.of(worker) for worker in found]))


async def read_workers(context: Context, owner: str | None) -> tuple[WorkerStatus, ...]:
    """Read all known workers, with their tasks as far as they are the owner's; None: everybody's."""
    return await context.db(worker_states.read, context.settings.patience, owner)
