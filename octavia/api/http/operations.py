"""What every route says of itself: who may use it, what it takes, what it answers. OpenAPI is made of this."""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from octavia.api.http.identity import principal
from octavia.jobs.access.keys import Scope

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one route.

    Parameters:
      summary: A few words for a table of contents.
      scope: What the client's key must have; None: anybody may come, with or without a key.
      answers: By status, the model of a JSON answer, or the media type of another one, or None for no body.
      query: The model of the query string.
      body: By media type, the model of the request's body.
      problems: Codes of the errors that it answers beside those that any route can (``openapi`` knows them).
      headers: Names of the request's headers that it heeds; ``openapi`` knows what they are.
      name: Of the endpoint, which clients that are made from the description name their functions by.
      description: What its docstring says.
    """

    summary: str
    scope: Scope | None
    answers: Mapping[int, type[BaseModel] | str | None]
    query: type[BaseModel] | None = None
    body: Mapping[str, type[BaseModel]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    name: str = ""
    description: str = ""


_operations: dict[Endpoint, Operation] = {}


def operation(
    summary: str,
    *,
    scope: Scope | None,
    answers: Mapping[int, type[BaseModel] | str | None],
    query: type[BaseModel] | None = None,
    body: Mapping[str, type[BaseModel]] | None = None,
    problems: tuple[str, ...] = (),
    headers: tuple[str, ...] = (),
) -> Callable[[Endpoint], Endpoint]:
    """Describe an endpoint and guard it by its scope. See ``Operation`` for the parameters."""

    def decorate(endpoint: Endpoint) -> Endpoint:
        @wraps(endpoint)
        async def guarded(request: Request) -> Response:
            if scope is not None:
                principal(request).require(scope)
            return await endpoint(request)

        name, description = getattr(endpoint, "__name__", ""), inspect.getdoc(endpoint) or ""
        _operations[guarded] = Operation(
            summary, scope, answers, query, body or {}, problems, headers, name, description
        )
        return guarded

    return decorate


class DescribedRoute(Route):
    """A route whose methods are all described: ``operations`` by method."""

    def __init__(self, path: str, endpoints: Mapping[str, Endpoint]) -> None:
        async def dispatch(request: Request) -> Response:
            return await endpoints["GET" if request.method == "HEAD" else request.method](request)

        super().__init__(path, dispatch, methods=list(endpoints))
        self.operations = {method: _operations[endpoint] for method, endpoint in endpoints.items()}


def route(
    path: str,
    *,
    get: Endpoint | None = None,
    post: Endpoint | None = None,
    patch: Endpoint | None = None,
    delete: Endpoint | None = None,
) -> DescribedRoute:
    """All that can be done at a path.

    Raises:
      KeyError: An endpoint is not described by ``operation``.
    """
    endpoints = {"GET": get, "POST": post, "PATCH": patch, "DELETE": delete}
    return DescribedRoute(path, {method: endpoint for method, endpoint in endpoints.items() if endpoint is not None})
