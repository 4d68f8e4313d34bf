"""``/operator/pauses``: orders that workers of a queue, of a host, or of a queue on a host take no more tasks."""

from datetime import datetime
from functools import partial
from uuid import UUID

from pydantic import BaseModel, Field, StrictBool
from starlette.requests import Request
from starlette.responses import Response

from octavia.api.context import context_of
from octavia.api.http import checks
from octavia.api.http.bodies import answer, json_body
from octavia.api.http.identity import principal
from octavia.api.http.operations import operation
from octavia.errors import InputError, NotFound
from octavia.jobs.access.keys import Scope
from octavia.jobs.operations import pauses
from octavia.jobs.status import workers
from octavia.jobs.tables.pauses import PauseRecord, list_pauses
from octavia.jobs.tables.records import WorkerRecord
from octavia.jobs.tables.states import PauseMode, Queue

_MODES = "pause: processes stay with their models loaded; drain: they end after the task in hand."


class PauseRequest(BaseModel, extra="forbid"):
    """An order to workers."""

    queue: Queue | None = Field(None, description=f"One of {', '.join(Queue)}; left out: every queue of the host.")
    host: str | None = Field(
        None, max_length=255, description="As GET /operator/workers names it; left out: every host."
    )
    everything: StrictBool = Field(False, description="true, with neither queue nor host, for all queues on all hosts.")
    mode: PauseMode = Field(PauseMode.PAUSE, description=_MODES)
    reason: str = Field("", max_length=pauses.REASON_CHARS, description="For others who see the pause.")


class PauseOut(BaseModel):
    """A pause in force. Without a queue it concerns every one, without a host every one."""

    id: UUID
    queue: str | None
    host: str | None
    mode: PauseMode = Field(description=_MODES)
    reason: str
    by: str
    created_at: datetime

    @classmethod
    def of(cls, pause: PauseRecord) -> "PauseOut":
        """Return the answer about a pause."""
        return cls(
            id=pause.id,
            queue=pause.queue or None,
            host=pause.host or None,
            mode=pause.mode,
            reason=pause.reason,
            by=pause.by,
            created_at=pause.created_at,
        )


class NewPauseOut(PauseOut):
    """A pause, and how many known worker processes it concerns: 0 may mean that the host has another name."""

    workers: int


class PauseListOut(BaseModel):
    """The pauses in force, oldest first."""

    pauses: list[PauseOut]


@operation("List pauses", tag="Operator", scope=Scope.OPERATE, answers={200: PauseListOut})
async def show_pauses(request: Request) -> Response:
    """``GET /operator/pauses``: those in force."""
    return answer(PauseListOut(pauses=[PauseOut.of(pause) for pause in await context_of(request).db(list_pauses)]))


@operation(
    "Pause or drain workers",
    tag="Operator",
    scope=Scope.OPERATE_WRITE,
    body={"application/json": PauseRequest},
    answers={201: NewPauseOut},
    problems=("pause_too_wide",),
)
async def create_pause(request: Request) -> Response:
    """``POST /operator/pauses``: obeyed within two seconds; kept until it is deleted.

    Repeating it changes nothing; another mode or reason for the same queue and host replaces the first.
    """
    db = context_of(request).db
    fields = checks.validate(PauseRequest, await json_body(request))
    if fields.everything is not (fields.queue is None and fields.host is None):
        raise InputError(
            "Name a queue, a host or both; or else say that everything is meant.",
            code="pause_too_wide",
            hint='To pause all queues on all hosts, send {"everything": true} and neither of them.',
            field="everything",
        )
    order = partial(pauses.pause, reason=fields.reason, by=principal(request).by)
    pause = await db(order, fields.queue, fields.host, fields.mode)
    concerned = [worker for worker in await db(workers.list_workers) if _holds(pause, worker)]
    return answer(NewPauseOut(**PauseOut.of(pause).model_dump(), workers=len(concerned)), 201)


@operation(
    "Resume workers",
    tag="Operator",
    scope=Scope.OPERATE_WRITE,
    answers={200: PauseOut},
    problems=("pause_not_found",),
)
async def delete_pause(request: Request) -> Response:
    """``DELETE /operator/pauses/{pause_id}``: ends the pause, and answers what it was."""
    try:
        pause_id = UUID(request.path_params["pause_id"])
    except ValueError:
        raise NotFound(
            "There is no such pause.", code="pause_not_found", hint="GET /operator/pauses lists those in force."
        ) from None
    resume = partial(pauses.resume, by=principal(request).by)
    return answer(PauseOut.of(await context_of(request).db(resume, pause_id)))


def _holds(pause: PauseRecord, worker: WorkerRecord) -> bool:
    return any(queue.value in worker.queues and pause.holds(queue, worker.host) for queue in Queue)
