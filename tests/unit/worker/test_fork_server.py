"""Worker processes that a server forks: what they are given, whose children they are, and what happens without it."""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from octavia.worker import fork_server, kernel
from tests.support.waiting import until

Run = Callable[[str], Any]

COMMAND = """
import json, os, signal, sys, threading, time
from pathlib import Path

import psutil

from octavia.settings import get_settings
from octavia.worker import child, fork_server
from octavia.worker.forking import COMMAND
from octavia.worker.processes import Keeper, KeptProcess, reap_orphans

def until(condition, *kept):
    while not condition():
        for process in kept:
            process.poll()
        time.sleep(0.01)

def tell(**facts):
    Path("facts.new").write_text(json.dumps(facts))
    os.rename("facts.new", "facts")

def sleep(arguments):
    time.sleep(300)
"""
"""What each command of these tests begins with. A server has the ``child.main`` that was there when it was forked."""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a command, which has no thread of pytest's; returns the facts that it or its processes told."""

    def run(code: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-c", COMMAND + textwrap.dedent(code)],
            cwd=tmp_path,
            env=os.environ | {"TEST_FOLDER": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[3])},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return json.loads((tmp_path / "facts").read_text()) | {"said": done.stdout + done.stderr}

    return run


def test_a_forked_process_is_like_one_that_was_started(run: Run) -> None:
    # Given a command with files, handlers and settings of its own
    told = run("""
        def main(arguments):
            here = psutil.Process()
            # Without the one that read the folder.
            files = sorted(int(name) for name in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{name}"))
            passed = [int(os.environ[name]) for name in ("OCTAVIA_REPORT_FD", "OCTAVIA_ORDER_FD")]
            folder, _ = os.getcwd(), os.chdir(os.environ["TEST_FOLDER"])
            tell(
                arguments=arguments, command=here.cmdline(), parent=os.getppid(), leads=os.getpgrp() == os.getpid(),
                folder=folder, files=files, passed=sorted(passed), level=get_settings().log_level,
                handlers=[signal.getsignal(each).name for each in (signal.SIGTERM, signal.SIGHUP)],
                server=[word for word in here.parent().children()[0].cmdline() if word][-1],
            )
            return 7

        child.main = main
        signal.signal(signal.SIGTERM, lambda *_: None)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        secret = open("secret", "w")
        get_settings()
        print("unwritten", end="")
        with fork_server.running() as server:
            argv = [*COMMAND, "--slot", "a", "--queues", "default"]
            kept = KeptProcess("a", argv, env={"OCTAVIA_LOG_LEVEL": "debug"}, reports=True, server=server)
            kept.start()
            until(lambda: kept.last_exit, kept)
            assert kept.last_exit.code == 7, kept.last_exit
            facts = json.loads(Path("facts").read_text())
            tell(**facts, keeper=os.getpid(), used=server.pid is not None)
    """)
    # When a server has forked a process, then it has what a new Python would have, and nothing else
    assert told["used"]
    assert told["arguments"] == ["--slot", "a", "--queues", "default"]
    assert [word for word in told["command"] if word][-6:] == [
        *("-m", "octavia.worker.child"),
        *told["arguments"],
    ]
    assert told["parent"] == told["keeper"]
    assert told["leads"]
    assert told["folder"] == "/"
    assert told["files"] == [0, 1, 2, *told["passed"]]
    assert told["level"] == "debug"
    assert told["handlers"] == ["SIG_DFL", "SIG_IGN"]
    # And the server is named, and what the command had yet to print came once
    assert told["server"] == "octavia.worker.forking"
    assert told["said"].count("unwritten") == 1


def test_each_process_that_is_forked_is_a_fresh_one(run: Run) -> None:
    # Given processes that fail, one after the other
    told = run("""
        seen = []

        def main(arguments):
            seen.append(1)
            raise RuntimeError(f"{len(seen)} of us missed libfoo")

        child.main = main
        with fork_server.running() as server:
            kept = KeptProcess("a", COMMAND, reports=True, server=server)
            ends = [None]
            while len(ends) < 4:
                kept.start()
                until(lambda: kept.last_exit != ends[-1], kept)
                ends.append(kept.last_exit)
        tell(codes=[end.code for end in ends[1:]], words=[end.last_words for end in ends[1:]])
    """)
    # When they have ended, then each found nothing of the one before, and left its last words
    assert told["codes"] == [1, 1, 1]
    assert all(words.endswith("RuntimeError: 1 of us missed libfoo") for words in told["words"])


def test_a_command_that_dies_takes_its_server_and_its_processes_along(tmp_path: Path) -> None:
    # Given a command with a forked process
    code = COMMAND + textwrap.dedent("""
        child.main = sleep
        with fork_server.running() as server:
            kept = KeptProcess("a", COMMAND, reports=True, server=server)
            kept.start()
            tell(pids=[server.pid, kept.pid])
            time.sleep(300)
    """)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    with subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, env=environment) as command:
        until((tmp_path / "facts").exists)
        below = [psutil.Process(pid) for pid in json.loads((tmp_path / "facts").read_text())["pids"]]
        assert all(process.is_running() for process in below)
        # When it is killed
        command.kill()
    # Then none of them is left
    until(lambda: not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in below))


