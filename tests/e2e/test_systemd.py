"""The units of ``deploy/systemd`` under a real systemd, with PostgreSQL, RabbitMQ, real models and real directives."""

import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from uuid import uuid4

import httpx
import psutil
import pytest

from chaos.proxy import Proxy
from octavia.settings import get_settings
from rabbitmq.node import Node
from tests.e2e.service import clip
from tests.support import waiting
from tests.support.booted import Booted, booted
from tests.support.ports import free_port
from tests.support.postgres import PrivatePostgres

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "deploy" / "systemd"
SERVICES = ("octavia-api", "octavia-scheduler", "octavia-worker@default", "octavia-worker@transcribe")
OTHERS = ("octavia-worker@translate", "octavia-worker@synthesize", "octavia-worker@maintenance")

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a systemd of its own"),
]

until = partial(waiting.until, every=0.2)


class Machine:
    """A machine on which Octavia is installed as docs/systemd.md says, but for its packages, which are this one's."""

    def __init__(self, system: Booted, port: int) -> None:
        self.system = system
        self.port = port
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)

    def systemctl(self, *arguments: str) -> str:
        return self.system.run("systemctl", *arguments)

    def pid(self, unit: str) -> int:
        """The main process, as this machine sees it."""
        inner = self.system.show(unit, "MainPID")["MainPID"]
        for process in psutil.Process(self.system.pid).children(recursive=True):
            numbers = re.search(r"NSpid:\s+(\d+)\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())
            if numbers and numbers[2] == inner:
                return process.pid
        raise AssertionError(f"{unit} has no process {inner}")

    def pids(self) -> dict[str, str]:
        return {unit: self.system.show(unit, "MainPID")["MainPID"] for unit in SERVICES}

    def active(self, *units: str) -> bool:
        states = {unit: self.system.show(unit, "ActiveState")["ActiveState"] for unit in units}
        assert "failed" not in states.values(), f"{states}\n{self.system.logs()[-6000:]}"
        return set(states.values()) == {"active"}

    def until_active(self, *units: str) -> None:
        until(lambda: self.active(*units), 300)

    def status(self, unit: str) -> str:
        return self.system.show(unit, "StatusText")["StatusText"]

    def until_ended(self, job: str) -> str:
        """Wait for the end of a job; returns its status."""

        def status() -> str:
            return str(self.client.get(f"/api/v1/jobs/{job}/status").raise_for_status().json()["status"])

        until(lambda: status() in ("completed", "failed", "canceled"), 300)
        return status()

    def submit(self, recording: Path, **form: str) -> str:
        form = {"type": "transcribe", "source_language": "en", **form}
        with recording.open("rb") as file:
            answer = self.client.post("/api/v1/jobs", data=form, files={"file": (recording.name, file, "audio/flac")})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    @contextmanager
    def changed(self, unit: str, text: str) -> Iterator[None]:
        """A drop-in for a unit."""
        path = f"/etc/systemd/system/{unit}.d/test.conf"
        self.system.write(path, text)
        self.systemctl("daemon-reload")
        try:
            yield
        finally:
            self.system.run("rm", path)
            self.systemctl("daemon-reload")


@pytest.fixture(scope="module")
def line(postgres: PrivatePostgres) -> Iterator[Proxy]:
    """The way to the database, which can be cut."""
    with Proxy(postgres.port) as line:
        yield line


@pytest.fixture(scope="module")
def machine(postgres: PrivatePostgres, rabbitmq: Node, line: Proxy) -> Iterator[Machine]:
    """Octavia's units, installed and started."""
    name = postgres.create()
    packages = [Path(entry) for entry in dict.fromkeys((str(ROOT), *sys.path)) if _is_for_packages(entry)]
    binds = {path: f"/opt/octavia/packages/{number}" for number, path in enumerate(packages)}
    port = free_port()
    interpreter = {Path(sys.base_prefix): "/opt/octavia/python"}
    models = {get_settings().models_dir: "/var/cache/octavia/models"}
    with booted({**binds, **interpreter, **models}) as system:
        system.write(
            "/opt/octavia/current/bin/octavia",
            "#!/bin/sh\n"
            f"export PYTHONPATH={':'.join(binds.values())} LD_LIBRARY_PATH=/opt/octavia/python/lib\n"
            f'exec /opt/octavia/python/bin/python{sys.version_info[0]}.{sys.version_info[1]} -P -m octavia "$@"\n',
        )
        system.run("chmod", "-R", "a+rX,u+x", "/opt/octavia/current")
        system.run("chmod", "a+x", "/opt/octavia/current/bin/octavia")
        for unit in (*UNITS.glob("*.service"), *UNITS.glob("*.socket"), *UNITS.glob("*.target")):
            system.write(f"/etc/systemd/system/{unit.name}", unit.read_text())
        for folder in ("sysusers.d", "tmpfiles.d"):
            system.write(f"/etc/{folder}/octavia.conf", (UNITS / folder / "octavia.conf").read_text())
        system.run("systemd-sysusers", "/etc/sysusers.d/octavia.conf")
        system.write(
            "/etc/octavia/octavia.env",
            f"OCTAVIA_DATABASE_URL={postgres.url(name).replace(f':{postgres.port}/', f':{line.port}/')}\n"
            f"OCTAVIA_BROKER_URL={rabbitmq.url}\n"
            f"OCTAVIA_QUEUE_PREFIX=test-{uuid4().hex[:12]}\n"
            "OCTAVIA_READY_QUEUES=default,transcribe\nOCTAVIA_WORKER_SLOTS=1\nOCTAVIA_LEASE_SECONDS=10\nOCTAVIA_STOP_GRACE_SECONDS=8\n",
        )
        system.run("systemd-tmpfiles", "--create", "/etc/tmpfiles.d/octavia.conf")
        address = f"[Socket]\nListenStream=\nListenStream=127.0.0.1:{port}\n"
        system.write("/etc/systemd/system/octavia-api.socket.d/port.conf", address)
        made = Machine(system, port)
        made.systemctl("daemon-reload")
        made.systemctl("enable", "octavia.target", "octavia-api.socket", "octavia-migrate", *SERVICES)
        made.systemctl("start", "--no-block", "octavia.target")
        made.until_active(*SERVICES)
        yield made
        made.client.close()
    postgres.drop(name)


def _is_for_packages(entry: str) -> bool:
    inside = Path(entry or ".").is_relative_to(sys.base_prefix) and "site-packages" not in entry
    return os.path.isdir(entry) and not inside


def test_all_units_come_up_in_order_and_tell_how_they_are(machine: Machine) -> None:
    # Then migration came first, as it ended before the others began
    ended = int(machine.system.show("octavia-migrate", "ExecMainExitTimestampMonotonic").popitem()[1])
    for unit in SERVICES:
        assert int(machine.system.show(unit, "ExecMainStartTimestampMonotonic").popitem()[1]) >= ended
    # And each tells its state, which is true: jobs can be taken and will be worked on
    assert machine.status("octavia-api") == f"Serving 127.0.0.1, port {machine.port}."
    assert machine.status("octavia-worker@transcribe") == "1 of 1 worker processes are up."
    until(lambda: machine.client.get("/readyz").status_code == 200)
    # And nothing of the manager's is passed on to workers
    worker = psutil.Process(machine.pid("octavia-worker@transcribe")).children()[0]
    assert {"NOTIFY_SOCKET", "WATCHDOG_USEC"} <= set(psutil.Process(worker.ppid()).environ())
    assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} & set(worker.environ())
    # And all run as a user without rights, in files that they cannot change
    assert worker.uids().real == psutil.Process(worker.ppid()).uids().real != 0


