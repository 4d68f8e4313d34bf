"""Worker processes that are forked by a server, which has imported what they need: they start in milliseconds.

A command forks the server from itself at its very beginning, while it has no other thread, connection or handler. The
server forks twice, and the command adopts orphans: so the command is the parent of each worker process, waits for it
and takes it along when it dies, as if it had started a new Python. It does start one if there is no server any more.

Processes of one server share the memory of what it has imported.
"""

import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

import structlog

from octavia.worker import forking, kernel

_PATIENCE: Final = 20.0
"""Seconds to wait for a process; the server may still be importing when it is asked for the first one."""

logger = structlog.get_logger()


@contextmanager
def running() -> "Iterator[ForkServer | None]":
    """Keep a server while the block runs; None where it cannot be: beside other threads, or not on Linux."""
    if threading.active_count() > 1 or not kernel.adopt_orphans():
        yield None
        return
    line, theirs = socket.socketpair()
    keeper = os.getpid()
    # What is not written yet would be written twice.
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        line.close()
        forking.serve(theirs, keeper)
    theirs.close()
    server = ForkServer(pid, line)
    try:
        yield server
    finally:
        server.end()


class Forked:
    """A forked process, with as much of ``subprocess.Popen`` as its keeper needs."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._code: int | None = None

    def poll(self) -> int | None:
        """Return its exit code, or the negative number of the signal that ended it; None while it runs."""
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._code = os.waitstatus_to_exitcode(status)
        return self._code

    def terminate(self) -> None:
        """Ask it to end."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGTERM)


class ForkServer:
    """The server, to the command that has forked it (``running``). Call it from the thread that did so.

    Attributes:
      pid: Its process id; None once it has ended.
    """

    def __init__(self, pid: int, line: socket.socket) -> None:
        self.pid: int | None = pid
        self._line = line
        line.settimeout(_PATIENCE)

    def fork(
        self, argv: Sequence[str], environment: Mapping[str, str], *, output: int, errors: int, files: Sequence[int]
    ) -> Forked | None:
        """Start a worker process, in a process group of its own; None if the server has ended.

        Parameters:
          argv: ``forking.COMMAND`` and arguments.
          environment: All of it.
          output, errors: File descriptors for its standard output and standard error.
          files: File descriptors that it gets besides, under their numbers.

        Raises ``OSError`` if the system has no room for another process.
        """
        if self.pid is None:
            return None
        request = {"argv": argv, "environment": dict(environment), "files": [1, 2, *files]}
        body = json.dumps(request).encode()
        try:
            socket.send_fds(self._line, [forking.NUMBER.pack(len(body))], [output, errors, *files])
            self._line.sendall(body)
            [pid] = forking.NUMBER.unpack(forking.receive(self._line, forking.NUMBER.size))
        except (OSError, EOFError) as error:
            logger.warning("fork_server_ended", pid=self.pid, detail=str(error))
            self.end()
            return None
        if not pid:
            raise OSError("The system has no room for another process.")
        return Forked(pid)

    def end(self) -> None:
        """End the server; the processes that it has forked go on."""
        if self.pid is not None:
            self._line.close()
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = None
