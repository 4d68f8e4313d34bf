"""Ports for servers that are killed and come back: no other program must get one meanwhile."""

import random
import socket

_HOST = "127.0.0.1"
# Below the range from which the kernel gives ports to clients.
_FIRST, _LAST = 20_000, 32_000


def free_ports(count: int) -> list[int]:
    """Find ``count`` different TCP ports of this machine that are free now.

    Raises:
      OSError: There are fewer.
    """
    found: list[int] = []
    for port in random.sample(range(_FIRST, _LAST), _LAST - _FIRST):
        if len(found) == count:
            return found
        if _is_free(port):
            found.append(port)
    raise OSError(f"There are no {count} free ports from {_FIRST} to {_LAST}.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((_HOST, port))
        except OSError:
            return False
    return True
