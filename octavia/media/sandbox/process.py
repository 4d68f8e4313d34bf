"""One process that decodes, as the process that asks sees it: started, asked, listened to, killed."""

import json
import os
import signal
import socket
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any, Final

from octavia.errors import InputError, OctaviaError, TaskFailed, Unavailable
from octavia.media.bounds import too_complex
from octavia.media.sandbox import wire
from octavia.media.sandbox.wire import Kind, Request

PATIENCE: Final = 60.0
"""Seconds without a message after which it is killed. Its time on the processor is bounded far below, by itself."""

_START_SECONDS = 60.0
_END_SECONDS = 5.0
_ROOT = str(Path(__file__).parents[3])
# The same code as here, wherever that was found.
_BOOT = (
    "import sys; sys.path[:0] = [p for p in sys.argv[1:2] if p not in sys.path]; "
    "from octavia.media.sandbox.child import run; run(int(sys.argv[2]))"
)
# Nothing of ours: there are passwords in it. Threads for a matrix product that nobody asks for would take memory.
_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
_INHERITED = ("LD_LIBRARY_PATH",)
# What the kernel and the C library end a process with for what it does itself.
_OWN_FAULTS = frozenset(
    {
        signal.SIGSEGV,
        signal.SIGBUS,
        signal.SIGFPE,
        signal.SIGILL,
        signal.SIGABRT,
        signal.SIGTRAP,
        signal.SIGSYS,
        signal.SIGXFSZ,
    }
)


class DecoderLost(TaskFailed):
    """The process that decodes was ended from outside, hangs or cannot be started: no fault of the file's."""

    code = "decoder_lost"


class Ended(Exception):
    """The process has ended before it had answered.

    Attributes:
      cause: For the log.
      error: For whoever asked.
    """

    def __init__(self, cause: str, error: OctaviaError) -> None:
        super().__init__(cause)
        self.cause = cause
        self.error = error


class Process:
    """A running process; the constructor returns when it takes requests.

    On Linux it dies with the thread that started it, everywhere when this process ends.

    Attributes:
      has_network: Whether it could reach anything over a network; the system may not let it give that up.
      asked: How many requests it got.

    Raises:
      DecoderLost: It did not start.
    """

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-c", _BOOT, _ROOT, str(os.getpid())],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    env=_ENVIRONMENT | {name: os.environ[name] for name in _INHERITED if name in os.environ},
                    cwd="/",
                    # A stop signal to all of a worker lets it finish its piece.
                    process_group=0,
                )
            except OSError as error:
                ours.close()
                raise _not_started(str(error.strerror)) from error
        self._connection = ours
        self.kill = weakref.finalize(self, _end, self._process, ours)
        ours.settimeout(_START_SECONDS)
        try:
            kind, content = wire.receive(ours)
        except (wire.Gone, TimeoutError) as error:
            self.kill()
            raise _not_started(f"it ended with {self._process.returncode}") from error
        ours.settimeout(PATIENCE)
        self.has_network: bool = kind is not Kind.READY or json.loads(content)["network"]
        self.asked = 0

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it still does."""
        return self.kill.alive and self._process.poll() is None

    def ask(self, request: Request, recipe: dict[str, Any] | None = None) -> None:
        """Give it something to do; it reads the file from its beginning.

        Parameters:
          recipe: What a film becomes.

        Raises:
          Ended: It is no longer there.
        """
        self.asked += 1
        try:
            wire.send_request(self._connection, request)
            if recipe is not None:
                wire.send_json(self._connection, Kind.RECIPE, recipe)
        except wire.Gone:
            raise self._ended() from None

    def receive(self) -> tuple[Kind, bytearray]:
        """Wait for the next part of the answer.

        Raises:
          Ended: It ended, or sent nothing for too long and was killed.
        """
        try:
            return wire.receive(self._connection)
        except wire.Gone:
            raise self._ended() from None
        except TimeoutError:
            self.kill()
            error = DecoderLost(
                f"Nothing came from the process that decodes for {PATIENCE:.0f} s.",
                hint="The machine may be overloaded, or its disk slow; the task is tried again.",
            )
            raise Ended("silent", error) from None

    def _ended(self) -> Ended:
        """What ended it. What the file makes it do ends it by one of a few signals; all others come from outside."""
        try:
            code = self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            # It lives, and has closed the connection or said what it never would.
            code = -signal.SIGABRT
        self.kill()
        if code == -signal.SIGXCPU:
            return Ended("processor time", too_complex("Reading the file takes far longer than a recording would."))
        if -code in _OWN_FAULTS:
            return Ended(signal.Signals(-code).name, crashed())
        cause = f"signal {-code}" if code < 0 else f"exit code {code}"
        error = DecoderLost(
            "The process that decodes was ended from outside.",
            hint="The machine may have run out of memory; the task is tried again.",
        )
        return Ended(cause, error)


def crashed() -> InputError:
    """The error for a file on which decoding breaks down."""
    return InputError(
        "The file is damaged or made in such a way that decoding it breaks down.",
        code="decoder_crashed",
        hint="If it is a recording that plays, convert it, for example to FLAC or MP3, and upload that.",
        field="file",
    )


def unreadable(detail: str) -> Unavailable:
    """The error for a file that its disk does not give."""
    return Unavailable("The stored file cannot be read.", reason=detail, code="storage_unavailable")


def _not_started(detail: str) -> DecoderLost:
    return DecoderLost(
        f"The process that decodes did not start: {detail}.",
        hint="The log of the worker tells more; `octavia doctor` tries it.",
    )


def _end(process: subprocess.Popen[bytes], connection: socket.socket) -> None:
    connection.close()
    process.kill()
    process.wait()
