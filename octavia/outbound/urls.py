"""Check a URL as far as possible without a network."""

import re
from typing import Final

import httpx

from octavia.outbound.addresses import literal
from octavia.outbound.allowlist import Allowlist
from octavia.outbound.errors import UrlNotAllowed
from octavia.settings import Settings

LONGEST: Final = 2000
_NAME: Final = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*\.?", re.ASCII)
_WEB_PORTS: Final = (80, 443)
_FIRST_FREE_PORT: Final = 1024


def check_url(url: str, settings: Settings, *, field: str) -> str:
    """Refuse a URL that is malformed, or whose host is an IP address that Octavia may not connect to.

    A host name passes; its addresses are checked when a connection is made.

    Parameters:
      field: The request field to name in the error.

    Returns:
      The normalized URL, to be passed to the HTTP client.

    Raises:
      UrlNotAllowed: With the reason.
    """
    parsed = _parse(url, field)
    host = parsed.raw_host.decode("ascii").lower()
    allowed = Allowlist.parse(settings.outbound_allow)
    try:
        address = literal(host.rstrip("."))
    except ValueError:
        raise _refused("Its host is not an address.", "Write it as a name, or as a plain IP address.", field) from None
    if address is None and not _NAME.fullmatch(host):
        raise _refused("Its host is not a name.", "Check the host for stray characters.", field)
    if address is not None and not allowed.permits(host, address):
        raise not_public(host, field)
    port = parsed.port
    lowest = 1 if allowed.names(host) else _FIRST_FREE_PORT
    if port is not None and port not in _WEB_PORTS and not lowest <= port <= 65535:
        raise _refused(f"Its port {port} is not allowed.", "Use 80, 443, or one from 1024.", field)
    return str(parsed)


def not_public(host: str, field: str | None = None) -> UrlNotAllowed:
    """Make the error for a host with an address that Octavia may not connect to."""
    return UrlNotAllowed(
        f"{host} has an address that is not public.",
        hint="Use a public host, or ask the operator to list this one in OCTAVIA_OUTBOUND_ALLOW.",
        field=field,
    )


def _parse(url: str, field: str) -> httpx.URL:
    # Two URL parsers could read these characters differently.
    if re.search(r"[\s\\\x00-\x1f\x7f]", url):
        raise _refused("It has spaces, control characters or backslashes in it.", "Encode them, such as %20.", field)
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError) as error:
        raise _refused("It cannot be read.", "Give one such as https://example.com/path.", field) from error
    if parsed.scheme not in ("http", "https"):
        raise _refused("Its scheme is not http or https.", "Give one such as https://example.com/path.", field)
    if "@" in re.split("[/?#]", url.partition("://")[2], maxsplit=1)[0]:
        raise _refused("It has a user or password in it.", "Use an address that needs none.", field)
    if "#" in url:
        raise _refused("It has a fragment (#…).", "Leave it out.", field)
    if not parsed.raw_host:
        raise _refused("It names no host.", "Give one such as https://example.com/path.", field)
    if len(str(parsed)) > LONGEST:
        raise _refused(f"It is longer than {LONGEST} characters, encoded.", "Use a shorter one.", field)
    return parsed


def _refused(reason: str, hint: str, field: str) -> UrlNotAllowed:
    return UrlNotAllowed(f"This address cannot be used. {reason}", hint=hint, field=field)
