"""``/operator/dead-letters``: messages that no worker could process, to look at, put back to work, or delete.

An embedded service has none: it drops such messages, and logs them as ``message_rejected``.
"""

import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import UUID

from pydantic import BaseModel, Field, StrictBool
from starlette.requests import Request
from starlette.responses import Response

from octavia.api.context import Context, context_of
from octavia.api.http import checks
from octavia.api.http.bodies import answer, json_body
from octavia.api.http.fields import Fields
from octavia.api.http.identity import principal
from octavia.api.http.operations import operation
from octavia.api.operator.broker_figures import broker_figures_of, dead_letter_queues
from octavia.brokers.readable import escaped, plain
from octavia.errors import CountChanged, InputError, NotFound
from octavia.jobs.access.keys import Scope
from octavia.jobs.tables import queries
from octavia.jobs.tables.states import JobStatus, Queue, Stage

if TYPE_CHECKING:
    from octavia.brokers.dead_letter_queues import DeadLetterQueues
    from octavia.brokers.dead_letters import DeadLetter

T = TypeVar("T")

_REASON_CHARS: Final = 1000
_BODY_BYTES: Final = 4000
_STAGES: Final = frozenset(stage.value for stage in Stage)
# While one looks at them, RabbitMQ hands the same letters to nobody else.
_ONE_AT_A_TIME: Final = threading.Lock()


class DeadLettersRequest(Fields):
    """The query of a list of dead letters."""

    queue: Queue | None = Field(None, description=f"One of {', '.join(Queue)}; left out: all.")
    limit: int = Field(100, ge=1, le=1000, description="At most so many, 1 to 1000.")


class DeadLetterOrder(BaseModel, extra="forbid"):
    """The dead letters that an action concerns: those named, or all of a queue, or all."""

    queue: Queue | None = Field(None, description=f"One of {', '.join(Queue)}; left out: all.")
    ids: list[str] | None = Field(None, min_length=1, max_length=1000, description="1 to 1000 ids; left out: all.")
    dry_run: StrictBool = Field(False, description="true only counts them.")
    expected: int | None = Field(
        None, ge=0, strict=True, description="Their number as you know it; another number is refused."
    )


class RequeueOrder(DeadLetterOrder):
    """The dead letters to put back to work."""

    force: StrictBool = Field(False, description="true also for messages that no worker of this release can read.")


class DeadLetterOut(BaseModel):
    """A dead letter, with what can be read of the task whose message it was."""

    id: str
    queue: Queue
    reason: str
    at: datetime | None
    release: str | None = Field(description="Of the worker that rejected it; null if RabbitMQ did.")
    size: int
    readable: bool = Field(description="A worker of this release could read it.")
    actor: str | None
    job_id: UUID | None
    job_status: JobStatus | None
    run: int | None
    chunk: int | None
    stage: str | None

    @classmethod
    def of(cls, letter: "DeadLetter", jobs: Mapping[UUID, JobStatus], **more: Any) -> "DeadLetterOut":
        """Return the answer about a dead letter."""
        message, job_id = letter.message, letter.job_id
        return cls(
            id=letter.id,
            queue=letter.queue,
            reason=escaped(letter.reason)[:_REASON_CHARS],
            at=letter.died_at,
            release=escaped(letter.release)[:100] if letter.release else None,
            size=len(letter.body),
            readable=message is not None,
            actor=escaped(message.actor_name)[:100] if message else None,
            job_id=job_id,
            job_status=jobs.get(job_id) if job_id else None,
            run=_number(message and message.kwargs.get("run")),
            chunk=_number(message and message.kwargs.get("chunk")),
            stage=message.actor_name if message and message.actor_name in _STAGES else None,
            **more,
        )


class DeadLetterListOut(BaseModel):
    """Some dead letters, oldest first in each queue, and how many there are in all."""

    dead_letters: list[DeadLetterOut]
    total: int


class DeadLetterDetailsOut(DeadLetterOut):
    """A dead letter with its headers and the beginning of its body."""

    headers: dict[str, Any]
    body: str = Field(description=f"Its first {_BODY_BYTES} bytes; those that are no text are written as \\x….")
    body_is_whole: bool


class DeadLettersChangedOut(BaseModel):
    """The number done, or to be done: ``left`` could not be read and stay, ``missing`` were named and are not there."""

    dry_run: bool
    count: int
    action_id: UUID | None
    left: list[str]
    missing: list[str]


