"""The child process as its parent sees it: start it, ask it, receive its answer, kill it."""

import json
import os
import socket
import subprocess
import weakref
from signal import SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP, SIGXCPU, SIGXFSZ, Signals
from typing import Any, Final

from octavia import programs
from octavia.errors import OctaviaError, TaskFailed
from octavia.media.sandbox import faults, wire
from octavia.media.sandbox.layers import Layers
from octavia.media.sandbox.wire import Kind, Request, Task

PATIENCE: Final = 60.0
"""Seconds without a message after which it is killed. Its own bound on processor time is far lower."""

_START_SECONDS = 60.0
_END_SECONDS = 5.0
_BOOT = "from octavia.media.sandbox.child import run; run(int(sys.argv[1]))"
# Not the parent's environment, which holds passwords. OpenBLAS' threads would only take memory.
_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
_INHERITED = ("LD_LIBRARY_PATH",)
# Signals by which the kernel or the C library end a process for its own faults.
_OWN_FAULTS = frozenset({SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, SIGXFSZ})


class DecoderLost(TaskFailed):
    """The child process was killed from outside, hangs or cannot be started; the file is not at fault."""

    code = "decoder_lost"


class Ended(Exception):
    """The process ended before it had answered.

    Attributes:
      cause: Text for the log.
      error: The error to raise to the caller.
    """

    def __init__(self, cause: str, error: OctaviaError) -> None:
        super().__init__(cause)
        self.cause = cause
        self.error = error


class Process:
    """A running child process; the constructor returns when it accepts requests.

    It ends with this process, and on Linux with the thread that started it.

    Parameters:
      patience: Seconds without a message after which it is killed.

    Attributes:
      layers: What confines it.
      asked: Number of its requests so far.

    Raises:
      DecoderLost: It did not start.
    """

    def __init__(self, *, patience: float = PATIENCE) -> None:
        self._patience = patience
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = subprocess.Popen(
                    programs.isolated(_BOOT, str(os.getpid())),
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    env=_ENVIRONMENT | {name: os.environ[name] for name in _INHERITED if name in os.environ},
                    cwd=programs.FOLDER,
                    # A stop signal to the worker's process group must not end it in the middle of its work.
                    process_group=0,
                )
            except OSError as error:
                ours.close()
                raise _not_started(str(error.strerror)) from error
        self._connection = ours
        self.kill = weakref.finalize(self, _end, self._process, ours)
        ours.settimeout(_START_SECONDS)
        try:
            _, content = wire.receive(ours)
        except (wire.Gone, TimeoutError) as error:
            self.kill()
            raise _not_started(f"it ended with {self._process.returncode}") from error
        ours.settimeout(patience)
        self.layers = Layers(**json.loads(content))
        self.asked = 0
        self._task = Task.PROBE

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """True until the process has ended."""
        return self.kill.alive and self._process.poll() is None

    def ask(self, request: Request, details: dict[str, Any] | None = None) -> None:
        """Send a request; the process reads the file from its beginning.

        Parameters:
          details: The fields of a film's ``Recipe``, or the arguments of ``cue_files.read``.

        Raises:
          Ended: The process has ended.
        """
        self.asked += 1
        self._task = request.task
        try:
            wire.send_request(self._connection, request)
            if details is not None:
                wire.send_json(self._connection, Kind.DETAILS, details)
        except wire.Gone:
            raise self._ended() from None

    def receive(self) -> tuple[Kind, bytearray]:
        """Wait for the next part of the answer.

        Raises:
          Ended: The process ended, or sent nothing for too long and was killed.
        """
        try:
            return wire.receive(self._connection)
        except wire.Gone:
            raise self._ended() from None
        except TimeoutError:
            self.kill()
            error = DecoderLost(
                f"Nothing came from the process that reads files for {self._patience:.0f} s.",
                hint="The machine may be overloaded, or its disk slow; the task is tried again.",
            )
            raise Ended("silent", error) from None

    def _ended(self) -> Ended:
        """Tell why the process ended: a file can end it only by a few signals; all others come from outside."""
        try:
            code = self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            # It still runs, but has closed the connection or violated the protocol.
            code = -SIGABRT
        self.kill()
        if code == -SIGXCPU:
            return Ended("processor time", faults.too_slow(self._task))
        if -code in _OWN_FAULTS:
            return Ended(Signals(-code).name, faults.crashed(self._task))
        cause = f"signal {-code}" if code < 0 else f"exit code {code}"
        error = DecoderLost(
            "The process that reads files was killed from outside.",
            hint="The machine may have run out of memory; the task is tried again.",
        )
        return Ended(cause, error)


def _not_started(detail: str) -> DecoderLost:
    return DecoderLost(
        f"The process that reads files did not start: {detail}.",
        hint="See the worker's log, or test it with `octavia doctor`.",
    )


def _end(process: subprocess.Popen[bytes], connection: socket.socket) -> None:
    connection.close()
    process.kill()
    process.wait()
