"""Keep processes running: start them, restart them when they end, stop them gracefully.

Each kept process leads a process group of its own. So a signal to the keeper's group reaches the keeper alone, which
then stops its processes in order, and children that a dead process leaves behind can be killed with it. On Linux the
kernel kills a kept process when its keeper dies (see ``tether``). That signal follows the *thread* that started the
process: the thread that calls ``start`` and ``poll`` must live as long as the processes should.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import structlog

from octavia import observability, programs
from octavia.backoff import Backoff
from octavia.private import make_folder
from octavia.worker import tether
from octavia.worker.fork_server import Forked, ForkServer
from octavia.worker.last_words import LastWords
from octavia.worker.pipes import ORDER_FD, REPORT_FD

_SHORT_LIFE = 10.0
_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 30.0
_FAILING_AFTER = 3
_STDOUT = 1
_STDERR = 2

logger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ProcessExit:
    """The end of a process.

    Attributes:
      code: Its exit code, or the negative number of the signal that killed it.
      seconds: How long it had run.
      last_words: The last lines that it wrote to standard error.
    """

    pid: int
    code: int
    seconds: float
    last_words: str = ""


class KeptProcess:
    """One process that is restarted whenever it ends.

    It restarts at once, unless it lived for less than ten seconds and never was useful (``mark_useful``): then after a
    pause that doubles each time, up to half a minute.

    Parameters:
      name: Its name in the logs.
      argv: The command and its arguments.
      env: Environment variables in addition to this process's own, which are taken as ``programs.environment`` says.
      output: A file to append its output to; None: this process's own output.
      reports: Give it a pipe (``REPORT_FD``) whose lines ``read_reports`` returns, and one (``ORDER_FD``) for ``tell``.
      files: File descriptors that it inherits, under their numbers.
      server: Forks it, as long as it can; for processes that report.

    Attributes:
      wanted: False: it is not started again once it has ended, until this is True.
      last_exit: The end of the last process that has ended.
      report_fd: The file descriptor of its reports; readable when there is one, or when the process has ended.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path = programs.FOLDER,
        output: Path | None = None,
        reports: bool = False,
        files: Sequence[int] = (),
        server: ForkServer | None = None,
    ) -> None:
        self.name = name
        self.argv = tuple(argv)
        self._env = dict(env or {})
        self._cwd = cwd
        self._output = output
        self._reports = reports
        self._files = tuple(files)
        self._server = server
        self._process: subprocess.Popen[bytes] | Forked | None = None
        self.wanted = True
        self.report_fd: int | None = None
        self._order_fd: int | None = None
        self._order = b""
        self._unread = b""
        self._started = 0.0
        self._pauses = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE)
        self._due = 0.0
        self._useful = False
        self._early_ends = 0
        self._stopping = False
        self._words: LastWords | None = None
        self.last_exit: ProcessExit | None = None

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._process.pid if self._process else None

    @property
    def failing(self) -> bool:
        """True while processes end young and useless: the last three or more did, and the present one is no better."""
        return self._early_ends >= _FAILING_AFTER

    def start(self) -> None:
        """Start it, unless it runs."""
        if self._process:
            return
        self._stopping = False
        self._useful = False
        environment = programs.environment(self._env)
        passed: tuple[int, ...] = ()
        if self._reports:
            self.report_fd, theirs = os.pipe()
            os.set_blocking(self.report_fd, False)
            orders, self._order_fd = os.pipe()
            os.set_blocking(self._order_fd, False)
            environment |= {REPORT_FD: str(theirs), ORDER_FD: str(orders)}
            passed = (theirs, orders)
        if not self._output and os.isatty(_STDERR):
            environment.setdefault(observability.FORCE_COLOR, "1")
        output = self._open_output()
        said, errors = os.pipe()
        try:
            self._words = LastWords(said, output.fileno() if output else _STDERR)
            self._process = self._forked(environment, output, errors, passed) or subprocess.Popen(
                programs.bare(Path(tether.__file__), str(os.getpid()), *self.argv),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                env=environment,
                cwd=self._cwd,
                pass_fds=(*self._files, *passed),
                process_group=0,
            )
        finally:
            for fd in (errors, *passed):
                os.close(fd)
            if output:
                output.close()
        self._started = time.monotonic()
        if self._order:
            self.tell(self._order)
        logger.debug("process_started", process=self.name, pid=self._process.pid)

    def poll(self) -> ProcessExit | None:
        """Look after it once: restart it when that is due. Returns its end, once, after it has ended."""
        if self._process is None:
            if not self._stopping and self.wanted and time.monotonic() >= self._due:
                self.start()
            return None
        code = self._process.poll()
        seconds = time.monotonic() - self._started
        stays = self._useful or seconds >= _SHORT_LIFE
        if stays:
            self._early_ends = 0
        if code is None:
            return None
        pid = self._process.pid
        # The processes that it started and left behind go with it.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        ended = self.last_exit = ProcessExit(pid, code, seconds, self._words.text() if self._words else "")
        self._process = None
        if self._order_fd is not None:
            os.close(self._order_fd)
            self._order_fd = None
        if stays:
            self._pauses.reset()
            pause = 0.0
        else:
            self._early_ends += 1
            pause = self._pauses.next()
        self._due = time.monotonic() + pause
        if not self._stopping:
            say = logger.error if self.failing else logger.warning if self.wanted else logger.info
            say("process_ended", process=self.name, pid=pid, code=code, early=self._early_ends, restart_in=pause)
        return ended

    def mark_useful(self) -> None:
        """Note that the present process has begun to work, so that its end need not be its own fault.

        Its successor starts without a pause; otherwise ten bad jobs in a row would cost the good ones minutes.
        """
        self._useful = True

    def tell(self, order: bytes) -> None:
        """Send it a line of at most 4096 bytes, and send the same to each process that follows it, first of all.

        One that does not read for a while, or has just ended, may miss it: tell it again from time to time.
        """
        self._order = order
        if self._order_fd is not None:
            with suppress(BlockingIOError, BrokenPipeError):
                os.write(self._order_fd, order + b"\n")

    def read_reports(self) -> list[bytes]:
        """The whole lines that it has written since the last call."""
        if self.report_fd is None:
            return []
        try:
            while block := os.read(self.report_fd, 65536):
                self._unread += block
            os.close(self.report_fd)
            self.report_fd = None
        except BlockingIOError:
            pass
        *lines, self._unread = self._unread.split(b"\n")
        if self.report_fd is None:
            # Half a line must not run into the next process's first.
            self._unread = b""
        return lines

    def terminate(self) -> None:
        """Ask it to end; it is not restarted."""
        self._stopping = True
        if self._process and self._process.poll() is None:
            self._process.terminate()

    def kill(self) -> None:
        """Kill it and every process it started; ``poll`` restarts it unless ``terminate`` was called before."""
        if self._process and self._process.poll() is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _forked(
        self, environment: Mapping[str, str], output: IO[bytes] | None, errors: int, passed: Sequence[int]
    ) -> Forked | None:
        if self._server is None:
            return None
        written = output.fileno() if output else _STDOUT
        return self._server.fork(self.argv, environment, output=written, errors=errors, files=passed)

    def _open_output(self) -> IO[bytes] | None:
        if self._output is None:
            return None
        make_folder(self._output.parent)
        return self._output.open("ab")


