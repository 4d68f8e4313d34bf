"""``/operator/overview``: the state of the service in a few numbers."""

from collections import Counter
from typing import Literal

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from octavia import __version__
from octavia.api.context import Context, context_of
from octavia.api.http.bodies import answer
from octavia.api.http.identity import principal
from octavia.api.http.operations import operation
from octavia.api.operator.broker_figures import BrokerFigures, broker_figures_of
from octavia.api.operator.pauses import PauseOut
from octavia.api.operator.queues import QueueOut, read_queues
from octavia.api.operator.workers import read_workers
from octavia.jobs.access.keys import Scope
from octavia.jobs.operations import overview
from octavia.jobs.status import backlog
from octavia.jobs.status.worker_states import WorkerState
from octavia.jobs.tables import pauses
from octavia.jobs.tables.states import JobStatus


class OutboxSummaryOut(BaseModel):
    """The messages that were not sent yet."""

    waiting: int
    oldest_seconds: float = Field(description="How long the first of those that are due has waited; 0 if none is.")


class OverviewOut(BaseModel):
    """The state of the service. ``dead_letters`` is null without RabbitMQ, or while it does not answer."""

    jobs: dict[JobStatus, int]
    queues: list[QueueOut]
    workers: dict[WorkerState, int]
    outbox: OutboxSummaryOut
    pauses: list[PauseOut]
    dead_letters: int | None
    release: str
    database: Literal["postgresql", "sqlite"]
    broker: Literal["rabbitmq", "embedded"]
    console_url: str | None = Field(description="RabbitMQ's console, if the settings name it.")


@operation("Show the state of the service", tag="Operator", scope=Scope.OPERATE, answers={200: OverviewOut})
async def show_overview(request: Request) -> Response:
    """``GET /operator/overview``: jobs by status, queues, workers, the outbox, and what is paused."""
    return answer(await read_overview(context_of(request), broker_figures_of(request), principal(request).operates_on))


async def read_overview(context: Context, broker: BrokerFigures, owner: str | None) -> OverviewOut:
    """Return the answer about the state of the service, and of the owner's jobs; None: everybody's."""
    unsent = await context.db(backlog.outbox)
    figures = await context.io(broker.read)
    states = Counter(worker.state for worker in await read_workers(context, owner))
    return OverviewOut(
        jobs=await context.db(overview.count_jobs, owner),
        queues=await read_queues(context, broker),
        workers={state: states[state] for state in WorkerState},
        outbox=OutboxSummaryOut(
            waiting=sum(queue.waiting for queue in unsent),
            oldest_seconds=round(max(queue.oldest_seconds for queue in unsent), 3),
        ),
        pauses=[PauseOut.of(pause) for pause in await context.db(pauses.list_pauses)],
        dead_letters=figures.all_dead,
        release=__version__,
        database="sqlite" if context.database.url.get_backend_name() == "sqlite" else "postgresql",
        broker="embedded" if context.settings.embedded else "rabbitmq",
        console_url=context.settings.console_url or None,
    )
