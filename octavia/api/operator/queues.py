"""``/operator/queues``: what waits and runs in each queue, who works on it, and whether it is paused."""

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from octavia.api.context import Context, context_of
from octavia.api.http.bodies import answer
from octavia.api.http.operations import operation
from octavia.api.operator.broker_figures import BrokerFigures, Figures, broker_figures_of, console_url
from octavia.api.operator.pauses import PauseOut
from octavia.jobs.access.keys import Scope
from octavia.jobs.status import queues
from octavia.jobs.status.queues import QueueState
from octavia.jobs.tables.states import PauseMode, Queue


class QueuePauseOut(BaseModel):
    """A queue's pause: ``everywhere`` or on some ``hosts``; ``standing`` says that so nobody works on it."""

    mode: PauseMode
    everywhere: bool
    hosts: list[str]
    standing: bool
    orders: list[PauseOut]


class QueueOut(BaseModel):
    """One queue. What comes from RabbitMQ is null without one, or while it does not answer."""

    name: Queue
    depth: int = Field(description="Tasks that wait for a worker.")
    running: int = Field(description="Tasks in the hands of workers.")
    waiting_retry: int = Field(description="Tasks whose next attempt is not due yet.")
    oldest_seconds: float = Field(description="How long the first of those that wait has waited.")
    workers: int = Field(description="Living worker processes that serve it.")
    ready: int | None = Field(description="Messages in RabbitMQ that wait for a worker.")
    unacked: int | None = Field(description="Messages in the hands of workers: one for each running task.")
    dead_letters: int | None = Field(description="Messages that no worker could process.")
    pause: QueuePauseOut | None
    console_url: str | None = Field(description="The queue in RabbitMQ's console.")


class QueueListOut(BaseModel):
    """All queues."""

    queues: list[QueueOut]


@operation("List queues", tag="Operator", scope=Scope.OPERATE, answers={200: QueueListOut})
async def list_queues(request: Request) -> Response:
    """``GET /operator/queues``: every queue now."""
    return answer(QueueListOut(queues=await read_queues(context_of(request), broker_figures_of(request))))


async def read_queues(context: Context, broker: BrokerFigures) -> list[QueueOut]:
    """Return the answers about all queues."""
    figures = await context.io(broker.read)
    states = await context.db(queues.read, context.settings.patience)
    return [_out(state, figures, console_url(context.settings, state.queue)) for state in states]


def _out(state: QueueState, figures: Figures, console: str | None) -> QueueOut:
    return QueueOut(
        name=state.queue,
        depth=state.depth,
        running=state.running,
        waiting_retry=state.waiting_retry,
        oldest_seconds=round(state.oldest_seconds, 3),
        workers=state.workers,
        ready=figures.ready and figures.ready[state.queue],
        unacked=state.running if figures.ready is not None else None,
        dead_letters=figures.dead and figures.dead[state.queue],
        pause=_pause(state),
        console_url=console,
    )


def _pause(state: QueueState) -> QueuePauseOut | None:
    if not state.pauses:
        return None
    drained = any(pause.mode is PauseMode.DRAIN for pause in state.pauses)
    return QueuePauseOut(
        mode=PauseMode.DRAIN if drained else PauseMode.PAUSE,
        everywhere=any(not pause.host for pause in state.pauses),
        hosts=sorted({pause.host for pause in state.pauses if pause.host}),
        standing=state.standing,
        orders=[PauseOut.of(pause) for pause in state.pauses],
    )
