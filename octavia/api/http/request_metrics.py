"""Counts requests by their routes, of which there are few, and never by their paths, of which there is no end."""

from typing import Final

from starlette.requests import Request

from octavia.api.http.operations import template_of
from octavia.metrics.declared import HTTP_REQUESTS, HTTP_SECONDS

_OTHER: Final = "other"
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def count(request: Request, status: int, seconds: float) -> None:
    """Count a request that was answered.

    Parameters:
      status: 0 if its client went before there was an answer.
      seconds: Until the answer began.
    """
    method = request.method if request.method in _METHODS else _OTHER
    route = template_of(request) or _OTHER
    HTTP_REQUESTS.add(method=method, route=route, status=str(status))
    HTTP_SECONDS.add(seconds, method=method, route=route)
