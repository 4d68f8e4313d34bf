"""The side of whoever starts processes: asks a zygote of its own for those that can be forked."""

import atexit
import os
import pickle
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tests.support.warm.orders import Order, adopting
from tests.support.warm.programs import ROOT, parse

_exec: Callable[..., int] = subprocess._fork_exec  # type: ignore[attr-defined]
# Room for the name of a process to come, which is written where that of the zygote is.
_ROOM = "-" * 2000


class Zygote:
    """The line to a process that forks others, which become children of this one; it ends when the line is closed."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._lock = threading.Lock()
        self._owner = os.getpid()

    @classmethod
    def exec(cls) -> "Zygote":
        """Start one that imports what it needs."""
        ours, theirs = pair()
        command = [sys.executable, "-m", "tests.support.warm.zygote", str(theirs.fileno()), _ROOM]
        with cold(), theirs:
            started = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()], process_group=0
            )
        zygote = cls(ours)
        atexit.register(zygote._end, started)
        return zygote

    @property
    def ours(self) -> bool:
        """False in a fork of the process that it forks for."""
        return self._owner == os.getpid()

    def fork(self, order: Order, files: Sequence[int]) -> int:
        """Have a process forked; returns its id."""
        with self._lock, adopting():
            socket.send_fds(self._line, [pickle.dumps(order)], files)
            return int(self._line.recv(32))

    def _end(self, process: "subprocess.Popen[bytes]") -> None:
        if self.ours:
            self._line.close()
            process.wait()


def pair() -> tuple[socket.socket, socket.socket]:
    """The two ends of a line."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


_zygote: Zygote | None = None
_starting = threading.RLock()
_cold = False


def install(zygote: Zygote | None = None) -> None:
    """Fork what can be forked from now on.

    Parameters:
      zygote: One that runs already; None: it is started when it is first needed.
    """
    global _zygote
    _zygote = zygote
    subprocess._fork_exec = _start  # type: ignore[attr-defined]


@contextmanager
def cold() -> Iterator[None]:
    """Start everything in the usual way meanwhile."""
    global _cold
    before, _cold = _cold, True
    try:
        yield
    finally:
        _cold = before


def _start(arguments: Sequence[Any], *given: Any) -> int:
    """Take the place of ``_posixsubprocess.fork_exec``."""
    (_, _, passed, folder, variables, stdin, _, _, stdout, _, stderr, _, alarm, _, session, group, *more) = given
    *ids, umask, before = more[:5]
    words = [os.fsdecode(word) for word in arguments]
    environment = dict(os.environ) if variables is None else dict(os.fsdecode(each).split("=", 1) for each in variables)
    where = os.fsdecode(folder) if folder else os.getcwd()
    standard = [number if fd < 0 else fd for number, fd in enumerate((stdin, stdout, stderr))]
    usual = _cold or before or any(each is not None for each in ids) or any(os.isatty(fd) for fd in standard)
    program = None if usual else parse(words, environment, where)
    zygote = _running() if program else None
    if program is None or zygote is None:
        return _exec(arguments, *given)
    files = [fd for fd in passed if fd != alarm]
    order = Order(
        program=program,
        environment=environment,
        folder=where,
        umask=_umask() if umask < 0 else umask,
        group=os.getpgrp() if group < 0 else group,
        session=session,
        parent=os.getpid(),
        files=(0, 1, 2, *files),
    )
    return zygote.fork(order, [*standard, *files])


def _running() -> Zygote | None:
    """The zygote; None in a process that is a fork of the one that has it."""
    global _zygote
    with _starting:
        if _zygote is None:
            _zygote = Zygote.exec()
    return _zygote if _zygote.ours else None


def _umask() -> int:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1], 8) for line in status if line.startswith("Umask:"))
