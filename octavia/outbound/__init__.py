"""HTTP to addresses that clients name: only where they may send us, and never further than was checked.

A name is resolved once, every address that it has is judged, and the connection goes to one of exactly those: a name
that answers differently the next time changes nothing. Redirects and proxies are not followed. This room knows no jobs.
"""

from octavia.outbound.client import client, failures
from octavia.outbound.errors import UrlNotAllowed, UrlUnreachable
from octavia.outbound.urls import check_url, shown

__all__ = ["UrlNotAllowed", "UrlUnreachable", "check_url", "client", "failures", "shown"]
