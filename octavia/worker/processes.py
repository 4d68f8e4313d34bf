"""Keep processes running: start them, start them again when they end, stop them gracefully.

Each kept process has its own process group, so a signal to the whole group of its keeper reaches the keeper alone,
which then stops its processes in good order; and what a process leaves behind when it dies can be killed with it. On
Linux the kernel kills a kept process when its keeper dies. The death signal follows the *thread* that started the
process: the thread that calls ``start`` and ``poll`` must live as long as they shall.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import structlog

from octavia.worker import tether

REPORT_FD = "OCTAVIA_REPORT_FD"
"""The environment variable that names the file descriptor a process may write its reports to."""

_SHORT_LIFE = 10.0
_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 30.0
_TICK = 0.1

# The processes that run now, of whoever keeps them: nobody else may take leave of these.
_kept_pids: set[int] = set()

logger = structlog.get_logger()


def never() -> bool:
    """Nobody is in a hurry."""
    return False


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended: its exit code, or the negative number of the signal that killed it."""

    pid: int
    code: int
    seconds: float


class Kept:
    """One process that is started again whenever it ends.

    A process that lived for less than ten seconds, and was of no use (``used``), is started again after a pause that
    doubles each time, up to half a minute; any other at once.

    Parameters:
      name: For the logs.
      argv: The command and its arguments.
      env: Variables to set on top of this process's own.
      output: A file that its output is appended to; None: this process's own output.
      reports: Give it a pipe (``REPORT_FD``) whose lines ``read_reports`` returns.

    Attributes:
      ended: How the last process that ended did so.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        output: Path | None = None,
        reports: bool = False,
    ) -> None:
        self.name = name
        self.argv = tuple(argv)
        self._env = dict(env or {})
        self._cwd = cwd
        self._output = output
        self._reports = reports
        self._process: subprocess.Popen[bytes] | None = None
        self._report_fd: int | None = None
        self._unread = b""
        self._started = 0.0
        self._pause = 0.0
        self._due = 0.0
        self._used = False
        self._stopping = False
        self.ended: Ended | None = None

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._process.pid if self._process else None

    @property
    def report_fd(self) -> int | None:
        """Where its reports are read from; readable when there is one, or when it has ended."""
        return self._report_fd

    def start(self) -> None:
        """Start it now, if it does not run."""
        if self._process:
            return
        self._stopping = False
        self._used = False
        command = [sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), *self.argv]
        environment = {**os.environ, **self._env}
        passed: tuple[int, ...] = ()
        if self._reports:
            self._report_fd, theirs = os.pipe()
            os.set_blocking(self._report_fd, False)
            environment[REPORT_FD] = str(theirs)
            passed = (theirs,)
        output = self._open_output()
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                cwd=self._cwd,
                pass_fds=passed,
                process_group=0,
            )
        finally:
            for fd in passed:
                os.close(fd)
            if output:
                output.close()
        _kept_pids.add(self._process.pid)
        self._started = time.monotonic()
        logger.debug("process_started", process=self.name, pid=self._process.pid)

    def poll(self) -> Ended | None:
        """One look: tells once how it ended, and starts it again when that is due."""
        if self._process is None:
            if not self._stopping and time.monotonic() >= self._due:
                self.start()
            return None
        code = self._process.poll()
        if code is None:
            return None
        ended = self.ended = Ended(self._process.pid, code, time.monotonic() - self._started)
        _kept_pids.discard(ended.pid)
        # What it started and left behind goes with it.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(ended.pid, signal.SIGKILL)
        self._process = None
        if ended.seconds < _SHORT_LIFE and not self._used:
            self._pause = min(max(self._pause * 2, _FIRST_PAUSE), _LONGEST_PAUSE)
        else:
            self._pause = 0.0
        self._due = time.monotonic() + self._pause
        if not self._stopping:
            logger.warning("process_ended", process=self.name, pid=ended.pid, code=code, restart_in=self._pause)
        return ended

    def used(self) -> None:
        """Note that the present process came up and is of use: what it dies of need not be its own fault.

        So the next one is started without a pause, or ten bad jobs in a row would cost the good ones minutes.
        """
        self._used = True

    def read_reports(self) -> list[bytes]:
        """The lines it has written since the last call; at its end, what is left of them."""
        if self._report_fd is None:
            return []
        try:
            while block := os.read(self._report_fd, 65536):
                self._unread += block
            os.close(self._report_fd)
            self._report_fd = None
        except BlockingIOError:
            pass
        *lines, self._unread = self._unread.split(b"\n")
        if self._report_fd is None:
            # Half a line is nothing that the next process has begun.
            self._unread = b""
        return lines

    def terminate(self) -> None:
        """Ask it to end, for good."""
        self._stopping = True
        if self._process and self._process.poll() is None:
            self._process.terminate()

    def kill(self) -> None:
        """End it and all it started, at once; ``poll`` starts it again unless ``terminate`` came before."""
        if self._process and self._process.poll() is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _open_output(self) -> IO[bytes] | None:
        if self._output is None:
            return None
        self._output.parent.mkdir(parents=True, exist_ok=True)
        return self._output.open("ab")


class Keeper:
    """Keeps several processes; call ``poll`` in a loop from the thread that called ``start``."""

    def __init__(self, processes: Iterable[Kept]) -> None:
        self.processes = tuple(processes)

    def start(self) -> None:
        """Start them all."""
        for process in self.processes:
            process.start()

    def poll(self, timeout: float = 1.0) -> None:
        """Watch them for so many seconds."""
        deadline = time.monotonic() + timeout
        while True:
            for process in self.processes:
                process.poll()
            left = deadline - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, _TICK))

    def terminate(self) -> None:
        """Ask them all to end, without waiting for it."""
        for process in self.processes:
            process.terminate()

    def stop(self, grace: float, hurry: Callable[[], bool] = never) -> list[Kept]:
        """End them all; returns those that had to be killed.

        Those are the ones that were still there after ``grace`` seconds, or when there was a hurry.
        """
        return stop(self.processes, grace, hurry)


def stop(processes: Sequence[Kept], grace: float, hurry: Callable[[], bool] = never) -> list[Kept]:
    """Ask all to end, wait so many seconds, or until there is a hurry, kill the rest, and return those."""
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + grace
    while time.monotonic() < deadline and not hurry() and _running(processes):
        time.sleep(0.02)
    late = _running(processes)
    for process in late:
        process.kill()
    while _running(processes):
        time.sleep(0.02)
    return late


def reap_orphans() -> None:
    """As the first process of a container, take leave of what the dead have left behind; elsewhere ``init`` does that.

    Whoever keeps processes there should call this now and then.
    """
    if os.getpid() != 1:
        return
    with suppress(ChildProcessError):
        # Looking first: of those that are kept, their keeper wants to hear. One of them may hide others until it has.
        while found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            if found.si_pid in _kept_pids:
                return
            os.waitpid(found.si_pid, 0)


def _running(processes: Sequence[Kept]) -> list[Kept]:
    for process in processes:
        process.poll()
    return [process for process in processes if process.pid is not None]
