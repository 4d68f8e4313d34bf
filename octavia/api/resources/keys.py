"""``/keys``: the API keys of all owners, for clients with the scope ``admin``."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from octavia import outbound
from octavia.api.context import context_of
from octavia.api.http import checks
from octavia.api.http.bodies import answer, json_body
from octavia.api.http.operations import operation
from octavia.api.schemas.answers import from_record
from octavia.jobs.access import keys
from octavia.jobs.access.keys import KeyRecord, Limits, Scope

DEFAULT_SCOPES = [Scope.READ, Scope.WRITE]


class KeyRequest(BaseModel, extra="forbid"):
    """The fields of a new key."""

    name: str = Field(description="Its purpose, in at most 100 characters.")
    owner: str | None = Field(
        None, description="The owner of its jobs; keys of one owner share them. If not given, the name."
    )
    scopes: list[Scope] = Field(DEFAULT_SCOPES, description=f"Any of {', '.join(Scope)}.")
    expires_at: AwareDatetime | None = Field(None, description="A time with its zone, such as 2027-01-31T00:00:00Z.")
    webhook_url: str | None = Field(
        None, description="The address notified when a job ends, unless the job names another."
    )
    requests_per_minute: int | None = Field(None, description="If not given, the deployment's; 0: no limit.")
    jobs_in_flight: int | None = Field(None, description="If not given, the deployment's; 0: no limit.")


class KeyOut(BaseModel):
    """A key, which people recognise by its ``prefix``."""

    id: UUID
    name: str
    owner: str
    prefix: str
    scopes: list[Scope]
    webhook_url: str | None
    requests_per_minute: int | None
    jobs_in_flight: int | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    @classmethod
    def of(cls, key: KeyRecord) -> "KeyOut":
        """Return the answer about a key."""
        return from_record(cls, key, scopes=_ordered(key.scopes))


class NewKeyOut(KeyOut):
    """A new key. Its client sends ``key``; neither of the two secrets is ever shown again."""

    key: str
    webhook_secret: str

    @classmethod
    def of_new(cls, key: KeyRecord, token: str) -> "NewKeyOut":
        """Return the answer about a new key; ``token`` is the key itself."""
        return from_record(cls, key, scopes=_ordered(key.scopes), key=token)


class KeyListOut(BaseModel):
    """All keys, newest first."""

    keys: list[KeyOut]


@operation("List keys", tag="Keys", scope=Scope.ADMIN, answers={200: KeyListOut})
async def list_keys(request: Request) -> Response:
    """``GET /keys``: everybody's, revoked and expired ones too."""
    return answer(KeyListOut(keys=[KeyOut.of(key) for key in await context_of(request).db(keys.list_keys)]))


@operation(
    "Make a key",
    tag="Keys",
    scope=Scope.ADMIN,
    body={"application/json": KeyRequest},
    answers={201: NewKeyOut},
    problems=("url_not_allowed",),
)
async def create_key(request: Request) -> Response:
    """``POST /keys``: the answer is the only one that ever shows the key."""
    context = context_of(request)
    fields = checks.validate(KeyRequest, await json_body(request))
    if fields.webhook_url is not None:
        outbound.check_url(fields.webhook_url, context.settings, field="webhook_url")
    key, token = await context.db(
        keys.create,
        fields.name,
        owner=fields.owner,
        scopes=fields.scopes,
        expires_at=fields.expires_at,
        webhook_url=fields.webhook_url,
        limits=Limits(fields.requests_per_minute, fields.jobs_in_flight),
    )
    return answer(NewKeyOut.of_new(key, token), 201)


@operation("Revoke a key", tag="Keys", scope=Scope.ADMIN, answers={200: KeyOut}, problems=("key_not_found",))
async def revoke_key(request: Request) -> Response:
    """``DELETE /keys/{key_id}``: it is refused from now on. Named by its id or its prefix."""
    return answer(KeyOut.of(await context_of(request).db(keys.revoke, request.path_params["key_id"])))


def _ordered(scopes: Collection[Scope]) -> list[Scope]:
    return [scope for scope in Scope if scope in scopes]
