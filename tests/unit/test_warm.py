"""A process that is forked from a warm Python is as one that was started, but for the time that it takes."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from octavia.worker.processes import KeptProcess, stop
from tests.support import warm
from tests.support.waiting import until
from tests.support.warm.programs import ROOT, parse

SCRIPT = str(ROOT / "tests" / "support" / "warm" / "circumstances.py")


def run(*command: str, **options: Any) -> tuple[int, dict[str, Any]]:
    """The exit code of a Python and what it has found."""
    done = subprocess.run([sys.executable, *command], stdout=subprocess.PIPE, **options)
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"umask": 0o027, "process_group": 0},
        {"start_new_session": True, "stdin": subprocess.DEVNULL},
        {"env": {"OCTAVIA_PORT": "1", "TZ": "Asia/Tokyo"}, "stderr": subprocess.DEVNULL},
        {"cwd": "/"},
    ],
    ids=lambda options: ", ".join(options) or "nothing",
)
def test_it_finds_what_it_would_find_otherwise(options: dict[str, Any]) -> None:
    # Given variables with which a Python begins as this one did, and a file that is passed on
    environment = {**os.environ, **options["env"]} if "env" in options else os.environ
    with Path(SCRIPT).open() as passed:
        options = {**options, "env": environment, "pass_fds": [passed.fileno()]}
        # When a Python is started, and another one is forked
        with warm.cold():
            expected = run(SCRIPT, "3", "and more", **options)
        found = run(SCRIPT, "3", "and more", **options)
    # Then both find the same, and exit with the same code, and only one of them has had to import Octavia
    assert (found[0], _alike(found[1])) == (3, _alike(expected[1]))
    assert found[1]["parent"] == expected[1]["parent"] == os.getpid()
    assert (found[1]["forked"], expected[1]["forked"]) == (True, False)


def _alike(told: dict[str, Any]) -> dict[str, Any]:
    """What was found, without the number of the pipe to this process, and without what Octavia says when imported."""
    found = told["found"]
    variables = {name: value for name, value in found["variables"].items() if name != "ORT_DISABLE_TELEMETRY"}
    return {**found, "variables": variables, "files": found["files"] | {"1": "a pipe"}}


def test_a_module_is_forked_too() -> None:
    # When a module is run, then it is the main one, of the folder that it was started in
    code, told = run("-m", "tests.support.warm.circumstances", "0", cwd=ROOT)
    assert (code, told["forked"], told["found"]["main"]) == (0, True, "__main__")
    assert told["found"]["arguments"] == [SCRIPT, "0"]
    assert told["found"]["searched"] == str(ROOT)


def test_what_it_starts_is_forked_as_its_child() -> None:
    # When a process that was forked starts another one
    _, told = run(SCRIPT, "0", "start")
    # Then that is its own child, and was forked as well
    assert told["other"]["parent"] == told["pid"]
    assert told["other"]["forked"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_ends_it(number: signal.Signals) -> None:
    # Given a process that waits
    with subprocess.Popen([sys.executable, SCRIPT, "wait"], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        # When it gets a signal, then that is what has ended it
        process.send_signal(number)
        assert process.wait(20) == -number


def test_an_error_that_nobody_handles_ends_it_with_a_traceback() -> None:
    # When it fails
    done = subprocess.run([sys.executable, SCRIPT, "three"], capture_output=True, text=True)
    # Then it says so
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("ValueError")


def test_a_kept_process_is_forked_and_dies_with_its_keeper(tmp_path: Path) -> None:
    # Given a process that keeps another one
    output = tmp_path / "output"
    kept = KeptProcess("kept", [sys.executable, "-P", SCRIPT, "wait"], output=output)
    kept.start()
    until(lambda: output.exists() and output.read_text().endswith("\n"))
    told = json.loads(output.read_text())
    # Then it is the child of its keeper, with a command line of its own
    assert told["forked"]
    assert told["parent"] == os.getpid()
    assert psutil.Process(told["pid"]).cmdline() == [sys.executable, "-P", SCRIPT, "wait"]
    # And when it is told to stop, it does
    assert stop([kept], 20) == []


@pytest.mark.parametrize(
    ("words", "more", "forked"),
    [
        (["-m", "octavia", "serve"], {}, True),
        (["-P", "-m", "octavia.worker.child"], {}, True),
        (["-m", "chaos"], {}, False),
        (["-c", "import octavia"], {}, False),
        (["-m", "octavia"], {"LD_PRELOAD": "libfaketime.so.1"}, False),
        (["-m", "octavia"], {"PYTHONPATH": "/somewhere"}, False),
        (["-m", "octavia"], {"PYTHONIOENCODING": "latin-1"}, False),
    ],
)
def test_only_what_begins_alike_is_forked(words: list[str], more: dict[str, str], forked: bool) -> None:
    assert bool(parse([sys.executable, *words], os.environ | more, "/")) == forked


def test_it_is_held_against_what_the_warm_one_began_with(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a test that changes a variable of its own process
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    # Then what it starts is started anew
    assert parse([sys.executable, "-m", "octavia"], os.environ, "/") is None


def test_modules_in_its_folder_are_not_passed_over(tmp_path: Path) -> None:
    # Given a folder with a file that has the name of a module
    (tmp_path / "wave.py").touch()
    # Then a Python that would look there is started, and one that would not is forked
    assert parse([sys.executable, "-m", "octavia"], os.environ, str(tmp_path)) is None
    assert parse([sys.executable, "-P", "-m", "octavia"], os.environ, str(tmp_path)) is not None
