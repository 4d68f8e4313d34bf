"""Programs are started so that none is taken from the folder that a user works in."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from octavia import programs
from octavia.worker.processes import KeptProcess, stop
from tests.support.traps import lay_traps
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]
SOURCES = [
    path
    for room in ("octavia", "migrations", "rabbitmq", "benchmarks", "chaos", "scripts")
    for path in sorted((ROOT / room).rglob("*.py"))
]
HELPER = ROOT / "octavia" / "programs.py"
# It says which Python runs, and starts none.
SAYS = ROOT / "octavia" / "cli" / "doctor" / "checks.py"
# It is replaced by the command that it gets.
TETHER = ROOT / "octavia" / "worker" / "tether.py"
# They fork a process that imports nothing by way of its folder, and leaves it.
FORKING = {ROOT / "octavia" / "worker" / name for name in ("fork_server.py", "forking.py")}
STARTING = re.compile(r"(subprocess\.)?Popen|subprocess\.(run|call|check_\w+|get\w+)|asyncio\.create_subprocess_\w+")
REPLACING = re.compile(
    r"os\.(exec|spawn|posix_spawn|system|popen|fork)\w*|pty\.\w+|runpy\.\w+|multiprocessing\.\w*Process"
)


@pytest.fixture
def trapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A mark that is there once a trap in the current folder has been run."""
    mark = tmp_path / "mark"
    folder = tmp_path / "recordings"
    folder.mkdir()
    lay_traps(folder, mark)
    monkeypatch.chdir(folder)
    yield mark
    assert not mark.exists(), mark.read_text()


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _named(tree: ast.AST) -> Iterator[str]:
    """The interpreters, and flags of interpreters, that a module names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in ("executable", "set_executable", "get_context"):
            yield node.attr
        elif isinstance(node, ast.ImportFrom) and node.module in ("sys", "multiprocessing"):
            yield from (name.name for name in node.names if name.name in ("executable", "get_context", "Process"))
        elif isinstance(node, ast.Constant) and node.value in ("-m", "-c", "python", "python3"):
            yield str(node.value)


def test_only_one_module_knows_how_to_start_a_python() -> None:
    found = {path: list(_named(_parsed(path))) for path in SOURCES if path not in (HELPER, SAYS)}
    assert {str(path): names for path, names in found.items() if names} == {}


def test_every_program_gets_a_folder_and_an_environment() -> None:
    for path in SOURCES:
        calls = [node for node in ast.walk(_parsed(path)) if isinstance(node, ast.Call)]
        for call in calls if path not in (HELPER, TETHER) else ():
            called, where = ast.unparse(call.func), f"{path.relative_to(ROOT)}:{call.lineno}"
            assert not REPLACING.fullmatch(called) or (path in FORKING and called == "os.fork"), where
            if STARTING.fullmatch(called):
                assert {"cwd", "env"} <= {keyword.arg for keyword in call.keywords}, where


def test_so_do_the_scripts() -> None:
    # Benchmarks and chaos are no installed packages: they are found by the current folder, which is the checkout. A
    # Python that is too old, which the first line finds out, does not know -P.
    known = re.compile(r"-m (benchmarks|chaos)\b|-c 'import sys;")
    for name in ("Makefile", "scripts/demo", "scripts/step", "scripts/venv", ".ci/run"):
        for started in re.findall(r'python3?"? (-[mc] .*)', (ROOT / name).read_text()):
            assert known.match(started), f"{name}: {started}"


@pytest.mark.parametrize("path", ["", ":", ".", "./:", f"{os.pathsep}/opt/octavia-test"])
def test_no_python_that_we_start_looks_into_the_current_folder(
    trapped: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given search paths that name the current folder, on purpose or by an empty entry
    monkeypatch.setenv("PYTHONPATH", path)
    seek = "import json, logging, wave, tempfile, structlog, octavia; print(octavia.__file__)"
    # When Pythons are started as we start them, though in that very folder
    commands = [programs.isolated(seek), [*programs.module("this")[:2], "-c", seek]]
    said = [subprocess.check_output(command, env=programs.environment(), text=True) for command in commands]
    # Then they find what we find, and no trap was run
    assert {line.strip() for line in said} == {str(ROOT / "octavia" / "__init__.py")}


def test_a_process_that_is_kept_runs_in_a_folder_of_its_own(trapped: Path, tmp_path: Path) -> None:
    # Given a process that tells where it is, and starts a Python itself
    told = tmp_path / "told"
    code = (
        "import os, pathlib, subprocess, sys, wave; "
        "subprocess.run([sys.executable, '-c', 'import wave, structlog'], check=True); "
        f"pathlib.Path({str(told)!r}).write_text(os.getcwd())"
    )
    kept = KeptProcess("test", [*programs.module("this")[:2], "-c", code])
    # When it is kept
    kept.start()
    until(kept.poll)
    stop([kept], 0)
    # Then neither found what lies beside the recordings
    assert told.read_text() == str(programs.FOLDER)


def test_the_environment_means_the_same_in_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given paths relative to the current folder, some of files that are there
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ca.pem").touch()
    (tmp_path / "C").mkdir()
    (tmp_path / "octavia").mkdir()
    given = {
        "SSL_CERT_FILE": "ca.pem",
        "OCTAVIA_QUEUE_PREFIX": "octavia",
        "PGSSLROOTCERT": "system",
        "LANG": "C",
        "PATH": f":/usr/bin:.:tools{os.pathsep}",
        "PYTHONPATH": "lib:.:/opt/lib",
        "LD_LIBRARY_PATH": ":",
    }
    # When the environment for another program is made
    made = programs.environment(given)
    # Then they are absolute, what only looks like a path stays, and the current folder is not searched
    assert {name: made.get(name) for name in given} == {
        "SSL_CERT_FILE": str(tmp_path / "ca.pem"),
        "OCTAVIA_QUEUE_PREFIX": "octavia",
        "PGSSLROOTCERT": "system",
        "LANG": "C",
        "PATH": f"/usr/bin:{tmp_path / 'tools'}",
        "PYTHONPATH": f"{ROOT}:{tmp_path / 'lib'}:/opt/lib",
        "LD_LIBRARY_PATH": None,
    }


def test_a_program_is_not_found_in_the_current_folder(trapped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a search path with an empty entry, and a program in the current folder
    monkeypatch.setenv("PATH", ":.")
    assert programs.find("npm") is None
    # But a folder that is named in full is searched
    monkeypatch.setenv("PATH", f":{Path.cwd()}")
    assert programs.find("npm") == str(Path.cwd() / "npm")


@pytest.mark.parametrize("path", [str(ROOT), f"{ROOT}:"], ids=["plain", "empty entry"])
def test_the_command_itself_takes_nothing_from_the_current_folder(trapped: Path, path: str) -> None:
    # When it is started as a module, which makes Python look into the current folder first
    (Path.cwd() / "sitecustomize.py").unlink()  # an empty entry has this run before any of our code
    (Path.cwd() / "usercustomize.py").unlink()
    command = [sys.executable, "-m", "octavia", "version"]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True)
    # Then it runs, and no trap did
    assert done.returncode == 0, done.stderr


def test_a_checkout_that_is_not_installed_finds_itself(tmp_path: Path) -> None:
    # Given Octavia in the current folder and nowhere else
    (tmp_path / "octavia").symlink_to(ROOT / "octavia")
    (tmp_path / "migrations").symlink_to(ROOT / "migrations")
    code = (
        "import sys; sys.path.insert(0, ''); from octavia import programs; programs.leave_folder(); import migrations;"
        "print(programs.environment()['PYTHONPATH'])"
    )
    # When a process of it makes the environment of another
    said = subprocess.check_output([sys.executable, "-S", "-c", code], env={}, cwd=tmp_path, text=True)
    # Then that finds Octavia too, from any folder
    assert said.strip() == str(tmp_path)