def test_strangers_media_have_all_layers_of_their_sandbox(machine: Machine) -> None:
    # Given what confines the process that decodes on this machine, without any directive
    wanted = {found for found in _doctor(machine, "") if found[0] == "media sandbox"}
    assert len(wanted) == 4
    # When it is checked under the directives of a worker, and of the API, to which subtitles are sent
    for unit in ("octavia-worker@.service", "octavia-api.service"):
        found = _doctor(machine, (UNITS / unit).read_text())
        # Then it is the same
        assert {each for each in found if each[0] == "media sandbox"} == wanted
        # And the rest of the installation is well, too
        assert not {each for each in found if each[1] == "bad"}


def _doctor(machine: Machine, unit: str) -> list[tuple[str, str, str]]:
    """What ``octavia doctor`` finds, under the directives of a unit or as the user alone: subject, verdict, detail."""
    kept = re.sub(r"(?m)^(ExecStart|Type|Watchdog\w+|Restart\w*|StandardOutput)=.*\n", "", unit) or "[Service]\n"
    kept = kept.replace("%i", "default").partition("[Install]")[0]
    more = (
        "Type=oneshot\nUser=octavia\nEnvironmentFile=/etc/octavia/octavia.env\nStandardOutput=file:/run/found.json\n"
        "Environment=OCTAVIA_DATA_DIR=/var/lib/octavia OCTAVIA_MODELS_DIR=/var/cache/octavia/models\n"
        "ExecStart=-/opt/octavia/current/bin/octavia doctor --json\n"
    )
    machine.system.write("/etc/systemd/system/checking.service", kept.replace("[Service]\n", f"[Service]\n{more}"))
    machine.systemctl("daemon-reload")
    machine.systemctl("start", "checking")
    found = json.loads((machine.system.root / "run" / "found.json").read_text())
    (machine.system.root / "run" / "found.json").unlink()
    return [(each["subject"], each["verdict"], each["detail"]) for each in found]


