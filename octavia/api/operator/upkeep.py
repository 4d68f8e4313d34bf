"""``/operator/scheduler`` and ``/operator/outbox``: the work that the service does for itself."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from octavia.api.context import context_of
from octavia.api.http.bodies import answer
from octavia.api.http.operations import operation
from octavia.api.schemas.answers import from_record
from octavia.jobs.access.keys import Scope
from octavia.jobs.status import backlog, rounds
from octavia.jobs.tables.states import Queue


class RoundOut(BaseModel):
    """The newest round of one kind of periodic work; without times, it never came."""

    actor: str
    every: str = Field(description="When it is due, in the notation of cron.")
    scheduled_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    error: str | None
    result: dict[str, Any]


class SchedulerOut(BaseModel):
    """The newest rounds; ``late`` if nothing was scheduled for a while that should have been."""

    late: bool
    rounds: list[RoundOut]


class OutboxQueueOut(BaseModel):
    """The messages of one queue that were not sent yet; ``leased`` ones are being sent, or worked on if embedded."""

    queue: Queue
    waiting: int
    due: int
    leased: int
    oldest_seconds: float = Field(description="How long the first of those that are due has waited; 0 if none is.")


class OutboxOut(BaseModel):
    """The outbox, by queue."""

    queues: list[OutboxQueueOut]


@operation("Show the scheduler's last rounds", tag="Operator", scope=Scope.OPERATE, answers={200: SchedulerOut})
async def show_scheduler(request: Request) -> Response:
    """``GET /operator/scheduler``: the newest round of each kind of periodic work."""
    db = context_of(request).db
    found = [from_record(RoundOut, each, every=rounds.SCHEDULE[each.actor]) for each in await db(rounds.list_rounds)]
    return answer(SchedulerOut(late=await db(rounds.is_late), rounds=found))


@operation("Show the outbox", tag="Operator", scope=Scope.OPERATE, answers={200: OutboxOut})
async def show_outbox(request: Request) -> Response:
    """``GET /operator/outbox``: the messages that wait to be sent."""
    found = await context_of(request).db(backlog.outbox)
    return answer(OutboxOut(queues=[from_record(OutboxQueueOut, each) for each in found]))
