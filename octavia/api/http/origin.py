"""The page that sends a request: whether it is one of ours, as browsers tell with every request that changes something.

A page cannot forge these headers. Programs send neither, and have no cookie that others could make them use.
"""

from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from octavia.errors import InputError

_SAFE = ("GET", "HEAD")
_SHOWN = 100


def check_origin(connection: HTTPConnection) -> None:
    """Refuse what another site's page could have made a browser send along with our cookie.

    Requests that only read pass: the cookie is ``SameSite=Strict``, and other origins cannot read their answers. A
    WebSocket's messages they could. Raises ``InputError`` (``origin_not_allowed``).
    """
    if connection.scope["type"] == "http" and connection.scope["method"] in _SAFE:
        return
    sites, origins = connection.headers.getlist("sec-fetch-site"), connection.headers.getlist("origin")
    # A proxy may have replaced the host, but leaves what the browser found: that is asked first.
    if sites:
        ours = sites == ["same-origin"]
    else:
        ours = len(origins) == 1 and _authority(origins[0]) == connection.headers.get("host", "/").lower()
    if not ours:
        raise InputError(
            f"The request does not come from a page of this service ({', '.join(origins)[:_SHOWN] or 'no origin'}).",
            code="origin_not_allowed",
            hint="Use the service's own pages; programs send a key instead of a session's cookie.",
        )


def is_secure(connection: HTTPConnection) -> bool:
    """Return whether the browser reaches us by TLS, which a proxy may have ended: its page's origin shows it."""
    return connection.url.scheme == "https" or connection.headers.get("origin", "").lower().startswith("https://")


def _authority(origin: str) -> str | None:
    """Return the host of an origin, with its port; None or empty for what is no origin, such as ``null``."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None