def test_a_server_that_was_killed_leaves_its_processes_and_is_not_needed(run: Run) -> None:
    # Given a server that is killed while a process of it runs
    told = run("""
        child.main = sleep
        with fork_server.running() as server:
            first, second = (KeptProcess(name, COMMAND, reports=True, server=server) for name in "ab")
            first.start()
            os.kill(server.pid, signal.SIGKILL)
            # When another process is started
            second.start()
            until(lambda: second.last_exit, first, second)
            tell(server=server.pid, lives=psutil.Process(first.pid).status(), words=second.last_exit.last_words)
            Keeper([first, second]).stop(0)
    """)
    # Then it is a new Python, which misses its arguments, and the first one lives on
    assert told["server"] is None
    assert "the following arguments are required: --slot, --queues" in told["words"]
    assert told["lives"] in ("sleeping", "running", "disk-sleep")
    assert "fork_server_ended" in told["said"]


def test_a_server_that_cannot_import_is_not_needed(run: Run) -> None:
    # Given an installation in which a library of the workers is broken
    told = run("""
        sys.modules["octavia.actors"] = None
        with fork_server.running() as server:
            kept = KeptProcess("a", COMMAND, reports=True, server=server)
            # When a process is started
            kept.start()
            until(lambda: kept.last_exit, kept)
            tell(server=server.pid, words=kept.last_exit.last_words)
    """)
    # Then the server has said why it ended, and the process is a new Python
    assert told["server"] is None
    assert "import of octavia.actors halted" in told["said"]
    assert "the following arguments are required" in told["words"]


def test_processes_that_dead_ones_leave_behind_are_taken_leave_of(run: Run) -> None:
    # Given a process that has started another one in a group of its own, which outlives it
    told = run("""
        def main(arguments):
            if os.fork() == 0:
                os.setpgid(0, 0)
                time.sleep(0.2)
                os._exit(0)
            return 0

        def only_the_server_is_left():
            reap_orphans([kept], server)
            return [each.pid for each in psutil.Process().children()] == [server.pid]

        child.main = main
        with fork_server.running() as server:
            kept = KeptProcess("a", COMMAND, reports=True, server=server)
            kept.wanted = False
            kept.start()
            # When the command looks after its processes
            until(only_the_server_is_left, kept)
            tell(code=kept.last_exit.code, server=psutil.Process(server.pid).status())
    """)
    # Then none is left of them but the exit code, and the server lives
    assert told["code"] == 0
    assert told["server"] == "sleeping"


def test_beside_other_threads_there_is_no_server(run: Run) -> None:
    # Given a command with a thread, which may hold any lock
    told = run("""
        threading.Thread(target=time.sleep, args=(300,), daemon=True).start()
        with fork_server.running() as server:
            # When a process is started
            kept = KeptProcess("a", COMMAND, reports=True, server=server)
            kept.start()
            until(lambda: kept.last_exit, kept)
            tell(server=server, words=kept.last_exit.last_words)
    """)
    # Then it is a new Python
    assert told["server"] is None
    assert "the following arguments are required" in told["words"]


def test_without_linux_there_is_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a system whose processes cannot adopt
    monkeypatch.setattr(sys, "platform", "darwin")
    # When a command begins, then it goes without
    assert not kernel.adopt_orphans()
    with fork_server.running() as server:
        assert server is None


@pytest.mark.parametrize("words", [2, 50], ids=["short", "longer than the one before"])
def test_a_process_shows_another_command(run: Run, words: int) -> None:
    # Given a process that was started by a command of some length, with an environment that is another one by now
    told = run(f"""
        from octavia.worker import kernel
        environment = {{name: value for name, value in os.environ.items() if name != "TEST_FOLDER"}} | {{"NEW": "1"}}
        os.environ.clear()
        os.environ.update(environment)
        # When it shows another command
        long = ["python", "-c", sys.orig_argv[-1], *["word"] * {words}]
        kernel.show_command(long if {words} > 2 else ["octavia", *["word"] * {words}])
        shown = psutil.Process().environ()
        tell(
            command=[word for word in psutil.Process().cmdline() if word][-{words}:],
            stale="TEST_FOLDER" in shown, shown=len(shown), true=shown.items() <= environment.items(),
            inherited=os.popen("env").read().count("NEW=1"),
        )
    """)
    # Then it is listed under that, with what fits of its environment and none of the former one
    assert told["command"] == ["word"] * words
    assert told["shown"] > 0
    assert told["true"]
    assert not told["stale"]
    # And the environment is as it was for the programs that it starts
    assert told["inherited"] == 1
