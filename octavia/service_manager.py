"""Talk to the service manager that started this process: systemd, or another that speaks its protocol.

It is told when the service is ready, what it waits for, that it lives and that it stops, by datagrams to the socket in
``NOTIFY_SOCKET``; a socket that it has opened for the service is taken over. Without a manager nothing happens, and no
trouble with one ever stops the service.

The protocol is a stable one, and made to be spoken without a library: sd_notify(3), sd_listen_fds(3). Of the packages
that speak it, some need libsystemd on every machine, and the others have long been left alone and know neither
watchdogs nor sockets.
"""

import faulthandler
import os
import socket
import time
from typing import Final

import structlog

from octavia.errors import InputError

SOCKET_NAME: Final = "http"
"""The name of the socket to take if there are several: ``FileDescriptorName=`` of its unit."""

STOP_MARGIN: Final = 20.0
"""Seconds, beyond the grace of its work, in which a process of ours has surely ended."""

_FIRST_FD: Final = 3
_SEND_SECONDS: Final = 0.5
_WAIT_MARGIN: Final = 120.0
"""Seconds that a try may take on top of the pause before it."""

_LONGEST_STATUS: Final = 200
_MICROSECONDS: Final = 1_000_000

log = structlog.get_logger()


def waiting(status: str, seconds: float) -> None:
    """Say what the service waits for at its start, for at least so many seconds: it is neither ready nor late."""
    _tell(_status(status), _extension(seconds + _WAIT_MARGIN))


def stopping(grace: float) -> None:
    """Say that the service stops, and ask for the time that this takes if the work in hand gets ``grace`` seconds."""
    _tell("STOPPING=1", _status("Stopping."), _extension(grace + STOP_MARGIN))


class Reporter:
    """Tells a manager how this process is, and keeps its watchdog (``WatchdogSec=``) quiet.

    A process that says nothing for too long, because it hangs, is aborted and started again; its log then shows where
    each of its threads was.
    """

    def __init__(self) -> None:
        limit = _watchdog_seconds()
        if limit:
            faulthandler.enable()
        # Twice as often as systemd advises: a machine that is busy must not look like a service that hangs.
        self._every = limit / 4
        self._fed = float("-inf")
        self._ready = False
        self._said = ""

    def report(self, status: str, *, ready: bool = True, alive: bool = True) -> None:
        """Call it every second or so; only what has changed is sent, and that the process lives.

        Parameters:
          ready: The service works. Once it has, it stays ready: the protocol knows no way back.
          alive: False lets the watchdog wait.
        """
        moment = time.monotonic()
        becomes_ready = ready and not self._ready
        feeds = bool(self._every) and alive and moment - self._fed >= self._every
        fields = ["READY=1"] if becomes_ready else []
        fields += ["WATCHDOG=1"] if feeds else []
        fields += [_status(status)] if status != self._said else []
        # What did not arrive is said again the next time.
        if fields and _tell(*fields):
            self._ready = self._ready or ready
            self._said = status
            self._fed = moment if feeds else self._fed


def inherited_socket() -> socket.socket | None:
    """Take over the listening socket that the manager has opened for this process; None without one.

    Raises ``InputError`` (``socket_unusable``): listening elsewhere instead would surprise whoever set it up.
    """
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return None
    number = _chosen(os.environ.get("LISTEN_FDS", ""), os.environ.get("LISTEN_FDNAMES", ""))
    if number is None:
        return None
    try:
        taken = socket.socket(fileno=number)
    except OSError as error:
        raise _unusable(f"File {number}, which it passed, is no socket ({error.strerror}).") from error
    if taken.family not in (socket.AF_INET, socket.AF_INET6) or taken.type is not socket.SOCK_STREAM:
        fault = "is not one of TCP"
    elif not taken.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        fault = "does not listen"
    else:
        taken.set_inheritable(False)
        return taken
    taken.close()
    raise _unusable(f"The socket that it passed {fault}.")


def _chosen(count: str, names: str) -> int | None:
    """The number of the file to take, of those that are passed."""
    if not (count.isascii() and count.isdigit() and len(count) < len("10000")):
        raise _unusable(f"LISTEN_FDS is {count[:_LONGEST_STATUS]!r}, which is no number of sockets.")
    passed = range(_FIRST_FD, _FIRST_FD + int(count))
    if len(passed) <= 1:
        return next(iter(passed), None)
    named = [number for number, name in zip(passed, names.split(":"), strict=False) if name == SOCKET_NAME]
    if len(named) != 1:
        raise _unusable(f"It passed {len(passed)} sockets, and {len(named)} of them are named {SOCKET_NAME!r}.")
    return named[0]


def _unusable(detail: str) -> InputError:
    return InputError(
        f"The service manager's socket cannot be used. {detail}",
        code="socket_unusable",
        hint="Give one listening socket of TCP: ListenStream=127.0.0.1:8000 and Accept=no in the .socket unit.",
    )


def _watchdog_seconds() -> float:
    """Seconds after which a process that says nothing is taken for dead; 0 without a watchdog for this process."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    given = os.environ.get("WATCHDOG_USEC", "0")
    if not (given.isascii() and given.isdigit()):
        log.warning("service_manager_misunderstood", variable="WATCHDOG_USEC")
        return 0.0
    return int(given) / _MICROSECONDS


def _status(text: str) -> str:
    return f"STATUS={' '.join(text.split())[:_LONGEST_STATUS]}"


def _extension(seconds: float) -> str:
    return f"EXTEND_TIMEOUT_USEC={int(seconds * _MICROSECONDS)}"


def _tell(*fields: str) -> bool:
    """Send a datagram to the manager, if there is one; what cannot be sent is logged, and never a reason to stop.

    Returns:
      False if it could not be sent.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return True
    # A name that begins with "@" is one of the kernel's, without a file.
    name = f"\0{address[1:]}" if address.startswith("@") else address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.settimeout(_SEND_SECONDS)
            sender.sendto("\n".join(fields).encode(), name)
    except (OSError, ValueError) as error:
        log.warning("service_manager_not_told", reason=str(error), fields=[field.split("=")[0] for field in fields])
        return False
    return True
