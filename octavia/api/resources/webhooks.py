"""``/webhooks`` and ``/jobs/{job_id}/webhooks``: the webhook deliveries of all jobs or of one, and repeating them."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from octavia.api.context import context_of
from octavia.api.http import checks
from octavia.api.http.bodies import answer
from octavia.api.http.checks import job_id_of
from octavia.api.http.identity import owner, principal
from octavia.api.http.operations import operation
from octavia.api.schemas.answers import from_record
from octavia.errors import NotFound
from octavia.jobs.access import webhooks
from octavia.jobs.access.keys import Scope
from octavia.jobs.tables.states import DeliveryStatus
from octavia.urls import shown

_ONE = ("invalid_job_id", "job_not_found")
_WHOSE = ("unknown_field", "invalid_field", "admin_key_required")


class WhoseRequest(BaseModel, extra="forbid"):
    """The query that names owners."""

    all_owners: bool = Field(
        False, description="true for the jobs of all owners, which needs a key with the scope admin."
    )

    def owner(self, request: Request) -> str | None:
        """Return the client, or None for all owners. Raises as ``Principal.require``."""
        if not self.all_owners:
            return owner(request)
        principal(request).require(Scope.ADMIN)
        return None


class DeliveryListRequest(WhoseRequest):
    """The query of a list of webhooks."""

    status: DeliveryStatus | None = Field(None, description=f"One of {', '.join(DeliveryStatus)}.")
    cursor: str | None = Field(None, max_length=100, description="The next_cursor of the previous page.")
    limit: int = Field(50, ge=1, le=100, description="Webhooks per page, 1 to 100.")


class DeliveryOut(BaseModel):
    """One webhook delivery; ``url`` is shown without its query. ``next_attempt_at`` is null after the last attempt."""

    id: UUID
    job_id: UUID
    owner: str
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


class DeliveryPageOut(DeliveryListOut):
    """A page of the webhooks of all jobs, newest first."""

    next_cursor: str | None


@operation(
    "List webhooks",
    tag="Webhooks",
    scope=Scope.READ,
    query=DeliveryListRequest,
    answers={200: DeliveryPageOut},
    problems=(*_WHOSE, "invalid_cursor"),
)
async def list_all_webhooks(request: Request) -> Response:
    """``GET /webhooks``: those of all jobs, newest first, in pages; for example the failed ones."""
    query = checks.validate(DeliveryListRequest, dict(request.query_params))
    page = await context_of(request).db(
        webhooks.list_deliveries, query.owner(request), query.status, cursor=query.cursor, limit=query.limit
    )
    found = [from_record(DeliveryOut, delivery) for delivery in page.deliveries]
    return answer(DeliveryPageOut(webhooks=found, next_cursor=page.next_cursor))


@operation(
    "Deliver a webhook of any job again",
    tag="Webhooks",
    scope=Scope.WRITE,
    query=WhoseRequest,
    answers={202: DeliveryOut},
    problems=(*_WHOSE, "delivery_not_found", "job_not_found"),
)
async def redeliver_any(request: Request) -> Response:
    """``POST /webhooks/{delivery_id}/redeliver``: deliver it again at once, under its former id."""
    query, context = checks.validate(WhoseRequest, dict(request.query_params)), context_of(request)
    found = await context.db(webhooks.find, _delivery_id_of(request), query.owner(request))
    again = await context.db(webhooks.redeliver, found.job_id, found.id, found.owner)
    return answer(from_record(DeliveryOut, again), 202)


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
