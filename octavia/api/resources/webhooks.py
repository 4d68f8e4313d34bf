"""``/jobs/{job_id}/webhooks``: the webhook deliveries of a job, and repeating them."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel
from starlette.requests import Request
from starlette.responses import Response

from octavia.api.context import context_of
from octavia.api.http.bodies import answer
from octavia.api.http.checks import job_id_of
from octavia.api.http.identity import owner
from octavia.api.http.operations import operation
from octavia.api.schemas.answers import from_record
from octavia.errors import NotFound
from octavia.jobs.access import webhooks
from octavia.jobs.access.keys import Scope
from octavia.jobs.tables.states import DeliveryStatus
from octavia.urls import shown

_ONE = ("invalid_job_id", "job_not_found")


class DeliveryOut(BaseModel):
    """One webhook delivery; ``url`` is shown without its query. ``next_attempt_at`` is null after the last attempt."""

    id: UUID
    type: str
    url: Annotated[str, AfterValidator(shown)]
    status: DeliveryStatus
    attempts: int
    created_at: datetime
    last_attempt_at: datetime | None
    next_attempt_at: datetime | None
    response_status: int | None
    error: str | None


class DeliveryListOut(BaseModel):
    """The webhooks of a job, newest first."""

    webhooks: list[DeliveryOut]


@operation("List a job's webhooks", tag="Webhooks", scope=Scope.READ, answers={200: DeliveryListOut}, problems=_ONE)
async def list_webhooks(request: Request) -> Response:
    """``GET /jobs/{job_id}/webhooks``."""
    found = await context_of(request).db(webhooks.deliveries, job_id_of(request), owner(request))
    return answer(DeliveryListOut(webhooks=[from_record(DeliveryOut, delivery) for delivery in found]))


@operation(
    "Deliver a webhook again",
    tag="Webhooks",
    scope=Scope.WRITE,
    answers={202: DeliveryOut},
    problems=(*_ONE, "delivery_not_found"),
)
async def redeliver(request: Request) -> Response:
    """``POST /jobs/{job_id}/webhooks/{delivery_id}/redeliver``: deliver it again at once, under its former id."""
    again = await context_of(request).db(
        webhooks.redeliver, job_id_of(request), _delivery_id_of(request), owner(request)
    )
    return answer(from_record(DeliveryOut, again), 202)


def _delivery_id_of(request: Request) -> UUID:
    given = request.path_params["delivery_id"]
    # Receivers know it from the header webhook-id, with a prefix.
    try:
        return UUID(given.removeprefix("msg_"))
    except ValueError:
        raise NotFound(
            f"{given[:100]!r} is not the id of a webhook.",
            code="delivery_not_found",
            hint="List the job's webhooks to see their ids.",
            field="delivery_id",
        ) from None
