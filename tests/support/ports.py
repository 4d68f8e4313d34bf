"""Ports for servers that tests start, end and start again; each process of a parallel run has its own."""

import os

from rabbitmq import ports

_given: set[int] = set()


def free_ports(count: int) -> list[int]:
    """So many TCP ports of 127.0.0.1 that nobody listens on now, that no client gets, and that no other test is given.

    Those that the kernel gives to whoever asks for any may be taken by the time a server is started, or while it is
    away; and two test processes might choose the same one, since neither can tell before a server listens there.
    """
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    own = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % processes
    found: list[int] = []
    while len(found) < count:
        (port,) = ports.free_ports(1)
        if port % processes == own and port not in _given:
            _given.add(port)
            found.append(port)
    return found


def free_port() -> int:
    """One of those."""
    return free_ports(1)[0]
