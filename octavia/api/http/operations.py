"""Endpoints with their descriptions: who may call them, what they take and answer. OpenAPI is made from these."""

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Scope as ASGIScope

from octavia.api.http.identity import principal
from octavia.api.http.paths import root_of
from octavia.jobs.access.keys import Scope

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one route: its description, and its endpoint, which a call runs if the client's key allows it.

    Parameters:
      summary: A few words for a table of contents.
      tag: The chapter of the description that it belongs to, one of those in ``openapi``.
      scope: The scope that the client's key needs; None: no key is needed.
      answers: By status, the model of a JSON answer, the media type of another one, or None for no body.
      query: The model of the query string.
      body: By media type, the model of the request's body.
      problems: Codes of its errors beside those that every route can answer, which ``openapi`` adds.
      headers: Names of the request headers that it uses; ``openapi`` describes them.
    """

    endpoint: Endpoint
    summary: str
    tag: str
    scope: Scope | None
    answers: Mapping[int, type[BaseModel] | str | None]
    query: type[BaseModel] | None
    body: Mapping[str, type[BaseModel]]
    problems: tuple[str, ...]
    headers: tuple[str, ...]

    @property
    def name(self) -> str:
        """The endpoint's name, after which generated clients name their functions."""
        return getattr(self.endpoint, "__name__", "")

    @property
    def description(self) -> str:
        """The endpoint's docstring."""
        return inspect.getdoc(self.endpoint) or ""

    async def __call__(self, request: Request) -> Response:
        """Answer a request. Raises ``InputError`` (``scope_missing``) if the client's key does not have the scope."""
        if self.scope is not None:
            principal(request).require(self.scope)
        return await self.endpoint(request)


def operation(
    summary: str,
    *,
    tag: str,
    scope: Scope | None,
    answers: Mapping[int, type[BaseModel] | str | None],
    query: type[BaseModel] | None = None,
    body: Mapping[str, type[BaseModel]] | None = None,
    problems: tuple[str, ...] = (),
    headers: tuple[str, ...] = (),
) -> Callable[[Endpoint], Operation]:
    """Describe an endpoint, and guard it by its scope. See ``Operation`` for the parameters."""
    return lambda endpoint: Operation(endpoint, summary, tag, scope, answers, query, body or {}, problems, headers)


class DescribedRoute(Route):
    """A route with an ``Operation`` for each of its methods."""

    def __init__(self, path: str, operations: Mapping[str, Operation]) -> None:
        async def dispatch(request: Request) -> Response:
            request.state.template = f"{_mounted_at(request)}{path}"
            return await operations["GET" if request.method == "HEAD" else request.method](request)

        super().__init__(path, dispatch, methods=list(operations))
        self.operations = operations


def route(path: str, **operations: Operation) -> DescribedRoute:
    """Return a route with the operations of a path, each named by its method: ``get``, ``post``, ``patch``…"""
    return DescribedRoute(path, {method.upper(): operation for method, operation in operations.items()})


def template_of(request: Request) -> str | None:
    """Return the path of the route that a request is for, such as ``/api/v1/jobs/{job_id}``; None for no route."""
    found: str | None = getattr(request.state, "template", None)
    # One that was refused before it reached its route.
    return found or _template(request.app.routes, request.scope)


def _template(routes: Sequence[BaseRoute], scope: ASGIScope) -> str | None:
    for route in routes:
        match, inner = route.matches(scope)
        if match is not Match.NONE:
            if isinstance(route, Route):
                return route.path
            below = _template(getattr(route, "routes", None) or (), {**scope, **inner})
            return None if below is None else f"{getattr(route, 'path', '')}{below}"
    return None


def _mounted_at(request: Request) -> str:
    above: str = request.scope.get("root_path", "")
    return above.removeprefix(root_of(request))


def is_public(routes: Sequence[BaseRoute], scope: ASGIScope) -> bool:
    """Return whether a request needs no key; routes without a description need one."""
    for route in routes:
        match, inner = route.matches(scope)
        if match is Match.FULL:
            if isinstance(route, DescribedRoute):
                method = "GET" if scope["method"] == "HEAD" else scope["method"]
                return route.operations[method].scope is None
            return is_public(getattr(route, "routes", None) or (), {**scope, **inner})
    return False
