"""HTTP to URLs that clients name, without letting them reach hosts that are not public (SSRF).

A name is resolved once, all of its addresses are checked, and the connection goes to one of exactly these: a later
answer of the resolver changes nothing. Redirects and proxies are not followed. May import ``errors``, ``settings`` and
``backoff``; knows no jobs. Begin with ``check_url`` and ``client``; ``download`` fetches large files.
"""

from octavia.outbound.client import client, failures
from octavia.outbound.errors import UrlNotAllowed, UrlUnreachable
from octavia.outbound.urls import check_url

__all__ = ["UrlNotAllowed", "UrlUnreachable", "check_url", "client", "download", "failures"]
