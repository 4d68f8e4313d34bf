"""The cookie of a browser's session."""

from typing import Final

from starlette.requests import HTTPConnection
from starlette.responses import Response

from octavia.api.http.origin import is_secure
from octavia.api.http.paths import root_of

_NAME: Final = "octavia_session"


def session_cookie(connection: HTTPConnection) -> str | None:
    """Return the value of a request's cookie, valid or not; None without one.

    Not by ``http.cookies``: in some releases of Python it takes a second for a long value in quotes.
    """
    for header in connection.headers.getlist("cookie"):
        for pair in header.split(";"):
            name, _, value = pair.strip(" \t").partition("=")
            if name == _NAME:
                return value
    return None


def set_session_cookie(response: Response, connection: HTTPConnection, value: str) -> None:
    """Have the browser send ``value`` with its requests to us until it is closed; scripts cannot read it."""
    response.set_cookie(
        _NAME, value, path=_path(connection), secure=is_secure(connection), httponly=True, samesite="strict"
    )


def clear_session_cookie(response: Response, connection: HTTPConnection) -> None:
    """Have the browser forget the cookie."""
    response.delete_cookie(
        _NAME, path=_path(connection), secure=is_secure(connection), httponly=True, samesite="strict"
    )


def _path(connection: HTTPConnection) -> str:
    return root_of(connection) or "/"
