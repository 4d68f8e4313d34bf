"""Sessions of browsers: signing in with a key, and out."""

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from octavia.api.context import context_of
from octavia.api.http import checks
from octavia.api.http.bodies import answer, json_body
from octavia.api.http.cookies import clear_session_cookie, session_cookie, set_session_cookie
from octavia.api.http.identity import principal
from octavia.api.http.operations import ANY_KEY, operation
from octavia.api.http.origin import check_origin
from octavia.jobs.access import sessions
from octavia.jobs.access.keys import Scope


class SessionRequest(BaseModel, extra="forbid"):
    """The key to sign in with."""

    key: str = Field(description="An API key: oct_….")


class ClientOut(BaseModel):
    """The client of a request; ``name`` and ``prefix`` are of its key, null where the API requires none."""

    owner: str
    name: str | None
    prefix: str | None
    scopes: list[Scope]


@operation(
    "Sign in",
    tag="Keys",
    scope=None,
    body={"application/json": SessionRequest},
    answers={204: None},
    problems=("invalid_key", "key_expired", "key_revoked"),
)
async def sign_in(request: Request) -> Response:
    """``POST /session``: sets a cookie in exchange for a key.

    The cookie has the key's rights for 30 minutes after its last use, and 12 hours at most. Requests that change
    something need the ``Origin`` of one of our own pages besides.
    """
    check_origin(request)
    fields = checks.validate(SessionRequest, await json_body(request))
    cookie = await context_of(request).db(sessions.begin, fields.key)
    response = Response(status_code=204)
    set_session_cookie(response, request, cookie)
    return response


@operation("Show who asks", tag="Keys", scope=ANY_KEY, answers={200: ClientOut})
async def show_session(request: Request) -> Response:
    """``GET /session``: the owner and the rights of the key or session that the request comes with."""
    client = principal(request)
    name, prefix = (None, None) if client.key is None else (client.key.name, client.key.prefix)
    scopes = [scope for scope in Scope if scope in client.scopes]
    return answer(ClientOut(owner=client.owner, name=name, prefix=prefix, scopes=scopes))


@operation("Sign out", tag="Keys", scope=None, answers={204: None})
async def sign_out(request: Request) -> Response:
    """``DELETE /session``: ends the session of the request's cookie, if there is one."""
    check_origin(request)
    cookie = session_cookie(request)
    if cookie is not None:
        await context_of(request).db(sessions.end, cookie)
    response = Response(status_code=204)
    clear_session_cookie(response, request)
    return response
