"""``/keys``: who is let in, for whoever has the scope ``admin``; they see and make the keys of every owner."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
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


class KeyRequest(BaseModel):
    """The fields of a new key."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(description="What it is for, in at most 100 characters.")
    owner: str | None = Field(
        None, description="Whose jobs it sees and makes; the keys of one owner share them. If not given, the name."
    )
    scopes: list[Scope] = Field(DEFAULT_SCOPES, description=f"Any of {', '.join(Scope)}.")
    expires_at: AwareDatetime | None = Field(None, description="A time with its zone, such as 2027-01-31T00:00:00Z.")
    webhook_url: str | None = Field(None, description="Where the end of its jobs is told, unless a job names another.")
    requests_per_minute: int | None = Field(None, description="If not given, the deployment's; 0: no limit.")
    jobs_in_flight: int | None = Field(None, description="If not given, the deployment's; 0: no limit.")


class KeyOut(BaseModel):
    """A key, by the beginning of which people know it."""

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
    """A key that was just made: ``key`` is what its client sends, and both secrets are never shown again."""

    key: str
    webhook_secret: str

    @classmethod
    def made(cls, key: KeyRecord, token: str) -> "NewKeyOut":
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
    wanted = checks.validate(KeyRequest, await json_body(request))
    if wanted.webhook_url is not None:
        outbound.check_url(wanted.webhook_url, context.settings, field="webhook_url")
    key, token = await context.db(
        keys.create,
        wanted.name,
        owner=wanted.owner,
        scopes=wanted.scopes,
        expires_at=wanted.expires_at,
        webhook_url=wanted.webhook_url,
        limits=Limits(wanted.requests_per_minute, wanted.jobs_in_flight),
    )
    return answer(NewKeyOut.made(key, token), 201)


@operation("Revoke a key", tag="Keys", scope=Scope.ADMIN, answers={200: KeyOut}, problems=("key_not_found",))
async def revoke_key(request: Request) -> Response:
    """``DELETE /keys/{key_id}``: lets it in no more from now on; by its id or its prefix."""
    return answer(KeyOut.of(await context_of(request).db(keys.revoke, request.path_params["key_id"])))


def _ordered(scopes: Collection[Scope]) -> list[Scope]:
    return [scope for scope in Scope if scope in scopes]
