"""The units of ``deploy/systemd``, as Debian's systemd reads them, and as their service needs them."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from octavia.cli.app import app
from octavia.jobs.tables.states import Queue
from octavia.service_manager import SOCKET_NAME, STOP_MARGIN
from octavia.settings import Settings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "systemd"
PAGE = (ROOT / "docs" / "systemd.md").read_text()
UNITS = sorted(path for path in FOLDER.iterdir() if path.suffix in (".service", ".socket", ".target"))
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]
MIB, GIB = 2**20, 2**30
MOST_EXPOSED = 3.0


def run(*command: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def values(unit: Path, name: str) -> list[str]:
    """What a unit says of one thing."""
    return re.findall(rf"(?m)^{name}=(.*)$", unit.read_text())


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units beside one another, as in /etc/systemd/system, with a program that exists."""
    for unit in UNITS:
        (tmp_path / unit.name).write_text(unit.read_text().replace("/opt/octavia/current/bin/octavia", "/bin/true"))
    # A template is checked as one of its instances.
    (tmp_path / "octavia-worker@transcribe.service").symlink_to(tmp_path / "octavia-worker@.service")
    return tmp_path


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_finds_no_fault(unit: Path, installed: Path) -> None:
    checked = run("systemd-analyze", "verify", "--man=no", installed / unit.name.replace("@", "@transcribe"))
    said = [line for line in checked.stderr.splitlines() if str(installed) in line or "octavia" in line]
    assert (checked.returncode, said) == (0, []), checked.stderr


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_a_service_is_exposed_to_little(unit: Path) -> None:
    checked = run("systemd-analyze", "security", "--offline=true", f"--threshold={int(MOST_EXPOSED * 10)}", unit)
    found = re.search(r"exposure level for \S+: ([\d.]+)", checked.stdout)
    assert found, checked.stderr
    assert float(found[1]) <= MOST_EXPOSED
    assert checked.returncode == 0


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_each_service_runs_a_command_that_exists(unit: Path) -> None:
    (command,) = values(unit, "ExecStart")
    program, *words = command.split()
    assert program == "/opt/octavia/current/bin/octavia"
    group = typer.main.get_command(app)
    for word in words:
        found = getattr(group, "commands", {}).get(word)
        if found is None:
            break
        group = found
    options = {name for parameter in group.params for name in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options
    assert group.name in ("serve", "scheduler", "worker", "upgrade")


def test_workers_get_what_their_settings_let_them_take() -> None:
    (worker,) = (unit for unit in SERVICES if "@" in unit.name)
    settings = Settings()
    memory = int(values(worker, "MemoryMax")[0].removesuffix("G")) * GIB
    # A supervisor is an eighth of that.
    assert memory >= settings.worker_slots * settings.recycle_memory_mb * MIB + GIB // 2
    assert values(worker, "CPUQuota") == [f"{settings.worker_slots * settings.engine_threads * 100}%"]
    # One process that takes too much must not end the others.
    assert values(worker, "OOMPolicy") == ["continue"]


def test_services_get_the_time_that_a_stop_takes() -> None:
    for unit in SERVICES:
        if values(unit, "Type") == ["notify"]:
            grace = 0 if "scheduler" in unit.name else Settings().stop_grace_seconds
            assert float(values(unit, "TimeoutStopSec")[0]) >= grace + STOP_MARGIN


def test_the_socket_has_the_name_that_the_api_looks_for() -> None:
    socket = FOLDER / "octavia-api.socket"
    assert values(socket, "FileDescriptorName") == [SOCKET_NAME]
    settings = Settings()
    assert values(socket, "ListenStream") == [f"{settings.host}:{settings.port}"]


def test_the_file_of_settings_names_settings() -> None:
    names = re.findall(r"(?m)^#?([A-Z_]+)=", (FOLDER / "octavia.env").read_text())
    assert names
    assert set(names) <= set(Settings.variables())


def test_user_and_folders_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    made = run("systemd-sysusers", f"--root={tmp_path}", FOLDER / "sysusers.d" / "octavia.conf")
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "etc" / "passwd").read_text().startswith("octavia:x:")
    # Folders get their owner only from root: here, that the lines are understood.
    read = run("systemd-tmpfiles", f"--root={tmp_path}", "--clean", FOLDER / "tmpfiles.d" / "octavia.conf")
    assert (read.returncode, read.stderr) == (0, "")


def _named(pattern: str) -> Iterator[str]:
    yield from dict.fromkeys(re.findall(pattern, PAGE))


def test_the_page_names_what_there_is() -> None:
    # Given the files, units, settings, queues and commands that the page names
    for path in _named(r"\bdeploy/systemd/[\w@.*{},/-]*[\w*]"):
        assert list(ROOT.glob(path)), path
    units = {unit.name for unit in UNITS} | {unit.stem for unit in UNITS}
    for unit in _named(r"\boctavia(?:\.target|-(?:api|migrate|scheduler|worker)[\w@.]*)"):
        assert re.sub(r"@\w*", "@", unit).removesuffix(".") in units, unit
    queues = {name for found in _named(r"octavia-worker@\{([\w,]+)\}") for name in found.split(",")}
    assert queues == {queue.value for queue in Queue}
    assert set(_named(r"\bOCTAVIA_[A-Z_]+\b")) <= set(Settings.variables())
    for command in _named(r"bin/octavia ([a-z-]+(?: [a-z-]+)?)"):
        group = typer.main.get_command(app)
        for word in command.split():
            commands = getattr(group, "commands", None)
            if commands is None:
                break
            assert word in commands, command
            group = commands[word]
