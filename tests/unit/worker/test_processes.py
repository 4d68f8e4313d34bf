import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from octavia.worker import processes
from octavia.worker.pipes import REPORT_FD
from octavia.worker.processes import Keeper, KeptProcess
from tests.support.clock import Clock
from tests.support.waiting import until


def _python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def _gone(process: psutil.Process) -> bool:
    # Whoever inherits a dead process takes leave of it at any moment, or never.
    with suppress(psutil.NoSuchProcess):
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    return True


@pytest.fixture
def kept() -> Iterator[Callable[..., KeptProcess]]:
    made: list[KeptProcess] = []

    def make(code: str, **options: object) -> KeptProcess:
        made.append(KeptProcess("test", _python(code), **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    Keeper(made).stop(0)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time as whoever keeps processes sees it."""
    clock = Clock()
    monkeypatch.setattr(processes, "time", SimpleNamespace(monotonic=clock, sleep=time.sleep))
    return clock


def test_a_process_that_ends_is_told_once_and_started_again(kept: Callable[..., KeptProcess]) -> None:
    # Given a process that ends with a code of its own
    process = kept("raise SystemExit(3)")
    process.start()
    first = process.pid
    # When it is watched
    endings = []
    until(lambda: (ended := process.poll()) and endings.append(ended) is None)
    # Then its end is told once, and another process takes its place after a pause
    assert [(ended.pid, ended.code) for ended in endings] == [(first, 3)]
    assert process.pid is None
    until(lambda: process.poll() is None and process.pid not in (None, first))


def test_the_pause_before_a_restart_doubles_for_one_that_keeps_ending(
    kept: Callable[..., KeptProcess], clock: Clock
) -> None:
    # Given a process that ends at once, always
    process = kept("raise SystemExit(1)")
    process.start()
    # When it is watched through three restarts, then each pause is twice the one before
    for pause in (0.25, 0.5, 1.0):
        until(process.poll)
        clock.now += 0.99 * pause
        assert process.poll() is None
        assert process.pid is None
        # And it is started once that is over
        clock.now += 0.02 * pause
        assert process.poll() is None
        assert process.pid is not None


def test_a_useful_process_is_restarted_at_once(kept: Callable[..., KeptProcess], clock: Clock) -> None:
    # Given a process that keeps ending soon, though not before it has been of use
    process = kept("pass")
    process.start()
    # When it is watched through five restarts, then none has to wait: it is not to blame for what it works on
    for _ in range(5):
        process.mark_useful()
        until(process.poll)
        assert process.poll() is None
        assert process.pid is not None
    # But once it is of no use any more, there are pauses again
    until(process.poll)
    assert process.poll() is None
    assert process.pid is None


def test_its_last_words_are_passed_on_and_kept(
    kept: Callable[..., KeptProcess], capfd: pytest.CaptureFixture[str]
) -> None:
    # Given a process that says much before it fails
    process = kept("import sys\nfor n in range(5000): print('line', n, file=sys.stderr)\nraise SystemExit('no libfoo')")
    process.start()
    # When it has ended
    until(process.poll)
    # Then all that it said was passed on, and the end is kept
    assert len(capfd.readouterr().err.splitlines()) >= 5001
    assert process.last_exit
    assert process.last_exit.last_words.splitlines()[-2:] == ["line 4999", "no libfoo"]
    assert len(process.last_exit.last_words.splitlines()) == 12


def test_one_whose_processes_all_die_young_is_failing_until_one_stays(
    kept: Callable[..., KeptProcess], clock: Clock, tmp_path: Path
) -> None:
    # Given a process that dies at its start until something is mended
    mended = tmp_path / "mended"
    process = kept(
        f"import pathlib, time\nif not pathlib.Path({str(mended)!r}).exists(): raise SystemExit(1)\ntime.sleep(60)"
    )
    process.start()
    # When it is watched, then it fails from the third death on
    for deaths in (1, 2, 3):
        until(process.poll)
        assert process.failing is (deaths == 3)
        clock.now += 60
        process.poll()
    # And once one stays, it fails no more
    until(process.poll)
    mended.touch()
    clock.now += 60
    process.poll()
    assert process.failing
    clock.now += 11
    assert process.poll() is None
    assert not process.failing


def test_half_a_report_is_not_mixed_up_with_the_next_process(kept: Callable[..., KeptProcess]) -> None:
    # Given a process that ends in the middle of a report
    process = kept(f"import os; os.write(int(os.environ[{REPORT_FD!r}]), b'one\\nha')", reports=True)
    for _ in range(2):
        process.start()
        # When it has ended and another one takes its place
        lines: list[bytes] = []
        until(lambda lines=lines: lines.extend(process.read_reports()) or process.report_fd is None)
        # Then what was whole is there, for each of them
        assert lines == [b"one"]
        until(process.poll)


def test_the_first_process_of_a_container_reaps_what_others_leave() -> None:
    # Given a process to which orphans come, as to the first one of a container, and one that it keeps
    code = """
import ctypes, os, psutil, subprocess, sys, time
from octavia.worker import processes
from octavia.worker.processes import KeptProcess, reap_orphans

PR_SET_CHILD_SUBREAPER = 36
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
kept = KeptProcess("kept", [sys.executable, "-c", "raise SystemExit(7)"])
kept.start()
# Its parent ends without taking leave of it, whichever of the two ends first.
subprocess.run([sys.executable, "-c", "import os, subprocess; orphan = subprocess.Popen(['true']); os._exit(0)"])
me = psutil.Process()
processes.os.getpid = lambda: 1

def zombies():
    return sum(child.status() == psutil.STATUS_ZOMBIE for child in me.children())

deadline = time.monotonic() + 60
while zombies() < 2 and time.monotonic() < deadline:
    time.sleep(0.02)
print(zombies())
ended = None
while not ended or zombies():
    reap_orphans([kept])
    # Not again after that, or it would be started again.
    ended = ended or kept.poll()
    assert time.monotonic() < deadline
print(ended.code)
"""
    # When it looks after both
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    # Then the orphan is gone, and how the other one ended is not lost
    said = [line for line in result.stdout.splitlines() if line.isdecimal()]
    assert said == ["2", "7"], result.stdout + result.stderr


def test_reports_come_line_by_line_and_their_end_is_not_lost(kept: Callable[..., KeptProcess]) -> None:
    # Given a process that writes two reports and ends
    process = kept(
        f"import os; fd = int(os.environ[{REPORT_FD!r}]); os.write(fd, b'one\\ntw'); os.write(fd, b'o\\n')",
        reports=True,
    )
    process.start()
    # When they are read until the pipe ends
    lines: list[bytes] = []
    until(lambda: lines.extend(process.read_reports()) or process.report_fd is None)
    # Then every line is there, whole
    assert lines == [b"one", b"two"]


def test_its_output_is_appended_to_a_file(kept: Callable[..., KeptProcess], tmp_path: Path) -> None:
    # Given a process whose output goes to a file in a folder that is not there yet
    log = tmp_path / "log" / "out.log"
    process = kept("import sys; print('out', flush=True); print('err', file=sys.stderr)", output=log)
    # When it has run
    process.start()
    until(process.poll)
    # Then both streams are in the file
    assert set(log.read_text().split()) == {"out", "err"}


def test_a_graceful_stop_lets_it_finish(kept: Callable[..., KeptProcess], tmp_path: Path) -> None:
    # Given a process that tidies up when told to stop
    ready, done = tmp_path / "ready", tmp_path / "done"
    process = kept(
        "import pathlib, signal, sys, time\n"
        f"signal.signal(signal.SIGTERM, lambda *_: (pathlib.Path({str(done)!r}).touch(), sys.exit()))\n"
        f"pathlib.Path({str(ready)!r}).touch()\n"
        "time.sleep(60)"
    )
    process.start()
    until(ready.exists)
    # When it is stopped
    late = Keeper([process]).stop(60)
    # Then it did, was not killed, and is not started again
    assert done.exists()
    assert late == []
    assert process.poll() is None
    assert process.pid is None


def test_a_process_that_ignores_the_stop_is_killed_after_the_grace(
    kept: Callable[..., KeptProcess], tmp_path: Path
) -> None:
    # Given a process that ignores the signal to stop
    ready = tmp_path / "ready"
    process = kept(
        "import pathlib, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"pathlib.Path({str(ready)!r}).touch(); time.sleep(60)"
    )
    process.start()
    until(ready.exists)
    # When it is stopped with little grace
    late = Keeper([process]).stop(0.2)
    # Then it is named as late, and gone
    assert late == [process]
    assert process.pid is None


def test_the_children_of_a_process_end_with_it(kept: Callable[..., KeptProcess], tmp_path: Path) -> None:
    # Given a process with a child of its own
    pid_file = tmp_path / "pid"
    process = kept(
        "import pathlib, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"pathlib.Path({str(pid_file)!r}).write_text(str(child.pid)); time.sleep(60)"
    )
    process.start()
    until(lambda: pid_file.exists() and pid_file.read_text())
    grandchild = psutil.Process(int(pid_file.read_text()))
    # When the process alone is killed by somebody else
    assert process.pid
    os.kill(process.pid, signal.SIGKILL)
    ended = []
    until(lambda: ended.append(process.poll()) or ended[-1])
    # Then its own child is gone too
    assert ended[-1].code == -signal.SIGKILL
    until(lambda: _gone(grandchild))


@pytest.mark.parametrize("held", ["", "ctypes.PyDLL(None).sleep(60)"], ids=["idle", "holding the interpreter lock"])
def test_a_process_never_outlives_its_keeper(tmp_path: Path, held: str) -> None:
    # Given a keeper with one process, in a process of its own
    pid_file = tmp_path / "pid"
    child = (
        f"import ctypes, os, pathlib, time; pathlib.Path({str(pid_file)!r}).write_text(str(os.getpid())); {held}\n"
        "time.sleep(60)"
    )
    keeper = subprocess.Popen(
        _python(
            "import sys; from octavia.worker.processes import *\n"
            f"keeper = Keeper([KeptProcess('child', [sys.executable, '-c', {child!r}])])\n"
            "keeper.start(); keeper.poll(60)"
        )
    )
    until(lambda: pid_file.exists() and pid_file.read_text())
    process = psutil.Process(int(pid_file.read_text()))
    assert not _gone(process)
    # When the keeper is killed without a chance to clean up
    keeper.kill()
    keeper.wait()
    # Then its process is gone as well
    until(lambda: _gone(process))