class Keeper:
    """Keeps several processes; call ``poll`` in a loop from the thread that called ``start``."""

    def __init__(self, processes: Iterable[KeptProcess]) -> None:
        self.processes = tuple(processes)

    def start(self) -> None:
        """Start all of them."""
        for process in self.processes:
            process.start()

    def poll(self, timeout: float = 1.0) -> None:
        """Look after them for ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        while True:
            for process in self.processes:
                process.poll()
            left = deadline - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, 0.1))

    def terminate(self) -> None:
        """Ask all of them to end, without waiting."""
        for process in self.processes:
            process.terminate()

    def stop(self, grace: float, urgent: Callable[[], bool] = lambda: False) -> list[KeptProcess]:
        """End all of them, as ``stop`` does; returns those that were killed."""
        return stop(self.processes, grace, urgent)


def stop(
    processes: Sequence[KeptProcess], grace: float, urgent: Callable[[], bool] = lambda: False
) -> list[KeptProcess]:
    """Ask all to end, and kill those that still run after ``grace`` seconds; returns those that were killed.

    Meanwhile ``urgent`` is asked again and again; True ends the grace.
    """
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + grace
    while time.monotonic() < deadline and not urgent() and _running(processes):
        time.sleep(0.02)
    late = _running(processes)
    for process in late:
        process.kill()
    while _running(processes):
        time.sleep(0.02)
    return late


def reap_orphans(kept: Iterable[KeptProcess], server: ForkServer | None = None) -> None:
    """Reap the zombies that dead processes left behind, if they come to this process; elsewhere ``init`` does.

    They come to the first process of a container, and to one with a fork server.

    Parameters:
      kept: All processes that are kept by this one; they are left to ``KeptProcess.poll``, which needs their exit code.
    """
    if os.getpid() != 1 and server is None:
        return
    pids = {process.pid for process in kept}
    if server:
        pids.add(server.pid)
    with suppress(ChildProcessError):
        # Look first (WNOWAIT). A kept process that has ended may hide others until it is polled.
        while found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            if found.si_pid in pids:
                return
            os.waitpid(found.si_pid, 0)


def _running(processes: Sequence[KeptProcess]) -> list[KeptProcess]:
    for process in processes:
        process.poll()
    return [process for process in processes if process.pid is not None]
