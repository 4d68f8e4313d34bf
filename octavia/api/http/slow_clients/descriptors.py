"""The number of connections that fit into the descriptors that this process may open."""

import resource
from typing import Final

import structlog

_RESERVE: Final = 128
"""Descriptors for all else: the database, the storage, the broker, libraries, connections that are being refused."""

_OF_A_CONNECTION: Final = 2
"""A connection, and a file that is sent or received over it."""

_MOST: Final = 1024
"""The default. A connection also takes some 100 kB while its client does not read."""

log = structlog.get_logger()


def connections_that_fit(wanted: int) -> int:
    """Return the bound on connections: ``wanted``, or a default for 0; never more than there are descriptors for.

    Raises the soft limit on descriptors if the hard one allows it. Many systems have a soft limit of 1024 only for
    programs that use ``select``, and the hard one for servers.
    """
    wanted = wanted or _MOST
    needed = wanted * _OF_A_CONNECTION + _RESERVE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY != soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    fit = max(1, (soft - min(_RESERVE, soft // 2)) // _OF_A_CONNECTION)
    log.warning("connections_limited", wanted=wanted, most=fit, open_files=soft)
    return fit