def test_a_restart_turns_no_client_away(machine: Machine) -> None:
    # Given clients that come again and again, each over a new connection
    answers: list[int] = []
    stopped = threading.Event()

    def come() -> None:
        while not stopped.is_set():
            answers.append(httpx.get(f"http://127.0.0.1:{machine.port}/healthz", timeout=60).status_code)

    clients = [threading.Thread(target=_noting(come, answers)) for _ in range(4)]
    for client in clients:
        client.start()
    try:
        # When the API restarts, twice
        for _ in range(2):
            before, enough = machine.pid("octavia-api"), len(answers) + 20
            machine.systemctl("restart", "octavia-api")
            # Then `systemctl` returns when the new one serves
            assert machine.pid("octavia-api") != before
            until(lambda enough=enough: len(answers) > enough)
    finally:
        stopped.set()
        for client in clients:
            client.join()
    # And every client got its answer
    assert set(answers) == {200}


def _noting(call: Callable[[], None], answers: list[int]) -> Callable[[], None]:
    def run() -> None:
        try:
            call()
        except httpx.HTTPError:
            answers.append(0)

    return run


@pytest.mark.parametrize(
    "unit",
    [
        "octavia-api",
        *(pytest.param(unit, marks=pytest.mark.long) for unit in ("octavia-worker@default", "octavia-scheduler")),
    ],
)
def test_a_process_that_hangs_is_replaced(machine: Machine, unit: str) -> None:
    # Given a watchdog that does not wait for long
    with machine.changed(f"{unit}.service", "[Service]\nWatchdogSec=2\nRestartSec=0\n"):
        machine.systemctl("restart", unit)
        pid = machine.pid(unit)
        # And a process that was left alone by it for a while
        time.sleep(4)
        assert machine.pid(unit) == pid
        # When the process hangs
        os.kill(pid, signal.SIGSTOP)
        # Then it is killed, and another one is there
        until(lambda: not psutil.pid_exists(pid))
        until(lambda: machine.system.show(unit, "ActiveState")["ActiveState"] == "active")
        assert "Watchdog timeout" in machine.system.logs(unit)
    machine.systemctl("restart", unit)


def test_workers_stop_between_two_pieces_and_go_on_after_a_restart(machine: Machine, tmp_path: Path) -> None:
    # Given a job of several chunks in hand
    job = machine.submit(clip(tmp_path, 100))
    until(lambda: machine.client.get(f"/api/v1/jobs/{job}/status").json()["stage"] == "transcribe", 120)
    # When its workers are restarted
    began = time.monotonic()
    machine.systemctl("restart", "octavia-worker@transcribe")
    # Then they stop in time, and none of them has to be killed
    assert "Killing" not in machine.system.logs("octavia-worker@transcribe")
    assert time.monotonic() - began < 60
    # And the job goes on, and completes
    assert machine.until_ended(job) == "completed"


def test_migration_can_be_repeated_while_all_else_runs(machine: Machine) -> None:
    before = machine.pids()
    machine.systemctl("restart", "octavia-migrate")
    assert machine.pids() == before


@pytest.mark.long
@pytest.mark.parametrize("unit", ["octavia-worker@default", "octavia-scheduler"])
def test_a_start_without_a_database_is_waited_for(machine: Machine, line: Proxy, unit: str) -> None:
    # Given a database out of reach, and a manager that gives a start half a minute
    with machine.changed(f"{unit}.service", "[Service]\nTimeoutStartSec=30\n"):
        machine.systemctl("stop", unit)
        line.cut()
        try:
            # When the service is started
            machine.systemctl("start", "--no-block", unit)
            until(lambda: machine.status(unit).startswith("Waiting: "))
            time.sleep(32)
            # Then it is neither ready nor killed
            assert machine.system.show(unit, "ActiveState", "NRestarts") == {
                "ActiveState": "activating",
                "NRestarts": "0",
            }
        finally:
            line.mend()
        # And it is ready once the database is back
        machine.until_active(unit)
        assert machine.system.show(unit, "NRestarts")["NRestarts"] == "0"


@pytest.mark.long
def test_a_dub_is_made_under_all_restrictions(machine: Machine, tmp_path: Path) -> None:
    # Given workers for all queues
    machine.systemctl("start", *OTHERS)
    # When a recording is dubbed, by the sandbox and three engines
    job = machine.submit(clip(tmp_path), type="dub", target_language="es")
    # Then it completes, and its results can be read
    assert machine.until_ended(job) == "completed", machine.system.logs()[-6000:]
    assert machine.client.get(f"/api/v1/jobs/{job}/audio.wav").raise_for_status().content[:4] == b"RIFF"


def test_the_whole_stops_with_its_target(machine: Machine) -> None:
    # When the target stops
    machine.systemctl("stop", "octavia.target")
    # Then nothing is left, nothing failed, and nothing listens
    for unit in SERVICES:
        until(lambda unit=unit: machine.system.show(unit, "ActiveState")["ActiveState"] != "deactivating")
        assert machine.system.show(unit, "ActiveState", "Result") == {"ActiveState": "inactive", "Result": "success"}
    assert not [p for p in psutil.Process(machine.system.pid).children(recursive=True) if "octavia" in p.cmdline()]
    with pytest.raises(httpx.ConnectError):
        machine.client.get("/healthz")
