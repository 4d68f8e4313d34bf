"""``/operator/actions``: actions on many jobs, counted before they are carried out, and the record of all actions."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, RootModel, StrictBool
from starlette.requests import Request
from starlette.responses import Response

from octavia.api.context import context_of
from octavia.api.http import checks
from octavia.api.http.bodies import answer, json_body
from octavia.api.http.fields import Fields
from octavia.api.http.identity import principal
from octavia.api.http.operations import operation
from octavia.api.operator.jobs import FILTER_PROBLEMS
from octavia.api.operator.schemas import FILTER
from octavia.api.schemas.answers import from_record
from octavia.api.submission.room import NO_ROOM, check_capacity
from octavia.errors import InputError
from octavia.jobs.access.keys import Scope
from octavia.jobs.operations import actions, audit
from octavia.jobs.operations.actions import Action, Order
from octavia.jobs.tables.states import Priority


class ActionRequest(BaseModel, extra="forbid"):
    """An action on the jobs that a filter matches, or on those with some ids."""

    action: Action = Field(description=f"One of {', '.join(Action)}.")
    filter: str | None = Field(None, description=FILTER)
    ids: list[UUID] | None = Field(
        None, min_length=1, max_length=actions.AT_ONCE, description=f"Ids instead, 1 to {actions.AT_ONCE}."
    )
    priority: Priority | None = Field(None, description=f"For prioritize: one of {', '.join(Priority)}.")
    dry_run: StrictBool = Field(False, description="True only counts.")
    expected: int | None = Field(
        None, ge=0, description="The count of the dry run, which an action by filter needs: 409 if it has changed."
    )


class PreviewOut(BaseModel):
    """The effect that an action would have: it changes ``count`` jobs, the first in ``sample``, and skips others."""

    count: int
    skipped: int
    sample: list[UUID]
    dry_run: Literal[True] = True


class SkippedOut(BaseModel, from_attributes=True):
    """A job that an action did not change, and why."""

    id: UUID
    code: str
    message: str


class OutcomeOut(BaseModel):
    """The effect that an action had: it changed ``count`` jobs, and left ``remaining`` for the next request."""

    action_id: UUID
    count: int
    skipped: list[SkippedOut]
    remaining: int


class ActionOut(RootModel[PreviewOut | OutcomeOut]):
    """A preview for a dry run, else the outcome."""


class RecordOut(BaseModel):
    """An action that was ordered: by whom, when, on what, and how many jobs, queues or messages it changed."""

    id: UUID
    at: datetime
    by: str
    action: str
    target: str
    count: int
    detail: dict[str, Any] = Field(
        description="More of it; of an action on jobs, how many it skipped, and how many remained."
    )


class RecordListOut(BaseModel):
    """A page of actions, newest first."""

    actions: list[RecordOut]
    next_cursor: str | None


class RecordsRequest(Fields):
    """The query of a list of actions."""

    cursor: str | None = Field(None, max_length=100, description="The next_cursor of the previous page.")
    limit: int = Field(50, ge=1, le=100, description="Actions per page, 1 to 100.")


@operation(
    "Act on many jobs",
    tag="Operator",
    scope=Scope.OPERATE_WRITE,
    body={"application/json": ActionRequest},
    answers={200: ActionOut},
    problems=("count_changed", "job_not_found", *FILTER_PROBLEMS, *NO_ROOM),
)
async def order_action(request: Request) -> Response:
    """``POST /operator/actions``: retry, cancel, delete or prioritize jobs, at most 500 and for about a second.

    A dry run counts them. An action by filter needs that count, and does nothing if it has changed.
    """
    context, client = context_of(request), principal(request)
    fields = checks.validate(ActionRequest, await json_body(request))
    _check(fields)
    order = Order(
        action=fields.action,
        owner=client.operates_on,
        filter=fields.filter,
        ids=tuple(fields.ids or ()),
        priority=fields.priority,
        jobs_in_flight=context.settings.jobs_in_flight,
    )
    if fields.dry_run:
        seen = await context.db(actions.preview, order)
        return answer(from_record(PreviewOut, seen, sample=list(seen.sample), dry_run=True))
    if order.action is Action.RETRY:
        await check_capacity(request)
    done = await context.db(actions.carry_out, order, by=client.by, expected=fields.expected)
    return answer(from_record(OutcomeOut, done, skipped=list(done.skipped)))


@operation(
    "List operators' actions",
    tag="Operator",
    scope=Scope.OPERATE,
    query=RecordsRequest,
    answers={200: RecordListOut},
    problems=("invalid_cursor",),
)
async def list_actions(request: Request) -> Response:
    """``GET /operator/actions``: all that operators have ordered, newest first, in pages."""
    query = checks.validate(RecordsRequest, dict(request.query_params))
    page = await context_of(request).db(audit.list_actions, cursor=query.cursor, limit=query.limit)
    records = [from_record(RecordOut, action) for action in page.actions]
    return answer(RecordListOut(actions=records, next_cursor=page.next_cursor))


def _check(fields: ActionRequest) -> None:
    """Refuse fields that do not belong together. Raises ``InputError`` (``invalid_field`` or ``missing_field``)."""
    if (fields.filter is None) == (fields.ids is None):
        raise InputError(
            "An action needs either a filter or ids.",
            code="invalid_field",
            hint="Send one of them; an empty filter means all jobs.",
            field="filter",
        )
    if (fields.action is Action.PRIORITIZE) != (fields.priority is not None):
        raise InputError(
            "The action prioritize takes a priority, and no other does.",
            code="invalid_field",
            hint=f"One of {', '.join(Priority)}, with prioritize.",
            field="priority",
        )
    if fields.filter is not None and fields.expected is None and not fields.dry_run:
        raise InputError(
            "An action by filter needs the count of its dry run.",
            code="missing_field",
            hint="Send it with dry_run true first, then with its count as expected.",
            field="expected",
        )