@operation(
    "List dead letters",
    tag="Operator",
    scope=Scope.OPERATE,
    query=DeadLettersRequest,
    answers={200: DeadLetterListOut},
    problems=("broker_unavailable",),
)
async def list_dead_letters(request: Request) -> Response:
    """``GET /operator/dead-letters``: looking changes nothing, neither their number nor their order."""
    query = checks.validate(DeadLettersRequest, dict(request.query_params))
    context = context_of(request)
    if context.settings.embedded:
        return answer(DeadLetterListOut(dead_letters=[], total=0))

    def look(queues: "DeadLetterQueues") -> "tuple[list[DeadLetter], int]":
        counts = queues.counts(query.queue)
        return queues.look(counts, query.limit), sum(counts.values())

    letters, total = await _with_queues(context, look)
    jobs = await _jobs(context, letters)
    return answer(DeadLetterListOut(dead_letters=[DeadLetterOut.of(each, jobs) for each in letters], total=total))


@operation(
    "Show a dead letter",
    tag="Operator",
    scope=Scope.OPERATE,
    answers={200: DeadLetterDetailsOut},
    problems=("dead_letter_not_found", "broker_unavailable"),
)
async def show_dead_letter(request: Request) -> Response:
    """``GET /operator/dead-letters/{letter_id}``: with its headers and the beginning of its body."""
    context, letter_id = context_of(request), request.path_params["letter_id"]
    if context.settings.embedded:
        raise _none_here()
    letter = await _with_queues(context, lambda queues: queues.find(queues.counts(), letter_id))
    details = DeadLetterDetailsOut.of(
        letter,
        await _jobs(context, [letter]),
        headers={escaped(name): plain(value) for name, value in letter.headers.items()},
        body=escaped(letter.body[:_BODY_BYTES]),
        body_is_whole=len(letter.body) <= _BODY_BYTES,
    )
    return answer(details)


@operation(
    "Put dead letters back to work",
    tag="Operator",
    scope=Scope.OPERATE_WRITE,
    body={"application/json": RequeueOrder},
    answers={200: DeadLettersChangedOut},
    problems=("count_changed", "broker_unavailable"),
)
async def requeue_dead_letters(request: Request) -> Response:
    """``POST /operator/dead-letters/requeue``: each goes back to its queue; the claim drops what is done already."""
    return await _change(request, checks.validate(RequeueOrder, await json_body(request)))


@operation(
    "Delete dead letters",
    tag="Operator",
    scope=Scope.OPERATE_WRITE,
    body={"application/json": DeadLetterOrder},
    answers={200: DeadLettersChangedOut},
    problems=("count_changed", "broker_unavailable"),
)
async def purge_dead_letters(request: Request) -> Response:
    """``POST /operator/dead-letters/purge``: for good. No job is lost: the database has its tasks too."""
    return await _change(request, checks.validate(DeadLetterOrder, await json_body(request)))


async def _change(request: Request, fields: DeadLetterOrder) -> Response:
    context, named = context_of(request), frozenset(fields.ids or ())
    if context.settings.embedded:
        if fields.expected:
            raise CountChanged(0, expected=fields.expected)
        return _changed(fields, 0, missing=named)
    from octavia.brokers import dead_letter_orders

    order = dead_letter_orders.Order(fields.queue, named or None, fields.expected)
    if fields.dry_run:
        found = await _with_queues(context, lambda queues: dead_letter_orders.look(queues, order))
        return _changed(fields, found.count, missing=named.difference(found.ids or ()))
    change = dead_letter_orders.purge
    if isinstance(fields, RequeueOrder):
        change = partial(dead_letter_orders.requeue, force=fields.force)
    by = principal(request).by
    done = await _with_queues(context, lambda queues: change(context.database, queues, order, by=by))
    broker_figures_of(request).forget()
    return _changed(fields, len(done.ids), missing=done.missing, left=done.left, action_id=done.action_id)


def _changed(
    fields: DeadLetterOrder,
    count: int,
    *,
    missing: Collection[str],
    left: Collection[str] = (),
    action_id: UUID | None = None,
) -> Response:
    return answer(
        DeadLettersChangedOut(
            dry_run=fields.dry_run, count=count, action_id=action_id, left=list(left), missing=sorted(missing)
        )
    )


async def _with_queues(context: Context, call: "Callable[[DeadLetterQueues], T]") -> T:
    def one_at_a_time() -> T:
        with _ONE_AT_A_TIME:
            return call(dead_letter_queues(context.settings))

    return await context.io(one_at_a_time)


async def _jobs(context: Context, letters: "Iterable[DeadLetter]") -> Mapping[UUID, JobStatus]:
    named = {letter.job_id for letter in letters if letter.job_id}
    return await context.db(partial(queries.statuses), named) if named else {}


def _none_here() -> InputError:
    return NotFound(
        "Without a broker there are no dead letters.",
        code="dead_letter_not_found",
        hint="Messages that no worker could process are dropped, and logged as message_rejected.",
    )


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
