"""The answer to a connection for which there is no place, before it has sent anything."""

from http import HTTPStatus

from starlette.requests import HTTPConnection

from octavia.api.http.problems import problem_response
from octavia.errors import Unavailable


def too_many_connections(root: str) -> bytes:
    """Return a whole HTTP response, after which the connection ends.

    Parameters:
      root: The path under which a proxy serves us.
    """
    error = Unavailable(
        "Too many connections are open.",
        code="too_many_connections",
        hint="Send it again later. Use one connection for many requests, and close those that you do not need.",
    )
    scope = {"type": "http", "path": "/", "query_string": b"", "headers": [], "root_path": root, "app_root_path": root}
    response = problem_response(error, HTTPConnection(scope))
    headers = [*response.raw_headers, (b"connection", b"close")]
    status = HTTPStatus(response.status_code)
    lines = [f"HTTP/1.1 {status} {status.phrase}".encode(), *(b": ".join(header) for header in headers), b"", b""]
    return b"\r\n".join(lines) + bytes(response.body)
